"""The account's key backup at its homeserver: made once, never put in another's place.

The order of effects when it is made, and what the next start finds after a crash behind each:

1. The private key is in secret storage. Nothing at the server yet: the key is taken as it is.
2. What was marked as backed up is forgotten. As before.
3. The backup is made, signed. It is found again, since its public key fits the private one.
4. The marks are named after this backup. Until they are, they are forgotten again, which costs
   nothing but a second upload.

A key is marked as backed up when the server has it: what lies between is uploaded twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import groupby

import structlog

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError
from bridge.model import Provenance
from bridge.rawjson.fields import JsonObject, table, text
from connectors.matrix.crypto.backup_key import ALGORITHM, BackupKey
from connectors.matrix.crypto.backup_mark import mark, set_mark
from connectors.matrix.crypto.backup_ports import (
    BackupEntry,
    BackupServer,
    BackupVault,
    BackupVersion,
    KeyRing,
)
from connectors.matrix.crypto.cross_signing import from_seed_text
from connectors.matrix.crypto.exported_keys import is_session_id
from connectors.matrix.crypto.key_refusals import BackupOfAnotherError, BackupUnknownError
from connectors.matrix.crypto.recovery_key import RandomBytes
from connectors.matrix.crypto.refusals import SecretDamagedError
from connectors.matrix.crypto.secret_storage import SecretName
from connectors.matrix.crypto.signed_json import canonical, covered, is_signed, signed
from connectors.matrix.crypto.signing_key import ALGORITHM as SIGNING
from connectors.matrix.crypto.signing_key import SigningKey
from connectors.matrix.crypto.values import ExportedKey, KeyRow
from connectors.matrix.http import is_of_the_account

log = structlog.get_logger(__name__)

PORTION = 100
"""Keys in one request, and in one transaction."""
MOST_SINGLE = 20
"""Sessions of one room that are asked for one by one; of more, the room's are read through."""
MOST_REFUSED = 20
"""Keys of one portion that are passed over before the rest waits: it may not be for the keys."""
MOST_CHANGES = 3
"""How often the backup may change under one upload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a backup gave: keys that are new or better, and entries that cannot be read."""

    keys: int = 0
    unreadable: int = 0

    def __add__(self, other: Restored) -> Restored:
        """Both together."""
        return Restored(keys=self.keys + other.keys, unreadable=self.unreadable + other.unreadable)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    version: str
    key: BackupKey


