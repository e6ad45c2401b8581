"""A secret that is replaced on the platform and in its file: the next start has the new one."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from bridge.app.adapters import open_store
from bridge.app.platforms import connectors_of
from bridge.clock import SystemClock
from bridge.errors import ConnectorRejectedError, ObjectStoreError
from config.settings import Settings, parse
from tests.fakes.homeserver import PASSWORD, RECORDER, FakeHomeserver
from tests.servers.bot_api import bot_api

DENIED = b"<Error><Code>InvalidAccessKeyId</Code><Message>no</Message></Error>"


def _put(file: Path, secret: str) -> None:
    """As the operations page says: a new file, moved over the old one."""
    new = file.with_name("new")
    new.touch(mode=0o600)
    new.write_text(f"{secret}\n")
    new.rename(file)


async def _start(settings: Settings) -> None:
    """What a start does with its one connector, which is closed again."""
    clock = SystemClock()
    (connector,) = (await asyncio.to_thread(connectors_of, settings, clock, say=print)).values()
    try:
        await connector.start()
    finally:
        await connector.aclose()


def _settings(folder: Path, text: str) -> Settings:
    return parse(text, folder / "muniment.toml", {})


async def test_a_token_that_was_revoked(tmp_path: Path) -> None:
    """The bot's old token is refused; the new one in the same file is taken at the next start."""
    async with bot_api() as api:
        bot = api.bot("Recorder", "recorder_bot")
        table = f'[[telegram]]\nname = "t"\ntoken_file = "token"\napi_base = "{api.url}"\n'
        settings = _settings(tmp_path, table)
        _put(tmp_path / "token", bot.token)
        await _start(settings)
        new = api.world.revoke(bot)
        with pytest.raises(ConnectorRejectedError, match="does not know the bot's token"):
            await _start(settings)
        _put(tmp_path / "token", new)
        await _start(settings)


async def test_a_password_that_was_changed(tmp_path: Path) -> None:
    """The session outlives the password; once it has ended, the new password makes another."""
    async with FakeHomeserver() as server:
        settings = _settings(
            tmp_path,
            f'[[matrix]]\nname = "m"\nhomeserver = "{server.url}"\n'
            f'user_id = "{RECORDER}"\npassword_file = "password"\n',
        )
        for folder in (settings.service.data_dir, tmp_path / "keys"):
            folder.mkdir(parents=True)
        _put(settings.keys.journal_key_file, b64encode(bytes(32)).decode())
        _put(tmp_path / "password", PASSWORD)
        await _start(settings)
        _put(tmp_path / "password", "the one before")
        await _start(settings)
        server.tokens.clear()
        with pytest.raises(ConnectorRejectedError, match="refuses the sign-in"):
            await _start(settings)
        _put(tmp_path / "password", PASSWORD)
        await _start(settings)
        assert len(server.asked("/login")) == 3


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
    pair = 'access_key_id = "{}"\nsecret_access_key = "s"'
    async with _bucket(valid) as url:
        settings = _settings(
            tmp_path,
            f'[store]\nurl = "s3://bucket"\nendpoint_url = "{url}"\nretention_days = 30\n'
            'region = "eu-west-2"\naddressing = "path"\ncredentials_file = "store.toml"\n',
        )
        _put(tmp_path / "store.toml", pair.format("first"))
        assert await _get(settings) is None
        valid.add("second")
        _put(tmp_path / "store.toml", pair.format("second"))
        assert await _get(settings) is None
        valid.remove("first")
        assert await _get(settings) is None
        _put(tmp_path / "store.toml", pair.format("first"))
        with pytest.raises(ObjectStoreError):
            await _get(settings)
