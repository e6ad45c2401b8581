"""Pauses of recording: a gap where one begins and where it ends, and a sentence in the group."""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.model import Group, Loss
from bridge.notices import paused_text, resumed_text
from bridge.protocols import Clock, Journal
from bridge.sayings import is_told, saying

PAUSED = "paused"
RETRIED = timedelta(minutes=10)
"""A mark of the same kind that is no older is that of an attempt which did not get further."""


class Pauses:
    """Marks pauses, before the group moves.

    A crash in between leaves a mark too many, never one too few, and the next attempt takes up
    the same mark.
    """

    def __init__(self, *, journal: Journal, clock: Clock, language: str) -> None:
        self._journal = journal
        self._clock = clock
        self._language = language

    async def begin(self, group: Group) -> None:
        """Recording is about to be paused."""
        at = await self._mark(group, ends=False)
        text = paused_text(at, language=self._language)
        await self._say(group, text, what="paused", at=at)

    async def end(self, group: Group) -> None:
        """Recording is about to be taken up again."""
        at = await self._mark(group, ends=True)
        text = resumed_text(at, language=self._language)
        await self._say(group, text, what="resumed", at=at)

    async def _mark(self, group: Group, *, ends: bool) -> datetime:
        now = self._clock.now()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as the journal keeps it
        marks = await self._journal.gaps(group.connector, group.group_id)
        last = next((loss for loss in reversed(marks) if loss.why == PAUSED), None)
        if last is not None:
            at = last.until if ends else last.since
            # A removal ends a pause without a mark: one before the approval is another pause.
            earlier = not ends and at is not None and _is_before(at, group.approved_at)
            if at is not None and abs(now - at) <= RETRIED and not earlier:
                return at
        since, until = (None, now) if ends else (now, None)
        loss = Loss(group_id=group.group_id, why="paused", since=since, until=until)
        await self._journal.record_gap(group.connector, loss, at=now)
        return now

    async def _say(self, group: Group, text: str, *, what: str, at: datetime) -> None:
        if is_told(group):
            await self._journal.say([saying(group, text, what=what, at=at)])


def _is_before(at: datetime, approved_at: datetime | None) -> bool:
    return approved_at is not None and at < approved_at
