"""The server in another process: ``python -m tests.servers.fault_s3``, and how to command it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

import msgspec

from tests.patience import PATIENCE
from tests.servers.fault_s3.faults import Fault, encode
from tests.servers.fault_s3.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFaultS3:
    """Commands by HTTP, from any process. They are obeyed whatever else the server does wrong."""

    url: str

    def set(self, fault: Fault) -> None:
        """Do this from now on, after what is in force already."""
        self._ask("POST", "fault", encode(fault))

    def lift(self) -> None:
        """Do nothing wrong any more."""
        self._ask("DELETE", "fault")

    def state(self) -> State:
        """What it holds and was asked."""
        return msgspec.json.decode(self._ask("GET", "state"), type=State)

    def _ask(self, verb: str, what: str, body: bytes | None = None) -> bytes:
        with closing(HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)) as connection:
            connection.request(verb, f"/-/{what}", body)
            answer = connection.getresponse()
            given = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"the S3 server did not take the command: {given.decode()}")
        return given


@contextmanager
def fault_s3_process(*options: str, port: int = 0) -> Iterator[RemoteFaultS3]:
    """One in a process of its own, ended with the block. ``options`` as on its command line."""
    command = [sys.executable, "-m", "tests.servers.fault_s3", "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            url = child.stdout.readline().strip()
            if not url:
                raise RuntimeError("the S3 server did not start")
            yield RemoteFaultS3(url=url)
        finally:
            child.terminate()
            child.wait(PATIENCE)
