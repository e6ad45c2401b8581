"""What a process of ours keeps to itself: its memory, and what its environment told it."""

from __future__ import annotations

import ctypes
import resource
import sys
from collections.abc import Mapping

_SET_DUMPABLE = 4
"""``PR_SET_DUMPABLE`` of Linux, the same on every machine."""

HANDED_ON = frozenset(
    {"HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "TMPDIR", "TZ"}
)
"""All that a child is told. A secret may have any name, so names that are harmless are listed."""


def no_core_dumps() -> None:
    """What is in memory must not end up in a file, and no other process of the account reads it.

    A limit of zero keeps the kernel from writing a file; one that hands cores to a program heeds
    it not, but what is not dumpable is handed to nobody. That also closes ``environ``, ``mem`` and
    ``fd`` of the process under ``/proc`` to all but root.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # Refused or not there: the limit stands all the same.
        prctl = getattr(ctypes.CDLL(None), "prctl", None)
        if prctl is not None:
            prctl(_SET_DUMPABLE, *map(ctypes.c_ulong, (0, 0, 0, 0)))


def handed_on(own: Mapping[str, str]) -> dict[str, str]:
    """What a child is told of our environment: nothing that could be a secret."""
    return {name: value for name, value in own.items() if name in HANDED_ON}
