"""Verbs on groups, unsplit responses, and the counts that ``status`` shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from bridge.groups import is_arrival, settled_group
from bridge.lifecycle import EntryState
from bridge.model import Digest, Event, Group, NoticeState, Outcome
from bridge.protocols import Placement, Tally, TallyGroup
from storage.journal.committer import Transaction
from storage.journal.placements import PlacementVerbs
from storage.journal.register_rows import GroupRow, group_values
from storage.journal.rows import MembershipRow, TallyRow, UnopenedTallyRow, from_ms, to_ms
from storage.journal.stream_acts import close_act

_GROUPS = 4096
"""Groups kept as values: several loops ask for all of them each second, and few ever move."""


@lru_cache(maxsize=_GROUPS)
def _group(row: GroupRow) -> Group:
    return row.group()


class RegisterVerbs(PlacementVerbs):
    """See :class:`bridge.protocols.Journal`."""

    async def groups(self) -> tuple[Group, ...]:
        """The register."""
        return tuple(map(_group, await self._rows("register_all", GroupRow)))

    async def set_group(
        self,
        group: Group,
        *,
        expect: Group | None,
        acts: Sequence[Placement] = (),
        office_step: int | None = None,
    ) -> bool:
        """Compare and set. Crash before: the step is still in the office and taken again."""

        async def work(transaction: Transaction) -> bool:
            found = await transaction.rows(
                "register_one", GroupRow, group.connector, group.group_id
            )
            if (found[0].group() if found else None) != expect:
                return False
            await transaction.run("register_put", *group_values(group))
            for act in acts:
                await self._insert(transaction, act)
            if office_step is not None:
                await transaction.run("meta_set", "office_taken", office_step)
            return True

        done = await self._committer.run(work)
        await self._load_streams()
        return done

    async def skip_office_step(self, number: int) -> None:
        """Remember a step that asks for nothing as taken."""

        async def work(transaction: Transaction) -> None:
            await transaction.run("meta_set", "office_taken", number)

        await self._committer.run(work)

    async def office_taken(self) -> int:
        """The last office step taken."""
        found = await self._rows("meta_get", int, "office_taken")
        return found[0] if found else 0

    async def take_request(self, number: int) -> None:
        """Remember a request as done. Crash before: it is done again, which changes nothing."""

        async def work(transaction: Transaction) -> None:
            await transaction.run("meta_set", "requests_taken", number)

        await self._committer.run(work)

    async def requests_taken(self) -> int:
        """The last request done."""
        found = await self._rows("meta_get", int, "requests_taken")
        return found[0] if found else 0

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
        """The notice is out or refused. Crash before: it is posted again under the same key."""

        async def work(transaction: Transaction) -> None:
            rows = await transaction.rows("register_one", GroupRow, group.connector, group.group_id)
            if not rows:
                raise RuntimeError("a notice needs a listed group")
            (row,) = rows
            if row.notices != group.notices:
                return  # the repeat of one whose caller did not see it happen
            known = row.group()
            settled = settled_group(
                known,
                notice=notice,
                note=note,
                version=version,
                at=act.at,
                newcomer_at=await self._came_after(transaction, known, said_at or act.at),
            )
            await transaction.run("register_put", *group_values(settled))
            await self._insert(transaction, act)

        await self._committer.run(work)
        await self._load_streams()
        self._signal(EntryState.SEALED)

    async def _came_after(
        self, transaction: Transaction, group: Group, said_at: datetime
    ) -> datetime | None:
        """When the first member came who cannot have seen what was said at ``said_at``.

        Read where the notice is settled: the mark has the first who came, and forgets the others.
        """
        if group.newcomer_at is None:
            return None
        rows = await transaction.rows(
            "entry_memberships", MembershipRow, group.connector, group.group_id, to_ms(said_at)
        )
        for row in rows:
            if is_arrival(self._cipher.open(row.payload, Event, column="payload", row=row.ident)):
                return from_ms(row.received_at)
        return None

    async def close_stream(self, group: Group, *, at: datetime) -> None:
        """End the stream with its total."""
        row = self._streams.get((group.connector, group.group_id))
        if row is None:
            return

        async def work(transaction: Transaction) -> None:
            (total,) = await transaction.rows("stream_last", int, row.sid)
            if not await transaction.run("stream_close", to_ms(at), row.sid):
                return
            placement = close_act(row, total=total, salt=self._random(32), at=at)
            await self._insert(transaction, placement)

        await self._committer.run(work)
        await self._load_streams()

    async def keep_body(self, connector: str, body: bytes, *, at: datetime) -> bool:
        """Keep an unsplit response, once per digest."""
        digest = Digest.of(body).value
        sealed = self._cipher.seal_bytes(body, column="unsplit", row=digest)

        async def work(transaction: Transaction) -> bool:
            changed = await transaction.run("unsplit_insert", digest, connector, to_ms(at), sealed)
            return bool(changed)

        return await self._committer.run(work)

    async def pending(self) -> int:
        """Entries on their way."""
        return (await self._rows("tally_pending", int))[0]

    async def tally(self, *, now: datetime) -> Tally:
        """Counts for ``status``."""
        entries = await self._rows("tally_entries", TallyRow)
        gaps = await self._rows("tally_gaps", tuple[str, str, int])
        counts = {
            (group.connector, group.group_id): TallyGroup(group=group)
            for group in await self.groups()
        }
        for row in entries:
            key = (row.connector, row.group_id)
            counts[key] = _counted(counts[key], row)
        for connector, group_id, count in gaps:
            tally = counts[connector, group_id]
            counts[connector, group_id] = replace(tally, gaps=tally.gaps + count)
        states: dict[str, int] = {}
        for row in entries:
            states[row.state] = states.get(row.state, 0) + row.count
        return Tally(
            groups=tuple(counts.values()),
            entries_by_state=tuple(sorted(states.items())),
            downloads=tuple(await self._rows("tally_downloads", tuple[str, int])),
            leaves=(await self._rows("leaf_next", int))[0],
            overdue=(await self._rows("tally_overdue", int, to_ms(now)))[0],
            unlisted=next(iter(await self._rows("meta_get", int, "unlisted")), 0),
            unsplit=(await self._rows("tally_unsplit", int))[0],
            unopened=tuple(
                row.group() for row in await self._rows("tally_unopened", UnopenedTallyRow)
            ),
        )


def _counted(tally: TallyGroup, row: TallyRow) -> TallyGroup:
    """``tally`` with one line of counts. Judged entries count by their outcome."""
    last = from_ms(row.last)
    undecided = row.outcome is None
    return replace(
        tally,
        captured=tally.captured + row.count * (row.outcome == Outcome.CAPTURE),
        review=tally.review + row.count * (row.outcome == Outcome.REVIEW),
        discarded=tally.discarded + row.count * (row.outcome == Outcome.DISCARD),
        undecided=tally.undecided + row.count * undecided,
        stored=tally.stored + row.stored,
        late=tally.late + row.late,
        last_event_at=max(tally.last_event_at, last) if tally.last_event_at else last,
    )
