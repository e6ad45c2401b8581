"""The server for as long as a block lasts, in this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ssl import SSLContext

from tests.servers.fault_s3.faults import Asked, Fault
from tests.servers.fault_s3.handler import FaultServer
from tests.servers.fault_s3.shelf import Bucket, Shelf
from tests.servers.fault_s3.state import State, state_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultS3:
    """A running server: what it holds, what it was asked, and what it is to do wrong."""

    url: str
    bucket: Bucket
    shelf: Shelf
    asked: Sequence[Asked]
    _server: FaultServer

    def set(self, fault: Fault) -> None:
        """Do this from now on, after what is in force already."""
        self._server.faults.set(fault)

    def lift(self) -> None:
        """Do nothing wrong any more."""
        self._server.faults.lift()

    def wait_idle(self) -> None:
        """Return once no request is under way any more, also of clients that have gone."""
        with self._server.changed:
            self._server.changed.wait_for(lambda: not self._server.busy)

    def count(self, what: str) -> int:
        """How often a verb or an operation was asked for."""
        return sum(what in {each.verb, each.operation} for each in tuple(self.asked))

    def state(self) -> State:
        """The same as the control path gives it."""
        return state_of(self.shelf, self.asked)


@contextmanager
def fault_s3(
    *,
    bucket: str = "bucket",
    versioned: bool = True,
    locked: bool = True,
    port: int = 0,
    tls: SSLContext | None = None,
) -> Iterator[FaultS3]:
    """A server on loopback with one bucket; a lock brings versions with it."""
    server = FaultServer(port, tls)
    made = server.shelf.make(bucket, versioned=versioned, locked=locked)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield FaultS3(
            url=f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}",
            bucket=made,
            shelf=server.shelf,
            asked=server.asked,
            _server=server,
        )
    finally:
        server.shutdown()
        thread.join()
        server.faults.lift()
        for connection in tuple(server.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        server.server_close()
