"""Step 9 as a loop: destroy what was discarded, once its time and its context window are over.

What was restricted, and somebody had destroyed, goes with the next round, whatever its age.

A wall clock that is wrong when the machine starts must not make everything old at once: it has a
day to be put right. Until then time counts from the moment at which the process before this one
last heard a platform, as far as it passed here; what is destroyed late is destroyed soon after.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from bridge.errors import JournalKeyError
from bridge.protocols import Clock, Journal, Spool
from bridge.protocols.holds import Hold, Holds
from bridge.rounds import Rounds
from bridge.scopes import Scopes

log = structlog.get_logger(__name__)

ROUND_SECONDS = 300.0
AT_ONCE = 1000
LOCKED = 200
"""Discards destroyed under one lock of the office: people's tools wait meanwhile."""

GRACE = timedelta(days=1)
"""How long a stop is believed to have lasted at most, until the process has run for as long."""

_SECOND_JUDGEMENT = 2 * GRACE
"""From the end of its window a discard has a day to be judged once more, after any stop."""

_NEVER = datetime.min.replace(tzinfo=UTC)
"""Nothing was received before."""


class _Pages(Protocol):
    """A verb of the journal that names what may go, page by page."""

    def __call__(self, *, after: int, limit: int) -> Awaitable[tuple[int, ...]]:
        """The page after a number."""


class Forget(Rounds):
    """Destroys payload, record and files of old discards. Their leaves stay as tombstones.

    What a legal hold covers stays, from the moment at which the hold is committed.
    """

    failing = "not_forgetting"

    def __init__(
        self,
        *,
        journal: Journal,
        spool: Spool,
        holds: Holds,
        clock: Clock,
        discard_after: timedelta,
        context_window: timedelta,
    ) -> None:
        super().__init__(clock=clock, seconds=ROUND_SECONDS)
        self._journal = journal
        self._spool = spool
        self._holds = holds
        self._known: tuple[Hold, ...] = ()
        self._spared: set[int] = set()
        self._age = max(discard_after, context_window + _SECOND_JUDGEMENT)
        self._began = clock.monotonic()
        self._heard_before: datetime | None = None

    async def round(self) -> None:
        """Destroy what is due.

        (9a) Content goes from the journal, then from its write-ahead log. (9b) Spool files go.
        Crash between: the files are no longer needed by any entry and go at the next start.
        Which are free of holds is found without the office's lock; under it only whether the holds
        are still the same, and then they are destroyed. So a hold that is committed before wins,
        and one that is committed after found them destroyed.
        """
        await self._destroy_all(self._journal.to_destroy, _NEVER)
        until = await self._passed()
        if until is None:
            return
        before = until - self._age
        await self._destroy_all(partial(self._journal.forgettable, discarded_before=before), before)

    async def _destroy_all(self, pages: _Pages, before: datetime) -> None:
        """Destroy what these pages name, and no discard that is not older than ``before``."""
        after = destroyed = 0
        while destroyed < AT_ONCE and (found := await pages(after=after, limit=LOCKED)):
            after = found[-1]
            free = await self._free(found, await self._holds.standing())
            if free:
                names = await self._destroy(free, before)
                destroyed += len(free)
                await self._spool.remove(frozenset(names))

    async def _destroy(self, free: Sequence[int], before: datetime) -> tuple[str, ...]:
        async with self._holds.fixed() as standing:
            if standing != self._known:
                free = await self._free(free, standing)
            return await self._journal.forget(
                discarded_before=before, limit=LOCKED, only=list(free)
            )

    async def _free(self, seqs: Sequence[int], holds: tuple[Hold, ...]) -> list[int]:
        """Those that no hold covers. What was found covered is not opened again for that."""
        if holds != self._known:
            self._known = holds
            self._spared.clear()
        scopes = Scopes(holds)
        for seq in seqs if holds else ():
            if seq not in self._spared and await self._is_held(seq, scopes):
                self._spared.add(seq)
        return [seq for seq in seqs if seq not in self._spared]

    async def _is_held(self, seq: int, scopes: Scopes) -> bool:
        """What cannot be opened is taken to be held: nobody can say that it is not."""
        try:
            entry = await self._journal.entry(seq)
        except JournalKeyError:
            return True
        return entry is None or scopes.cover(entry)

    async def _passed(self) -> datetime | None:
        """The time that has come for sure; None where nothing tells of any."""
        here = timedelta(seconds=self._clock.monotonic() - self._began)
        if self._heard_before is None:
            self._heard_before = await self._last_heard()
        known = [] if self._heard_before is None else [self._heard_before + GRACE + here]
        if here >= GRACE:
            heard = await self._last_heard()
            known.append(heard + GRACE if heard is not None else self._clock.now())
        return min(self._clock.now(), max(known)) if known else None

    async def _last_heard(self) -> datetime | None:
        """When any platform was last heard, as far as groups tell of connectors."""
        names = {group.connector for group in await self._journal.groups()}
        heard = [await self._journal.last_heard(name) for name in sorted(names)]
        return max((at for at in heard if at is not None), default=None)
