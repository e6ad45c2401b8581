"""Verbs on groups, documents, unsplit responses, and the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from bridge.canonical import Leaf
from bridge.lifecycle import EntryState
from bridge.model import Digest, Group, NoticeState, Outcome
from bridge.protocols import Placement, PlacementKind, Tally, TallyGroup
from tests.fakes.journal.core import AT_WORK, MemoryCore
from tests.fakes.journal.rows import EntryRow, PlacementRow, to_millisecond


class RegisterVerbs(MemoryCore):
    """See :class:`bridge.protocols.Journal`."""

    async def queue(
        self, placement: Placement, *, rows: Sequence[tuple[int, Outcome]] = ()
    ) -> None:
        """Fix a document; its rows are named now."""
        self._require_open()
        self._add_placement(placement)
        for seq, outcome in rows:
            verdict = self._rows[seq].verdict
            if verdict is not None and verdict.outcome is outcome:
                self._rows[seq].manifest_due = False
        await self._turn()

    async def placements(self, *, limit: int) -> tuple[Placement, ...]:
        """Documents waiting for their place."""
        self._require_open()
        waiting = [row for row in self._placements if row.leaf is None and self._may_go(row)]
        found = tuple(self._numbered(row) for row in waiting[:limit])
        await self._turn()
        return found

    def _may_go(self, row: PlacementRow) -> bool:
        placement = row.placement
        group = self._register.get((placement.connector, placement.group_id))
        if group is None:
            return False
        return placement.kind is PlacementKind.STEP or group.notice is not NoticeState.DUE

    def _numbered(self, row: PlacementRow) -> Placement:
        taken = [
            other.number
            for other in self._placements
            if other.series == row.series and other.number is not None
        ]
        at = to_millisecond(row.placement.at)
        return replace(row.placement, id=row.id, number=max(taken, default=-1) + 1, at=at)

    async def place(self, placement: Placement, *, number: int, leaf: Leaf) -> None:
        """The store has it: one leaf, once."""
        self._require_open()
        row = next(row for row in self._placements if row.id == placement.id)
        if row.leaf is None:
            assert not any(
                other.series == row.series and other.number == number for other in self._placements
            ), "two documents under one number"
            row.number = number
            row.leaf = self._add_leaf(leaf)
        await self._turn()

    async def groups(self) -> tuple[Group, ...]:
        """The register."""
        self._require_open()
        found = tuple(self._register[key] for key in sorted(self._register))
        await self._turn()
        return found

    async def set_group(
        self,
        group: Group,
        *,
        expect: Group | None,
        acts: Sequence[Placement] = (),
        office_step: int | None = None,
    ) -> bool:
        """Compare and set."""
        self._require_open()
        known = self._register.get((group.connector, group.group_id))
        done = known == expect
        if done:
            self._put_group(group)
            for act in acts:
                self._add_placement(act)
            if office_step is not None:
                self._office_taken = office_step
        await self._turn()
        return done

    async def skip_office_step(self, number: int) -> None:
        """Remember a step as taken."""
        self._require_open()
        self._office_taken = number
        await self._turn()

    async def office_taken(self) -> int:
        """The last office step taken."""
        self._require_open()
        found = self._office_taken
        await self._turn()
        return found

    async def settle_notice(
        self, group: Group, *, notice: NoticeState, note: str, act: Placement
    ) -> None:
        """The notice is out or refused."""
        self._require_open()
        assert notice is not NoticeState.DUE, "a notice is not settled by being due"
        known = self._register.get((group.connector, group.group_id))
        if known is None:
            raise RuntimeError("a notice needs a listed group")
        if known.notice is NoticeState.DUE:
            self._put_group(
                replace(known, notice=notice, note=known.note or note, notices=known.notices + 1)
            )
            self._add_placement(act)
        self._signal(EntryState.SEALED)
        await self._turn()

    async def keep_body(self, connector: str, body: bytes, *, at: datetime) -> bool:
        """Keep an unsplit response, once per digest."""
        self._require_open()
        digest = Digest.of(body).value
        new = digest not in self._bodies
        self._bodies.add(digest)
        await self._turn()
        return new

    async def tally(self, *, now: datetime) -> Tally:
        """Counts for ``status``."""
        self._require_open()
        rows = list(self._rows.values())
        tally = Tally(
            groups=tuple(self._tally_group(key) for key in sorted(self._register)),
            entries_by_state=_counted(row.state.value for row in rows),
            downloads=_counted(order.state.value for order in self._orders.values()),
            leaves=len(self.leaves),
            overdue=sum(row.state in AT_WORK and row.safe_by < to_millisecond(now) for row in rows),
            unlisted=self._unlisted,
            unsplit=len(self._bodies),
        )
        await self._turn()
        return tally

    def _tally_group(self, key: tuple[str, str]) -> TallyGroup:
        mine = [
            row for row in self._rows.values() if (row.stream.connector, row.stream.group_id) == key
        ]
        return TallyGroup(
            group=self._register[key],
            captured=sum(_outcome(row) is Outcome.CAPTURE for row in mine),
            review=sum(_outcome(row) is Outcome.REVIEW for row in mine),
            discarded=sum(_outcome(row) is Outcome.DISCARD for row in mine),
            undecided=sum(_outcome(row) is None for row in mine),
            stored=sum(row.state is EntryState.STORED for row in mine),
            gaps=sum(where == key for where, _ in self._gaps),
            late=sum(row.late_ms is not None for row in mine),
            last_event_at=max((row.received_at for row in mine), default=None),
        )


def _outcome(row: EntryRow) -> Outcome | None:
    return row.verdict.outcome if row.verdict is not None else None


def _counted(words: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(words).items()))
