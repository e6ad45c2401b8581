"""Step 7: leaf rows become the published log, one checkpoint at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec
import structlog

from bridge import keys
from bridge.canonical import Leaf
from bridge.errors import LogForkError, MunimentError
from bridge.protocols import Anchor, Clock, EarlierStream, Head, Journal, RecordLog
from bridge.rounds import Turns

log = structlog.get_logger(__name__)

PAGE = 4096
"""Leaves read from the journal in one go."""

AT_ONCE = 4 * PAGE
"""Leaves under one checkpoint more than under the last, where many wait."""

WHOLE = 256
"""Many leaves are cut where a bundle is full, so that no partial one is written for nothing."""

GRAFTED_AT_ONCE = 4 * PAGE
AGAIN_SECONDS = 10.0
ROUND_SECONDS = 900.0
"""How long one checkpoint with its tiles, or a look where the log stands, may take."""

START_SECONDS = 10.0
"""How long a start waits to learn where the log stands."""

NOT_LOOKED = "It is not known where the published log stands: {}"
NOT_PUBLISHED = "The log is not published: {}"
_WAITING = 100
"""Anchors among which that of a hand-over is looked for: more never wait but for a store away."""

FORKED = "The log is not signed any more: {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A published head. ``content_size``: its leaves up to the last that is no anchor's.

    Where ``content_size`` is no larger than the size of a checkpoint that was anchored, this head
    has brought nothing but anchors since. ``handing_over``: two keys signed it, and it is an
    anchor by itself.
    """

    head: Head
    content_size: int
    handing_over: bool = False


