"""What a process keeps to itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bridge.secrecy import HANDED_ON, handed_on
from tests.patience import PATIENCE

LOOK = (
    "import ctypes, resource\n"
    "from bridge.secrecy import no_core_dumps\n"
    "from prometheus_client import CollectorRegistry, ProcessCollector\n"
    "from prometheus_client.exposition import generate_latest\n"
    "import encodings.ascii\n"
    "no_core_dumps()\n"
    "no_core_dumps()\n"
    "dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)\n"
    "registry = CollectorRegistry()\n"
    "ProcessCollector(registry=registry)\n"
    "page = generate_latest(registry).decode()\n"
    "print(dumpable, resource.getrlimit(resource.RLIMIT_CORE), 'process_open_fds ' in page)\n"
)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the limit is there")
def test_no_core_is_left_and_the_metrics_stay() -> None:
    """Neither a file nor what a program that takes cores is given; our own view of /proc stays."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert done.stdout == "0 (0, 0) True\n"


def test_a_child_is_told_what_is_harmless_and_nothing_else() -> None:
    """Secrets may have any name: those of ours, of the store's library, and others."""
    own = {
        "PATH": "/usr/bin",
        "LANG": "C.UTF-8",
        "MUNIMENT_STORE__URL": "s3://bucket",
        "AWS_SECRET_ACCESS_KEY": "unsaid",
        "HTTPS_PROXY": "http://user:unsaid@proxy.example.org",
        "DATABASE_PASSWORD": "unsaid",
    }
    assert handed_on(own) == {"PATH": "/usr/bin", "LANG": "C.UTF-8"}
    assert not {name for name in HANDED_ON if name.startswith(("AWS", "MUNIMENT"))}


BEFORE_ARGUMENTS = (
    "import contextlib, ctypes, io\n"
    "from bridge.cli import main\n"
    "prctl = ctypes.CDLL(None).prctl\n"
    "for verb in ('keys', 'reconcile', 'calibrate'):\n"
    "    prctl(4, 1, 0, 0, 0)\n"
    "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
    "        main([verb, '--help'])\n"
    "    if prctl(3, 0, 0, 0, 0):\n"
    "        print(verb)\n"
)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the limit is there")
def test_every_command_closes_itself_first() -> None:
    """Before its arguments are read, and so before the settings, which name secrets."""
    done = subprocess.run(
        [sys.executable, "-c", BEFORE_ARGUMENTS],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert done.stdout == ""
