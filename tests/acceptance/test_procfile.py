"""The Procfile starts the recorder and its pages as two processes, and both end together."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from bridge.demo.ports import free_ports
from tests.acceptance.program import PATIENCE, new_folder
from tests.pages import ROOT

STOP_SECONDS = 30.0


def _wait_for(address: str, child: subprocess.Popen[bytes]) -> int:
    """Its answer, once there is one."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and child.poll() is None:
        try:
            return httpx.get(address, trust_env=False, timeout=PATIENCE).status_code
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"nobody answers at {address}")


def test_both_processes_run_on_one_folder_and_stop_in_order(tmp_path: Path) -> None:
    """As an operator starts them; what the pages need of the journal they read beside it."""
    config = new_folder(tmp_path / "records")
    pages, health = free_ports(2)
    config.write_text(
        config.read_text()
        .replace("127.0.0.1:8080", f"127.0.0.1:{pages}")
        .replace("127.0.0.1:9464", f"127.0.0.1:{health}")
    )
    # `muniment` stands beside the interpreter, as it does after an installation.
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    honcho = [sys.executable, "-m", "honcho", "-f", str(ROOT / "Procfile"), "start"]
    said = tmp_path / "said"
    with (
        said.open("wb") as out,
        subprocess.Popen(
            honcho,
            stdout=out,
            stderr=out,
            cwd=config.parent,
            env={"PATH": path, "HOME": str(tmp_path)},
        ) as child,
    ):
        try:
            assert _wait_for(f"http://127.0.0.1:{health}/readyz", child) == 200
            assert _wait_for(f"http://127.0.0.1:{pages}/sign-in", child) == 200
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(STOP_SECONDS)
    text = said.read_text()
    assert '"event": "stopped"' in text
    assert "Traceback" not in text
    assert "Killed" not in text
