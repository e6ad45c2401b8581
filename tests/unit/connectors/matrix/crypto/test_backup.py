"""The account's key backup: made once, used again, never put in another's place."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bridge.errors import ConnectorUnavailableError
from bridge.model import Provenance
from bridge.rawjson.fields import JsonObject, table, text
from connectors.matrix.crypto.backup import PORTION, KeyBackup, Restored
from connectors.matrix.crypto.backup_key import ALGORITHM, BackupKey
from connectors.matrix.crypto.cross_signing import seed_text
from connectors.matrix.crypto.key_refusals import BackupOfAnotherError, BackupUnknownError
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.recovery_key import RecoveryKey
from connectors.matrix.crypto.refusals import SecretDamagedError
from connectors.matrix.crypto.secret_storage import SecretName
from connectors.matrix.crypto.signing_key import SigningKey
from connectors.matrix.crypto.vault import Vault
from tests.fakes.clock import FakeClock
from tests.unit.connectors.matrix.crypto.account_server import (
    USER,
    CrashedError,
    Crashes,
    FakeAccountServer,
)
from tests.unit.connectors.matrix.crypto.fake_backups import FakeBackups, public_key
from tests.unit.connectors.matrix.crypto.olm import verifies
from tests.unit.connectors.matrix.crypto.sessions import ROOM, Sender, keys

MASTER = SigningKey(seed=bytes(range(32)))
RECOVERY = RecoveryKey(raw=bytes(range(50, 82)))
OTHER_ROOM = "!duty/roster%2f..:dept.example"


class Scene:
    """An account with a secret storage that holds its identity, and its machines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.account = FakeAccountServer()
        self.backups = FakeBackups(self.account)
        self.machines: list[Machine] = []

    async def machine(self, device_id: str = "FIRST") -> Machine:
        """A machine; a new one has a store without keys."""
        made = await Machine.open(
            self.folder / f"{device_id}.db",
            key=b"k" * 32,
            user_id=USER,
            device_id=device_id,
            random=os.urandom,
            clock=FakeClock(),
        )
        self.machines.append(made)
        return made

    async def vault(self) -> Vault:
        """The account's secret storage."""
        vault = await Vault.founded(self.account, RECOVERY, os.urandom)
        if await vault.secret(SecretName.MASTER) is None:
            await vault.keep(SecretName.MASTER, seed_text(MASTER))
        return vault

    async def backup(self, machine: Machine, master: str | None = MASTER.public) -> KeyBackup:
        """The procedure as a fresh start has it."""
        return KeyBackup(
            server=self.backups,
            vault=await self.vault(),
            keys=machine,
            master=master,
            random=os.urandom,
        )

    def secret_stands(self) -> bool:
        """Whether the backup's private key is kept."""
        return SecretName.BACKUP in self.account.data


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """An account."""
    made = Scene(tmp_path)
    yield made
    for machine in made.machines:
        await machine.aclose()


def signatures(auth_data: JsonObject) -> JsonObject:
    """Those of the account."""
    return table(table(auth_data, "signatures"), USER)


def is_signed(auth_data: JsonObject, key_id: str, public: str) -> bool:
    """Whether another library takes the signature."""
    signature = text(signatures(auth_data), key_id)
    return signature is not None and verifies(auth_data, public=public, signature=signature)


async def test_a_backup_is_made_once(scene: Scene) -> None:
    """Its key is in secret storage, its description signed by identity and device; then found."""
    machine = await scene.machine()
    assert await (await scene.backup(machine)).establish() == "1"
    assert await (await scene.backup(machine)).establish() == "1"
    [stored] = scene.backups.versions.values()
    described = stored.described
    assert described.algorithm == ALGORITHM
    assert set(described.auth_data) == {"public_key", "signatures"}
    assert is_signed(described.auth_data, f"ed25519:{MASTER.public}", MASTER.public)
    assert is_signed(described.auth_data, "ed25519:FIRST", machine.device.ed25519)
    secret = await (await scene.vault()).secret(SecretName.BACKUP)
    key = BackupKey.parse(secret or "")
    assert key is not None
    assert key.public == public_key(stored)


@pytest.mark.parametrize("is_after", [False, True])
async def test_a_crash_at_any_act(scene: Scene, *, is_after: bool) -> None:
    """Whenever the process ends, the next start finishes with one backup that has all keys."""
    machine = await scene.machine()
    await machine.import_keys(keys(3), Provenance.IMPORT)
    await scene.vault()
    at = 0
    while True:
        at += 1
        scene.account.data.pop(SecretName.BACKUP, None)
        scene.backups.versions.clear()
        await machine.forget_backups()
        scene.account.crashes = Crashes(at=at, is_after=is_after)
        with contextlib.suppress(CrashedError):
            await (await scene.backup(machine)).upload()
        if at > len(scene.account.crashes.acts):
            break
        scene.account.crashes = Crashes()
        await (await scene.backup(machine)).upload()
        assert len(scene.backups.versions) == 1
        [stored] = scene.backups.versions.values()
        assert len(stored.rooms[ROOM]) == 3
        assert scene.secret_stands()
    assert at > 8


