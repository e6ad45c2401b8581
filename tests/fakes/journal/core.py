"""What all verbs of the journal in memory share."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import count

from bridge.canonical import Leaf
from bridge.errors import JournalUnavailableError
from bridge.lifecycle import TRANSITIONS, EntryState, Trigger
from bridge.model import Cursor, Group, Loss, Outcome, Stream, Timer
from bridge.protocols import Anchor, Clock, Entry, PlacementKind, Saying
from bridge.protocols.hold_acts import StoreKnows
from tests.fakes.journal.rows import (
    DecisionRow,
    EntryRow,
    MessageRow,
    OrderRow,
    PlacementRow,
    StreamRow,
    sayable,
    to_millisecond,
)

AT_WORK = frozenset({EntryState.RECEIVED, EntryState.JUDGED, EntryState.SEALED})
Key = tuple[str, str]
"""Connector and group id."""


class MemoryCore:
    """The state, and the two turns of the event loop that every verb takes.

    A verb does all it does at once and then gives the loop a turn: so it is one transaction, a
    caller that is cancelled meanwhile finds it done, and what it answers may be stale already.
    """

    def __init__(
        self, *, clock: Clock, random_bytes: Callable[[int], bytes], blind_key: bytes
    ) -> None:
        self._clock = clock
        self._random = random_bytes
        self._blind_key = blind_key
        self._register: dict[Key, Group] = {}
        self._standing: dict[Key, Timer | None] = {}
        self._open: dict[Key, StreamRow] = {}
        self._streams: dict[str, StreamRow] = {}
        self._rows: dict[int, EntryRow] = {}
        self._at_work: dict[int, EntryRow] = {}
        self._idents: dict[tuple[str, bytes], EntryRow] = {}
        self._orders: dict[int, OrderRow] = {}
        self._order_ids = count(1)
        self._placements: list[PlacementRow] = []
        self._cursors: dict[str, Cursor] = {}
        self._gaps: list[tuple[Key, Loss]] = []
        self._gap_leaves: list[int] = []
        self._anchors: list[Anchor] = []
        self._anchor_keys: set[str] = set()
        self._grafted: dict[tuple[str, str], int] = {}
        self._leaves_moved = False
        self._counted = 0
        self._restricted = 0
        self._bodies: set[bytes] = set()
        self._inboxes: dict[str, dict[bytes, MessageRow]] = {}
        self._last_message: Counter[str] = Counter()
        self._given_message: Counter[str] = Counter()
        self._unlisted = 0
        self._superseded: set[str] = set()
        self._office_taken = 0
        self._requests_taken = 0
        self._commands: dict[int, bool] = {}
        self._decisions: dict[str, DecisionRow] = {}
        self._orders_taken = 0
        self._store_knows: dict[int, StoreKnows] = {}
        self._acts_taken: Counter[PlacementKind] = Counter()
        self._seed: bytes | None = None
        self._heard: dict[str, datetime] = {}
        self._sayings: dict[str, Saying] = {}
        self._said: set[int] = set()
        self._leased: set[int] = set()
        self._fetching: set[int] = set()
        self._arrived = {state: asyncio.Event() for state in EntryState}
        self._closed = False
        self.log: list[Leaf] = []

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every entry with content, in the order they came."""
        return tuple(self._values(self._rows.values()))

    def crash(self) -> None:
        """The process dies and starts again: leases are gone, all that was committed is there."""
        self._leased.clear()
        self._fetching.clear()
        self._arrived = {state: asyncio.Event() for state in EntryState}

    def check(self) -> None:
        """What holds at any time, whatever was called."""
        numbers: dict[str, list[int]] = {stream: [] for stream in self._streams}
        for row in self._rows.values():
            numbers[row.stream.id].append(row.n)
            assert (row.event is None) == (row.state is EntryState.DESTROYED)
            unsealed = row.state in {EntryState.RECEIVED, EntryState.JUDGED}
            assert (row.seen_leaf is None) == unsealed
            assert (row.seq in self._at_work) == (row.state in AT_WORK)
            assert row.shut is None or row.event is not None
        for stream, found in numbers.items():
            total = self._streams[stream].next_n
            if self._streams[stream].replaced:
                assert set(found) < set(range(total + 1)), "numbers are not of the stream"
            else:
                assert sorted(found) == list(range(total)), "numbers have a hole"
        seen = [row.seen_leaf for row in self._rows.values() if row.seen_leaf is not None]
        assert len(set(seen)) == len(seen), "two entries share a seen leaf"
        assert all(self.log[index].kind == "seen" for index in seen)
        assert len(self._gap_leaves) == len(self._gaps)
        assert all(self.log[index].kind == "gap" for index in self._gap_leaves)
        assert all(
            self.log[row.leaf].kind == row.placement.kind.value
            for row in self._placements
            if row.leaf is not None
        )

    def _shut(self) -> list[EntryRow]:
        return [row for row in self._rows.values() if row.shut is not None]

    async def _turn(self) -> None:
        await asyncio.sleep(0)

    def _require_open(self) -> None:
        if self._closed:
            raise JournalUnavailableError("The journal is closed.")

    def _values(self, rows: Iterable[EntryRow]) -> list[Entry]:
        values = (row.value(self._stream(row.stream)) for row in rows)
        return [value for value in values if value is not None]

    def _stream(self, row: StreamRow) -> Stream:
        group = self._register[row.connector, row.group_id]
        return row.value(
            name=group.name,
            capture_all=group.capture_all,
            retention=group.particulars.retention,
        )

    def _move(self, row: EntryRow | None, trigger: Trigger) -> EntryRow | None:
        """Compare and set by the table; None where it has no such arrow: nothing changed."""
        if row is None or (row.state, trigger) not in TRANSITIONS:
            return None
        if row.state is EntryState.STORED and not _is_review(row):
            return None
        row.state = TRANSITIONS[row.state, trigger]
        self._at_work.pop(row.seq, None)
        if row.state in AT_WORK:
            self._at_work[row.seq] = row
        return row

    def _ordered_gone(self, seq: int) -> bool:
        """Whether a person had a restricted entry destroyed, and its manifest row says so."""
        row = self._rows.get(seq)
        states = {
            (e.state, e.decision.outcome) for e in self._decisions.values() if e.decision.seq == seq
        }
        return (
            row is not None
            and row.state is EntryState.RESTRICTED
            and row.verdict is not None
            and row.verdict.outcome is Outcome.DISCARD
            and not row.manifest_due
            and ("done", Outcome.DISCARD) in states
            and not any(state == "waiting" for state, _ in states)
        )

    def _add_leaf(self, leaf: Leaf) -> int:
        self.log.append(leaf)
        return len(self.log) - 1

    def _write_gap(self, stream: StreamRow, loss: Loss, *, leaf: Leaf) -> None:
        self._gaps.append(((stream.connector, stream.group_id), loss))
        self._gap_leaves.append(self._add_leaf(leaf))

    def _put_group(self, group: Group) -> None:
        for text in (group.connector, group.group_id):
            assert text == sayable(text), "a key of the register must be valid text"

        name = None if group.name is None else sayable(group.name)
        timer = group.timer
        if timer is not None:
            timer = Timer(seconds=float(timer.seconds), basis=sayable(timer.basis))
        kept = replace(
            group,
            name=name,
            note=sayable(group.note),
            timer=timer,
            approved_at=_kept(group.approved_at),
            notice_at=_kept(group.notice_at),
            newcomer_at=_kept(group.newcomer_at),
            newcomers_told_at=_kept(group.newcomers_told_at),
        )
        self._register[group.connector, group.group_id] = kept

    def _signal(self, *states: EntryState) -> None:
        for state in states:
            self._arrived[state].set()

    async def work(self, state: EntryState, *, seconds: float) -> None:
        """Wait for a sign, or until the clock that was passed in says that time is over."""
        if self._arrived[state].is_set():
            await self._turn()
            return
        waits = [
            asyncio.ensure_future(self._arrived[state].wait()),
            asyncio.ensure_future(self._clock.sleep(seconds)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def aclose(self) -> None:
        """Take nothing more."""
        self._closed = True
        await self._turn()


def _kept(at: datetime | None) -> datetime | None:
    return None if at is None else to_millisecond(at)


def _is_review(row: EntryRow) -> bool:
    return row.key.startswith("review/")
