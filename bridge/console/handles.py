"""What is opened in a thread: closed also where nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar


class _Closed(Protocol):
    def close(self) -> None:
        """Give it up."""


_T = TypeVar("_T", bound=_Closed)


async def opened(make: Callable[[], _T]) -> _T:
    """What ``make`` opens. It is the caller's to close, who gets it or whatever ``make`` raised."""
    making = asyncio.ensure_future(asyncio.to_thread(make))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        # The thread goes on: what it opens would be nobody's.
        with suppress(Exception):
            (await making).close()
        raise
