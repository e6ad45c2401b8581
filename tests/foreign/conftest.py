"""The log that all of them read, written once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.foreign.published import PublishedLog, publish
from tests.patience import PATIENCE

GOCODE = Path("/usr/share/gocode")
SUMDB = GOCODE / "src/golang.org/x/mod/sumdb/tlog"
PROGRAM = Path(__file__).parent / "go"


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> PublishedLog:
    """A log of 70,000 leaves with fourteen checkpoints' worth of history."""
    return publish(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="session")
def go_verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program, built. On a CI machine Go must be there."""
    if shutil.which("go") is None or not SUMDB.is_dir():
        said = "Go with golang.org/x/mod is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{said}; .ci/run installs it")
        pytest.skip(said)
    folder = tmp_path_factory.mktemp("go")
    program = folder / "verify"
    settings = {
        "GO111MODULE": "off",
        "GOPATH": str(GOCODE),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    subprocess.run(
        ("go", "build", "-o", str(program), "."),
        cwd=PROGRAM,
        env={**os.environ, **settings},
        check=True,
        timeout=PATIENCE,
    )
    return program


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker of what needs Go."""
    config.addinivalue_line("markers", "go: needs Go and golang.org/x/mod, which .ci/run installs")
