"""The process ends though a thread does not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

from bridge.cli.ending import Workers
from tests.patience import PATIENCE

STUCK = """
import sys, threading
from bridge.cli.ending import leave
print("said", end="")
threading.Thread(target=threading.Event().wait).start()
leave(3)
"""

ORDERLY = """
import atexit
from bridge.cli.ending import leave
atexit.register(print, "bye")
leave(4)
"""


def test_a_stuck_thread_does_not_keep_the_process() -> None:
    """The exit code is given, what was printed is out, and nobody waits for the thread."""
    done = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, b"said", b"")


def test_without_a_stuck_thread_the_interpreter_ends_as_always() -> None:
    """What is registered for the end of the interpreter runs."""
    done = subprocess.run(
        [sys.executable, "-c", ORDERLY], capture_output=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout) == (4, b"bye\n")


def test_an_event_loop_ends_though_its_worker_hangs() -> None:
    """The loop closes; the worker's call goes on, and what had not begun never does."""
    release = threading.Event()
    begun: list[str] = []
    hangs = threading.Event()

    def hang() -> None:
        begun.append("hanging")
        hangs.set()
        release.wait()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(Workers(2))
        hanging = loop.run_in_executor(None, hang)
        await asyncio.to_thread(hangs.wait)
        loop.run_in_executor(None, hang)
        waiting = loop.run_in_executor(None, begun.append, "last")
        assert not hanging.done()
        assert not waiting.done()

    asyncio.run(main())
    release.set()
    assert "last" not in begun
