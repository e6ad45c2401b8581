"""The platform: it outlives every process, and forgets only what was acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from bridge.deadlines import LASTING, sooner
from bridge.errors import (
    ConnectorError,
    ConnectorRejectedError,
    ConnectorUnavailableError,
    EnvelopeError,
)
from bridge.model import (
    Attachment,
    Batch,
    Cursor,
    Event,
    EventKind,
    GroupTimer,
    Presence,
    Sighting,
    Timer,
)
from bridge.protocols import (
    Announcement,
    Clock,
    Connector,
    Download,
    PastEvent,
)
from tests.fakes import samples
from tests.simulation.keys import SimDecrypter
from tests.simulation.plan import FaultKind, Medium, MediumFate
from tests.simulation.transfer import SimDownload
from tests.simulation.weather import Weather

NAME = "matrix"
POLL_SECONDS = 10.0
MEDIA_MAX = 1000


@dataclass(slots=True, kw_only=True)
class Item:
    """Something on the timeline. ``handed``: it was in the last delivery that reached it.

    ``message``: to the recorder's device alone.
    """

    event: Event | None = None
    message: bytes | None = None
    sighting: Sighting | None = None
    timer: GroupTimer | None = None
    handed: bool = False


@dataclass(slots=True, kw_only=True)
class OfferedMedium:
    """An attachment as the platform holds it."""

    fate: MediumFate
    from_: float
    data: bytes
    broke: bool = False


class Platform:
    """The server's side. ``check`` is asked whether what it may forget is in the journal."""

    def __init__(self, *, clock: Clock, check: Callable[[Sequence[Event]], None]) -> None:
        self._clock = clock
        self._check = check
        self.timeline: list[Item] = []
        self.acknowledged = 0
        self.members: set[str] = set()
        self.invited: set[str] = set()
        self.posts: dict[str, tuple[str, str]] = {}
        self.media: dict[str, OfferedMedium] = {}
        self.more = asyncio.Event()

    def invite(self, group_id: str) -> None:
        """Somebody invites the recorder."""
        if group_id not in self.members:
            self.invited.add(group_id)
            self._see(group_id, Presence.INVITED)

    def join(self, group_id: str) -> None:
        """The recorder comes in; who is there is the first it learns."""
        if group_id in self.members:
            return
        if group_id not in self.invited:
            raise ConnectorRejectedError("not invited", code="M_FORBIDDEN")
        self.invited.discard(group_id)
        self.members.add(group_id)
        self._see(group_id, Presence.JOINED)
        now = self._clock.now()
        name = f"roster:{self._clock.monotonic():.6f}"
        self.say(samples.event(name, group_id=group_id, kind=EventKind.ROSTER, sent_at=now))

    def kick(self, group_id: str) -> None:
        """Somebody throws the recorder out."""
        if group_id in self.members | self.invited:
            self.members.discard(group_id)
            self.invited.discard(group_id)
            self._see(group_id, Presence.REMOVED)

    def tell(self, group_id: str) -> None:
        """The full state of a group comes once more, if the recorder is in it."""
        if group_id in self.members:
            self._see(group_id, Presence.JOINED)

    def set_timer(self, group_id: str, seconds: float | None) -> None:
        """The group's standing timer is changed, or goes."""
        standing = None if seconds is None else Timer(seconds=seconds, basis="standing")
        self._add(Item(timer=GroupTimer(group_id=group_id, standing=standing)))

    def standing(self, group_id: str, end: int) -> Timer | None:
        """What the timeline before ``end`` last set."""
        for item in reversed(self.timeline[:end]):
            if item.timer is not None and item.timer.group_id == group_id:
                return item.timer.standing
        return None

    def say(self, event: Event) -> bool:
        """An event happens; False: the recorder is not there to hear it."""
        if event.group_id not in self.members:
            return False
        self._add(Item(event=event))
        return True

    def whisper(self, message: bytes) -> None:
        """Something is sent to the recorder's device alone."""
        self._add(Item(message=message))

    def offer(self, medium: Medium, url: str) -> Attachment:
        """A file is uploaded."""
        now = self._clock.monotonic()
        large = medium.fate is MediumFate.TOO_LARGE
        self.media[url] = OfferedMedium(
            fate=medium.fate,
            from_=now + (medium.after if medium.fate is MediumFate.LATE else 0.0),
            data=url.encode() * (MEDIA_MAX if large else 3),
        )
        return Attachment(url=url, name="plan.pdf", declared_type="application/pdf")

    def acknowledge(self, at: int) -> None:
        """Everything before ``at`` may be forgotten."""
        assert self.acknowledged <= at <= len(self.timeline), "a cursor out of order"
        fresh = self.timeline[self.acknowledged : at]
        self._check([item.event for item in fresh if item.handed and item.event is not None])
        self.acknowledged = at

    def _see(self, group_id: str, presence: Presence) -> None:
        self._add(
            Item(sighting=samples.sighting(presence, group_id=group_id, at=self._clock.now()))
        )

    def _add(self, item: Item) -> None:
        self.timeline.append(item)
        self.more.set()


