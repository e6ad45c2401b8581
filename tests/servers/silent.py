"""A server that takes every connection and never says a word."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentServer:
    """Where it listens; ``asked`` is set when somebody has sent it something."""

    url: str
    asked: threading.Event = field(default_factory=threading.Event)


@contextmanager
def silent_server() -> Iterator[SilentServer]:
    """One for as long as the block lasts; at its end the connections are cut."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = SilentServer(url=f"http://127.0.0.1:{listening.getsockname()[1]}")
        held: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                held.append(connection)
                connection.recv(1)
                server.asked.set()

        taking = threading.Thread(target=take, daemon=True)
        taking.start()
        try:
            yield server
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for connection in held:
                connection.close()
            taking.join()
