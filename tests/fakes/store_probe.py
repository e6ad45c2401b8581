"""A probe that finds what it is told to."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.errors import ObjectStoreError, RetentionNotKeptError
from bridge.protocols import Clock
from bridge.protocols.probe import (
    RETENTION_CHECKS,
    Enforcement,
    Planted,
    Result,
    StoreCheck,
    StoreFindings,
    StoreProbe,
)

STORE = "s3://bucket"
_RESULTS = {
    Enforcement.ENFORCED: Result.OK,
    Enforcement.NOT_ENFORCED: Result.FAIL,
    Enforcement.CANNOT_TELL: Result.CANNOT_TELL,
}


def found(
    clock: Clock,
    retention: Enforcement,
    *,
    warnings: tuple[str, ...] = (),
    store: str = STORE,
    lock_mode: str = "governance",
) -> StoreFindings:
    """Findings of which each check on retention says the same."""
    told = [
        StoreCheck(
            check=name,
            verdict=retention,
            result=_RESULTS[retention],
            fact=f"{name} is {retention.words}.",
        )
        for name in RETENTION_CHECKS
    ]
    warned = [
        StoreCheck(
            check="default_retention",
            verdict=Enforcement.NOT_ENFORCED,
            result=Result.WARNING,
            fact=warning,
        )
        for warning in warnings
    ]
    return StoreFindings(
        store=store,
        lock_mode=lock_mode,
        retention=retention,
        checks=(*told, *warned),
        at=clock.now(),
    )


class FakeStoreProbe:
    """``says`` what is found next; ``error`` is raised instead; ``gate``, where set, is waited for.

    ``planted`` is what was planted, in order; ``what_changed`` is said of each when it is looked
    at; ``keeps`` is whether a canary gets its lock.
    """

    def __init__(self, clock: Clock, says: Enforcement = Enforcement.ENFORCED) -> None:
        self.says = says
        self.warnings: tuple[str, ...] = ()
        self.error: ObjectStoreError | None = None
        self.gate: asyncio.Event | None = None
        self.planted: list[Planted] = []
        self.looked_at: list[Planted] = []
        self.what_changed = ""
        self.keeps = True
        self.asked = 0
        self._clock = clock

    async def examine(self) -> StoreFindings:
        """All of it."""
        return await self.retention()

    async def retention(self) -> StoreFindings:
        """What it is told to."""
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        self._answer()
        return found(self._clock, self.says, warnings=self.warnings)

    async def plant(self, until: datetime) -> Planted:
        """Another canary."""
        self._answer()
        if not self.keeps:
            raise RetentionNotKeptError("the canary has no lock")
        self.planted.append(Planted(name=f"probe/{len(self.planted)}", version="v", until=until))
        return self.planted[-1]

    async def changed(self, planted: Planted) -> str:
        """Whether something is said to be different."""
        self._answer()
        self.looked_at.append(planted)
        return self.what_changed

    async def aclose(self) -> None:
        """Nothing is open."""

    def _answer(self) -> None:
        if self.error is not None:
            raise self.error


if TYPE_CHECKING:
    _: type[StoreProbe] = FakeStoreProbe