class Publisher:
    """The one writer of the log. ``health`` says in words what stands in its way, or nothing.

    ``looked`` is set once it is known where the log stands and the journal has all its leaves.
    Until then no document MUST be placed: rows that a restored journal wrote since may still move,
    and a manifest names their indices.
    """

    def __init__(
        self,
        *,
        record_log: RecordLog,
        journal: Journal,
        clock: Clock,
        checkpoint_seconds: float,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self._log = record_log
        self._journal = journal
        self._clock = clock
        self._seconds = checkpoint_seconds
        self._start_seconds = start_seconds
        self._opened = False
        self._key = ""
        self.looked = asyncio.Event()
        self.publication: Publication | None = None
        self.health = ""
        self.forked = False
        self.turns = Turns(clock)

    @property
    def trouble(self) -> str:
        """What stands in its way, in two words."""
        return "forked" if self.forked else "not published"

    @property
    def head(self) -> Head | None:
        """The last published head."""
        return None if self.publication is None else self.publication.head

    async def begin(self) -> None:
        """Look where the log stands before recording begins, for a limited time.

        A store that is away keeps nobody from recording: the look is made once it answers.
        """
        try:
            async with asyncio.timeout(self._start_seconds):
                await self._trying(self._look)
        except TimeoutError:
            self._failed(NOT_LOOKED.format("the store takes too long."))

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            self.turns.next_within(ROUND_SECONDS)
            await self.round()
            seconds = self._seconds if self._opened else min(self._seconds, AGAIN_SECONDS)
            await self._clock.sleep(seconds)

    async def round(self) -> None:
        """Publish what the journal has, if anything is new."""
        await self._trying(self._publish_all)

    async def _trying(self, work: Callable[[], Awaitable[None]]) -> None:
        """Whatever fails, the next round looks again where the log stands, and goes on there."""
        try:
            await work()
        except LogForkError as error:
            self.forked = True
            self._failed(FORKED.format(error), error.hint)
        except MunimentError as error:
            self.forked = False
            sentence = NOT_PUBLISHED if self.looked.is_set() else NOT_LOOKED
            self._failed(sentence.format(error), error.hint)
        else:
            if self.health:
                log.info("log_published_again", size=self._log.size)
            self.health, self.forked = "", False

    def _failed(self, sentence: str, hint: str = "") -> None:
        self._opened = False
        if self.health != sentence:
            if self.forked:
                log.error("log_forked", what=sentence, hint=hint)
            else:
                log.warning("log_not_published", what=sentence, hint=hint)
        self.health = sentence

    async def _publish_all(self) -> None:
        """Up to what the journal has now; what comes meanwhile is for the next round."""
        if not self._opened:
            await self._look()
        count = await self._journal.leaf_count()
        while self._log.size < count:
            if await self._is_handing_over():
                return
            self.turns.next_within(ROUND_SECONDS)
            self._opened = False  # until it is known that this one went through
            head = await self._log.extend([leaf async for leaf in self._news(count)])
            self._opened = True
            await self._tell(head)

    async def _is_handing_over(self) -> bool:
        """Whether the note that two keys signed is not in the store yet.

        Until then whoever has the old key alone could not follow what the new one signs. It is
        put within seconds, or found to stand; a stop before that leaves the rest to the next start.
        """
        if self.publication is None or not self.publication.handing_over:
            return False
        key = keys.anchor_key("0", self._log.size, "note")
        waiting = await self._journal.anchors(limit=_WAITING)
        return any(anchor.key == key for anchor in waiting)

    async def _news(self, count: int) -> AsyncIterator[bytes]:
        start = self._log.size
        stop = min(count, start + AT_ONCE)
        if stop < count:
            stop -= stop % WHOLE
        while start < stop:
            page = await self._journal.leaves(start, min(PAGE, stop - start))
            for leaf in page:
                yield leaf
            start += len(page)

    async def _tell(self, head: Head) -> None:
        content = await self._journal.content_leaves(head.size)
        handing_over = self._log.handing_over
        if handing_over:
            await self._keep(head)
        self.publication = Publication(head=head, content_size=content, handing_over=handing_over)
        self._tell_key()

    async def _keep(self, head: Head) -> None:
        """The note that two keys signed becomes an anchor: by it the old key leads to the new one.

        Crash before: the next look finds the same head, unless it was not published, and then
        this one publishes it. Repeating it changes nothing.
        """
        key = keys.anchor_key("0", head.size, "note")
        at = self._clock.now()
        await self._journal.queue_anchor(Anchor(key=key, size=head.size, body=head.note, at=at))

    def _tell_key(self) -> None:
        """Say which key signs, at the start and when it changes."""
        key = self._log.key
        if self._key != key.short:
            log.info("log_signed_by", key=key.short)
        self._key = key.short

    async def _name_next(self) -> None:
        """A key that is to follow is named by a leaf, once.

        Crash before: done at the next start. Crash after: the leaf is found among those that
        are not published yet; once it is published, the log says that this key is in force.
        """
        following = self._log.next_key
        if following is None:
            return
        leaf = Leaf.key(at=self._clock.now(), line=following.line)
        if await self._journal.name_key(leaf, start=self._log.size):
            log.info("log_key_named", key=following.short)

    async def _look(self) -> None:
        """Find out where the log stands, and have all its leaves in the journal.

        Crash anywhere in here: the next look finds the same, or the part that is done already.
        """
        size = await self._log.open()
        count = await self._journal.leaf_count()
        common = await self._common(min(size, count))
        if common < size:
            if self.looked.is_set():
                # Documents name indices by now: no row can move any more.
                raise LogForkError("Another writer appended to this log.")
            await self._graft(common, size, moved=count - common)
        await self._name_next()
        self._opened = True
        self.looked.set()
        if self._log.head is not None:
            await self._tell(self._log.head)

    async def _common(self, most: int) -> int:
        """How many leaves journal and store have in common, by halving.

        Both only ever grew: where they agree on a leaf they agree on all before it.
        """
        if await self._agree(most):
            return most
        low, high = 0, most
        while high - low > 1:
            middle = (low + high) // 2
            if await self._agree(middle):
                low = middle
            else:
                high = middle
        return low

    async def _agree(self, count: int) -> bool:
        """Whether the last of ``count`` leaves is the same in both."""
        if count == 0:
            return True
        ours = await self._journal.leaves(count - 1, 1)
        return ours == await self._log.leaves(count - 1, count)

    async def _graft(self, common: int, size: int, *, moved: int) -> None:
        """The journal was lost or restored: take back what the store shows.

        First the streams that the lost journal went on with end, since none of their numbers is
        free: repeating that changes nothing. Then the leaves, page by page.
        """
        log.warning("log_grafted", leaves=size - common, moved=moved)
        await self._supersede(common, size)
        for start in range(common, size, GRAFTED_AT_ONCE):
            stop = min(start + GRAFTED_AT_ONCE, size)
            await self._journal.graft(start, await self._log.leaves(start, stop))

    async def _supersede(self, common: int, size: int) -> None:
        last: dict[str, int] = {}
        for start in range(common, size, PAGE):
            for body in await self._log.leaves(start, min(start + PAGE, size)):
                line = msgspec.json.decode(body, type=_Line)
                if line.k == "seen":
                    last[line.s] = max(last.get(line.s, -1), line.n)
        since: datetime | None = None
        if common:
            (body,) = await self._journal.leaves(common - 1, 1)
            since = msgspec.json.decode(body, type=_Line).t
        now = self._clock.now()
        behind = [
            EarlierStream(
                connector=stream.connector,
                group_id=stream.group_id,
                stream=stream.id,
                last_n=last[stream.id],
                since=since,
                until=now,
            )
            for stream in await self._journal.open_among(list(last))
        ]
        if behind:
            await self._journal.supersede(behind, at=now)


class _Line(msgspec.Struct, frozen=True):
    """What is read of a leaf."""

    k: str
    t: datetime
    s: str = ""
    n: int = -1