async def test_a_new_machine_takes_everything(scene: Scene) -> None:
    """All keys come back on another machine, as from a backup, and decrypt."""
    first = await scene.machine()
    senders = [Sender(room) for room in (ROOM, OTHER_ROOM) for _ in range(130)]
    await first.import_keys([each.key() for each in senders], Provenance.IMPORT)
    backup = await scene.backup(first)
    assert await backup.upload() == 260
    assert await backup.upload() == 0
    assert scene.backups.portions == [PORTION, PORTION, 60]

    second = await scene.machine("SECOND")
    backup = await scene.backup(second)
    assert await backup.restore() == Restored(keys=260)
    assert await backup.restore() == Restored()
    rows = await second.keys(after=0, limit=1000, unbacked=False)
    assert {row.key for row in rows} == {each.key() for each in senders}
    assert second.fresh() == {each.group.session_id for each in senders}
    assert len(scene.backups.versions) == 1


async def test_what_is_wanted_alone(scene: Scene) -> None:
    """Single sessions are asked for alone, many of a room by room, impossible ones not at all."""
    first = await scene.machine()
    few, many = keys(3), keys(30, OTHER_ROOM)
    await first.import_keys([*few, *many], Provenance.IMPORT)
    await (await scene.backup(first)).upload()
    backup = await scene.backup(await scene.machine("SECOND"))
    wanted = [(key.room_id, key.session_id) for key in (*few[:2], *many[:25])]
    unknown = Sender().group.session_id
    wanted += [(ROOM, unknown), (ROOM, ".."), ("", ""), (ROOM, "x" * 43), wanted[0]]
    assert await backup.restore(wanted) == Restored(keys=27)
    assert sorted(scene.backups.asked) == sorted(
        [OTHER_ROOM, unknown, *(key.session_id for key in few[:2])]
    )
    assert await backup.restore([]) == Restored()


async def test_a_better_key_is_backed_up_again(scene: Scene) -> None:
    """A key that reaches further back replaces the one in the backup."""
    machine = await scene.machine()
    sender = Sender()
    backup = await scene.backup(machine)
    for index, count in ((5, 1), (7, 0), (2, 1)):
        await machine.import_keys([sender.key(index)], Provenance.IMPORT)
        assert await backup.upload() == count
    [stored] = scene.backups.versions.values()
    assert stored.rooms[ROOM][sender.group.session_id]["first_message_index"] == 2


async def test_entries_that_cannot_be_read(scene: Scene) -> None:
    """They are counted and cost their neighbours nothing."""
    first = await scene.machine()
    await first.import_keys(keys(3), Provenance.IMPORT)
    await (await scene.backup(first)).upload()
    [stored] = scene.backups.versions.values()
    one, two, _ = stored.rooms[ROOM]
    stored.rooms[ROOM][one] = stored.rooms[ROOM][two]
    stored.rooms[ROOM]["odd"] = {}
    backup = await scene.backup(await scene.machine("SECOND"))
    assert await backup.restore() == Restored(keys=2, unreadable=2)


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_a_backup_that_is_replaced_meanwhile(scene: Scene, *, is_deleted: bool) -> None:
    """Deleted or replaced by one under our key: everything is uploaded again."""
    machine = await scene.machine()
    await machine.import_keys(keys(150), Provenance.IMPORT)
    backup = await scene.backup(machine)
    assert await backup.upload() == 150
    auth_data = scene.backups.versions["1"].described.auth_data
    if is_deleted:
        scene.backups.versions.clear()
    else:
        scene.backups.add(algorithm=ALGORITHM, auth_data=auth_data)
    await machine.import_keys(keys(1), Provenance.IMPORT)
    assert await backup.upload() == 151
    assert scene.backups.newest is not None
    assert public_key(scene.backups.newest) == text(auth_data, "public_key")


async def test_a_restart_sees_that_the_backup_is_another(scene: Scene) -> None:
    """What is marked as backed up counts only for the backup that it was put into."""
    machine = await scene.machine()
    await machine.import_keys(keys(2), Provenance.IMPORT)
    assert await (await scene.backup(machine)).upload() == 2
    assert await (await scene.backup(machine)).upload() == 0
    auth_data = scene.backups.versions["1"].described.auth_data
    scene.backups.add(algorithm=ALGORITHM, auth_data=auth_data)
    assert await (await scene.backup(machine)).upload() == 2


async def test_another_clients_backup_in_our_place(scene: Scene) -> None:
    """It is refused by name, at the start and in the middle; nothing goes into it."""
    machine = await scene.machine()
    backup = await scene.backup(machine)
    await backup.establish()
    foreign: JsonObject = {"public_key": BackupKey(raw=b"f" * 32).public}
    scene.backups.add(algorithm=ALGORITHM, auth_data=foreign)
    await machine.import_keys(keys(1), Provenance.IMPORT)
    kept = json.dumps(scene.account.data)
    for each in (backup, await scene.backup(machine)):
        for procedure in (each.upload, each.establish, each.restore):
            with pytest.raises(BackupOfAnotherError):
                await procedure()
    assert json.dumps(scene.account.data) == kept
    assert scene.backups.versions["2"].rooms == {}
    assert scene.backups.versions["2"].described.auth_data == foreign
    assert len(await machine.keys(after=0, limit=9, unbacked=True)) == 1


