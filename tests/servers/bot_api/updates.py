"""The updates that wait for one bot.

Documentation: "Getting updates" (kept no longer than 24 hours), ``Update.update_id`` (sequential;
after a week without updates the next one is random), ``getUpdates`` (``offset`` confirms what is
below it, a negative one forgets all but the last; ``allowed_updates`` stays until it is sent
again, applies to updates created later, and an empty list means all types but three).

Not documented, as the public service does it: an offset more than ten above the newest update is
taken for a mistake, confirms nothing, and is answered from the oldest update.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from tests.servers.bot_api.clock import Clock
from tests.servers.bot_api.refusals import RefusalError
from tests.servers.bot_api.wire import encode

KEPT_FOR = 24 * 3600
QUIET_WEEK = 7 * 24 * 3600
BELIEVED_AHEAD = 10
ONLY_WHEN_NAMED = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One update as it goes out, byte for byte."""

    id: int
    raw: bytes
    created: float


class UpdateQueue:
    """What one bot has yet to confirm, oldest first."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._next = random.randrange(1_000_000, 900_000_000)
        self._newest_at = clock.now()
        self._kept: list[Update] = []
        self._poll: asyncio.Future[None] | None = None
        self._news = asyncio.Event()
        self.allowed: frozenset[str] = frozenset()
        self.poll_began = asyncio.Event()
        self._less = asyncio.Event()

    @property
    def next_id(self) -> int:
        """The identifier of the next update, if it comes within a week."""
        return self._next

    def wants(self, kind: str) -> bool:
        """Whether updates of this type are to be created."""
        return kind in self.allowed if self.allowed else kind not in ONLY_WHEN_NAMED

    def allow(self, kinds: frozenset[str] | None) -> None:
        """Take over a list that was sent; None: the earlier one stays."""
        if kinds is not None:
            self.allowed = kinds

    def push(self, kind: str, value: Mapping[str, object]) -> Update | None:
        """Keep an update of this type, or None where the bot does not want the type."""
        if not self.wants(kind):
            return None
        return self.push_raw(f'"{kind}":{encode(value)}'.encode())

    def push_raw(self, members: bytes) -> Update:
        """Keep an update whose members after ``update_id`` are these bytes, whatever."""
        now = self._clock.now()
        if now - self._newest_at >= QUIET_WEEK:
            self._next = self._random.randrange(1, 2**30)
        self._newest_at = now
        raw = b'{"update_id":%d,\n%b}' % (self._next, members)
        update = Update(id=self._next, raw=raw, created=now)
        self._next += 1
        self._kept.append(update)
        self._tell()
        return update

    def skip(self, count: int) -> None:
        """Leave out so many identifiers."""
        self._next += count

    def pending(self) -> list[Update]:
        """What is kept still; what is older than 24 hours is gone."""
        oldest = self._clock.now() - KEPT_FOR
        self._kept = [update for update in self._kept if update.created > oldest]
        return list(self._kept)

    def forget(self) -> None:
        """Drop all that is pending."""
        self._kept.clear()
        self._less.set()

    def delivered(self, update: Update) -> None:
        """A webhook took it."""
        self._kept = [kept for kept in self._kept if kept.id != update.id]
        self._less.set()

    def read(self, offset: int, limit: int) -> list[Update]:
        """Confirm by this offset and return what is left, at most ``limit``."""
        pending = self.pending()
        if offset < 0:
            self._kept = pending[offset:]
        elif offset <= self._next + BELIEVED_AHEAD:
            self._kept = [update for update in pending if update.id >= offset]
        self._less.set()
        return self._kept[:limit]

    async def poll(self, offset: int, limit: int, timeout: float) -> list[Update]:
        """The same, waiting for an update if there is none.

        Raises:
            RefusalError: another poll or a webhook came meanwhile, or the token was revoked.
        """
        if found := self.read(offset, limit):
            return found
        if timeout <= 0:
            return []
        poll: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._poll = poll
        over = self._clock.passed(timeout)
        self.poll_began.set()
        try:
            await asyncio.wait([poll, over], return_when=asyncio.FIRST_COMPLETED)
            if poll.done():
                poll.result()
        finally:
            over.cancel()
            poll.cancel()
            if self._poll is poll:
                self._poll = None
        return self.read(offset, limit)

    def end_poll(self, refusal: RefusalError) -> None:
        """Answer the poll that waits, if one does, with a refusal."""
        if self._poll is not None and not self._poll.done():
            self._poll.set_exception(refusal)
        self._poll = None

    async def polled(self) -> None:
        """Return when somebody waits for updates."""
        while self._poll is None:
            self.poll_began.clear()
            await self.poll_began.wait()

    async def confirmed(self) -> None:
        """Return when nothing is pending: all was confirmed, taken, dropped or is too old."""
        while self.pending():
            self._less.clear()
            await self._less.wait()

    def nudge(self) -> None:
        """Have who waits for news look again."""
        self._news.set()

    async def news(self) -> None:
        """Return when an update was created since the last call."""
        await self._news.wait()
        self._news.clear()

    def _tell(self) -> None:
        self._news.set()
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)
        self._poll = None
