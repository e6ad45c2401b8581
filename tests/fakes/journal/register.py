"""Verbs on groups, unsplit responses, and the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from bridge.groups import is_arrival, settled_group
from bridge.lifecycle import EntryState
from bridge.model import Digest, Group, NoticeState, Outcome
from bridge.protocols import Placement, Tally, TallyGroup, UnopenedGroup
from tests.fakes.journal.core import AT_WORK
from tests.fakes.journal.placements import PlacementVerbs
from tests.fakes.journal.rows import EntryRow, to_millisecond


class RegisterVerbs(PlacementVerbs):
    """See :class:`bridge.protocols.Journal`."""

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

    async def take_request(self, number: int) -> None:
        """Remember a request as done."""
        self._require_open()
        self._requests_taken = number
        await self._turn()

    async def requests_taken(self) -> int:
        """The last request done."""
        self._require_open()
        found = self._requests_taken
        await self._turn()
        return found

    async def settle_notice(
        self,
        group: Group,
        *,
        notice: NoticeState,
        note: str,
        act: Placement,
        version: str | None = None,
        said_at: datetime | None = None,
    ) -> None:
        """The notice is out or refused."""
        self._require_open()
        assert notice is not NoticeState.DUE, "a notice is not settled by being due"
        known = self._register.get((group.connector, group.group_id))
        if known is None:
            raise RuntimeError("a notice needs a listed group")
        if known.notices == group.notices:
            self._put_group(
                settled_group(
                    known,
                    notice=notice,
                    note=note,
                    version=version,
                    at=act.at,
                    newcomer_at=self._came_after(known, said_at or act.at),
                )
            )
            self._add_placement(act)
        self._signal(EntryState.SEALED)
        await self._turn()

    def _came_after(self, group: Group, said_at: datetime) -> datetime | None:
        if group.newcomer_at is None:
            return None
        where = (group.connector, group.group_id)
        arrivals = (
            row.received_at
            for row in self._rows.values()
            if (row.stream.connector, row.stream.group_id) == where
            and row.event is not None
            and is_arrival(row.event)
        )
        return min((at for at in arrivals if at > to_millisecond(said_at)), default=None)

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
            leaves=len(self.log),
            overdue=sum(row.state in AT_WORK and row.safe_by < to_millisecond(now) for row in rows),
            unlisted=self._unlisted,
            unsplit=len(self._bodies),
            unopened=self._tally_unopened(),
        )
        await self._turn()
        return tally

    def _tally_unopened(self) -> tuple[UnopenedGroup, ...]:
        waiting: dict[tuple[str, str, str], list[datetime]] = {}
        for row in self._shut():
            if row.shut is not None and not row.shut.gave_up:
                key = (row.stream.connector, row.stream.group_id, row.shut.why)
                waiting.setdefault(key, []).append(row.received_at)
        return tuple(
            UnopenedGroup(
                connector=connector, group_id=group_id, why=why, count=len(at), oldest=min(at)
            )
            for (connector, group_id, why), at in sorted(waiting.items())
        )

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
            stored=sum(row.stored_at is not None for row in mine),
            gaps=sum(where == key for where, _ in self._gaps),
            late=sum(row.late_ms is not None for row in mine),
            last_event_at=max((row.received_at for row in mine), default=None),
        )


def _outcome(row: EntryRow) -> Outcome | None:
    return row.verdict.outcome if row.verdict is not None else None


def _counted(words: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(words).items()))
