"""A small S3 server that misbehaves on demand: wrong answers, lost replies, dropped locks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to say instead. ``status`` 0 closes the connection without a word."""

    status: int
    code: str = ""
    lands: bool = False


@dataclass(slots=True, kw_only=True)
class S3Stub:
    """One unversioned bucket. ``answers`` are given, oldest first, to the requests named.

    Locks are never kept; metadata and ``If-None-Match`` are, unless switched off.
    """

    url: str = ""
    keeps_metadata: bool = True
    keeps_condition: bool = True
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    objects: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    """Answers for the stub of its server."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def handle_expect_100(self) -> bool:
        """Ask for the body."""
        self.send_response_only(100)
        self.end_headers()
        return True

    def _say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", headers.get("length", str(len(body))))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _faulty(self, verb: str, key: str, data: bytes) -> bool:
        stub = self.server.stub
        stub.asked.append(verb)
        if not stub.answers.get(verb):
            return False
        answer = stub.answers[verb].pop(0)
        if answer.lands:
            stub.objects[key] = (data, self.headers.get("x-amz-meta-sha256") or "")
        if answer.status == 0:
            self.close_connection = True
            return True
        xml = f"<Error><Code>{answer.code}</Code><Message>no\nsuch luck</Message></Error>"
        self._say(answer.status, xml.encode())
        return True

    def do_PUT(self) -> None:
        """PutObject."""
        stub, key, data = self.server.stub, self.path, self._body()
        if self._faulty("PUT", key, data):
            return
        if key in stub.objects and stub.keeps_condition:
            self._say(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            return
        kept = self.headers.get("x-amz-meta-sha256") or "" if stub.keeps_metadata else ""
        stub.objects[key] = (data, kept)
        self._say(200)

    def do_HEAD(self) -> None:
        """HeadObject."""
        if not self._faulty("HEAD", self.path, b""):
            self._give()

    def do_GET(self) -> None:
        """GetBucketVersioning or GetObject."""
        verb = "VERSIONING" if "?versioning" in self.path else "GET"
        if self._faulty(verb, self.path, b""):
            return
        if verb == "VERSIONING":
            self._say(200, b"<VersioningConfiguration/>")
        else:
            self._give()

    def _give(self) -> None:
        standing = self.server.stub.objects.get(self.path)
        if standing is None:
            self._say(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        data, kept = standing
        self._say(200, data, Last_Modified=formatdate(usegmt=True), x_amz_meta_sha256=kept)


class _Server(ThreadingHTTPServer):
    """Carries the stub to its handlers."""

    stub: S3Stub
    daemon_threads = True


@contextmanager
def s3_stub() -> Iterator[S3Stub]:
    """A stub for as long as the block lasts."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.stub = S3Stub(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
