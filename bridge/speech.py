"""Speaking in groups: what waits in the journal's outbox is posted, once, and never pinned."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import groupby

import structlog

from bridge.errors import (
    ConnectorError,
    ConnectorRejectedError,
    ConnectorUnavailableError,
)
from bridge.model import Group
from bridge.protocols import Clock, Connector, Journal, Saying
from bridge.rounds import Rounds
from bridge.sayings import is_told

log = structlog.get_logger(__name__)

ROUND_SECONDS = 1.0
POST_SECONDS = 10.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
MOST = 1000
Key = tuple[str, str]
"""Connector and group id."""


class Speech(Rounds):
    """One loop over the outbox. Every group hears its sentences in the order they were written."""

    failing = "not_speaking"

    def __init__(
        self, *, journal: Journal, connectors: Mapping[str, Connector], clock: Clock
    ) -> None:
        super().__init__(clock=clock, seconds=ROUND_SECONDS)
        self._journal = journal
        self._connectors = connectors
        self._connector_waits: dict[str, float] = {}
        self._group_waits: dict[Key, float] = {}
        self._pauses: dict[Key, float] = {}

    async def round(self) -> None:
        """Say what waits. A platform that is slow delays the groups of another by one post."""
        waiting = await self._journal.sayings(limit=MOST)
        if not waiting:
            return
        groups = {(g.connector, g.group_id): g for g in await self._journal.groups()}
        ordered = sorted(waiting, key=lambda saying: saying.connector)  # stable: oldest first
        await asyncio.gather(
            *(
                self._speak(name, tuple(sayings), groups)
                for name, sayings in groupby(ordered, key=lambda saying: saying.connector)
            )
        )

    async def _speak(
        self, name: str, sayings: Sequence[Saying], groups: Mapping[Key, Group]
    ) -> None:
        """Say what one connector is to say, up to the first post that comes to nothing."""
        for saying in sayings:
            reason = self._idle_reason(saying, groups)
            if reason is not None:
                await self._give_up(saying, reason)
            elif self._may_post(saying) and not await self._post(saying):
                return

    def _idle_reason(self, saying: Saying, groups: Mapping[Key, Group]) -> str | None:
        """Why there is nothing to say any more, or None."""
        group = groups.get((saying.connector, saying.group_id))
        if self._clock.now() > saying.until:
            return "stale"
        if saying.connector not in self._connectors:
            return "no_connector"
        return None if group is not None and is_told(group) else "not_told_here"

    def _may_post(self, saying: Saying) -> bool:
        now = self._clock.monotonic()
        at = self._group_waits.get((saying.connector, saying.group_id), now)
        return max(at, self._connector_waits.get(saying.connector, now)) <= now

    async def _post(self, saying: Saying) -> bool:
        """Post one. False: it came to nothing, and this connector's round ends.

        Crash after the platform took it: it is posted again under the same key, which the
        platform answers with the message it has.
        """
        connector = self._connectors[saying.connector]
        try:
            async with asyncio.timeout(POST_SECONDS):
                said = await connector.announce(
                    saying.group_id, saying.text, key=saying.key, pin=False
                )
        except ConnectorUnavailableError as error:
            self._wait(saying, of_all=error.retry_after)
        except ConnectorRejectedError:
            self._wait(saying, of_all=LONGEST_PAUSE / 2)  # our account: no group will hear us now
        except (ConnectorError, TimeoutError):
            self._wait(saying)
        else:
            self._group_waits.pop((saying.connector, saying.group_id), None)
            self._pauses.pop((saying.connector, saying.group_id), None)
            if said.upstream_id is None:
                await self._give_up(saying, "refused")
            else:
                await self._journal.said(saying)
                log.info("said", connector=saying.connector)
            return True
        return False

    def _wait(self, saying: Saying, *, of_all: float | None = None) -> None:
        """The group waits longer each time; the whole connector only where it has to."""
        now = self._clock.monotonic()
        key = (saying.connector, saying.group_id)
        pause = self._pauses.get(key, FIRST_PAUSE)
        self._pauses[key] = min(pause * 2, LONGEST_PAUSE)
        self._group_waits[key] = now + pause
        if of_all is not None:
            self._connector_waits[saying.connector] = now + of_all

    async def _give_up(self, saying: Saying, reason: str) -> None:
        await self._journal.said(saying)
        log.warning("not_said", connector=saying.connector, reason=reason)
