"""Once a day the bridge writes down how far the log is: the ``audit`` act."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias

import structlog

from bridge import keys
from bridge.canonical import act_bytes
from bridge.canonical.json import Json, base64_text, rfc3339
from bridge.protocols import Clock, Head, Journal, Placement, PlacementKind
from bridge.protocols.probe import StoreVerdict
from bridge.rounds import Rounds

log = structlog.get_logger(__name__)

ROUND_SECONDS = 60.0

TrailDigest: TypeAlias = Callable[[datetime], Awaitable[tuple[int, bytes] | None]]
"""Number and chain of the last line of the console's trail before a moment; None: it is empty."""


async def no_trail(_until: datetime) -> None:
    """Of a recorder without a console."""


class Audits(Rounds):
    """One audit for each UTC day on which anything is published, however many processes it saw.

    It counts the leaves under the head that is published at that time, so that whoever has the log
    can count them again.
    """

    failing = "not_audited"

    def __init__(
        self,
        *,
        journal: Journal,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        head: Callable[[], Head | None],
        probed: Callable[[], StoreVerdict | None] = lambda: None,
        trail: TrailDigest = no_trail,
    ) -> None:
        """``head``: the last published one; ``probed``: what was last found out of the store."""
        super().__init__(clock=clock, seconds=ROUND_SECONDS)
        self._journal = journal
        self._random = random_bytes
        self._head = head
        self._probed = probed
        self._trail = trail
        self._done = ""

    async def round(self) -> None:
        """Write today's audit, if there is none and anything is published."""
        now = self._clock.now()
        folder = keys.act_folder(now)
        head = self._head()
        if folder == self._done or head is None:
            return
        if not await self._journal.audited(folder):
            counts = await self._journal.seen_counts(through=head.size)
            details: dict[str, Json] = {
                "day": f"{now:%Y-%m-%d}",
                "log": {"size": head.size, "root": base64_text(head.root)},
                "streams": [
                    {"s": each.stream, "n": each.last_n, "seen": each.seen} for each in counts
                ],
                "store": _probe(self._probed()),
                "trail": _digest(await self._trail(now)),
            }
            # Crash before: it is written by the next round. Crash after, or another process in
            # between: of one day's folder the journal takes one audit.
            await self._journal.queue(
                Placement(
                    kind=PlacementKind.AUDIT,
                    folder=folder,
                    body=act_bytes(
                        salt=self._random(32), kind="audit", at=now, by="bridge", details=details
                    ),
                    connector="",
                    group_id="",
                    at=now,
                )
            )
            log.info("audited", size=head.size, streams=len(counts))
        self._done = folder


def _digest(last: tuple[int, bytes] | None) -> Json:
    return None if last is None else {"lines": last[0], "chain": last[1].hex()}


def _probe(verdict: StoreVerdict | None) -> Json:
    if verdict is None:
        return None
    return {
        "lock_mode": verdict.lock_mode,
        "retention": verdict.retention.value,
        "at": rfc3339(verdict.at),
    }
