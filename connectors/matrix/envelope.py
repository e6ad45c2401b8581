"""Splits responses of a homeserver into the exact bytes of their events. Nothing is re-serialised.

The fast way is msgspec; where it refuses, our own scanner finds the same byte ranges, so that one
hostile event never costs its neighbours. Of duplicate keys (`rooms`, a room id, `timeline`) the
last one holds, either way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import msgspec

from bridge.errors import EnvelopeError
from bridge.rawjson.scan import ScanError, Scanner
from connectors.matrix.device_news import (
    NO_NEWS,
    NOTHING,
    TOLD_OF_DEVICES,
    DeviceNews,
    read_news,
)

Events = tuple[bytes, ...]
Split = TypeVar("Split")

_REFUSALS = (msgspec.MsgspecError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedRoom:
    """What one sync brought of a room. ``limited``: earlier events must be asked for."""

    timeline: Events = ()
    limited: bool = False
    prev_batch: str | None = None
    state: Events = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncEnvelope:
    """One sync response, by room id. ``invited`` holds stripped state, ``left`` last timelines.

    ``to_device`` came for our device alone; ``devices`` is what is told of keys and devices.
    """

    next_batch: str
    joined: Mapping[str, JoinedRoom] = field(default_factory=dict)
    left: Mapping[str, JoinedRoom] = field(default_factory=dict)
    invited: Mapping[str, Events] = field(default_factory=dict)
    to_device: Events = field(default=(), repr=False)
    devices: DeviceNews = NO_NEWS


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesPage:
    """One page of history. Without ``end`` there is no more in that direction."""

    chunk: Events
    start: str | None = None
    end: str | None = None
    state: Events = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventContext:
    """One event, and the tokens of the history before (``start``) and after it (``end``)."""

    event: bytes | None = None
    start: str | None = None
    end: str | None = None


_NOTHING = msgspec.Raw(NOTHING)


class _Events(msgspec.Struct):
    events: list[msgspec.Raw] = []


class _Timeline(msgspec.Struct):
    events: list[msgspec.Raw] = []
    limited: bool = False
    prev_batch: str | None = None


class _Room(msgspec.Struct):
    timeline: _Timeline = msgspec.field(default_factory=_Timeline)
    state: _Events = msgspec.field(default_factory=_Events)


class _Invite(msgspec.Struct):
    invite_state: _Events = msgspec.field(default_factory=_Events)


class _Rooms(msgspec.Struct):
    join: dict[str, _Room] = {}
    leave: dict[str, _Room] = {}
    invite: dict[str, _Invite] = {}


class _Sync(msgspec.Struct):
    next_batch: str
    rooms: _Rooms = msgspec.field(default_factory=_Rooms)
    to_device: _Events = msgspec.field(default_factory=_Events)
    device_lists: msgspec.Raw = _NOTHING
    device_one_time_keys_count: msgspec.Raw = _NOTHING
    device_unused_fallback_key_types: msgspec.Raw = _NOTHING


class _Page(msgspec.Struct):
    chunk: list[msgspec.Raw]
    start: str | None = None
    end: str | None = None
    state: list[msgspec.Raw] = []


class _Context(msgspec.Struct):
    event: msgspec.Raw | None = None
    start: str | None = None
    end: str | None = None


_SYNC = msgspec.json.Decoder(_Sync)
_PAGE = msgspec.json.Decoder(_Page)
_CONTEXT = msgspec.json.Decoder(_Context)
_STATE = msgspec.json.Decoder(list[msgspec.Raw])


def split_sync(body: bytes) -> SyncEnvelope:
    """The rooms and the next token of a sync response.

    Raises:
        EnvelopeError: there is no token, or the events cannot be told apart.
    """
    try:
        sync = _SYNC.decode(body)
    except _REFUSALS:
        return _scanned(body, _scan_sync, "sync response")
    return SyncEnvelope(
        next_batch=sync.next_batch,
        joined={room_id: _room(room) for room_id, room in sync.rooms.join.items()},
        left={room_id: _room(room) for room_id, room in sync.rooms.leave.items()},
        invited={
            room_id: tuple(map(bytes, invite.invite_state.events))
            for room_id, invite in sync.rooms.invite.items()
        },
        to_device=tuple(map(bytes, sync.to_device.events)),
        devices=read_news(
            bytes(sync.device_lists),
            bytes(sync.device_one_time_keys_count),
            bytes(sync.device_unused_fallback_key_types),
        ),
    )


def split_messages(body: bytes) -> MessagesPage:
    """The events of a page of history, in the order of the server.

    Raises:
        EnvelopeError: there is no chunk, a token is no text, or events cannot be told apart.
    """
    try:
        page = _PAGE.decode(body)
    except _REFUSALS:
        return _scanned(body, _scan_page, "page of history")
    return MessagesPage(
        chunk=tuple(map(bytes, page.chunk)),
        start=page.start,
        end=page.end,
        state=tuple(map(bytes, page.state)),
    )


def split_state(body: bytes) -> Events:
    """The events of a room's full state.

    Raises:
        EnvelopeError: it is no array, or the events cannot be told apart.
    """
    try:
        return tuple(map(bytes, _STATE.decode(body)))
    except _REFUSALS:
        return _scanned(body, _scan_events, "room state")


def split_context(body: bytes) -> EventContext:
    """An event with the tokens around it; the events around it are not read.

    Raises:
        EnvelopeError: a token is no text, or values cannot be told apart.
    """
    try:
        context = _CONTEXT.decode(body)
    except _REFUSALS:
        return _scanned(body, _scan_context, "event context")
    event = None if context.event is None else bytes(context.event)
    return EventContext(
        event=None if event == b"null" else event, start=context.start, end=context.end
    )


def _room(room: _Room) -> JoinedRoom:
    return JoinedRoom(
        timeline=tuple(map(bytes, room.timeline.events)),
        limited=room.timeline.limited,
        prev_batch=room.timeline.prev_batch,
        state=tuple(map(bytes, room.state.events)),
    )


def _scanned(body: bytes, scan: Callable[[Scanner], Split], what: str) -> Split:
    scanner = Scanner(body)
    try:
        found = scan(scanner)
        scanner.finish()
    except ScanError as error:
        raise EnvelopeError(f"The {what} cannot be split: {error}.", body=body) from None
    return found


def _scan_sync(scanner: Scanner) -> SyncEnvelope:
    next_batch: str | None = None
    rooms = SyncEnvelope(next_batch="")
    to_device = Events()
    news = dict.fromkeys(TOLD_OF_DEVICES, NOTHING)
    for key in scanner.members():
        if key == "next_batch":
            next_batch = scanner.text()
        elif key == "rooms":
            rooms = _scan_rooms(scanner)
        elif key == "to_device":
            to_device = _scan_list(scanner)
        elif key in news:
            news[key] = scanner.value()
    if next_batch is None:
        raise ScanError("it has no next_batch")
    devices = read_news(*news.values())
    return replace(rooms, next_batch=next_batch, to_device=to_device, devices=devices)


def _scan_rooms(scanner: Scanner) -> SyncEnvelope:
    joined: dict[str, JoinedRoom] = {}
    left: dict[str, JoinedRoom] = {}
    invited: dict[str, Events] = {}
    for membership in scanner.members():
        if membership == "join":
            joined = {room_id: _scan_room(scanner) for room_id in scanner.members()}
        elif membership == "leave":
            left = {room_id: _scan_room(scanner) for room_id in scanner.members()}
        elif membership == "invite":
            invited = {room_id: _scan_invite(scanner) for room_id in scanner.members()}
    return SyncEnvelope(next_batch="", joined=joined, left=left, invited=invited)


def _scan_room(scanner: Scanner) -> JoinedRoom:
    timeline, state = JoinedRoom(), Events()
    for key in scanner.members():
        if key == "timeline":
            timeline = _scan_timeline(scanner)
        elif key == "state":
            state = _scan_list(scanner)
    return JoinedRoom(
        timeline=timeline.timeline,
        limited=timeline.limited,
        prev_batch=timeline.prev_batch,
        state=state,
    )


def _scan_timeline(scanner: Scanner) -> JoinedRoom:
    events, limited, prev_batch = Events(), False, None
    for key in scanner.members():
        if key == "events":
            events = _scan_events(scanner)
        elif key == "limited":
            # Anything but a plain "no" makes the connector ask for what may be missing.
            limited = scanner.value() not in {b"false", b"null"}
        elif key == "prev_batch":
            prev_batch = scanner.text()
    return JoinedRoom(timeline=events, limited=limited, prev_batch=prev_batch)


def _scan_invite(scanner: Scanner) -> Events:
    events = Events()
    for key in scanner.members():
        if key == "invite_state":
            events = _scan_list(scanner)
    return events


def _scan_list(scanner: Scanner) -> Events:
    events = Events()
    for key in scanner.members():
        if key == "events":
            events = _scan_events(scanner)
    return events


def _scan_events(scanner: Scanner) -> Events:
    return tuple(scanner.elements())


def _scan_page(scanner: Scanner) -> MessagesPage:
    chunk: Events | None = None
    start, end, state = None, None, Events()
    for key in scanner.members():
        if key == "chunk":
            chunk = _scan_events(scanner)
        elif key == "state":
            state = _scan_events(scanner)
        elif key == "start":
            start = _scan_token(scanner)
        elif key == "end":
            end = _scan_token(scanner)
    if chunk is None:
        raise ScanError("it has no chunk")
    return MessagesPage(chunk=chunk, start=start, end=end, state=state)


def _scan_context(scanner: Scanner) -> EventContext:
    event, start, end = None, None, None
    for key in scanner.members():
        if key == "event":
            value = scanner.value()
            event = None if value == b"null" else value
        elif key == "start":
            start = _scan_token(scanner)
        elif key == "end":
            end = _scan_token(scanner)
    return EventContext(event=event, start=start, end=end)


def _scan_token(scanner: Scanner) -> str | None:
    # A token that cannot be read must not pass for "there is no more".
    start = scanner.pos
    token = scanner.text()
    if token is None and scanner.data[start : scanner.pos].strip() != b"null":
        raise ScanError("a token is no text")
    return token
