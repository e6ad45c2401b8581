"""An HTTP server that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """One answer."""

    status: int = 200
    content_type: str = "text/plain"
    body: bytes = b""
    location: str | None = None


Decide = Callable[[bytes], Awaitable[Scripted]]


@dataclass(slots=True, kw_only=True)
class ScriptedServer:
    """``answers`` are given one after the other, the last one for ever. ``url`` has no path.

    ``decide``, where set, answers instead, from the request's body.
    """

    url: str = ""
    answers: list[Scripted] = field(default_factory=lambda: [Scripted()])
    decide: Decide | None = None
    asked: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """The next answer."""
        body = await request.read()
        self.asked.append(body)
        self.paths.append(request.path)
        self.types.append(request.headers.get("Content-Type", ""))
        if self.decide is not None:
            found = await self.decide(body)
        else:
            found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        headers = {"Location": found.location} if found.location else {}
        return web.Response(
            status=found.status, body=found.body, content_type=found.content_type, headers=headers
        )


@asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """One for as long as the block lasts."""
    server = ScriptedServer()
    app = web.Application(client_max_size=1 << 20)
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port: int = runner.addresses[0][1]
        server.url = f"http://127.0.0.1:{port}"
        yield server
    finally:
        await runner.cleanup()
