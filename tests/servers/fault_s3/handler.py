"""One connection: requests read, faults met, answers written."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.client import NO_CONTENT, responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from ssl import SSLContext
from threading import Condition, Event
from typing import TypeAlias

import msgspec

from tests.servers.fault_s3.faults import Asked, Fault, FaultKind, Faults, Met, decode
from tests.servers.fault_s3.operations import carry_out
from tests.servers.fault_s3.shelf import Shelf
from tests.servers.fault_s3.state import state_of
from tests.servers.fault_s3.wire import Answer, Read, RefusalError, Request, read_body

CONTROL = "/-/"
Write: TypeAlias = Callable[[bytes], object]


class _Hung(Exception):  # noqa: N818 - no error: the connection ends without an answer
    """Nothing is said any more on this connection."""


class FaultServer(ThreadingHTTPServer):
    """Listens; what it keeps and does wrong is here for its handlers."""

    request_queue_size = 128
    daemon_threads = False

    def __init__(self, port: int, tls: SSLContext | None) -> None:
        self.tls = tls
        self.shelf = Shelf()
        self.faults = Faults()
        self.asked: list[Asked] = []
        self.connections: set[socket.socket] = set()
        self.busy = 0
        self.changed = Condition()
        super().__init__(("127.0.0.1", port), Handler)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """A request is being dealt with."""
        with self.changed:
            self.busy += 1
        try:
            yield
        finally:
            with self.changed:
                self.busy -= 1
                self.changed.notify_all()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: FaultServer

    def setup(self) -> None:
        """Remembered, so that a stop can end it."""
        if self.server.tls is not None:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        """And forgotten."""
        self.server.connections.discard(self.connection)
        with suppress(OSError):
            super().finish()
        if self.server.tls is not None:
            self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def handle_expect_100(self) -> bool:
        """The body is asked for once it is known that the request is to be read at all."""
        return True

    def _serve(self) -> None:
        try:
            if self.path.startswith(CONTROL):
                self._send(self._control(), self.wfile.write, datetime.now(UTC))
            else:
                with self.server.counted():
                    self._answer()
        except (_Hung, OSError):
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - the base's names

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request.of(self.command, self.path, headers)
        asked = Asked(
            verb=request.verb,
            operation=request.operation,
            name=request.name,
            access_key=request.access_key,
        )
        self.server.asked.append(asked)
        lifted = self.server.faults.lifted
        met = self.server.faults.meet(asked)
        if FaultKind.DOWN in met:
            self._reset()
        slow, status = met.get(FaultKind.SLOW), met.get(FaultKind.STATUS)
        request = self._with_body(request, slow, lifted)
        clock = met.get(FaultKind.CLOCK)
        now = datetime.now(UTC) + timedelta(seconds=clock.seconds if clock else 0)
        now = now.replace(microsecond=0)
        _end_here(met, lifted, lands=False)
        if status is None or status.lands:
            answer = _carried_out(self.server.shelf, request, met, now)
        _end_here(met, lifted, lands=True)
        if status is not None:
            answer = _instead(status)
        write = self.wfile.write if slow is None else _slow_writer(self.wfile, slow, lifted)
        self._send(answer, write, now)

    def _with_body(self, request: Request, slow: Fault | None, lifted: Event) -> Request:
        if request.headers.get("expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()
        read = self.rfile.read if slow is None else _slow_reader(self.rfile, slow, lifted)
        data, trailers = read_body(read, request.headers)
        return replace(request, data=data, headers={**request.headers, **trailers})

    def _control(self) -> Answer:
        faults = self.server.faults
        if (self.command, self.path) == ("POST", f"{CONTROL}fault"):
            try:
                length = int(self.headers.get("Content-Length") or 0)
                faults.set(decode(self.rfile.read(length)))
            except msgspec.MsgspecError as error:
                return Answer(status=400, body=str(error).encode())
            return Answer(status=204)
        if (self.command, self.path) == ("DELETE", f"{CONTROL}fault"):
            faults.lift()
            return Answer(status=204)
        if (self.command, self.path) == ("GET", f"{CONTROL}state"):
            body = msgspec.json.encode(state_of(self.server.shelf, self.server.asked))
            return Answer(headers=(("Content-Type", "application/json"),), body=body)
        return Answer(status=404, body=b"no such command")

    def _send(self, answer: Answer, write: Write, now: datetime) -> None:
        head = [f"HTTP/1.1 {answer.status} {responses.get(answer.status, '')}"]
        head.append(f"Date: {format_datetime(now, usegmt=True)}")
        head += [f"{name}: {value}" for name, value in answer.headers]
        if answer.status != NO_CONTENT:
            head.append(f"Content-Length: {len(answer.body)}")
        body = b"" if self.command == "HEAD" else answer.body
        write("\r\n".join([*head, "", ""]).encode() + body)
        self.wfile.flush()

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raise _Hung


def _carried_out(shelf: Shelf, request: Request, met: Met, now: datetime) -> Answer:
    try:
        return carry_out(shelf, request, met, now)
    except RefusalError as refusal:
        return refusal.answer()


def _end_here(met: Met, lifted: Event, *, lands: bool) -> None:
    silent, closed = met.get(FaultKind.SILENT), met.get(FaultKind.CLOSED)
    if silent is not None and silent.lands is lands:
        lifted.wait()
        raise _Hung
    if closed is not None and closed.lands is lands:
        raise _Hung


def _instead(fault: Fault) -> Answer:
    answer = RefusalError(fault.status, fault.code).answer()
    if fault.retry_after is None:
        return answer
    return replace(answer, headers=(("Retry-After", str(fault.retry_after)),))


def _slow_reader(source: BufferedIOBase, slow: Fault, lifted: Event) -> Read:
    def read(size: int) -> bytes:
        if lifted.wait(1 / slow.rate):
            return source.read(size)
        return source.read(1)

    return read


def _slow_writer(sink: BufferedIOBase, slow: Fault, lifted: Event) -> Write:
    def write(data: bytes) -> None:
        at = 0
        while at < len(data) and not lifted.wait(1 / slow.rate):
            sink.write(data[at : at + 1])
            sink.flush()
            at += 1
        sink.write(data[at:])

    return write
