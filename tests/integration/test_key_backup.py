"""Our key backup at a real homeserver: made, signed, filled, replaced, and taken back from."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from bridge.demo.homeserver import Homeserver
from bridge.model import Provenance
from bridge.rawjson.fields import decode, table, text
from connectors.matrix.crypto.backup import KeyBackup, Restored
from connectors.matrix.crypto.backup_key import ALGORITHM, BackupKey
from connectors.matrix.crypto.backup_server import HomeserverBackups
from connectors.matrix.crypto.identity import Identity
from connectors.matrix.crypto.key_file import KeyFile
from connectors.matrix.crypto.key_refusals import BackupOfAnotherError
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.secret_storage import SecretName
from connectors.matrix.crypto.server import HomeserverIdentity
from connectors.matrix.crypto.vault import Vault
from connectors.matrix.http import Endpoint, MatrixHttp, path
from tests.fakes.clock import FakeClock
from tests.servers.synapse import MARKS
from tests.unit.connectors.matrix.crypto.olm import verifies
from tests.unit.connectors.matrix.crypto.sessions import Sender

pytestmark = MARKS

PLANNING = "!planning:dept.example"
ODD = "!duty/roster %2f..\u00e9?:dept.example"


class Recorder:
    """A machine of the account with a device of its own, its identity and its backup."""

    def __init__(self, http: MatrixHttp, user_id: str, password: str, folder: Path) -> None:
        self.http = http
        self.user_id = user_id
        self.password = password
        self.folder = folder
        self.server = HomeserverIdentity(http, user_id=user_id, password=None)
        self.keeper = KeyFile(folder / f"{user_id[1:].partition(':')[0]}.key", given=False)
        self.machine: Machine
        self.master: str | None = None

    async def start(self) -> None:
        """Sign in as a new device and have it signed."""
        body: dict[str, object] = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self.user_id},
            "password": self.password,
        }
        answer = decode(await self.http.request("POST", path("login"), body=body)) or {}
        self.http.token = text(answer, "access_token")
        device_id = text(answer, "device_id") or ""
        self.machine = await Machine.open(
            self.folder / f"{device_id}.db",
            key=secrets.token_bytes(32),
            user_id=self.user_id,
            device_id=device_id,
            random=secrets.token_bytes,
            clock=FakeClock(),
        )
        keys = await self.machine.upload(None, with_device=True)
        await self.http.request("POST", path("keys", "upload"), body=keys)
        identity = Identity(
            server=self.server,
            keeper=self.keeper,
            device=self.machine.device,
            random=secrets.token_bytes,
        )
        self.master = (await identity.establish()).master

    async def vault(self) -> Vault:
        """The account's secret storage."""
        recovery_key = await self.keeper.load()
        assert recovery_key is not None
        return await Vault.opened(self.server, recovery_key, secrets.token_bytes)

    async def backup(self) -> KeyBackup:
        """The procedure as a fresh start has it."""
        return KeyBackup(
            server=HomeserverBackups(self.http),
            vault=await self.vault(),
            keys=self.machine,
            master=self.master,
            random=secrets.token_bytes,
        )

    async def replace_backup(self, public_key: str) -> None:
        """Do what another client of the account might do."""
        body = {"algorithm": ALGORITHM, "auth_data": {"public_key": public_key}}
        await self.http.request("POST", path("room_keys", "version"), body=body)

    async def delete_backup(self) -> None:
        """Delete the newest."""
        current = await HomeserverBackups(self.http).current()
        assert current is not None
        await self.http.request("DELETE", path("room_keys", "version", current.version))


@pytest_asyncio.fixture
async def recorder(
    homeserver: Homeserver, tmp_path: Path
) -> AsyncIterator[Callable[[str], Awaitable[Recorder]]]:
    """New machines for an account; the account is made with the first."""
    accounts: set[str] = set()
    async with AsyncExitStack() as stack:

        async def made(name: str) -> Recorder:
            if name not in accounts:
                await homeserver.register(name, f"password of {name}", name)
                accounts.add(name)
            http = MatrixHttp(Endpoint(homeserver=homeserver.url))
            stack.push_async_callback(http.aclose)
            one = Recorder(http, homeserver.user_id(name), f"password of {name}", tmp_path)
            await one.start()
            stack.push_async_callback(one.machine.aclose)
            return one

        yield made


