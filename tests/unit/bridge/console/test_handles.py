"""What is opened in a thread is somebody's, or closed."""

from __future__ import annotations

import asyncio
import threading

import pytest

from bridge.console.handles import opened


class _Handle:
    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


async def test_whoever_waits_gets_it() -> None:
    """Open, or what was raised instead."""
    handle = _Handle()
    assert await opened(lambda: handle) is handle
    assert not handle.closed

    def fails() -> _Handle:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await opened(fails)


@pytest.mark.parametrize("fault", [None, OSError("gone")])
async def test_what_nobody_waits_for_is_closed(fault: OSError | None) -> None:
    """Also where it is opened only after that."""
    handle, begun, go_on = _Handle(), threading.Event(), threading.Event()

    def make() -> _Handle:
        begun.set()
        go_on.wait()
        if fault is not None:
            raise fault
        return handle

    task = asyncio.create_task(opened(make))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert handle.closed is (fault is None)
