"""Where a bot's webhook points to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from tests.servers.bot_api import SECRET_HEADER
from tests.servers.bot_api.wire import JsonObject


class Receiver:
    """Takes updates, or refuses so many of them first; may hold them until told."""

    def __init__(self) -> None:
        self.url = ""
        self.taken: list[JsonObject] = []
        self.secrets: list[str | None] = []
        self.refuse = 0
        self.most = 0
        self.open = asyncio.Event()
        self.open.set()
        self._now = 0
        self._changed = asyncio.Condition()

    async def count(self, taken: int) -> list[JsonObject]:
        """What was taken, once it is so many."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.taken) >= taken)
        return self.taken

    async def under_way(self, requests: int) -> None:
        """Return when so many requests are held at once."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._now >= requests)

    async def handle(self, request: web.Request) -> web.Response:
        """One delivery."""
        body = json.loads(await request.read())
        await self._move(1)
        await self.open.wait()
        self.secrets.append(request.headers.get(SECRET_HEADER))
        if self.refuse:
            self.refuse -= 1
            await self._move(-1)
            return web.Response(status=503)
        self.taken.append(body)
        await self._move(-1)
        return web.Response(status=204)

    async def _move(self, by: int) -> None:
        async with self._changed:
            self._now += by
            self.most = max(self.most, self._now)
            self._changed.notify_all()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """One on loopback for as long as the block lasts."""
    found = Receiver()
    app = web.Application()
    app.router.add_post("/hook", found.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield found
    finally:
        await runner.cleanup()
