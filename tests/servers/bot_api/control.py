"""The server told from another process.

``POST /-/do`` with an order (see ``orders``), ``POST /-/fault`` with a fault (see ``faults``),
``DELETE /-/fault`` to lift all, ``GET /-/asked`` for what was asked so far.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import PIPE, Popen
from sys import executable
from urllib.request import Request, urlopen

import msgspec
from aiohttp import web

from tests.patience import PATIENCE
from tests.servers.bot_api.faults import Fault, Faults
from tests.servers.bot_api.orders import Stage
from tests.servers.bot_api.refusals import RefusalError
from tests.servers.bot_api.requests import Asked, parameters
from tests.servers.bot_api.spoiling import Answer, refused
from tests.servers.bot_api.wire import JsonObject, encode


class Control:
    """What is served beside the Bot API."""

    def __init__(self, stage: Stage, faults: Faults, asked: list[Asked]) -> None:
        self._stage = stage
        self._faults = faults
        self._asked = asked

    def add_to(self, app: web.Application) -> None:
        """Serve it."""
        app.router.add_post("/-/do", self._do)
        app.router.add_post("/-/fault", self._set)
        app.router.add_delete("/-/fault", self._lift)
        app.router.add_get("/-/asked", self._tell)

    async def _do(self, request: web.Request) -> web.Response:
        try:
            done = self._stage.carry_out(await parameters(request))
        except RefusalError as refusal:
            return refused(refusal).response()
        return Answer(body=encode(done).encode()).response()

    async def _set(self, request: web.Request) -> web.Response:
        try:
            self._faults.set(msgspec.json.decode(await request.read(), type=Fault))
        except msgspec.MsgspecError as error:
            return Answer(status=400, body=str(error).encode(), kind="text/plain").response()
        return web.Response(status=204)

    async def _lift(self, request: web.Request) -> web.Response:
        self._faults.lift()
        return web.Response(status=204)

    async def _tell(self, request: web.Request) -> web.Response:
        return Answer(body=msgspec.json.encode(self._asked)).response()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteBotApi:
    """A server in another process. Every call blocks until it is answered."""

    url: str

    @property
    def base_url(self) -> str:
        """What python-telegram-bot calls ``base_url``."""
        return f"{self.url}/bot"

    @property
    def base_file_url(self) -> str:
        """What python-telegram-bot calls ``base_file_url``."""
        return f"{self.url}/file/bot"

    def do(self, order: Mapping[str, object]) -> JsonObject:
        """Carry out an order; what was made."""
        return msgspec.json.decode(self._ask("POST", "do", encode(order).encode()), type=JsonObject)

    def set(self, fault: Fault) -> None:
        """Do this wrong from now on."""
        self._ask("POST", "fault", msgspec.json.encode(fault))

    def lift(self) -> None:
        """Do nothing wrong any more."""
        self._ask("DELETE", "fault", None)

    def asked(self) -> list[Asked]:
        """What was asked so far."""
        return msgspec.json.decode(self._ask("GET", "asked", None), type=list[Asked])

    def _ask(self, verb: str, path: str, body: bytes | None) -> bytes:
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self.url}/-/{path}", data=body, headers=headers, method=verb)  # noqa: S310
        with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            found: bytes = answer.read()
        return found


@contextmanager
def bot_api_process(*options: str) -> Iterator[RemoteBotApi]:
    """A server in a process of its own, ended with the block."""
    command = [executable, "-m", "tests.servers.bot_api", *options]
    with Popen(command, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield RemoteBotApi(url=process.stdout.readline().strip())
        finally:
            process.terminate()
