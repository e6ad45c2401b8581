"""Legal holds in memory that keep the office's promises, and a store that knows of some."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from bridge.errors import ObjectStoreRejectedError
from bridge.model import require_utc
from bridge.protocols.holds import Hold, Release


class FakeHolds:
    """Numbers grow from 1. ``late``: holds that people commit just before the next lock."""

    def __init__(self) -> None:
        self.placed: list[Hold] = []
        self.released: list[Release] = []
        self.late: list[Hold] = []
        self._lock = asyncio.Lock()

    async def place(self, hold: Hold) -> int:
        """Add a hold; it waits while somebody destroys."""
        require_utc(hold.at, "at")
        async with self._lock:
            return self._place(hold)

    def _place(self, hold: Hold) -> int:
        number = len(self.placed) + 1
        self.placed.append(replace(hold, number=number))
        return number

    async def release(self, release: Release) -> int | None:
        """Release a hold that another person placed."""
        require_utc(release.at, "at")
        async with self._lock:
            standing = [each for each in self._standing() if each.number == release.hold]
            if not standing or standing[0].by == release.by:
                return None
            number = len(self.released) + 1
            self.released.append(replace(release, number=number))
            return number

    async def holds(self, after: int = 0) -> tuple[Hold, ...]:
        """Holds above a number."""
        return tuple(each for each in self.placed if each.number > after)

    async def releases(self, after: int = 0) -> tuple[Release, ...]:
        """Releases above a number."""
        return tuple(each for each in self.released if each.number > after)

    async def standing(self) -> tuple[Hold, ...]:
        """The holds that nobody released."""
        return self._standing()

    def _standing(self) -> tuple[Hold, ...]:
        gone = {each.hold for each in self.released}
        return tuple(each for each in self.placed if each.number not in gone)

    @asynccontextmanager
    async def fixed(self) -> AsyncIterator[tuple[Hold, ...]]:
        """The holds that stand, under a lock. ``late`` ones are committed just before it."""
        for hold in self.late:
            self._place(hold)
        self.late.clear()
        async with self._lock:
            yield self._standing()

    async def aclose(self) -> None:
        """Nothing is open."""


class FakeLegalHolds:
    """A store's own holds. ``deaf``: it takes them and does not keep them."""

    def __init__(self, *, deaf: bool = False, refusing: bool = False) -> None:
        self.held: set[str] = set()
        self.deaf = deaf
        self.refusing = refusing

    async def set(self, key: str, *, held: bool) -> bool:
        """Set or lift one, and read it back."""
        if self.refusing:
            raise ObjectStoreRejectedError(f"no right to hold {key}")
        if held and not self.deaf:
            self.held.add(key)
        if not held:
            self.held.discard(key)
        return key in self.held

    async def aclose(self) -> None:
        """Nothing is open."""
