"""A Bot API server with our requests to it, a bot in a group, and somebody who talks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.errors import ConnectorError
from bridge.model import Attachment
from bridge.protocols import Download
from bridge.rawjson.fields import decode, table, tables
from connectors.telegram.bot_api import BotApi, Endpoint
from connectors.telegram.envelope import split_updates
from connectors.telegram.files import open_file
from connectors.telegram.media import attachments
from tests.servers.bot_api import Bot, Chat, HandClock, Person, Upload, bot_api
from tests.servers.bot_api import BotApi as BotApiServer

TOKEN = "4000001:0123456789abcdefghijklmnopqrstuvwxyz"
DATA = bytes(range(256)) * 1000
PDF = Upload(data=DATA, name="plan.pdf", mime="application/pdf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A server, our requests to it, a bot in a group, and somebody who talks."""

    server: BotApiServer
    clock: HandClock
    api: BotApi
    bot: Bot
    anna: Person
    room: Chat

    async def updates(self, offset: int | None = None) -> list[int | None]:
        """The ids of what the platform tells now."""
        body = await self.api.get_updates(offset=offset, seconds=0)
        return [update.update_id for update in split_updates(body)]

    async def polling(self) -> asyncio.Task[bytes]:
        """A long poll that waits for what comes next."""
        (*_, last) = await self.updates()
        assert last is not None
        asking = asyncio.create_task(self.api.get_updates(offset=last + 1, seconds=50))
        await self.bot.updates.polled()
        return asking

    async def sent(self, upload: Upload = PDF) -> Attachment:
        """A document as the mapping finds it in its update."""
        self.anna.document(self.room, upload)
        body = await self.api.get_updates(offset=None, seconds=0)
        (*_, last) = tables(decode(body) or {}, "result")
        (found,) = attachments(table(last, "message"))
        return found

    async def opened(self, attachment: Attachment) -> Download:
        """Begin to fetch, as from the public service."""
        return await open_file(self.api, attachment, local_files=None)


@asynccontextmanager
async def api_scene(local: Path | None = None) -> AsyncIterator[Scene]:
    """One for as long as the block lasts; with a folder it is an own server."""
    clock = HandClock()
    async with bot_api(clock=clock, local=local) as server:
        anna, bot = server.person("Anna"), server.bot("Recorder", "recorder_bot", privacy=False)
        room = server.supergroup("Incident room", anna)
        anna.add(room, bot)
        async with client(server.url, bot.token) as api:
            yield Scene(server=server, clock=clock, api=api, bot=bot, anna=anna, room=room)


@asynccontextmanager
async def client(
    url: str, token: str = TOKEN, *, ca_file: Path | None = None
) -> AsyncIterator[BotApi]:
    """Requests to a server, for as long as the block lasts."""
    api = BotApi(Endpoint(api_base=url, ca_file=ca_file), token=token)
    try:
        yield api
    finally:
        await api.aclose()


async def failure(asking: Awaitable[object]) -> ConnectorError:
    """The error that this ends with, as it must."""
    with pytest.raises(ConnectorError) as caught:
        await asking
    return caught.value


async def content(download: Download) -> bytes:
    """All that comes of a download."""
    try:
        return b"".join([chunk async for chunk in download.chunks()])
    finally:
        await download.aclose()
