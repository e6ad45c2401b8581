"""The program as a user starts it: a child process, its exit code and what it prints."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 60.0


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
