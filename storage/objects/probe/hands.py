"""What an identity can do to a bucket, and how a bucket answers; no judgement is made here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Literal, Protocol

Mode = Literal["GOVERNANCE", "COMPLIANCE"]


class Said(Enum):
    """What an answer means."""

    DONE = "done"
    REFUSED = "refused"
    UNSETTLED = "unsettled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to something that changes the bucket. ``words``: status and code."""

    said: Said
    words: str = "200"
    version: str | None = None
    etag: str | None = None

    @property
    def done(self) -> bool:
        """Whether the store says that it did so."""
        return self.said is Said.DONE

    @property
    def is_denial(self) -> bool:
        """Whether the identity lacks a right, as far as the store says."""
        return self.said is Said.REFUSED and self.words.startswith(("401", "403"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A retention, as it is asked for or shown."""

    mode: Mode
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a bucket shows of one version of a name."""

    etag: str | None = None
    lock: Lock | None = None
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A version that stands under ``probe/``."""

    name: str
    version: str | None


class Hands(Protocol):
    """One identity at one bucket. Used by several threads at once; names are whole names.

    What changes the bucket MUST be refused by our own side outside ``folder``. Raises
    :class:`bridge.errors.ObjectStoreUnavailableError` where nobody answers, and
    :class:`bridge.errors.ObjectStoreRejectedError` where a look is refused.
    """

    @property
    def where(self) -> str:
        """The bucket and its server, for messages."""

    @property
    def folder(self) -> str:
        """What stands before every name of a canary; it ends with ``probe/``."""

    @property
    def skew(self) -> timedelta | None:
        """How far the server's clock is ahead of ours; None before the first answer."""

    def put(
        self,
        name: str,
        data: bytes,
        *,
        lock: Lock | None = None,
        only_new: bool = False,
        instead_of: str | None = None,
        sha256: bytes | None = None,
        md5: bytes | None = None,
    ) -> Answer:
        """PUT. ``instead_of``: an ETag for If-Match.

        The digests given are claimed, right or not; without any the right SHA-256 is.
        """

    def look(self, name: str, version: str | None) -> Shown | None:
        """HEAD; None where there is none."""

    def read(self, name: str, version: str | None) -> bytes | None:
        """GET; None where there is none."""

    def delete(self, name: str, version: str | None, *, bypass: bool = False) -> Answer:
        """DELETE of a version; ``bypass`` asks to pass over a governance lock."""

    def retain(self, name: str, version: str | None, lock: Lock) -> Answer:
        """PutObjectRetention."""

    def hold(self, name: str, version: str | None, *, on: bool) -> Answer:
        """PutObjectLegalHold."""

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of exactly this name, newest first."""

    def versioning(self) -> str:
        """``Enabled``, ``Suspended``, or "" where it was never turned on or is not known."""

    def default_lock(self) -> str:
        """What the bucket locks everything with by itself, as ``GOVERNANCE for 30 days``, or ""."""

    def left(self, *, before: datetime) -> tuple[Left, ...]:
        """What stands in ``folder`` since before then, by the store's clock; one page of it."""

    def close(self) -> None:
        """Give up the connections; what is asked later fails."""