async def test_a_backup_whose_key_we_do_not_have(scene: Scene) -> None:
    """Without the key in secret storage nothing is made or kept."""
    foreign: JsonObject = {"public_key": BackupKey(raw=b"f" * 32).public}
    scene.backups.add(algorithm=ALGORITHM, auth_data=foreign)
    with pytest.raises(BackupOfAnotherError, match="does not hold"):
        await (await scene.backup(await scene.machine())).establish()
    assert not scene.secret_stands()
    assert len(scene.backups.versions) == 1


@pytest.mark.parametrize("algorithm", ["m.megolm_backup.v2", ""])
async def test_a_backup_of_another_kind(scene: Scene, algorithm: str) -> None:
    """It is refused by name and stays as it is."""
    backup = await scene.backup(await scene.machine())
    await backup.establish()
    scene.backups.add(algorithm=algorithm, auth_data={"public_key": "x"})
    with pytest.raises(BackupUnknownError):
        await backup.establish()
    assert len(scene.backups.versions) == 2


@pytest.mark.parametrize("secret", ["", "no key", "AAAA"])
async def test_a_damaged_secret(scene: Scene, secret: str) -> None:
    """What is kept in place of a backup's key is never replaced."""
    vault = await scene.vault()
    await vault.keep(SecretName.BACKUP, secret)
    with pytest.raises(SecretDamagedError):
        await (await scene.backup(await scene.machine())).establish()
    assert await vault.secret(SecretName.BACKUP) == secret
    assert scene.backups.versions == {}


async def test_a_backup_of_ours_without_a_signature(scene: Scene) -> None:
    """It is signed, beside the signatures that it has."""
    key = BackupKey(raw=b"k" * 32)
    await (await scene.vault()).keep(SecretName.BACKUP, key.text())
    others: JsonObject = {USER: {"ed25519:OTHER": "sig"}, "@a:b": {"ed25519:X": "sig"}}
    scene.backups.add(
        algorithm=ALGORITHM, auth_data={"public_key": key.public, "signatures": others}
    )
    machine = await scene.machine()
    await (await scene.backup(machine)).establish()
    auth_data = scene.backups.versions["1"].described.auth_data
    assert is_signed(auth_data, f"ed25519:{MASTER.public}", MASTER.public)
    assert is_signed(auth_data, "ed25519:FIRST", machine.device.ed25519)
    assert text(signatures(auth_data), "ed25519:OTHER") == "sig"
    assert "@a:b" in table(auth_data, "signatures")
    acts = len(scene.account.crashes.acts)
    await (await scene.backup(machine)).establish()
    assert "describe backup" not in scene.account.crashes.acts[acts:]


@pytest.mark.parametrize(
    "more",
    [
        {"usage": ["self_signing"], "user_id": USER, "keys": {"ed25519:evil": "evil"}},
        {"private_key_salt": "x", "private_key_iterations": 5},
        {"private_key_iterations": 1.5},
    ],
)
async def test_what_the_server_writes_is_never_signed(scene: Scene, more: JsonObject) -> None:
    """A description with anything else in it is used as it is: it might read as a key of ours."""
    key = BackupKey(raw=b"k" * 32)
    await (await scene.vault()).keep(SecretName.BACKUP, key.text())
    auth_data = {"public_key": key.public} | more
    scene.backups.add(algorithm=ALGORITHM, auth_data=auth_data)
    backup = await scene.backup(await scene.machine())
    assert await backup.establish() == "1"
    assert scene.backups.versions["1"].described.auth_data == auth_data


async def test_only_the_identity_that_others_see_signs(scene: Scene) -> None:
    """Another key under the master's name signs nothing; the device does."""
    machine = await scene.machine()
    other = SigningKey(seed=b"o" * 32).public
    await (await scene.backup(machine, master=other)).establish()
    [stored] = scene.backups.versions.values()
    assert set(signatures(stored.described.auth_data)) == {"ed25519:FIRST"}


class Restless(FakeBackups):
    """A server whose newest backup is never the one that was asked for."""

    async def put(self, version: str, rooms: JsonObject) -> bool:
        """Refuse."""
        assert rooms
        return not version


async def test_a_backup_that_keeps_changing(scene: Scene) -> None:
    """We give up for now, and lose nothing."""
    machine = await scene.machine()
    await machine.import_keys(keys(1), Provenance.IMPORT)
    scene.backups = Restless(scene.account)
    with pytest.raises(ConnectorUnavailableError, match="keeps changing"):
        await (await scene.backup(machine)).upload()
    assert len(await machine.keys(after=0, limit=9, unbacked=True)) == 1
