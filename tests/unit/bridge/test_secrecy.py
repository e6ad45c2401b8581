"""What a process keeps to itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bridge.secrecy import HANDED_ON, handed_on

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
        [sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=60
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


@pytest.mark.parametrize("command", ["run", "console", "witness", "backup", "restore"])
def test_who_holds_secrets_closes_itself_first(command: str) -> None:
    """Before the settings, which name them, are read."""
    text = Path(__file__).parents[3].joinpath("bridge", "cli", f"{command}.py").read_text("utf-8")
    body = text.partition("def command(")[2]
    closed = body.index("no_core_dumps()")
    readers = ("read_settings(", "restore(options", "_witness(options)")
    assert closed < min(body.index(each) for each in readers if each in body)
