"""Settings to start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.demo.ports import free_ports
from tests.acceptance.program import new_folder, override


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The embedded default, on ports that nobody uses."""
    file = new_folder(tmp_path / "bridge")
    override(file, "127.0.0.1:9464", f"127.0.0.1:{free_ports(1)[0]}")
    return file
