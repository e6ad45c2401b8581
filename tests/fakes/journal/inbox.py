"""Verbs on messages to our device alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from bridge.protocols import ToDevice
from tests.fakes.journal.core import MemoryCore
from tests.fakes.journal.rows import MessageRow, to_millisecond

WEEK = timedelta(days=7)


class InboxVerbs(MemoryCore):
    """See :class:`bridge.protocols.Journal`."""

    def _take_messages(self, connector: str, messages: Sequence[bytes]) -> None:
        """Number what is new."""
        now = to_millisecond(self._clock.now())
        inbox = self._inboxes.setdefault(connector, {})
        for digest in list(inbox):
            if inbox[digest].raw is None and inbox[digest].at < now - WEEK:
                del inbox[digest]
        for raw in messages:
            digest = hashlib.sha256(raw).digest()
            if digest not in inbox:
                self._last_message[connector] += 1
                inbox[digest] = MessageRow(number=self._last_message[connector], raw=raw, at=now)

    async def to_device(self, connector: str, *, after: int, limit: int) -> tuple[ToDevice, ...]:
        """What the decrypter has not taken."""
        self._require_open()
        found = [
            ToDevice(number=row.number, raw=row.raw, at=row.at)
            for row in self._inboxes.get(connector, {}).values()
            if row.number > after and row.raw is not None
        ]
        found = found[:limit]
        if found:
            self._was_given(connector, found[-1].number)
        await self._turn()
        return tuple(found)

    async def resume_to_device(self, connector: str, *, taken: int) -> None:
        """Destroy what was taken; of another journal's decrypter, number anew what waits."""
        self._require_open()
        if taken <= self._given_message[connector]:
            self._drop(connector, taken)
        else:
            last = taken
            for row in self._inboxes.get(connector, {}).values():
                if row.raw is not None:
                    last += 1
                    row.number = last
            self._last_message[connector] = last
            self._given_message[connector] = taken
        await self._turn()

    async def drop_to_device(self, connector: str, *, through: int) -> None:
        """Destroy what was taken."""
        self._require_open()
        self._drop(connector, through)
        await self._turn()

    def _drop(self, connector: str, through: int) -> None:
        self._was_given(connector, min(through, self._last_message[connector]))
        for row in self._inboxes.get(connector, {}).values():
            if row.number <= through:
                row.raw = None

    def _was_given(self, connector: str, number: int) -> None:
        self._given_message[connector] = max(self._given_message[connector], number)