class KeyBackup:
    """The backup, with the account's secret storage opened. One procedure at a time per account.

    ``master``: the account's master key as others see it; what secret storage holds under that
    name signs the backup only where it is this very key.
    """

    def __init__(
        self,
        *,
        server: BackupServer,
        vault: BackupVault,
        keys: KeyRing,
        master: str | None,
        random: RandomBytes,
    ) -> None:
        self._server = server
        self._vault = vault
        self._keys = keys
        self._master = master
        self._random = random
        self._open: _Open | None = None
        self._refused: set[int] = set()

    @property
    def refused(self) -> int:
        """How many keys the server did not take; they are passed over until told otherwise."""
        return len(self._refused)

    def reconsider(self) -> None:
        """Offer them again with the next upload."""
        self._refused.clear()

    async def establish(self) -> str:
        """Find our backup or make it; gives its version. MUST be safe to repeat after a crash.

        Raises:
            BackupRefusedError: there is one that is not ours; nothing was changed.
            SecretDamagedError, StorageOfAnotherError: its private key cannot be read or kept.
            ConnectorUnavailableError: the server does not answer; begin again.
        """
        return (await self._established()).version

    async def upload(self) -> int:
        """Back up all keys that are not yet; gives how many.

        A portion that the server refuses is offered in halves, and the key it comes down to is
        passed over: strangers, who give us keys too, MUST NOT be able to keep the others out.

        Raises:
            as :meth:`establish`; what was uploaded until then counts.
            ConnectorRejectedError: the server refuses one key after the other.
        """
        backup = self._open or await self._established()
        count = after = changes = 0
        while rows := await self._keys.keys(after=after, limit=PORTION, unbacked=True):
            offered = [row for row in rows if row.id not in self._refused]
            taken = await self._offer(backup, offered)
            if taken is not None:
                count += taken
                after = rows[-1].id
                continue
            # Another backup took this one's place, or it was deleted.
            changes += 1
            if changes > MOST_CHANGES:
                raise ConnectorUnavailableError("The account's key backup keeps changing.")
            backup, after = await self._established(), 0
        return count

    async def _offer(self, backup: _Open, rows: Sequence[KeyRow]) -> int | None:
        """Upload these; gives how many were taken, or None where the backup is not the newest."""
        waiting = [rows] if rows else []
        count = refused = 0
        while waiting:
            part = waiting.pop()
            rooms = await asyncio.to_thread(_encrypted, backup.key, part)
            try:
                if not await self._server.put(backup.version, rooms):
                    return None
            except ConnectorRejectedError as error:
                if is_of_the_account(error) or refused == MOST_REFUSED:
                    raise
                if len(part) > 1:
                    middle = len(part) // 2
                    waiting += [part[middle:], part[:middle]]
                    continue
                refused += 1
                self._refused.add(part[0].id)
                log.warning("key_not_taken", code=error.code, refused=len(self._refused))
                continue
            await self._keys.backed_up([row.id for row in part])
            count += len(part)
        return count

    async def restore(self, sessions: Sequence[tuple[str, str]] | None = None) -> Restored:
        """Take keys from the backup: those of these (room, session), or all.

        Raises:
            as :meth:`establish`; what was taken until then counts.
        """
        backup = self._open or await self._established()
        restored = Restored()
        portion: list[BackupEntry] = []
        source = self._all(backup) if sessions is None else self._some(backup, sessions)
        async with aclosing(source) as found:
            async for entry in found:
                portion.append(entry)
                if len(portion) == PORTION:
                    restored += await self._taken(backup.key, portion)
                    portion = []
        return restored + await self._taken(backup.key, portion)

    async def _taken(self, key: BackupKey, portion: Sequence[BackupEntry]) -> Restored:
        keys = await asyncio.to_thread(_decrypted, key, portion)
        count = await self._keys.import_keys(keys, Provenance.BACKUP) if keys else 0
        return Restored(keys=count, unreadable=len(portion) - len(keys))

    async def _all(self, backup: _Open) -> AsyncGenerator[BackupEntry, None]:
        async with aclosing(self._server.entries(backup.version)) as found:
            async for entry in found:
                yield entry

    async def _some(
        self, backup: _Open, sessions: Sequence[tuple[str, str]]
    ) -> AsyncGenerator[BackupEntry, None]:
        for room_id, pairs in groupby(sorted(set(sessions)), key=lambda pair: pair[0]):
            wanted = {session_id for _, session_id in pairs if is_session_id(session_id)}
            if len(wanted) > MOST_SINGLE:
                room = self._server.entries(backup.version, room_id=room_id)
                async with aclosing(room) as found:
                    async for entry in found:
                        if entry.session_id in wanted:
                            yield entry
                continue
            for session_id in sorted(wanted):
                single = await self._server.entry(backup.version, room_id, session_id)
                if single is not None:
                    yield single

    async def _established(self) -> _Open:
        self._open = None
        current = await self._server.current()
        key = await self._stored_key()
        if current is None:
            backup = await self._made(key)
        else:
            backup = await self._found(current, key)
        name = f"{backup.version} {backup.key.public}"
        if await self._keys.run(mark) != name:
            await self._keys.forget_backups()
            await self._keys.run(lambda transaction: set_mark(transaction, name))
        self._open = backup
        return backup

    async def _stored_key(self) -> BackupKey | None:
        secret = await self._vault.secret(SecretName.BACKUP)
        if secret is None:
            return None
        key = BackupKey.parse(secret)
        if key is None:
            raise SecretDamagedError("What secret storage holds as the backup's key is none.")
        return key

    async def _made(self, key: BackupKey | None) -> _Open:
        """Steps 1 to 3."""
        if key is None:
            key = BackupKey.make(self._random)
            await self._vault.keep(SecretName.BACKUP, key.text())
        auth_data = await self._signed(key, {})
        # Before: a server may give a number again, and then the marks would seem to be of this.
        await self._keys.forget_backups()
        version = await self._server.create(algorithm=ALGORITHM, auth_data=auth_data)
        return _Open(version=version, key=key)

    async def _found(self, current: BackupVersion, key: BackupKey | None) -> _Open:
        """The newest backup, if it is ours: that our private key fits it shows that."""
        if current.algorithm != ALGORITHM:
            raise BackupUnknownError("The account's key backup is of an unknown kind.")
        if key is None:
            raise BackupOfAnotherError(
                "The account has a key backup, and its secret storage does not hold the key."
            )
        if (text(current.auth_data, "public_key") or "").rstrip("=") != key.public:
            raise BackupOfAnotherError(
                "The account's key backup is under another key than the one in secret storage."
            )
        if not self._is_signed(current.auth_data) and covered(current.auth_data) == _auth(key):
            # Other clients of the account want a signature to use it. What else the server puts
            # in there is never signed: it might read as a key of our identity.
            auth_data = await self._signed(key, table(current.auth_data, "signatures"))
            await self._server.describe(replace(current, auth_data=auth_data))
        return _Open(version=current.version, key=key)

    def _is_signed(self, auth_data: JsonObject) -> bool:
        """Whether the account's identity or our device signed it."""
        device = self._keys.device
        signers = {f"{SIGNING}:{device.device_id}": device.ed25519}
        if self._master is not None:
            signers[f"{SIGNING}:{self._master}"] = self._master
        return any(
            is_signed(auth_data, user_id=device.user_id, key_id=key_id, public=public)
            for key_id, public in signers.items()
        )

    async def _signed(self, key: BackupKey, signatures: JsonObject) -> JsonObject:
        """``auth_data``, signed by our device and, where we have it, the account's identity."""
        device = self._keys.device
        signature = await self._keys.sign(canonical(_auth(key)))
        own = table(signatures, device.user_id) | {f"{SIGNING}:{device.device_id}": signature}
        document = _auth(key) | {"signatures": signatures | {device.user_id: own}}
        master = await self._master_key()
        return signed(document, user_id=device.user_id, key=master) if master else document

    async def _master_key(self) -> SigningKey | None:
        secret = await self._vault.secret(SecretName.MASTER)
        key = from_seed_text(secret) if secret is not None else None
        return key if key is not None and key.public == self._master else None


def _auth(key: BackupKey) -> JsonObject:
    """What is signed of a backup."""
    return {"public_key": key.public}


def _encrypted(key: BackupKey, rows: Sequence[KeyRow]) -> JsonObject:
    """The ``rooms`` of an upload."""
    rooms: dict[str, dict[str, JsonObject]] = {}
    for row in rows:
        room = rooms.setdefault(row.key.room_id, {"sessions": {}})
        room["sessions"][row.key.session_id] = key.encrypted(row)
    return dict(rooms)


def _decrypted(key: BackupKey, portion: Sequence[BackupEntry]) -> list[ExportedKey]:
    found = (
        key.decrypted(entry.data, room_id=entry.room_id, session_id=entry.session_id)
        for entry in portion
    )
    return [each for each in found if each is not None]
