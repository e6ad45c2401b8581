"""Waiting for a key: what refers to an encrypted message is not judged before it can be read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bridge.lifecycle import EntryState
from bridge.model import EventKind, Utterance
from bridge.protocols import Clock, Entry, Journal

KEY_PAUSE = timedelta(seconds=0.5)
MOST_DOUBLED = 5
"""Pauses double so often; the half of an entry's own time ends them all."""

AWAITED = "what it refers to waits for its key"
"""The error of an entry that is put off because another is still encrypted."""

_NOTHING = timedelta(0)
_NEVER = datetime.max.replace(tzinfo=UTC)


class Patience:
    """Puts entries off for the keys of others, for half the time they have themselves."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._is_asked = False

    def lasts_for(self, entry: Entry) -> bool:
        """Whether ``entry`` may wait. One that is encrypted itself has waited for as long."""
        return self._clock.now() < _half_time(entry) and entry.event.kind is not EventKind.ENCRYPTED

    async def put_off(self, entries: Sequence[Entry]) -> None:
        """Try them again when keys may have come. Crash before: they are claimed again."""
        now = self._clock.now()
        self._is_asked = self._is_asked or bool(entries)
        await asyncio.gather(
            *(
                self._journal.fail(entry.seq, error=AWAITED, next_try=_next_try(entry, now))
                for entry in entries
            )
        )

    async def end(self) -> None:
        """Something was awaited no longer: who waits looks again. Crash before: each to its end."""
        if not self._is_asked:
            return
        self._is_asked = False
        for state in (EntryState.RECEIVED, EntryState.JUDGED):
            await self._journal.retry(state, error=AWAITED)


def waits_for_key(utterance: Utterance | None) -> bool:
    """Encrypted, and nobody judged it as such yet."""
    if utterance is None or utterance.outcome is not None:
        return False
    return utterance.kind is EventKind.ENCRYPTED


def was_awaited(entry: Entry) -> bool:
    """Its key came before it was judged, or it was judged without: others may go on."""
    return entry.opened_at is not None or entry.event.kind is EventKind.ENCRYPTED


def waits_since(entry: Entry) -> datetime:
    """Since when ``entry`` waits for nothing but its turn; what was put off does so only now."""
    if entry.event.kind is EventKind.ENCRYPTED or entry.attempts:
        return _NEVER
    return entry.opened_at or entry.event.observed_at


def _next_try(entry: Entry, now: datetime) -> datetime:
    pause = KEY_PAUSE * (1 << min(entry.attempts, MOST_DOUBLED))
    return min(now + pause, _half_time(entry))


def _half_time(entry: Entry) -> datetime:
    received_at = entry.event.observed_at
    return received_at + max(entry.safe_by - received_at, _NOTHING) / 2
