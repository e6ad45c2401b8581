"""Where the store is ahead of the journal, each group goes on in a stream that replaces the old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from bridge.model import Group
from bridge.protocols import Clock, EarlierStream, Journal
from bridge.reconcile.lineage import SeenStream

log = structlog.get_logger(__name__)

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Succession:
    """Has the journal replace streams. Those of groups it does not record wait for the register.

    Entries of the old stream that are not sealed yet move to the new one. A sealed one keeps the
    number it has, and the lost journal may have stored the same event under the same key with
    another salt: that put is a conflict, which the writer logs and repeats without end. It comes
    only where events were taken into the old stream before the store was looked at.
    """

    def __init__(self, *, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self.unclaimed: tuple[SeenStream, ...] = ()

    async def follow(self, streams: Sequence[SeenStream], *, whole: bool = False) -> int:
        """Replace these streams; gives how many were handed to the journal.

        ``whole``: there are no others in the store. Otherwise what waits for a group goes on
        waiting. Crash before: the next look finds the same streams. Crash after: it finds them
        replaced.
        """
        groups = await self._journal.groups()
        now = self._clock.now()
        earlier: list[EarlierStream] = []
        unclaimed: list[SeenStream] = []
        every = {seen.stream: seen for seen in (*(() if whole else self.unclaimed), *streams)}
        for seen in sorted(every.values(), key=lambda each: each.opened_at or LONG_AGO):
            connector = _connector_of(seen, groups)
            if connector is None:
                unclaimed.append(seen)
            else:
                earlier.append(await self._earlier(seen, connector, now))
        self.unclaimed = tuple(unclaimed)
        if earlier:
            await self._journal.supersede(earlier, at=now)
            log.warning("store_ahead", streams=len(earlier))
        return len(earlier)

    async def retry(self) -> None:
        """Replace what waits for groups that came into the register meanwhile."""
        if not self.unclaimed:
            return
        groups = await self._journal.groups()
        if any(_connector_of(seen, groups) is not None for seen in self.unclaimed):
            await self.follow(())

    async def _earlier(self, seen: SeenStream, connector: str, now: datetime) -> EarlierStream:
        """Unknown is what came after our last word in a stream of ours, or else after its own."""
        since = await self._journal.last_heard(connector) if seen.own else None
        since = since or seen.newest or seen.opened_at
        return EarlierStream(
            connector=connector,
            group_id=seen.group_id,
            stream=seen.stream,
            last_n=seen.last_n,
            since=min(since, now) if since is not None else None,
            until=now,
        )


def _connector_of(seen: SeenStream, groups: Sequence[Group]) -> str | None:
    """Who records the group now: the connector that the documents name, or else any that does."""
    names = [
        group.connector
        for group in groups
        if (group.platform, group.group_id) == (seen.platform, seen.group_id)
    ]
    return seen.connector if seen.connector in names else next(iter(names), None)
