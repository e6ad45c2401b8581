"""The recovery key is replaced by a client that is signed in as the recorder: the SDK's own."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from bridge.demo.homeserver import Account, Homeserver
from bridge.rawjson.fields import decode
from connectors.matrix.account import Session
from connectors.matrix.crypto.recovery_key import RecoveryKey
from connectors.matrix.crypto.refusals import WrongRecoveryKeyError
from connectors.matrix.crypto.secret_storage import SecretName
from connectors.matrix.crypto.server import HomeserverIdentity
from connectors.matrix.crypto.vault import Vault
from connectors.matrix.http import Endpoint, MatrixHttp, path
from tests.clients.js_client import JsClient
from tests.clients.js_process import JsProcess
from tests.integration.encrypted_scene import Scene, scene
from tests.integration.replacing import put
from tests.patience import PATIENCE
from tests.servers.synapse import MARKS

__all__ = ["scene"]

pytestmark = MARKS


@pytest_asyncio.fixture
async def js(tmp_path: Path) -> AsyncIterator[JsProcess]:
    """The client's process."""
    async with JsProcess(log=tmp_path / "js.log") as process:
        yield process


async def test_a_recovery_key_that_was_replaced(
    scene: Callable[[str], Awaitable[Scene]],
    js: JsProcess,
    homeserver: Homeserver,
    tmp_path: Path,
) -> None:
    """The device and its keys go on; the new key leads to the new back-up, the old to nothing."""
    one = await scene("rekeyed")
    room = await one.joined("Rekeyed")
    before = await one.sender.say(room, "before", one.user)
    await one.recorder.open_all(before)
    file, session = tmp_path / "matrix-town.recovery-key", tmp_path / "matrix-town.session"
    old, device = file.read_text().strip(), session.read_bytes()

    new = await _replaced(js, homeserver, one.user, old)
    put(file, new)
    await one.recorder.restart()
    after = await one.sender.say(room, "after", one.user)
    await one.recorder.open_all(after)
    assert one.recorder.decrypter.troubles == ()
    assert session.read_bytes() == device

    known = msgspec.json.decode(device, type=Session)
    with pytest.raises(WrongRecoveryKeyError):
        await _kept(homeserver, known, old)
    async with asyncio.timeout(PATIENCE):
        while not await _kept(homeserver, known, new):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.1)


async def _kept(homeserver: Homeserver, session: Session, key: str) -> int:
    """How many room keys the account's back-up has that this recovery key leads to."""
    http = MatrixHttp(Endpoint(homeserver=homeserver.url))
    http.token = session.access_token
    try:
        server = HomeserverIdentity(http, user_id=session.user_id, password=None)
        vault = await Vault.opened(server, RecoveryKey.parse(key), secrets.token_bytes)
        assert await vault.secret(SecretName.BACKUP)
        backup = decode(await http.request("GET", path("room_keys", "version"))) or {}
        count = backup["count"]
        assert isinstance(count, int)
        return count
    finally:
        await http.aclose()


async def _replaced(js: JsProcess, homeserver: Homeserver, user: str, old: str) -> str:
    """What a person does at a client: sign in, open the storage, have a new key and back-up."""
    account = Account(
        user_id=user,
        username=user[1:].partition(":")[0],
        display_name="Recorder",
        device_id="",
        password="password",
        access_token="",
    )
    client = await JsClient.login(js, homeserver=homeserver.url, account=account)
    await client.open_secret_storage(old)
    new = await client.new_secret_storage()
    await client.backup_on()
    await client.logout()
    return new
