"""How long a test waits: far longer than what it waits for takes. Only a failure uses it up.

A machine that runs tests may stand still for minutes, or be given a tenth of a processor. That is
no fault of what is tested, so no test fails for it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

PATIENCE = 600.0
"""Seconds for what must come."""

_LOOK_SECONDS = 0.1

_LOOKS = 450
"""Of a program that was told to end. Ten seconds are promised; what hangs there hangs for good."""


def until(true: Callable[[], bool]) -> None:
    """Wait for what another process does.

    Raises:
        TimeoutError: it did not come.
    """
    over = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > over:
            raise TimeoutError(f"not so within {PATIENCE:.0f} s")
        time.sleep(_LOOK_SECONDS)


def ended(child: subprocess.Popen[bytes]) -> int:
    """The exit code of a program that was told to end.

    Looks are counted and not seconds: while the machine stands still, the program cannot end.

    Raises:
        TimeoutError: it goes on.
    """
    for _ in range(_LOOKS):
        code = child.poll()
        if code is not None:
            return code
        time.sleep(_LOOK_SECONDS)
    raise TimeoutError("the program does not end")
