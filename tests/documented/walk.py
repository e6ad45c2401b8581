"""Walking through sections of the pages: each command is run once, in a shell that goes on."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from bridge.demo.ports import free_ports
from tests.acceptance.program import Said, override
from tests.documented.commands import commands, mentions
from tests.documented.unrunnable import UNRUNNABLE
from tests.pages import ROOT
from tests.patience import PATIENCE, ended

_Given = TypeVar("_Given")

_KEPT = frozenset((each.section, each.text) for each in UNRUNNABLE)
_BEFORE = """\
[ -e {state}/names ] && . {state}/names
cd "$(cat {state}/folder)" || exit 99
"""
_AFTER = (
    "trap 'code=$?; set +a; export -p > {state}/names; pwd > {state}/folder; exit $code' EXIT\n"
)
_SHIM = '#!/bin/sh\nPYTHONPATH={root} exec {python} -m bridge "$@"\n'


def documented(*sections: str, spans: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """The test runs all commands of these sections, and these out of sentences; with ``walk``."""
    return pytest.mark.documented(*sections, spans=spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """A command that goes on until it is ended, and what it says."""

    child: subprocess.Popen[bytes]
    said: Path

    @property
    def text(self) -> str:
        """Both of its outputs so far."""
        return self.said.read_text(errors="replace")

    def check(self) -> None:
        """It MUST be there still."""
        assert self.child.poll() is None, self.text


@dataclass(slots=True, kw_only=True)
class Walk:
    """The commands that wait to be run. ``folder`` has the shell's state and its home."""

    waiting: list[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    _put: dict[str, str] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    @property
    def home(self) -> Path:
        """What ``~`` is; the shell begins there."""
        return self.folder / "home"

    def begin(self) -> None:
        """Make a home, and ``muniment`` and ``python3`` as an installation has them."""
        tools, state = self.folder / "tools", self.folder / "state"
        for made in (tools, state, self.home):
            made.mkdir()
        self.script(
            "muniment",
            _SHIM.format(root=shlex.quote(str(ROOT)), python=shlex.quote(sys.executable)),
        )
        python = Path(sys.executable)
        # A virtual environment's own python3 would make one that knows its packages.
        (tools / "python3").symlink_to(Path(sys.base_prefix) / "bin" / python.resolve().name)
        path = f"{tools}:{python.parent}:/usr/bin:/bin:/usr/sbin:/sbin"
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        self.environment = {**kept, "PATH": path, "HOME": str(self.home)}
        (state / "folder").write_text(str(self.home))

    def script(self, name: str, text: str) -> None:
        """A program of this name on the PATH."""
        tool = self.folder / "tools" / name
        tool.write_text(text)
        tool.chmod(0o755)

    def init(self, name: str, *, tenant: str = "mydept") -> Path:
        """A folder made by ``init``, on ports of its own, where the shell goes; its settings."""
        folder = self.home / name
        self.shell(f"muniment init {folder} --tenant {tenant} --log-origin records.example.org")
        self.go(folder)
        config = folder / "muniment.toml"
        self.own_ports(config)
        return config

    def own_ports(self, config: Path) -> None:
        """Ports that nobody uses, in place of those of the pages; and a checkpoint at once."""
        health, pages = free_ports(2)
        override(config, "127.0.0.1:9464", f"127.0.0.1:{health}")
        override(config, "127.0.0.1:8080", f"127.0.0.1:{pages}")
        override(config, "checkpoint_seconds = 10", "checkpoint_seconds = 0.5")

    def secret(self, name: str, text: str) -> Path:
        """A file in the working folder that is closed to others."""
        file = self.here / name
        file.touch(mode=0o600)
        file.write_text(text + "\n")
        return file

    def put(self, old: str, new: str | Path) -> None:
        """Declare that ``old`` on the pages is ``new`` here. It MUST be needed."""
        self._put[old] = str(new)

    def filled(self, text: str) -> str:
        """The text with what was declared."""
        for old, new in self._put.items():
            if old in text:
                self._used.add(old)
                text = text.replace(old, new)
        return text

    def go(self, folder: Path) -> None:
        """Change the working folder, as a sentence on the page says."""
        (self.folder / "state" / "folder").write_text(str(folder))

    @property
    def here(self) -> Path:
        """The working folder."""
        return Path((self.folder / "state" / "folder").read_text().strip())

    def run(self, start: str, *, codes: tuple[int, ...] = (0,)) -> Said:
        """Run the first waiting command that begins so; its exit code MUST be one of ``codes``."""
        return self.shell(self._taken(start), codes=codes)

    def shell(self, command: str, *, codes: tuple[int, ...] = (0,)) -> Said:
        """Run what stands on no page, to look at what came of it."""
        script = self._script(_BEFORE + _AFTER + "set -a\n") + command
        # Not a terminal: nothing asks, and nothing is coloured.
        done = subprocess.run(
            ["bash", "-c", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=self.environment,
            timeout=PATIENCE,
            check=False,
        )
        said = Said(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())
        assert said.code in codes, f"{command}\nexits {said.code}\n{said.out}\n{said.err}"
        assert "Traceback" not in said.err, said.err
        return said

    @contextmanager
    def started(self, start: str, *, ends: int = 0) -> Iterator[Background]:
        """Run it beside what follows; SIGTERM MUST end it, with this exit code."""
        with self._beside(self._taken(start), ends) as background:
            yield background

    @contextmanager
    def running(self) -> Iterator[Background]:
        """``muniment run``, where no section of this walk has it."""
        with self._beside("muniment run", 0) as background:
            yield background

    @contextmanager
    def _beside(self, command: str, ends: int) -> Iterator[Background]:
        script = self._script(_BEFORE) + f"exec {command}"
        said = self.folder / f"said-{len(list(self.folder.glob('said-*')))}"
        with (
            said.open("wb") as out,
            subprocess.Popen(
                ["bash", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self.environment,
            ) as child,
        ):
            background = Background(child=child, said=said)
            try:
                yield background
                background.check()
            finally:
                child.send_signal(signal.SIGTERM)
                code = _code_of(child)
        assert code == ends, background.text
        assert "Traceback" not in background.text

    def finish(self) -> None:
        """Every command was run, and every substitution used."""
        assert not self.waiting, f"not run: {self.waiting}"
        assert self._used == self._put.keys(), f"not needed: {self._put.keys() - self._used}"

    def _script(self, text: str) -> str:
        return text.format(state=shlex.quote(str(self.folder / "state")))

    def _taken(self, start: str) -> str:
        found = [each for each in self.waiting if each.startswith(start)]
        assert found, f"no command left that begins with {start!r}: {self.waiting}"
        taken = start if start in found else found[0]
        self.waiting.remove(taken)
        return self.filled(taken)


def _code_of(child: subprocess.Popen[bytes]) -> int:
    try:
        return ended(child)
    except TimeoutError:
        child.kill()
        return child.wait()


def wanted(marker: pytest.Mark) -> list[str]:
    """What a test with this mark has to run."""
    sections, spans = set(marker.args), marker.kwargs["spans"]
    known = {each.section for each in commands()}
    assert sections <= known, sections - known
    assert set(spans) <= {each.text for each in mentions()}, spans
    found = [
        each.text
        for each in commands()
        if each.section in sections and (each.section, each.text) not in _KEPT
    ]
    return [*found, *spans]


def until(true: Callable[[], bool], beside: Background | None = None) -> None:
    """What is waited for happens in another process."""
    end = time.monotonic() + PATIENCE
    while not true():
        if beside is not None:
            beside.check()
        assert time.monotonic() < end, beside.text if beside is not None else ""
        time.sleep(0.1)


def asked(loop: asyncio.AbstractEventLoop, what: Coroutine[None, None, _Given]) -> _Given:
    """Have something done on the loop of the test, from the thread in which it walks."""
    return asyncio.run_coroutine_threadsafe(what, loop).result(PATIENCE)
