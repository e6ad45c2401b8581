"""s3rver from npm: an S3 server that takes locks, conditions and checksums, and drops them all."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge.demo.ports import free_ports
from tests.clients.js_process import node
from tests.patience import PATIENCE

PROGRAM = Path(__file__).parent / "js" / "node_modules" / "s3rver" / "bin" / "s3rver.js"
KEY = "S3RVER"
"""Its only access key, and the secret of that."""


@contextmanager
def s3rver(folder: Path, bucket: str) -> Iterator[str]:
    """The endpoint's URL, for as long as the block lasts; its objects stand in ``folder``."""
    program = node()
    if not PROGRAM.is_file():
        pytest.fail("no s3rver: run `make test`, which installs it", pytrace=False)
    (port,) = free_ports(1)
    # A killed test process leaves no server behind: the kernel ends it with it.
    command = ["setpriv", "--pdeathsig", "KILL", str(program), str(PROGRAM)]
    command += ["--directory", str(folder / "objects"), "--address", "127.0.0.1"]
    command += ["--port", str(port), "--silent", "--configure-bucket", bucket]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "s3rver.out").open("wb") as output:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait(server, port, folder / "s3rver.out")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _wait(server: subprocess.Popen[bytes], port: int, output: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"s3rver did not start: {output.read_text(errors='replace')[-2000:]}")
