"""Verbs on what was heard of a platform, and on what its groups are still to be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bridge.model import Loss
from bridge.protocols import Saying
from tests.fakes.journal.rows import sayable, to_millisecond
from tests.fakes.journal.streams import StreamVerbs


class SpeechVerbs(StreamVerbs):
    """See :class:`bridge.protocols.Journal`."""

    async def heard(
        self,
        connector: str,
        *,
        at: datetime,
        losses: Sequence[Loss] = (),
        sayings: Sequence[Saying] = (),
    ) -> None:
        """Remember the moment, with the gaps and the words of the silence before it."""
        self._require_open()
        if any((connector, loss.group_id) not in self._register for loss in losses):
            raise RuntimeError("a gap needs a listed group")
        for loss in losses:
            self._open_stream(connector, loss.group_id)
            if _period(connector, loss) not in {
                _period(where, known) for (where, _), known in self._gaps
            }:
                self._gap(self._open[connector, loss.group_id], loss, at=at)
            known = self._register[connector, loss.group_id]
            if known.notice_version is not None:
                self._put_group(replace(known, notice_version=""))
        self._say(sayings)
        self._heard[connector] = to_millisecond(at)
        await self._turn()

    async def last_heard(self, connector: str) -> datetime | None:
        """When the platform was last heard."""
        self._require_open()
        found = self._heard.get(connector)
        await self._turn()
        return found

    async def say(self, sayings: Sequence[Saying]) -> None:
        """Have groups told something."""
        self._require_open()
        self._say(sayings)
        await self._turn()

    def _say(self, sayings: Sequence[Saying]) -> None:
        for saying in sayings:
            assert saying.key == sayable(saying.key), "a key must be valid text"
            known = self._sayings.get(saying.key)
            if known is None:
                self._sayings[saying.key] = replace(
                    saying,
                    id=len(self._sayings) + 1,
                    text=sayable(saying.text),
                    until=to_millisecond(saying.until),
                )

    async def sayings(self, *, limit: int) -> tuple[Saying, ...]:
        """What is still to be said, oldest first."""
        self._require_open()
        found = [each for each in self._sayings.values() if each.id not in self._said]
        await self._turn()
        return tuple(found[:limit])

    async def said(self, saying: Saying) -> None:
        """It was said, or is given up."""
        self._require_open()
        self._said.add(saying.id)
        await self._turn()


def _period(connector: str, loss: Loss) -> tuple[str, str, str, datetime | None, datetime | None]:
    since = to_millisecond(loss.since) if loss.since else None
    until = to_millisecond(loss.until) if loss.until else None
    return connector, loss.group_id, sayable(loss.why), since, until
