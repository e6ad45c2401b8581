"""The timers of groups, and the deadlines of what is pending under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge import deadlines
from bridge.lifecycle import EntryState
from bridge.model import GroupTimer, Timer
from bridge.protocols import DownloadState
from tests.fakes.journal.core import AT_WORK, MemoryCore
from tests.fakes.journal.rows import LONG_AGO, EntryRow, sayable, to_millisecond


class TimerVerbs(MemoryCore):
    """What a delivery does with the timers it tells."""

    def _apply_timers(self, connector: str, timers: Sequence[GroupTimer]) -> None:
        """Put them into the register and plan anew; of several for one group the last holds."""
        for timer in {timer.group_id: timer for timer in timers}.values():
            known = self._register.get((connector, timer.group_id))
            if known is None:
                continue
            self._put_group(replace(known, timer=timer.shortest))
            self._standing[connector, timer.group_id] = _kept(timer.standing)
            for row in self._rows.values():
                if (row.stream.connector, row.stream.group_id) == (connector, timer.group_id):
                    self._replan(row, timer.standing)

    def _replan(self, row: EntryRow, standing: Timer | None) -> None:
        if row.event is None or row.fixed_deadline:
            return
        deadline = deadlines.replan(
            lasting=deadlines.lasts(row.event.kind, row.event.upstream),
            sent_at=row.event.sent_at,
            received_at=row.event.observed_at,
            own_timer=row.event.own_timer,
            standing=standing,
        )
        safe_by, expires_at = to_millisecond(deadline.safe_by), deadline.expires_at
        if expires_at is not None:
            expires_at = to_millisecond(expires_at)
        waiting = [
            order
            for order in self._orders.values()
            if order.entry is row and order.state is DownloadState.WAITING
        ]
        if row.state in AT_WORK and (safe_by, expires_at) != (row.safe_by, row.expires_at):
            nearer = safe_by < row.safe_by
            row.safe_by, row.expires_at = safe_by, expires_at
            is_resting = row.state is EntryState.RECEIVED and not row.attempts
            if (row.state is EntryState.JUDGED and waiting) or (is_resting and row.shut):
                row.next_try = row.half_time
            elif nearer:
                row.next_try = LONG_AGO
        for order in waiting:
            if safe_by < order.due:
                order.next_try = LONG_AGO
            order.due = safe_by


def _kept(timer: Timer | None) -> Timer | None:
    """The timer as a table can hold it."""
    return None if timer is None else replace(timer, basis=sayable(timer.basis))
