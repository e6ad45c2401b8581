"""Everything that can go wrong outside our own code, as one tree.

::

    MunimentError
    ├── ConfigError                     settings, files or keys that waiting cannot mend
    ├── ConnectorError
    │   ├── ConnectorUnavailableError   the platform does not answer; ask again later
    │   ├── ConnectorRejectedError      the platform refuses us; an operator must act
    │   └── EnvelopeError               a response that cannot be split into events
    ├── JournalError
    │   ├── JournalUnavailableError     disk full or locked; nothing was written
    │   ├── JournalSchemaError          the journal belongs to another version
    │   └── JournalKeyError             the journal key does not open this journal
    ├── SpoolError
    │   └── SpoolFullError              no room for another attachment
    ├── ObjectStoreError
    │   ├── ObjectStoreUnavailableError the store does not answer, or its answer settles nothing
    │   ├── ObjectStoreRejectedError    credentials, bucket or lock mode are wrong
    │   ├── ObjectConflictError         another object has this key
    │   └── RetentionNotKeptError       the store accepted a retention and did not keep it
    ├── CatalogError                    the catalog cannot be used; it can always be rebuilt
    │   └── CatalogUnfitError           it is damaged or of another version, and is made anew
    ├── LogError
    │   ├── LogUnavailableError         log.db cannot be written now
    │   ├── LogSchemaError              log.db belongs to another version
    │   └── LogForkError                signing would make a second history of the log
    ├── AnchorError
    │   ├── AnchorUnavailableError      a witness or time-stamping authority does not answer
    │   └── AnchorRejectedError         it refuses, or its answer proves nothing
    ├── AlertError                      an alert could not be handed over; it is tried again
    ├── PolicyError                     a policy file that cannot be put in force
    └── CanonicalError                  a value that JSON cannot carry

Each class says whether trying again can help (``retryable``) and what an operator does about it
(``hint``). Misuse by our own code is a :class:`RuntimeError` and stands outside the tree.
"""

from __future__ import annotations


class MunimentError(Exception):
    """Base of the tree. The message names the fact; ``hint`` names the remedy."""

    retryable: bool = False
    hint: str = "See docs/operations.md."

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class ConfigError(MunimentError):
    """A setting, file or key that waiting cannot mend. The process exits 2."""

    hint = "Correct the setting and start again."


class ConnectorError(MunimentError):
    """Anything a platform did to us."""


class ConnectorUnavailableError(ConnectorError):
    """The platform does not answer, or asks us to wait."""

    retryable = True
    hint = "The recorder tries again by itself; check the network and the server."

    def __init__(
        self, message: str, *, retry_after: float | None = None, hint: str | None = None
    ) -> None:
        """``retry_after``: seconds the platform asked us to wait."""
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class ConnectorRejectedError(ConnectorError):
    """The platform understood and refused."""

    hint = "Check the account, its token or password, and its rights in the group."

    def __init__(self, message: str, *, code: str = "", hint: str | None = None) -> None:
        """``code``: the platform's own error code, e.g. ``M_FORBIDDEN``."""
        super().__init__(message, hint=hint)
        self.code = code


class EnvelopeError(ConnectorError):
    """A response whose events cannot be told apart. The cursor stays where it is."""

    retryable = True
    hint = "The response is kept for inspection; the recorder asks again group by group."

    def __init__(self, message: str, *, body: bytes = b"") -> None:
        super().__init__(message)
        self.body = body


class JournalError(MunimentError):
    """Anything the journal could not do."""


class JournalUnavailableError(JournalError):
    """Nothing was written: the disk is full or the file is locked."""

    retryable = True
    hint = "Free disk space; the platform is not acknowledged until the journal writes again."


class JournalSchemaError(JournalError):
    """The journal was written by a version this one does not know."""

    hint = "Run the version that wrote it, or restore a back-up made by this version."


class JournalKeyError(JournalError):
    """The journal key is not the one this journal was written with."""

    hint = "Set [keys] journal_key_file to the key this journal was written with."


class SpoolError(MunimentError):
    """An attachment could not be kept on disk."""


class SpoolFullError(SpoolError):
    """The spool has no room for another attachment."""

    retryable = True
    hint = "Free disk space or raise [spool] max_bytes."


class ObjectStoreError(MunimentError):
    """Anything the object store did to us."""


class ObjectStoreUnavailableError(ObjectStoreError):
    """No answer, or one that settles nothing. The same bytes are tried again under the same key."""

    retryable = True
    hint = "The recorder tries again by itself; check the network and the store."


class ObjectStoreRejectedError(ObjectStoreError):
    """The store refuses the request and will refuse it again."""

    retryable = True
    hint = "Check [store]: url, credentials_file, lock_mode and the bucket's settings."


class ObjectConflictError(ObjectStoreError):
    """Another object stands under this key. ``found`` is its SHA-256 in hex, if it says."""

    hint = "Nothing was overwritten. Find out who else writes under this prefix."

    def __init__(self, message: str, *, found: str | None) -> None:
        super().__init__(message)
        self.found = found


class RetentionNotKeptError(ObjectStoreError):
    """The store took a retention and does not show it when asked."""

    retryable = True
    hint = 'Use a bucket with Object Lock, or set [store] lock_mode = "none" knowingly.'


class CatalogError(MunimentError):
    """The catalog cannot be read or written. Nothing is lost: it is derived from the store."""

    retryable = True
    hint = "Run `muniment catalog rebuild`; free disk space if it says so."


class CatalogUnfitError(CatalogError):
    """The file is damaged, no catalog, or of another version. ``run`` makes it anew."""


class LogError(MunimentError):
    """Anything the log could not do. Nothing of what is recorded is lost by it."""


class LogUnavailableError(LogError):
    """Nothing was written: the disk is full or ``log.db`` is locked."""

    retryable = True
    hint = "Free disk space; records are stored meanwhile, and the log follows."


class LogSchemaError(LogError):
    """``log.db`` was written by a version this one does not know."""

    hint = "Run the version that wrote it."


class LogForkError(LogError):
    """The log's published history and ours differ: what is signed now would contradict it."""

    hint = (
        "Find out who else writes this log, or what was restored; records are stored meanwhile."
        " Run `muniment verify`, and see docs/operations.md, The log."
    )


class AnchorError(MunimentError):
    """Anything a witness or a time-stamping authority did to us. Nothing waits for them."""


class AnchorUnavailableError(AnchorError):
    """No answer, or one that settles nothing."""

    retryable = True
    hint = "The recorder tries again by itself; check the network and the address."


class AnchorRejectedError(AnchorError):
    """It refuses, or what it answered does not prove what it should."""

    retryable = True
    hint = "Check [witness] and [timestamp]: the address, and the keys that belong to it."


class AlertError(MunimentError):
    """Nobody is known to have been told. The alert is kept and sent again."""

    retryable = True
    hint = "It is sent again by itself; check [alerts], the network, and who takes alerts."


class PolicyError(MunimentError):
    """A policy file that cannot be put in force."""

    hint = "Correct the policy file where it says so."


class CanonicalError(MunimentError):
    """A value that RFC 8785 JSON cannot carry: the event is kept as `unparsed`."""

    hint = "Nothing to do: the exact bytes are kept."
