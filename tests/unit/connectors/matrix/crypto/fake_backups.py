"""Key backups at a homeserver that checks what it is given, and may die at any request."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace

from bridge.errors import ConnectorRejectedError
from bridge.rawjson.fields import JsonObject, table, text
from connectors.matrix.crypto.backup_ports import BackupEntry, BackupVersion
from connectors.matrix.crypto.secret_storage import SecretName
from tests.unit.connectors.matrix.crypto.account_server import FakeAccountServer


@dataclass
class Stored:
    """A backup."""

    described: BackupVersion
    rooms: dict[str, dict[str, JsonObject]] = field(default_factory=dict)


class FakeBackups:
    """See :class:`connectors.matrix.crypto.backup_ports.BackupServer`.

    ``account``: a backup is refused whose private key could not be in its secret storage yet.
    ``refused``: sessions for which a whole upload is refused.
    """

    def __init__(self, account: FakeAccountServer) -> None:
        self.account = account
        self.versions: dict[str, Stored] = {}
        self.portions: list[int] = []
        self.refused: set[str] = set()
        self.puts = 0
        self.asked: list[str] = []

    @property
    def newest(self) -> Stored | None:
        """The backup that takes keys."""
        return list(self.versions.values())[-1] if self.versions else None

    async def current(self) -> BackupVersion | None:
        """The newest."""
        self.account.crashes.before("current backup")
        return self.newest.described if self.newest else None

    async def create(self, *, algorithm: str, auth_data: JsonObject) -> str:
        """Begin one, where its key is kept already."""
        self.account.crashes.before("create backup")
        assert SecretName.BACKUP in self.account.data
        version = self.add(algorithm=algorithm, auth_data=auth_data)
        self.account.crashes.after()
        return version

    def add(self, *, algorithm: str, auth_data: JsonObject) -> str:
        """A backup, whoever makes it."""
        version = str(len(self.versions) + 1)
        self.versions[version] = Stored(
            BackupVersion(version=version, algorithm=algorithm, auth_data=auth_data)
        )
        return version

    async def describe(self, backup: BackupVersion) -> None:
        """Replace what may change."""
        self.account.crashes.before("describe backup")
        stored = self.versions[backup.version]
        assert stored.described.algorithm == backup.algorithm
        stored.described = replace(stored.described, auth_data=backup.auth_data)
        self.account.crashes.after()

    async def put(self, version: str, rooms: JsonObject) -> bool:
        """Add keys to the newest, each where it is better than what is there."""
        self.account.crashes.before("put keys")
        self.puts += 1
        newest = self.newest
        if newest is None or newest.described.version != version:
            return False
        count = 0
        for room_id in rooms:
            for session_id in table(table(rooms, room_id), "sessions"):
                data = table(table(table(rooms, room_id), "sessions"), session_id)
                if session_id in self.refused:
                    raise ConnectorRejectedError("an odd key", code="M_INVALID_PARAM")
                if data["is_verified"] is not False or not table(data, "session_data"):
                    raise ConnectorRejectedError("not a key", code="M_BAD_JSON")
                _keep_better(newest.rooms.setdefault(room_id, {}), session_id, data)
                count += 1
        self.portions.append(count)
        self.account.crashes.after()
        return True

    async def entries(
        self, version: str, *, room_id: str | None = None
    ) -> AsyncGenerator[BackupEntry, None]:
        """All of a backup, or of a room."""
        self.asked.append(room_id or "all")
        stored = self.versions.get(version)
        for room, sessions in (stored.rooms if stored else {}).items():
            for session_id, data in sessions.items():
                if room_id in {None, room}:
                    yield BackupEntry(room_id=room, session_id=session_id, data=data)

    async def entry(self, version: str, room_id: str, session_id: str) -> BackupEntry | None:
        """One."""
        self.asked.append(session_id)
        stored = self.versions.get(version)
        data = stored.rooms.get(room_id, {}).get(session_id) if stored else None
        if data is None:
            return None
        return BackupEntry(room_id=room_id, session_id=session_id, data=data)


def _keep_better(sessions: dict[str, JsonObject], session_id: str, data: JsonObject) -> None:
    known = sessions.get(session_id)
    index = data["first_message_index"]
    assert isinstance(index, int)
    before = known["first_message_index"] if known is not None else None
    if not isinstance(before, int) or index < before:
        sessions[session_id] = data


def public_key(backup: Stored) -> str:
    """The public key that a backup says it has."""
    found = text(backup.described.auth_data, "public_key")
    assert found is not None
    return found
