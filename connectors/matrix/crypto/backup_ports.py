"""What :class:`connectors.matrix.crypto.backup.KeyBackup` needs of the world."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from bridge.model import Provenance
from bridge.rawjson.fields import JsonObject
from connectors.matrix.crypto.cross_signing import OlmDevice
from connectors.matrix.crypto.secret_storage import SecretName
from connectors.matrix.crypto.store import Transaction
from connectors.matrix.crypto.values import ExportedKey, KeyRow

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupVersion:
    """A key backup as the server describes it."""

    version: str
    algorithm: str
    auth_data: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupEntry:
    """A room key as it stands in a backup, unread."""

    room_id: str
    session_id: str
    data: JsonObject


class BackupServer(Protocol):
    """One account's key backups at its homeserver. Every verb MUST be safe to repeat and cancel.

    All raise :class:`ConnectorUnavailableError` where the server does not answer, or not as one
    does: the act may have happened; and :class:`ConnectorRejectedError` where it refuses.
    """

    async def current(self) -> BackupVersion | None:
        """The newest backup, the only one that takes keys; None where there is none."""
        ...

    async def create(self, *, algorithm: str, auth_data: JsonObject) -> str:
        """Begin a backup, which becomes the newest; gives its version."""
        ...

    async def describe(self, backup: BackupVersion) -> None:
        """Replace the ``auth_data`` of a backup."""
        ...

    async def put(self, version: str, rooms: JsonObject) -> bool:
        """Add keys; whether they were: False means that ``version`` is not the newest backup."""
        ...

    def entries(
        self, version: str, *, room_id: str | None = None
    ) -> AsyncGenerator[BackupEntry, None]:
        """All keys of a backup, or of a room in it. Memory MUST be bounded by single keys.

        One that is malformed is given as it is. A room or backup that is not there has none.
        """
        ...

    async def entry(self, version: str, room_id: str, session_id: str) -> BackupEntry | None:
        """One key; None where there is none."""
        ...


class BackupVault(Protocol):
    """The account's secret storage; see :class:`connectors.matrix.crypto.vault.Vault`."""

    async def secret(self, name: SecretName) -> str | None:
        """A secret; None where it is not kept under this key."""
        ...

    async def keep(self, name: SecretName, secret: str) -> None:
        """Keep a secret in place of what this key kept under the name."""
        ...


class KeyRing(Protocol):
    """Our device and its room keys; see :class:`connectors.matrix.crypto.machine.Machine`."""

    @property
    def device(self) -> OlmDevice:
        """Our device."""
        ...

    async def sign(self, message: bytes) -> str:
        """A signature by our device, unpadded base64."""
        ...

    async def keys(self, *, after: int, limit: int, unbacked: bool) -> tuple[KeyRow, ...]:
        """Room keys by number, those behind ``after``; only those not backed up yet."""
        ...

    async def backed_up(self, ids: Sequence[int]) -> None:
        """Remember that these are backed up, unless they changed since."""
        ...

    async def forget_backups(self) -> None:
        """Remember that none is."""
        ...

    async def import_keys(self, keys: Sequence[ExportedKey], provenance: Provenance) -> int:
        """Take keys; gives how many are new or better than what was there."""
        ...

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Do ``work`` in one transaction."""
        ...
