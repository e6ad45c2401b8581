"""What :class:`connectors.matrix.crypto.identity.Identity` needs of the world."""

from __future__ import annotations

from typing import Protocol

from bridge.rawjson.fields import JsonObject
from connectors.matrix.crypto.recovery_key import RecoveryKey


class IdentityServer(Protocol):
    """One account at its homeserver. Every verb MUST be safe to repeat and to cancel.

    All raise :class:`ConnectorUnavailableError` where the server does not answer: the act may
    have happened; and :class:`ConnectorRejectedError` where it refuses: it has not.
    """

    async def account_data(self, kind: str) -> JsonObject | None:
        """The account data of type ``kind``; None where there is none, or an empty object."""
        ...

    async def put_account_data(self, kind: str, content: JsonObject) -> None:
        """Replace the account data of type ``kind``."""
        ...

    async def query_keys(self) -> JsonObject:
        """What ``/keys/query`` answers of the account; MUST be what is published now."""
        ...

    async def upload_identity(self, body: JsonObject, *, with_password: bool) -> None:
        """Publish cross-signing keys. MUST NOT send the password unless ``with_password``.

        Raises:
            AuthenticationAskedError: the server wants the password first, and it was not sent or
                there is none.
        """
        ...

    async def upload_signatures(self, body: JsonObject) -> None:
        """Add signatures to published keys. What came of it shows in :meth:`query_keys`."""
        ...


class RecoveryKeyKeeper(Protocol):
    """Where the recovery key is kept."""

    async def load(self) -> RecoveryKey | None:
        """The key, or None where none was ever kept.

        Raises:
            RecoveryKeyFormatError: what is kept is no recovery key.
            ConfigError: it cannot be read.
        """
        ...

    async def keep(self, key: RecoveryKey) -> None:
        """Keep a new key. MUST be durable on return, and MUST NOT replace another.

        Raises:
            ConfigError: it cannot be kept.
        """
        ...
