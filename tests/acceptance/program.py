"""The program as a user starts it: a child process, its exit code and what it prints."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.patience import PATIENCE, ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a run of the program ended."""

    code: int
    out: str
    err: str


def muniment(*arguments: str, text: bytes = b"", folder: Path | None = None) -> Said:
    """Run ``muniment`` to its end with ``text`` on standard input."""
    done = subprocess.run(
        [sys.executable, "-m", "bridge", *arguments],
        input=text,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        cwd=folder,
    )
    return Said(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())


def new_folder(folder: Path, *tables: str) -> Path:
    """A folder made by ``init`` with ``tables`` at the end of its settings; gives the file."""
    made = muniment("init", str(folder))
    assert made.code == 0, made.err
    config = folder / "muniment.toml"
    with config.open("a") as settings:
        settings.write("\n".join(tables))
    return config


def matrix_table(folder: Path, homeserver: str, *, password: str = "right") -> str:
    """A ``[[matrix]]`` table with its password file in ``folder``."""
    secret = folder / "recorder.password"
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.touch(mode=0o600)
    secret.write_text(password)
    return (
        f'\n[[matrix]]\nname = "office"\nhomeserver = "{homeserver}"\n'
        f'user_id = "@recorder:localhost"\npassword_file = "{secret}"\n'
    )


def override(config: Path, old: str, new: str) -> None:
    """Change a line of the settings."""
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1))


def metrics_of(config: Path) -> str:
    """Host and port on which a run of ``config`` answers."""
    place: str = tomllib.loads(config.read_text())["service"]["metrics"]
    return place


def s3_store(config: Path, endpoint_url: str) -> None:
    """Change the store of ``config`` to a bucket at ``endpoint_url``."""
    secret = config.parent / "store.toml"
    secret.touch(mode=0o600)
    secret.write_text('access_key_id = "a"\nsecret_access_key = "b"\n')
    line = next(line for line in config.read_text().splitlines() if line.startswith("url ="))
    override(
        config,
        line,
        f'url = "s3://bucket"\nendpoint_url = "{endpoint_url}"\n'
        f'retention_days = 30\ncredentials_file = "{secret}"',
    )


def stderr_of(config: Path) -> Path:
    """Where a started ``run`` says what an operator sees."""
    return config.parent / "stderr.txt"


@contextmanager
def started(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``muniment run`` in the background; ended by SIGTERM, which must be enough."""
    with (
        stderr_of(config).open("wb") as said,
        subprocess.Popen(
            [sys.executable, "-m", "bridge", "run", "--config", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=said,
        ) as child,
    ):
        try:
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            ended(child)
