"""The console on its address, until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import uvicorn
from jinja2 import Environment

from bridge.console.app import application
from bridge.console.gate import Gate
from bridge.console.pages import GLOBALS, TABLE
from bridge.console.sessions import Sessions
from bridge.console.site import Parts, environment
from bridge.errors import ConfigError

GRACE_SECONDS = 4
"""How long a stop waits for answers on their way; less than a recorder takes to drain."""

MOST_CONNECTIONS = 400
"""Past that a request is turned away: a recorder in this process needs its file handles."""


def console(parts: Parts, *, random_bytes: Callable[[int], bytes]) -> Gate:
    """The whole console. Blocks: reads templates and assets."""
    sessions = Sessions(office=parts.office, random_bytes=random_bytes, secret=random_bytes(32))
    return application(TABLE, parts=parts, sessions=sessions, pages=_pages())


@cache
def _pages() -> Environment:
    """The templates, compiled once."""
    pages = environment()
    pages.globals.update(GLOBALS)
    return pages


async def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the address.

    Raises:
        ConfigError: it cannot.
    """
    try:
        return await asyncio.to_thread(_bound, host, port)
    except OSError as error:
        raise ConfigError(
            f"[service] console {host}:{port} cannot be listened on ({error.strerror}).",
            hint="Another program may have the port; choose another one.",
        ) from None


def _bound(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    return socket.create_server(address[:2], family=family, backlog=128)


async def serve(app: Gate, listener: socket.socket, *, stop: asyncio.Event) -> None:
    """Answer on ``listener`` until ``stop`` is set, and what is on its way then."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        http="h11",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config)
    stopping = asyncio.create_task(_stop(server, stop))
    try:
        await server.serve(sockets=[listener])
    finally:
        stopping.cancel()
        listener.close()


async def _stop(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True


class _Server(uvicorn.Server):
    """Leaves signals to the program that runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: the program has its own."""
        yield