class SimConnector:
    """One process's connection to the platform."""

    def __init__(
        self,
        *,
        platform: Platform,
        clock: Clock,
        weather: Weather,
        random: Random,
        committed: Callable[[], Cursor | None],
        decrypter: SimDecrypter | None = None,
    ) -> None:
        self.decrypter = decrypter
        self._server = platform
        self._clock = clock
        self._weather = weather
        self._draw = random
        self._committed = committed
        self._approved: frozenset[str] | None = None
        self._started = False

    @property
    def name(self) -> str:
        """The name given in the configuration."""
        return NAME

    @property
    def platform(self) -> str:
        """The platform's name."""
        return NAME

    def approve(self, group_ids: frozenset[str]) -> None:
        """From now on, yield events of exactly these groups; of new ones, tell how they stand."""
        for name in sorted(group_ids - (self._approved or frozenset())):
            self._server.tell(name)
        self._approved = group_ids

    async def start(self) -> None:
        """Sign in. Of what it brings nothing is split."""
        try:
            await self._travel()
        except EnvelopeError as error:
            raise ConnectorUnavailableError("502") from error
        self._started = True

    async def receive(self, cursor: Cursor | None) -> Batch:
        """What follows ``cursor``, in pieces of any size."""
        assert self._started, "received before signing in"
        assert self._approved is not None, "received before any group was approved"
        assert cursor == self._committed(), "acknowledged before it was durable"
        at = 0 if cursor is None else int(cursor)
        self._server.acknowledge(at)
        await self._travel()
        if at == len(self._server.timeline):
            self._server.more.clear()
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._server.more.wait()
            except TimeoutError:
                return self._batch(at, at)
        end = min(at + self._draw.choice((1, 1, 3, 10)), len(self._server.timeline))
        replayed = self._draw.randint(1, 10) if self._on(FaultKind.REPLAY) else 0
        batch = self._batch(at, end, replayed=replayed)
        await self._travel()
        return batch

    def _batch(self, start: int, end: int, *, replayed: int = 0) -> Batch:
        """What lies between two places, with some events before it that were delivered already."""
        assert self._approved is not None
        news = self._server.timeline[start:end]
        items = [*self._server.timeline[max(start - replayed, 0) : start], *news]
        events: list[Event] = []
        for item in items:
            item.handed = item.event is not None and item.event.group_id in self._approved
            if item.event is not None and item.handed:
                events.append(self._seen(item.event, end))
        happened = sum(item.event is not None for item in items)
        return Batch(
            connector=NAME,
            platform=NAME,
            cursor=Cursor(b"%d" % end),
            events=tuple(events),
            sightings=tuple(item.sighting for item in news if item.sighting is not None),
            timers=tuple(item.timer for item in news if item.timer is not None),
            to_device=tuple(item.message for item in items if item.message is not None),
            unlisted=happened - len(events),
        )

    def _seen(self, event: Event, end: int) -> Event:
        """An event as it is seen now, under the timer that stands at the delivery's end."""
        now, own = self._clock.now(), event.timer
        standing = None if event.kind in LASTING else self._server.standing(event.group_id, end)
        timer = sooner(own, standing, sent_at=event.sent_at, received_at=now)
        return replace(event, observed_at=now, timer=timer, own_timer=own)

    async def join(self, group_id: str) -> None:
        """Accept the invitation."""
        assert self._approved is not None, "joined before any group was approved"
        assert group_id in self._approved, "joined without approval"
        await self._travel()
        self._server.join(group_id)
        await self._travel()

    async def announce(
        self, group_id: str, notice: str, *, key: str, pin: bool = True
    ) -> Announcement:
        """Post once per key."""
        await self._travel()
        if group_id not in self._server.members:
            return Announcement(upstream_id=None, refusal="not in the group")
        upstream_id = f"${key}"
        if key not in self._server.posts:
            self._server.posts[key] = (group_id, notice)
            now = self._clock.now()
            kind = EventKind.NOTICE
            posted = samples.event(upstream_id, group_id=group_id, kind=kind, sent_at=now)
            self._server.say(posted)
        assert self._server.posts[key] == (group_id, notice), "one key, two messages"
        await self._travel()
        return Announcement(upstream_id=upstream_id, pinned=pin)

    async def open_download(self, group_id: str, attachment: Attachment) -> Download:
        """Begin fetching."""
        await self._travel()
        medium = self._server.media[attachment.url]
        if medium.fate is MediumFate.NEVER:
            raise ConnectorRejectedError("There is no such file.", code="M_NOT_FOUND")
        if self._clock.monotonic() < medium.from_:
            raise ConnectorUnavailableError("not there yet")
        breaks = medium.fate is MediumFate.BREAKS and not medium.broke
        medium.broke = True
        return SimDownload(medium.data, breaks=breaks, clock=self._clock, random=self._draw)

    def pause_backfill(self, *, paused: bool) -> None:
        """This platform leaves no holes."""

    async def history(self, group_id: str) -> AsyncIterator[tuple[PastEvent, ...]]:
        """One event to a page, newest first, back to the latest join, which the roster marks."""
        await self._travel()
        for item in reversed(self._server.timeline):
            event = item.event
            if event is None or event.group_id != group_id:
                continue
            if event.kind is EventKind.ROSTER:
                return
            yield (PastEvent(upstream_id=event.upstream_id, sent_at=event.sent_at),)

    async def aclose(self) -> None:
        """Nothing to give up, and nothing is acknowledged."""

    def _on(self, kind: FaultKind) -> bool:
        return self._weather.on(kind, self._clock.monotonic()) is not None

    async def _travel(self) -> None:
        """Over the network and back, if it works."""
        await self._clock.sleep(self._draw.uniform(0.001, 0.1))
        if self._on(FaultKind.PLATFORM) and self._draw.random() < 0.6:
            raise self._draw.choice(_troubles(self._draw))


def _troubles(random: Random) -> tuple[ConnectorError, ...]:
    return (
        ConnectorUnavailableError("502"),
        ConnectorUnavailableError("502"),
        ConnectorUnavailableError("429", retry_after=random.uniform(0.1, 2.0)),
        EnvelopeError("not to be split", body=random.randbytes(1)),
    )


if TYPE_CHECKING:
    _connector: type[Connector] = SimConnector
