"""A secret that is replaced on the platform and in its file: the next start has the new one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bridge.app.adapters import open_legal_holds, open_store
from bridge.app.platforms import connectors_of
from bridge.clock import SystemClock
from bridge.demo.ports import free_ports
from bridge.errors import ConnectorRejectedError, ObjectStoreError
from bridge.model import Cursor
from bridge.protocols import Connector, Decrypter, ObjectBody
from config.settings import Settings
from tests.fakes.homeserver import PASSWORD, RECORDER, FakeHomeserver
from tests.integration.replacing import put, settings_of, start
from tests.patience import PATIENCE
from tests.servers.bot_api import SECRET_HEADER, Chat, bot_api
from tests.servers.fault_s3 import Fault, FaultKind, fault_s3

PAIR = 'access_key_id = "{}"\nsecret_access_key = "s"'
DENIED = b"<Error><Code>InvalidAccessKeyId</Code><Message>no</Message></Error>"


async def test_a_token_that_was_revoked(tmp_path: Path) -> None:
    """The bot's old token is refused; the new one in the same file is taken at the next start."""
    async with bot_api() as api:
        bot = api.bot("Recorder", "recorder_bot")
        table = f'[[telegram]]\nname = "t"\ntoken_file = "token"\napi_base = "{api.url}"\n'
        settings = settings_of(tmp_path, table)
        put(tmp_path / "token", bot.token)
        await start(settings)
        new = api.world.revoke(bot)
        with pytest.raises(ConnectorRejectedError, match="does not know the bot's token"):
            await start(settings)
        put(tmp_path / "token", new)
        await start(settings)


async def test_a_password_that_was_changed(tmp_path: Path) -> None:
    """The session outlives the password; once it has ended, the new password makes another."""
    async with FakeHomeserver() as server:
        settings = settings_of(
            tmp_path,
            f'[[matrix]]\nname = "m"\nhomeserver = "{server.url}"\n'
            f'user_id = "{RECORDER}"\npassword_file = "password"\n',
        )
        put(tmp_path / "password", PASSWORD)
        await start(settings)
        put(tmp_path / "password", "the one before")
        await start(settings)
        server.tokens.clear()
        with pytest.raises(ConnectorRejectedError, match="refuses the sign-in"):
            await start(settings)
        put(tmp_path / "password", PASSWORD)
        await start(settings)
        assert len(server.asked("/login")) == 3


async def test_a_new_access_token_of_the_same_device(tmp_path: Path) -> None:
    """It goes on as that device with its keys; one of another device reads no encrypted group."""
    async with FakeHomeserver() as server:
        settings = settings_of(
            tmp_path,
            f'[[matrix]]\nname = "m"\nhomeserver = "{server.url}"\n'
            f'user_id = "{RECORDER}"\naccess_token_file = "token"\n',
        )
        put(tmp_path / "token", server.issue("DEVICE"))
        await start(settings)
        server.tokens.clear()
        with pytest.raises(ConnectorRejectedError, match="no longer knows the access token"):
            await start(settings)
        assert await _troubles(settings, tmp_path, server.issue("DEVICE")) == ()
        assert set(server.keys.devices) == {"DEVICE"}
        (trouble,) = await _troubles(settings, tmp_path, server.issue("ANOTHER"))
        assert "is that of device DEVICE" in trouble
        data = settings.service.data_dir
        for file in (*data.glob("matrix-m.crypto.db*"), *data.glob("matrix-m.session")):
            file.rename(tmp_path / file.name)
        told = await _troubles(settings, tmp_path, server.issue("ANOTHER"))
        assert [each for each in told if "signed in on another device" not in each] == []
        assert set(server.keys.devices) == {"DEVICE", "ANOTHER"}


async def _troubles(settings: Settings, folder: Path, token: str) -> tuple[str, ...]:
    """What is told of its keys, once it can read with this token or knows that it cannot."""
    put(folder / "token", token)
    (connector,) = (await _connectors(settings)).values()
    try:
        await connector.start()
        keys = connector.decrypter
        assert keys is not None
        async with asyncio.timeout(PATIENCE):
            while not (keys.ready or _is_foreign(keys)):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        return keys.troubles
    finally:
        await connector.aclose()


def _is_foreign(keys: Decrypter) -> bool:
    return any("is that of device" in trouble for trouble in keys.troubles)


async def _connectors(settings: Settings) -> dict[str, Connector]:
    return await asyncio.to_thread(connectors_of, settings, SystemClock(), say=print)


OLD, NEW = "the-secret-before-0123", "the-secret-after-45678"


