"""A third platform: a folder with a file per group, and a JSON object per line of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError
from bridge.model import Attachment, Batch, Cursor, Event, EventKind, Presence, Sender, Sighting
from bridge.protocols import Announcement, Clock, Download, PastEvent

T = TypeVar("T")


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a line may say: words, or who joined, or who was put out."""

    id: str = ""
    by: str = ""
    say: str | None = None
    join: str | None = None
    kick: str | None = None


class Place(msgspec.Struct):
    """Where we are in a file, whether we are in the group there, and whether that was told."""

    offset: int = 0
    inside: bool = False
    begun: bool = False


def read_line(raw: bytes) -> Line | None:
    """What a line says; None where it cannot be read."""
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return msgspec.json.decode(raw, type=Line)
    return None


def map_line(raw: bytes, group: str, place: Place, own_id: str, clock: Clock) -> Event:
    """The event at a place. Takes any bytes."""
    known = read_line(raw)
    line = known or Line()
    kind = EventKind.UNPARSED if known is None else EventKind.UNKNOWN
    if whom := line.join or line.kick:
        kind = EventKind.MEMBERSHIP
    elif line.say is not None:
        kind = EventKind.NOTICE if line.by == own_id else EventKind.MESSAGE
    return Event(
        group_id=group,
        upstream_id=line.id or f"@{place.offset}",
        kind=kind,
        sender=Sender(id=line.by, display_name=line.by) if line.by else None,
        observed_at=clock.now(),
        body=f"{'joined' if line.join else 'left'}: {whom}" if whom else line.say,
        upstream=(("subject", whom),) if whom else (),
        raw=raw,
    )


async def off_loop(work: Callable[[], T]) -> T:
    """Do in a thread what reads or writes."""
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise ConnectorUnavailableError(f"The folder cannot be used: {error.errno}.") from None


class TailConnector:
    """See :class:`bridge.protocols.Connector`."""

    name, platform, decrypter = "tail", "tail", None

    def __init__(self, folder: Path, own_id: str, clock: Clock) -> None:
        self._folder, self._own_id, self._clock = folder, own_id, clock
        self._approved: frozenset[str] = frozenset()
        self._changed, self.idle = asyncio.Event(), asyncio.Event()

    async def start(self) -> None:
        """See that the folder is there."""
        await off_loop(self._files)

    def approve(self, group_ids: frozenset[str]) -> None:
        """These are recorded."""
        self._approved = group_ids
        self._changed.set()

    async def receive(self, cursor: Cursor | None) -> Batch:
        """The whole lines behind the cursor."""
        self._changed.clear()
        batch = await off_loop(partial(self._read, cursor, self._approved))
        if batch.cursor != cursor:
            return batch
        self.idle.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), 1.0)
        return replace(batch, answered=not self._changed.is_set())

    def _read(self, cursor: Cursor | None, approved: frozenset[str]) -> Batch:
        places = msgspec.json.decode(cursor or b"{}", type=dict[str, Place])
        events: list[Event] = []
        told: list[Sighting] = []
        unlisted = 0
        for group, path in self._files().items():
            place, listed = places.setdefault(group, Place()), group in approved
            saw = partial(Sighting, group_id=group, at=self._clock.now(), name=group)
            with path.open("rb") as file:
                file.seek(place.offset)
                lines = [each[:-1] for each in file.readlines(1 << 20) if each[-1:] == b"\n"]
            for raw in lines:
                line = read_line(raw) or Line()
                came, went = line.join == self._own_id, line.kick == self._own_id
                if place.inside or came:
                    unlisted += not listed
                    events += [self._event(raw, group, place)] if listed else []
                if went or (came and not listed):
                    presence = Presence.REMOVED if went else Presence.JOINED
                    told.append(saw(presence=presence, by=line.by))
                place.offset += len(raw) + 1
                place.inside = came or (place.inside and not went)
                place.begun = place.begun and not went
            if listed and place.inside and not place.begun:
                told.append(saw(presence=Presence.JOINED, obstacle=""))
                roster = msgspec.json.encode(Line(id=f"roster:{place.offset}", say=self._own_id))
                events.append(replace(self._event(roster, group, place), kind=EventKind.ROSTER))
            place.begun = listed and place.inside
        at = Cursor(msgspec.json.encode(places))
        batch = Batch(connector=self.name, platform=self.platform, cursor=at, unlisted=unlisted)
        return replace(batch, events=tuple(events), sightings=tuple(told))

    def _event(self, raw: bytes, group: str, place: Place) -> Event:
        return map_line(raw, group, place, self._own_id, self._clock)

    def _files(self) -> dict[str, Path]:
        return {path.stem: path for path in self._folder.iterdir() if path.suffix == ".log"}

    def _append(self, group_id: str, line: Line | None) -> bool:
        """Whether we are in the group. If so, a line given stands there from now on, once."""
        path = self._files().get(group_id)
        raws = path.read_bytes().split(b"\n") if path else []
        stays = [(line.join, line.kick) for line in map(read_line, raws) if line]
        inside = [stay[0] for stay in stays if self._own_id in stay][-1:] == [self._own_id]
        if path and inside and line and (raw := msgspec.json.encode(line)) not in raws:
            with path.open("ab") as file:
                file.write(raw + b"\n")
        return inside

    async def join(self, group_id: str) -> None:
        """Somebody else writes us in."""
        if not await off_loop(partial(self._append, group_id, None)):
            raise ConnectorRejectedError("We are not in that file.", code="not_in_file")

    async def announce(
        self, group_id: str, notice: str, *, key: str, pin: bool = True
    ) -> Announcement:
        """One more line; nothing can be pinned."""
        line = Line(id=f"notice:{key}", by=self._own_id, say=notice)
        if await off_loop(partial(self._append, group_id, line)):
            return Announcement(upstream_id=line.id)
        return Announcement(upstream_id=None, refusal="We are not in that file.")

    async def open_download(self, group_id: str, attachment: Attachment) -> Download:
        """Lines carry no files."""
        raise ConnectorRejectedError("Lines carry no files.", code="no_files")

    def pause_backfill(self, *, paused: bool) -> None:
        """There is no past to fetch."""

    async def history(self, group_id: str) -> AsyncIterator[tuple[PastEvent, ...]]:
        """Nothing but what was delivered."""
        pages: tuple[tuple[PastEvent, ...], ...] = ()
        for page in pages:
            yield page
        raise ConnectorRejectedError("The files are all there is.", code="no_history")

    async def aclose(self) -> None:
        """Nothing is open."""
