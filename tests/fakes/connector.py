"""A platform in memory: it forgets only what was acknowledged, and fails on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bridge.errors import ConnectorError, ConnectorRejectedError, ConnectorUnavailableError
from bridge.model import Attachment, Batch, Cursor, Event, GroupTimer, Loss, Sighting
from bridge.protocols import Announcement, Connector, Decrypter, Download, PastEvent


class ScriptedDownload:
    """A file on its way: ``chunks`` in order, then ``error`` if there is one."""

    def __init__(
        self, chunks: Sequence[bytes], size: int | None, error: ConnectorError | None
    ) -> None:
        self._chunks = chunks
        self.size = size
        self._error = error
        self.closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """The clear bytes."""
        for chunk in self._chunks:
            await asyncio.sleep(0)
            yield chunk
        if self._error is not None:
            raise self._error

    async def aclose(self) -> None:
        """Give up the transfer."""
        self.closed = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedFile:
    """What the platform holds under an attachment's address, and how a transfer ends."""

    chunks: tuple[bytes, ...]
    size: int | None = None
    error: ConnectorError | None = None


class ScriptedConnector:
    """Keeps the promises of the protocol, and asserts those of its caller.

    ``committed`` gives the durable cursor: a cursor that is asked with and is not durable is an
    acknowledgement too early, and fails the test. What was acknowledged is gone: asking from
    before it fails too. ``faults`` are raised one by one by the next calls of ``receive``;
    ``acknowledged`` counts the deliveries the platform may forget; ``asked`` every cursor asked
    with. ``idle`` is set while a receive waits for more. ``past`` is the history of groups,
    newest first; an error in it ends it there.
    """

    def __init__(
        self,
        *,
        committed: Callable[[], Awaitable[Cursor | None]],
        name: str = "matrix",
        platform: str = "matrix",
    ) -> None:
        self.committed = committed
        self.faults: list[ConnectorError] = []
        self.start_faults: list[ConnectorError] = []
        self.join_faults: list[ConnectorError] = []
        self.announce_faults: list[ConnectorError] = []
        self.refusals: dict[str, str] = {}
        self.lost_posts = 0
        self.announce_gate: asyncio.Event | None = None
        self.files: dict[str, OfferedFile | ConnectorError] = {}
        self.approved: frozenset[str] | None = None
        self.asked: list[Cursor | None] = []
        self.acknowledged = 0
        self.starts = 0
        self.joins: list[str] = []
        self.announcements: list[tuple[str, str, str]] = []
        self.posts: dict[str, tuple[str, str]] = {}
        self.pins: list[str] = []
        self.backfill_paused = False
        self.past: dict[str, Sequence[PastEvent | ConnectorError] | ConnectorError] = {}
        self.idle = asyncio.Event()
        self._name = name
        self._platform = platform
        self._deliveries: list[Batch] = []
        self._more = asyncio.Event()

    @property
    def name(self) -> str:
        """The name given in the configuration."""
        return self._name

    @property
    def platform(self) -> str:
        """The platform's name."""
        return self._platform

    @property
    def decrypter(self) -> Decrypter | None:
        """None: its events come in the clear."""
        return None

    def deliver(
        self,
        *events: Event,
        losses: Sequence[Loss] = (),
        sightings: Sequence[Sighting] = (),
        timers: Sequence[GroupTimer] = (),
        answered: bool = True,
    ) -> None:
        """Something happens on the platform: one more delivery stands ready."""
        number = len(self._deliveries) + 1
        self._deliveries.append(
            Batch(
                connector=self._name,
                platform=self._platform,
                cursor=_cursor(number),
                events=events,
                losses=tuple(losses),
                sightings=tuple(sightings),
                timers=tuple(timers),
                answered=answered,
            )
        )
        self.idle.clear()
        self._more.set()

    async def start(self) -> None:
        """Sign in."""
        self.starts += 1
        if self.start_faults:
            raise self.start_faults.pop(0)

    def approve(self, group_ids: frozenset[str]) -> None:
        """From now on, yield events of exactly these groups."""
        self.approved = group_ids

    async def receive(self, cursor: Cursor | None) -> Batch:
        """The delivery after ``cursor``; see the class for what is asserted."""
        at = _place(cursor)
        assert at <= len(self._deliveries), "a cursor that was never handed out"
        assert cursor == await self.committed(), "acknowledged before it was durable"
        assert at >= self.acknowledged, "asked for what was acknowledged already"
        self.asked.append(cursor)
        self.acknowledged = at
        if self.faults:
            raise self.faults.pop(0)
        while at == len(self._deliveries):
            self._more.clear()
            self.idle.set()
            await self._more.wait()
        return self._of_approved(self._deliveries[at])

    def _of_approved(self, delivery: Batch) -> Batch:
        if self.approved is None:
            return delivery
        events = tuple(e for e in delivery.events if e.group_id in self.approved)
        unlisted = len(delivery.events) - len(events)
        return replace(delivery, events=events, unlisted=unlisted)

    async def join(self, group_id: str) -> None:
        """Accept an invitation; the group's sighting is delivered by whoever writes the test."""
        assert self.approved is not None, "joined before any group was approved"
        assert group_id in self.approved, "joined without approval"
        self.joins.append(group_id)
        if self.join_faults:
            raise self.join_faults.pop(0)

    async def announce(
        self, group_id: str, notice: str, *, key: str, pin: bool = True
    ) -> Announcement:
        """Post once per key. ``lost_posts`` land and then report nothing."""
        self.announcements.append((group_id, notice, key))
        if self.announce_gate is not None:
            await self.announce_gate.wait()
        if self.announce_faults:
            raise self.announce_faults.pop(0)
        if group_id in self.refusals:
            return Announcement(upstream_id=None, refusal=self.refusals[group_id])
        standing = self.posts.setdefault(key, (group_id, notice))
        assert standing == (group_id, notice), "one key, two messages"
        if self.lost_posts:
            self.lost_posts -= 1
            raise ConnectorUnavailableError("no reply to the post")
        if pin:
            self.pins.append(key)
        return Announcement(upstream_id=f"$notice-{key}", pinned=pin)

    async def open_download(self, group_id: str, attachment: Attachment) -> Download:
        """Begin fetching what ``files`` holds under the attachment's address."""
        offered = self.files.get(attachment.url)
        if offered is None:
            raise ConnectorRejectedError("There is no such file.", code="M_NOT_FOUND")
        if isinstance(offered, ConnectorError):
            raise offered
        return ScriptedDownload(offered.chunks, offered.size, offered.error)

    def pause_backfill(self, *, paused: bool) -> None:
        """Leave holes unfilled for a while."""
        self.backfill_paused = paused

    async def history(self, group_id: str) -> AsyncIterator[tuple[PastEvent, ...]]:
        """What ``past`` holds of a group, one event to a page, until an error in it."""
        held = self.past.get(group_id, ())
        if isinstance(held, ConnectorError):
            raise held
        for each in held:
            await asyncio.sleep(0)
            if isinstance(each, ConnectorError):
                raise each
            yield (each,)

    async def aclose(self) -> None:
        """Nothing to give up, and nothing is acknowledged."""


def _cursor(number: int) -> Cursor:
    return Cursor(b"place %d" % number)


def _place(cursor: Cursor | None) -> int:
    return 0 if cursor is None else int(cursor.removeprefix(b"place "))


if TYPE_CHECKING:
    _: type[Connector] = ScriptedConnector
