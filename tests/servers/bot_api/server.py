"""The Bot API over HTTP on loopback: ``/bot<token>/<method>`` and ``/file/bot<token>/<path>``.

Documentation: "Making requests", ``getFile`` (the download), "Using a Local Bot API Server".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from aiohttp import web

from tests.servers.bot_api.accounts import Bot
from tests.servers.bot_api.cast import Cast
from tests.servers.bot_api.clock import Clock, HandClock
from tests.servers.bot_api.control import Control
from tests.servers.bot_api.faults import Faults
from tests.servers.bot_api.methods import METHODS, Call
from tests.servers.bot_api.orders import Stage
from tests.servers.bot_api.receiving import (
    delete_webhook,
    get_updates,
    get_webhook_info,
    set_webhook,
)
from tests.servers.bot_api.refusals import RefusalError, not_found
from tests.servers.bot_api.requests import Asked, parameters
from tests.servers.bot_api.spoiling import Answer, Carried, refused, spoiled
from tests.servers.bot_api.webhooks import Carrier
from tests.servers.bot_api.wire import Parameters, encode, success
from tests.servers.bot_api.world import World


class BotApi(Cast):
    """A running server, and the people of its world (see :class:`Cast`)."""

    def __init__(self, world: World, carrier: Carrier, port: int) -> None:
        super().__init__(world)
        self.faults = Faults()
        self.asked: list[Asked] = []
        self._stage = Stage(self)
        self._carrier = carrier
        self._port = port
        self._runner: web.AppRunner | None = None
        self._calls: set[asyncio.Task[object]] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """What python-telegram-bot calls ``base_url``."""
        return f"{self.url}/bot"

    @property
    def base_file_url(self) -> str:
        """What python-telegram-bot calls ``base_file_url``."""
        return f"{self.url}/file/bot"

    async def up(self) -> None:
        """Listen, on the same port as before. Webhooks that were set are served again."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        Control(self._stage, self.faults, self.asked).add_to(app)
        app.router.add_route("*", "/bot{token}/{method}", self._method)
        app.router.add_get("/file/bot{token}/{path:.+}", self._file)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.01
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._port).start()
        self._runner = runner
        self._port = int(runner.addresses[0][1])
        for bot in self.world.bots.values():
            self._carrier.changed(bot)

    async def down(self) -> None:
        """Listen no more, and cut what is connected. What the service knows is kept."""
        for call in self._calls:
            call.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None
        await self._carrier.stop()

    async def _method(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"].lower()
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        try:
            bot = self.world.bot_by(request.match_info["token"])
            given = await parameters(request)
            self.asked.append(Asked(method=name, bot=bot.id, given=given.plain()))
            return await self._answered(
                request, name, bot, lambda: self._carried_out(name, bot, given)
            )
        except RefusalError as refusal:
            return refused(refusal).response()
        finally:
            self._calls.discard(task)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        async def carry_out() -> Answer:
            try:
                data = self.world.files.download(bot, request.match_info["path"])
            except RefusalError as refusal:
                return refused(refusal)
            return Answer(body=data, kind="application/octet-stream")

        try:
            bot = self.world.bot_by(request.match_info["token"])
        except RefusalError as refusal:
            return refused(refusal).response()
        path = request.match_info["path"]
        self.asked.append(Asked(method="file", bot=bot.id, given={"path": path}))
        return await self._answered(request, "file", bot, carry_out)

    async def _answered(
        self, request: web.Request, name: str, bot: Bot, carry_out: Carried
    ) -> web.StreamResponse:
        fault = self.faults.meet(name, bot.id)
        if fault is not None:
            return await spoiled(request, fault, self.faults, carry_out)
        return (await carry_out()).response()

    async def _carried_out(self, name: str, bot: Bot, given: Parameters) -> Answer:
        try:
            return Answer(body=await self._result(name, bot, given))
        except RefusalError as refusal:
            return refused(refusal)

    async def _result(self, name: str, bot: Bot, given: Parameters) -> bytes:
        call = Call(world=self.world, bot=bot, given=given)
        if name == "getupdates":
            return success(await get_updates(call))
        if name == "setwebhook":
            return success(b"true", set_webhook(call, self._carrier.changed))
        if name == "deletewebhook":
            return success(b"true", delete_webhook(call, self._carrier.changed))
        if name == "getwebhookinfo":
            return success(encode(get_webhook_info(call)).encode())
        method = METHODS.get(name)
        if method is None:
            raise not_found("method not found")
        return success(encode(method(call)).encode())


@asynccontextmanager
async def bot_api(
    *,
    clock: Clock | None = None,
    seed: int = 5,
    local: Path | None = None,
    port: int = 0,
    webhook_retry: float = 0.02,
    webhook_timeout: float = 10.0,
) -> AsyncIterator[BotApi]:
    """A server for as long as the block lasts.

    Args:
        clock: a :class:`HandClock` unless another is given.
        seed: of everything that is random: identifiers, tokens.
        local: a directory for files makes it a local Bot API server.
        port: 0 for any that is free.
        webhook_retry: seconds for real until a failed delivery is repeated.
        webhook_timeout: seconds for real that a bot has to answer a delivery.
    """
    told = HandClock() if clock is None else clock
    world = World(told, Random(seed), local)
    carrier = Carrier(told, retry_after=webhook_retry, answer_within=webhook_timeout)
    api = BotApi(world, carrier, port)
    await api.up()
    try:
        yield api
    finally:
        api.faults.lift()
        await api.down()