async def test_a_webhook_secret_that_was_replaced(tmp_path: Path) -> None:
    """What waited comes with the new one; a post with the old one is refused from the start on."""
    (port,) = free_ports(1)
    async with bot_api() as api:
        anna, bot = api.person("Anna"), api.bot("Recorder", "recorder_bot", privacy=False)
        room = api.supergroup("Room", anna)
        anna.add(room, bot)
        settings = settings_of(
            tmp_path,
            f'[[telegram]]\nname = "t"\ntoken_file = "token"\napi_base = "{api.url}"\n'
            f'webhook_url = "http://127.0.0.1:{port}/hook"\n'
            f'webhook_listen = "127.0.0.1:{port}"\nwebhook_secret_file = "secret"\n',
        )
        put(tmp_path / "token", bot.token)
        put(tmp_path / "secret", OLD)
        put(tmp_path / "secret", OLD)
        first = await _only(settings)
        anna.say(room, "one")
        cursor = await _heard(first, room, "one", None)
        assert await _posted(port, NEW) == 403
        await first.aclose()
        anna.say(room, "two")
        put(tmp_path / "secret", NEW)
        second = await _only(settings)
        await _heard(second, room, "two", cursor)
        assert bot.webhook is not None
        assert bot.webhook.secret_token == NEW
        assert await _posted(port, OLD) == 403
        await second.aclose()


async def _only(settings: Settings) -> Connector:
    (connector,) = (await _connectors(settings)).values()
    return connector


async def _heard(
    connector: Connector, room: Chat, body: str, cursor: Cursor | None
) -> Cursor | None:
    """Start, and take until this was heard in the room; gives how far that was."""
    connector.approve(frozenset({str(room.id)}))
    await connector.start()
    async with asyncio.timeout(PATIENCE):
        while True:
            batch = await connector.receive(cursor)
            cursor = batch.cursor
            if any(each.body == body for each in batch.events):
                return cursor


async def _posted(port: int, secret: str) -> int:
    async with (
        aiohttp.ClientSession(headers={SECRET_HEADER: secret}) as session,
        session.post(f"http://127.0.0.1:{port}/hook", data=b"{}") as answer,
    ):
        return answer.status


@asynccontextmanager
async def _bucket(valid: set[str]) -> AsyncIterator[str]:
    """A store that knows these access keys, and of every object that it is not there."""

    async def answer(request: web.Request) -> web.Response:
        signed = request.headers.get("Authorization", "")
        if not any(f"Credential={key}/" in signed for key in valid):
            return web.Response(status=403, body=DENIED, content_type="application/xml")
        if "versioning" in request.query:
            return web.Response(body=b"<VersioningConfiguration/>", content_type="application/xml")
        missing = DENIED.replace(b"InvalidAccessKeyId", b"NoSuchKey")
        return web.Response(status=404, body=missing, content_type="application/xml")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _get(settings: Settings) -> bytes | None:
    store = await asyncio.to_thread(open_store, settings, SystemClock())
    try:
        return await store.get("records/x")
    finally:
        await store.aclose()


async def test_an_access_key_that_was_ended(tmp_path: Path) -> None:
    """Of two keys at the store one is ended; the file's new content is that of the next start."""
    valid = {"first"}
    async with _bucket(valid) as url:
        settings = settings_of(
            tmp_path,
            f'[store]\nurl = "s3://bucket"\nendpoint_url = "{url}"\nretention_days = 30\n'
            'region = "eu-west-2"\naddressing = "path"\ncredentials_file = "store.toml"\n',
        )
        put(tmp_path / "store.toml", PAIR.format("first"))
        assert await _get(settings) is None
        valid.add("second")
        put(tmp_path / "store.toml", PAIR.format("second"))
        assert await _get(settings) is None
        valid.remove("first")
        assert await _get(settings) is None
        put(tmp_path / "store.toml", PAIR.format("first"))
        with pytest.raises(ObjectStoreError):
            await _get(settings)


async def test_the_identity_that_sets_legal_holds(tmp_path: Path) -> None:
    """A hold that stands stays; the next ones are set by the new identity, and not by the old."""
    with fault_s3() as server:
        settings = settings_of(
            tmp_path,
            f'[store]\nurl = "s3://bucket"\nendpoint_url = "{server.url}"\nretention_days = 30\n'
            'region = "eu-west-2"\naddressing = "path"\nlock_mode = "governance"\n'
            'credentials_file = "store.toml"\nhold_credentials_file = "holds.toml"\n',
        )
        put(tmp_path / "store.toml", PAIR.format("writer"))
        store = await asyncio.to_thread(open_store, settings, SystemClock())
        until = datetime.now(UTC) + timedelta(days=30)
        for key in ("records/a", "records/b"):
            await store.put(key, ObjectBody.of(b"x"), retain_until=until)
        await store.aclose()
        put(tmp_path / "holds.toml", PAIR.format("first"))
        assert await _held(settings, "records/a")
        server.set(
            Fault(kind=FaultKind.STATUS, access_key="first", status=403, code="InvalidAccessKeyId")
        )
        with pytest.raises(ObjectStoreError):
            await _held(settings, "records/b")
        put(tmp_path / "holds.toml", PAIR.format("second"))
        assert await _held(settings, "records/b")
        for key in ("records/a", "records/b"):
            assert server.bucket.versions(f"v1/{settings.service.tenant}/{key}")[0].held
        by = {each.access_key for each in server.asked if each.operation == "PutObjectLegalHold"}
        assert by == {"first", "second"}


async def _held(settings: Settings, key: str) -> bool:
    holds = await asyncio.to_thread(open_legal_holds, settings, SystemClock())
    assert holds is not None
    try:
        return await holds.set(key, held=True)
    finally:
        await holds.aclose()