async def test_a_replaced_machine(recorder: Callable[[str], Awaitable[Recorder]]) -> None:
    """Another machine with only the recovery key takes one, many and all keys from the backup."""
    first = await recorder("backup-replaced")
    senders = [Sender(room) for room in (PLANNING, ODD) for _ in range(70)]
    await first.machine.import_keys([each.key() for each in senders], Provenance.IMPORT)
    backup = await first.backup()
    assert await backup.restore() == Restored()
    assert await backup.upload() == 140
    assert await (await first.backup()).upload() == 0

    sessions = [(each.room_id, each.group.session_id) for each in senders]
    second = await recorder("backup-replaced")
    backup = await second.backup()
    unknown = (ODD, Sender().group.session_id)
    assert await backup.restore([sessions[0], *sessions[-5:], unknown]) == Restored(keys=6)
    assert await backup.restore(sessions[70:]) == Restored(keys=65)
    assert await backup.restore([("!nowhere:x", each) for _, each in sessions[:30]]) == Restored()
    assert await backup.restore() == Restored(keys=69)
    rows = await second.machine.keys(after=0, limit=1000, unbacked=False)
    assert {row.key for row in rows} == {each.key() for each in senders}


async def test_the_description_is_signed(
    recorder: Callable[[str], Awaitable[Recorder]],
) -> None:
    """By the identity that the server shows and by the device, as another library sees it."""
    one = await recorder("backup-signed")
    version = await (await one.backup()).establish()
    answer = decode(await one.http.request("GET", path("room_keys", "version"))) or {}
    assert (text(answer, "version"), text(answer, "algorithm")) == (version, ALGORITHM)
    auth_data = table(answer, "auth_data")
    found = table(table(auth_data, "signatures"), one.user_id)
    device = one.machine.device
    assert one.master is not None
    signers = {one.master: one.master, device.device_id: device.ed25519}
    assert set(found) == {f"ed25519:{name}" for name in signers}
    for name, public in signers.items():
        signature = text(found, f"ed25519:{name}")
        assert signature is not None
        assert verifies(auth_data, public=public, signature=signature)


async def test_an_unsigned_backup_of_ours_is_signed(
    recorder: Callable[[str], Awaitable[Recorder]],
) -> None:
    """The server takes the signatures, and shows them to the next machine."""
    one = await recorder("backup-unsigned")
    key = BackupKey.make(secrets.token_bytes)
    await (await one.vault()).keep(SecretName.BACKUP, key.text())
    await one.replace_backup(key.public)
    assert await (await one.backup()).establish() == "1"
    current = await HomeserverBackups(one.http).current()
    assert current is not None
    assert len(table(table(current.auth_data, "signatures"), one.user_id)) == 2


async def test_a_backup_that_changes_meanwhile(
    recorder: Callable[[str], Awaitable[Recorder]],
) -> None:
    """Another's is refused and stays empty; once it is gone all keys go into ours again."""
    one = await recorder("backup-changed")
    await one.machine.import_keys([Sender().key() for _ in range(3)], Provenance.IMPORT)
    backup = await one.backup()
    assert await backup.upload() == 3
    await one.replace_backup(BackupKey.make(secrets.token_bytes).public)
    await one.machine.import_keys([Sender().key()], Provenance.IMPORT)
    with pytest.raises(BackupOfAnotherError):
        await backup.upload()
    answer = decode(await one.http.request("GET", path("room_keys", "version"))) or {}
    assert answer["count"] == 0
    await one.delete_backup()
    assert await backup.upload() == 1
    await one.delete_backup()
    assert await backup.upload() == 0
    await one.machine.import_keys([Sender().key()], Provenance.IMPORT)
    assert await backup.upload() == 5
    answer = decode(await one.http.request("GET", path("room_keys", "version"))) or {}
    assert answer["count"] == 5
