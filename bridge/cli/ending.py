"""How the process ends, though a thread may hang in a request that nobody answers."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NoReturn

LINGER_SECONDS = 0.5


class Workers(ThreadPoolExecutor):
    """The event loop's own threads. Their shutdown MUST end soon, whatever they are doing."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the base's signature
        """Take nothing more, drop what has not begun, and wait for the rest for a moment only."""
        super().shutdown(wait=False, cancel_futures=True)
        if wait:
            linger(self._threads)


def linger(threads: Iterable[threading.Thread]) -> bool:
    """Wait a moment for ``threads``. Whether all of them have ended."""
    until = time.monotonic() + LINGER_SECONDS
    waited_for = tuple(threads)
    for thread in waited_for:
        thread.join(max(0.0, until - time.monotonic()))
    return not any(thread.is_alive() for thread in waited_for)


def leave(code: int) -> NoReturn:
    """End the process with ``code``, at once where a thread still runs.

    The interpreter would wait for such a thread for as long as its request may take. By now
    everything is closed and what was taken is in the journal, so that a death here costs nothing.
    """
    this = threading.current_thread()
    if linger(each for each in threading.enumerate() if each is not this and not each.daemon):
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # whoever read it may be gone
            stream.flush()
    os._exit(code)
