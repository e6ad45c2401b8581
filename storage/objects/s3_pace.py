"""How long a request may take in all: a store that is slow or silent must not hold a thread.

A time limit for each read of a socket is none against a store that sends one byte a second. Here
every read and write of a request is given what is left of the request's own time, and the request
fails once that is over; its thread and its connection are free again. So no call can outlast the
few requests it makes, however the store behaves.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """What is granted to a request: ``seconds``, and one more for each ``rate`` bytes moved.

    No silence within a request may last longer than ``seconds`` either.
    """

    seconds: float = 30.0
    rate: int = 16 * 1024


USUAL = Patience()


class Pace:
    """The time of one request, from its first use of the network. For one thread."""

    def __init__(self, patience: Patience, monotonic: Callable[[], float]) -> None:
        self._patience = patience
        self._monotonic = monotonic
        self._began: float | None = None
        self._moved = 0
        self.over = False

    @property
    def taken(self) -> str:
        """How far the request came, for messages."""
        seconds = 0.0 if self._began is None else self._monotonic() - self._began
        return f"{seconds:.0f} s and {self._moved} bytes"

    def allowance(self) -> float:
        """Seconds that the next read or write may take.

        Raises:
            TimeoutError: the request's time is over.
        """
        now = self._monotonic()
        if self._began is None:
            self._began = now
        granted = self._patience.seconds + self._moved / self._patience.rate
        left = granted - (now - self._began)
        if left <= 0:
            self.over = True
            raise TimeoutError("the time for this request is over")
        return min(left, self._patience.seconds)

    def moved(self, count: int) -> None:
        """So many bytes have gone over the network."""
        self._moved += count

    def waited_in_vain(self) -> None:
        """A read or write was given all that it may take, and had nothing."""
        self.over = True


class _Current(threading.local):
    pace: Pace | None = None


_current = _Current()


@contextmanager
def paced(patience: Patience, monotonic: Callable[[], float]) -> Iterator[Pace]:
    """What this thread asks of a store within the block is one request, with one time for all.

    A request made to feed another one (a body that stands in the store) shares the time of that.
    """
    outer = _current.pace
    if outer is not None:
        yield outer
        return
    _current.pace = pace = Pace(patience, monotonic)
    try:
        yield pace
    finally:
        _current.pace = None


@contextmanager
def _within_pace(own: socket.socket) -> Iterator[Pace | None]:
    pace = _current.pace
    if pace is not None:
        own.settimeout(pace.allowance())
    try:
        yield pace
    except TimeoutError:
        if pace is not None:
            pace.waited_in_vain()
        raise


class PacedSocket(socket.socket):
    """A socket whose every use is within the pace of its thread's request."""

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        """Read."""
        with _within_pace(self) as pace:
            count = super().recv_into(buffer, nbytes, flags)
        if pace is not None:
            pace.moved(count)
        return count

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        """Write all of it. The library hands a body over in pieces."""
        with _within_pace(self) as pace:
            super().sendall(data, flags)
        if pace is not None:
            pace.moved(memoryview(data).nbytes)


class PacedTLSSocket(ssl.SSLSocket):
    """The same over TLS, where all reading is by ``recv_into`` and all writing by ``send``."""

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        """Read."""
        with _within_pace(self) as pace:
            count = super().recv_into(buffer, nbytes, flags)
        if pace is not None:
            pace.moved(count)
        return count

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        """Write some of it."""
        with _within_pace(self) as pace:
            count = super().send(data, flags)
        if pace is not None:
            pace.moved(count)
        return count


def _paced_one(plain: socket.socket) -> PacedSocket:
    limit = plain.gettimeout()
    own = PacedSocket(fileno=plain.detach())
    own.settimeout(limit)  # a handshake, or a proxy's answer, comes within the time to connect
    return own


class _PacedConnection(AWSHTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _paced_one(super()._new_conn())


class _PacedTLSConnection(AWSHTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _paced_one(super()._new_conn())

    def connect(self) -> None:
        """Connect, with sockets of ours also below TLS."""
        if self.ssl_context is not None:
            self.ssl_context.sslsocket_class = PacedTLSSocket
        super().connect()


class _PacedPool(AWSHTTPConnectionPool):
    ConnectionCls = _PacedConnection


class _PacedTLSPool(AWSHTTPSConnectionPool):
    ConnectionCls = _PacedTLSConnection


class _Session(Protocol):
    _pool_classes_by_scheme: dict[str, type[AWSHTTPConnectionPool | AWSHTTPSConnectionPool]]


class _Endpoint(Protocol):
    http_session: _Session


class _Client(Protocol):
    _endpoint: _Endpoint


def keep_pace(client: S3Client) -> None:
    """Make all connections of a fresh client paced ones."""
    # The SDK has no public way to say how it connects; all its pools come from this one table.
    session = cast("_Client", client)._endpoint.http_session  # noqa: SLF001
    session._pool_classes_by_scheme.update(http=_PacedPool, https=_PacedTLSPool)  # noqa: SLF001
