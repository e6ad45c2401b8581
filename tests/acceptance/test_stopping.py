"""A signal ends the program within ten seconds, whatever hangs."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.demo.ports import free_ports
from tests.acceptance.program import matrix_table, s3_store, started, stderr_of
from tests.patience import PATIENCE, ended
from tests.servers.silent import SilentServer, silent_server

GROUP = '\n[[groups]]\nconnector = "office"\nid = "!a:localhost"\nname = "Office"\n'


@pytest.fixture
def store() -> Iterator[SilentServer]:
    """An S3 endpoint that never answers."""
    with silent_server() as silent:
        yield silent


def stopped(child: subprocess.Popen[bytes], config: Path) -> None:
    """SIGTERM is enough, and no traceback is the answer."""
    child.send_signal(signal.SIGTERM)
    assert ended(child) == 0
    assert "Traceback" not in stderr_of(config).read_text()


def test_a_stop_while_the_first_sign_in_hangs(
    config: Path, tmp_path: Path, store: SilentServer
) -> None:
    """A homeserver that takes the connection and says nothing does not hold up a stop."""
    s3_store(config, store.url)
    with silent_server() as homeserver:
        config.write_text(config.read_text() + matrix_table(tmp_path, homeserver.url) + GROUP)
        with started(config) as child:
            assert homeserver.asked.wait(PATIENCE)
            stopped(child, config)


def test_a_stop_while_the_store_hangs(config: Path, tmp_path: Path, store: SilentServer) -> None:
    """An act is on its way to a store that never answers: it waits in the journal instead."""
    s3_store(config, store.url)
    table = matrix_table(tmp_path, f"http://127.0.0.1:{free_ports(1)[0]}")
    config.write_text(config.read_text() + table + GROUP)
    with started(config) as child:
        assert store.asked.wait(PATIENCE)
        stopped(child, config)
