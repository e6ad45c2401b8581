"""From the source to the journal: what a platform still holds of a group must have been seen.

Nothing is fetched by this. A message may be missing for a known reason; which one is told by the
connector, or by the gaps that the journal has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bridge.errors import ConnectorError
from bridge.gaps import in_time
from bridge.model import Group, GroupState, Loss, Presence
from bridge.protocols import Connector, Journal, PastEvent
from bridge.reconcile.lineage import moment
from bridge.reconcile.own import OwnActs, own_acts
from bridge.reconcile.progress import Advance
from bridge.reconcile.report import DayReport, Findings, Found, GroupReport

MEMBER = frozenset({GroupState.ACTIVE, GroupState.NOT_RECORDING, GroupState.PAUSED})
NOT_YET = "sent since the platform was last heard"
UNEXPLAINED = Found.UNEXPLAINED.value
NO_DAY = "unknown"
REPLACED = "journal_replaced"


@dataclass(slots=True)
class Hole:
    """A gap as times. ``since`` None: its beginning is not known; ``until`` None: it lasts.

    ``endless``: before it the journal was another one, whatever was fetched back of its time.
    """

    why: str
    since: datetime | None
    until: datetime | None
    endless: bool = False
    hit: bool = False
    over: bool = False

    def covers(self, at: datetime) -> bool:
        """Whether something sent at ``at`` may have fallen into it."""
        if self.over or (self.until is not None and at > self.until):
            return False
        return self.since is None or at >= self.since


class Holes:
    """The gaps of a group, asked from the newest event to the oldest.

    A gap whose beginning is not known reaches back to the first event that the journal has again:
    :meth:`met` tells of each that it has. ``began``: when this journal opened its first stream of
    the group. A lost journal that wrote before that has all that is older.
    """

    def __init__(self, gaps: Sequence[Loss], *, began: datetime | None = None) -> None:
        self._holes: list[Hole] = []
        self._began = began
        for gap in in_time(gaps):
            self._take(gap)

    def _take(self, gap: Loss) -> None:
        """Of a journal that was restored, the unknown time begins within its own."""
        if gap.why != REPLACED:
            self._holes.append(Hole(why=gap.why, since=gap.since, until=gap.until))
            return
        first = self._began is not None and (gap.since is None or gap.since <= self._began)
        since = None if first else gap.since
        self._holes.append(Hole(why=gap.why, since=since, until=gap.until, endless=first))

    def met(self, at: datetime | None) -> None:
        """The journal has an event of this time: holes that were being passed through end here."""
        for hole in self._holes:
            if hole.endless:
                continue
            if hole.hit and hole.since is None and at is not None and hole.covers(at):
                hole.over = True

    def why(self, at: datetime | None) -> str | None:
        """The cause of the gap that covers ``at``, the narrowest kind first."""
        covering = [hole for hole in self._holes if at is not None and hole.covers(at)]
        covering.sort(key=lambda hole: hole.since is None)
        if not covering:
            return None
        covering[0].hit = True
        return covering[0].why


@dataclass(slots=True)
class Day:
    """The counts of one day."""

    upstream: int = 0
    journalled: int = 0
    excused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def report(self, day: str) -> DayReport:
        """The counts as they are shown."""
        return DayReport(
            day=day,
            upstream=self.upstream,
            journalled=self.journalled,
            excused=self.excused,
            missing=self.upstream - self.journalled - self.excused,
            reasons=dict(sorted(self.reasons.items())),
        )


class Source:
    """Compares each group that is recorded with its platform, day by day."""

    def __init__(
        self,
        *,
        journal: Journal,
        connectors: Mapping[str, Connector],
        findings: Findings,
        advance: Advance,
    ) -> None:
        self._journal = journal
        self._connectors = connectors
        self._findings = findings
        self._advance = advance
        self._acts: OwnActs | None = None

    async def compare(self) -> list[GroupReport]:
        """Group by group, in the order of the register."""
        groups = [
            group
            for group in await self._journal.groups()
            if group.presence is Presence.JOINED and group.state in MEMBER
        ]
        self._advance.begin("groups", len(groups))
        reports = []
        for group in groups:
            reports.append(await self._group(group))
            self._findings.looked_at("groups")
            self._advance.step()
        return reports

    async def _group(self, group: Group) -> GroupReport:
        days: dict[str, Day] = {}
        trouble = ""
        connector = self._connectors.get(group.connector)
        if connector is None:
            trouble = f'No connector is named "{group.connector}" any more.'
        else:
            try:
                await self._pages(connector, group, days)
            except ConnectorError as error:  # what came before holds
                trouble = str(error)
        if trouble:
            self._findings.add(Found.NOT_COMPARED, group.group_id)
        return GroupReport(
            connector=group.connector,
            id=group.group_id,
            name=group.name,
            days=[days[day].report(day) for day in sorted(days, reverse=True)],
            trouble=trouble,
        )

    async def _pages(self, connector: Connector, group: Group, days: dict[str, Day]) -> None:
        where = (group.connector, group.group_id)
        heard = await self._journal.last_heard(group.connector)
        gaps = await self._journal.gaps(*where)
        is_replaced = any(gap.why == REPLACED for gap in gaps)
        holes = Holes(gaps, began=await self._began(group) if is_replaced else None)
        async for page in connector.history(group.group_id):
            ids = [event.upstream_id for event in page]
            seen = await self._journal.has_seen(*where, ids)
            for event in page:
                self._count(event, days, holes, heard, is_seen=event.upstream_id in seen)

    async def _began(self, group: Group) -> datetime | None:
        """When this journal opened its first stream of a group, as its acts say."""
        if self._acts is None:
            self._acts = await own_acts(self._journal)
        opened = [
            at
            for act in self._acts.streams
            if act.kind == "open" and act.platform == group.platform
            if act.group is not None and act.group.id == group.group_id
            if (at := moment(act.at)) is not None
        ]
        return min(opened, default=None)

    def _count(
        self,
        event: PastEvent,
        days: dict[str, Day],
        holes: Holes,
        heard: datetime | None,
        *,
        is_seen: bool,
    ) -> None:
        self._findings.looked_at("events")
        at = event.sent_at
        day = days.setdefault(f"{at:%Y-%m-%d}" if at else NO_DAY, Day())
        day.upstream += 1
        if is_seen:
            day.journalled += 1
            holes.met(at)
            return
        excuse = event.excuse
        if excuse is None and at is not None and heard is not None and at > heard:
            excuse = NOT_YET  # it is on its way, or waits for the recorder to run again
        if excuse is not None:
            day.excused += 1
            day.reasons[excuse] += 1
            return
        why = holes.why(at) or UNEXPLAINED
        day.reasons[why] += 1
        if why == UNEXPLAINED:
            self._findings.add(Found.UNEXPLAINED, event.upstream_id)
