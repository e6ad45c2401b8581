"""The standing timers of groups, and new deadlines for what is pending where one changed.

It is part of the transaction of the delivery that told the change. A crash before the commit leaves
the old timers and the old deadlines, and the delivery comes again; after it, all of it holds. Done
twice it changes nothing more: each deadline comes from the message and the timer alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import msgspec

from bridge import deadlines
from bridge.errors import JournalKeyError
from bridge.model import Event, EventKind, GroupTimer, Timer
from storage.journal.cipher import JournalCipher
from storage.journal.committer import Transaction, Value
from storage.journal.register_rows import timer_values
from storage.journal.rows import sayable, to_ms

PAGE = 500
"""Rows opened at a time: between two pages the event loop gets a turn."""


class Timing(msgspec.Struct, kw_only=True, frozen=True):
    """Of a sealed event what its deadline comes from. The rest of it is not decoded."""

    kind: EventKind
    observed_at: datetime
    sent_at: datetime | None = None
    own_timer: Timer | None = None
    upstream: tuple[tuple[str, str], ...] = ()


class Standing(msgspec.Struct, kw_only=True, frozen=True):
    """The standing timer of a group as it was told last, kept as JSON. None: none runs."""

    timer: Timer | None

    def running(self, event: Event, *, received_at: datetime) -> Timer | None:
        """What ends a part of ``event`` that was received at this time."""
        return deadlines.running(
            lasting=deadlines.lasts(event.kind, event.upstream),
            sent_at=event.sent_at,
            received_at=received_at,
            own_timer=event.own_timer,
            standing=self.timer,
        )


class PlannedRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``entry_replan_some``."""

    seq: int
    sid: int
    safe_by: int
    expires_at: int | None
    payload: bytes
    ident: bytes

    def replanned(self, cipher: JournalCipher, standing: Timer | None) -> tuple[int, int | None]:
        """``safe_by`` and ``expires_at`` under ``standing``, as the columns have them.

        Raises:
            JournalKeyError: the row is damaged.
        """
        timing = cipher.open(self.payload, Timing, column="payload", row=self.ident)
        deadline = deadlines.replan(
            lasting=deadlines.lasts(timing.kind, timing.upstream),
            sent_at=timing.sent_at,
            received_at=timing.observed_at,
            own_timer=timing.own_timer,
            standing=standing,
        )
        expires_at = deadline.expires_at
        return to_ms(deadline.safe_by), None if expires_at is None else to_ms(expires_at)


async def apply_timers(
    transaction: Transaction,
    cipher: JournalCipher,
    connector: str,
    timers: Sequence[GroupTimer],
) -> None:
    """Put the timers into the register and plan anew what is pending under them.

    Of several for one group the last holds. A group that is not in the register is passed over.
    """
    last = {timer.group_id: timer for timer in timers}
    standing: dict[int, Timer | None] = {}
    for group_id, timer in last.items():
        if group_id != sayable(group_id):
            continue  # a name that nobody could approve
        values = timer_values(timer.shortest)
        if await transaction.run("register_timer", *values, connector, group_id):
            told = _as_json(Standing(timer=_sayable(timer.standing)))
            await transaction.run("register_standing", told, connector, group_id)
            sids = await transaction.rows("stream_sids_of", int, connector, group_id)
            standing.update(dict.fromkeys(sids, timer.standing))
    if not standing:
        return
    seqs = await transaction.rows("entry_replan_seqs", int, _as_json(list(standing)))
    for start in range(0, len(seqs), PAGE):
        await _replan(transaction, cipher, standing, seqs[start : start + PAGE])


async def standing_of(transaction: Transaction, connector: str, group_id: str) -> Standing | None:
    """The standing timer of a group, or None where none was ever told."""
    found = await transaction.rows("register_standing_of", str, connector, group_id)
    return msgspec.json.decode(found[0], type=Standing) if found else None


async def _replan(
    transaction: Transaction,
    cipher: JournalCipher,
    standing: dict[int, Timer | None],
    seqs: Sequence[int],
) -> None:
    entries: list[Sequence[Value]] = []
    orders: list[Sequence[Value]] = []
    for row in await transaction.rows("entry_replan_some", PlannedRow, _as_json(seqs)):
        try:
            safe_by, expires_at = row.replanned(cipher, standing[row.sid])
        except JournalKeyError:
            continue  # damaged: it keeps the deadline it has, and its neighbours get theirs
        if (safe_by, expires_at) != (row.safe_by, row.expires_at):
            entries.append((row.seq, safe_by, expires_at))
        orders.append((row.seq, safe_by))
    await transaction.many("entry_replan", entries)
    await transaction.many("download_replan", orders)


def _sayable(timer: Timer | None) -> Timer | None:
    return None if timer is None else replace(timer, basis=sayable(timer.basis))


def _as_json(value: Sequence[int] | Standing) -> str:
    return msgspec.json.encode(value).decode()
