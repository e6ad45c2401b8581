"""What one account is given of the rooms: sync responses, pages of history, states."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from bridge.canonical.json import Json
from tests.fakes.homeserver.rooms import RefusedError, Room, Stored, World

ERASED = "FI.MAU.MSC2815_UNREDACTED_CONTENT_DELETED"
MOST = 100
"""Events of a timeline or a page at most, whatever a client asks for."""


class _Timeline(msgspec.Struct):
    limit: int = 10


class _RoomFilter(msgspec.Struct):
    rooms: list[str] | None = None
    not_rooms: list[str] = []
    timeline: _Timeline = msgspec.field(default_factory=_Timeline)
    include_leave: bool = False


class Filter(msgspec.Struct):
    """The part of a sync filter that the fake heeds."""

    room: _RoomFilter = msgspec.field(default_factory=_RoomFilter)

    def has(self, room_id: str) -> bool:
        """Whether a room is asked for."""
        wanted = self.room.rooms is None or room_id in self.room.rooms
        return wanted and room_id not in self.room.not_rooms


@dataclass(slots=True, kw_only=True)
class Oddities:
    """What the server may do that servers do now and then."""

    omit_prev_batch: bool = False
    reverse_timelines: bool = False
    replay: int = 0
    """So many positions are delivered again, whatever ``since`` says."""

    twice: bool = False
    """Each event stands twice in its timeline or page."""

    reverse_pages: bool = False
    overlap: int = 0
    """Pages begin so many positions too early."""

    page: int = MOST
    """Events of a page at most."""

    circles: bool = False
    """Pages of the past lead back to the latest."""


def token(position: int) -> str:
    """A stream token."""
    return f"s{position}"


def position_of(text: str, world: World) -> int:
    """The position a token names.

    Raises:
        RefusedError: it is none of ours, or lies ahead.
    """
    digits = text.removeprefix("s")
    if not digits.isdecimal() or int(digits) > world.position:
        raise RefusedError(400, "M_INVALID_PARAM")
    return int(digits)


class Deliveries:
    """The rooms as ``user_id`` sees them. ``erased``: the originals are gone for good."""

    def __init__(self, world: World, user_id: str) -> None:
        self._world = world
        self._user_id = user_id
        self.oddities = Oddities()
        self.erased: set[str] = set()

    def sync(
        self, since: int | None, wanted: Filter, *, counts: Mapping[str, Json]
    ) -> tuple[bytes, bool]:
        """A response, and whether it tells of anything; ``counts`` stand in it as they are."""
        now = self._world.position
        whispers = [each for each in self._world.to_device if each.position > (since or 0)]
        if since is not None:
            since = max(since - self.oddities.replay, 0)
        sections: dict[str, dict[str, bytes]] = {"join": {}, "invite": {}, "leave": {}}
        limit = min(wanted.room.timeline.limit, MOST)
        for room in self._world.rooms.values():
            if wanted.has(room.room_id):
                for name, body in self._sections(room, since, limit).items():
                    sections[name][room.room_id] = body
        rooms = {name: _table(rooms) for name, rooms in sections.items() if rooms}
        whole = {"next_batch": _text(token(now)), "rooms": _table(rooms)}
        whole |= {key: json.dumps(value).encode() for key, value in counts.items()}
        if whispers:
            whole["to_device"] = _table({"events": _list(whispers)})
        return _table(whole), bool(rooms or whispers)

    def messages(self, room_id: str, after: int, until: int, limit: int) -> bytes:
        """A page of history, forwards."""
        room = self._room(room_id)
        moves = room.moves(self._user_id)
        if room.membership(self._user_id) != "join":
            until = min(until, moves[-1].position)
        chunk = room.between(after, until)[: min(limit, self.oddities.page)]
        early = room.between(after - self.oddities.overlap, after) if chunk else []
        shown = [*early, *chunk]
        shown = shown[::-1] if self.oddities.reverse_pages else shown
        page = {"chunk": self._events(shown), "start": _text(token(after))}
        if chunk:
            page["end"] = _text(token(chunk[-1].position))
        return _table(page)

    def past(self, room_id: str, until: int | None, limit: int) -> bytes:
        """A page of history, backwards from a position or from the end."""
        room = self._room(room_id)
        last = room.last
        if room.membership(self._user_id) != "join":
            last = room.moves(self._user_id)[-1].position
        until = last if until is None else min(until, last)
        chunk = room.between(0, until)[-min(limit, MOST) :][::-1]
        page = {"chunk": _list(chunk), "start": _text(token(until))}
        if chunk and chunk[-1] is not room.events[0]:
            after = last if self.oddities.circles else chunk[-1].position - 1
            page["end"] = _text(token(after))
        return _table(page)

    def event(self, room_id: str, event_id: str, *, unredacted: bool) -> bytes:
        """One event; with ``unredacted`` as it was before, where our power lets us see that."""
        room = self._room(room_id)
        if unredacted and room.power(self._user_id) < room.redact_level:
            raise RefusedError(403, "M_FORBIDDEN")
        for event in room.events:
            if event.event_id == event_id:
                if not unredacted or event_id not in room.originals:
                    return event.raw
                if event_id in self.erased:
                    raise RefusedError(404, ERASED)
                return room.originals[event_id]
        raise RefusedError(404, "M_NOT_FOUND")

    def member(self, room_id: str, user_id: str) -> bytes:
        """The membership of a user, as state."""
        return json.dumps(self._room(room_id).content("m.room.member", user_id)).encode()

    def context(self, room_id: str, event_id: str) -> bytes:
        """An event with the tokens before and after it."""
        for event in self._room(room_id).events:
            if event.event_id == event_id:
                return _table(
                    {
                        "event": event.raw,
                        "start": _text(token(event.position - 1)),
                        "end": _text(token(event.position)),
                    }
                )
        raise RefusedError(404, "M_NOT_FOUND")

    def members(self, room_id: str) -> bytes:
        """The latest membership of everybody."""
        room = self._room(room_id)
        found = room.state(room.last).items()
        return _table({"chunk": _list([e for (kind, _), e in found if kind == "m.room.member"])})

    def content(self, room_id: str, kind: str) -> bytes:
        """What a state event says now."""
        room = self._room(room_id)
        if (kind, "") not in room.state(room.last):
            raise RefusedError(404, "M_NOT_FOUND")
        return json.dumps(room.content(kind)).encode()

    def state(self, room_id: str) -> bytes:
        """The full state; of a room we left, as it was then."""
        room = self._room(room_id)
        at = room.last
        if room.membership(self._user_id) != "join":
            at = room.moves(self._user_id)[-1].position
        return _list(list(room.state(at).values()))

    def _events(self, shown: Sequence[Stored]) -> bytes:
        times = 2 if self.oddities.twice else 1
        return _list([event for event in shown for _ in range(times)])

    def _room(self, room_id: str) -> Room:
        room = self._world.rooms.get(room_id)
        joined = room is not None and any(
            move.content["membership"] == "join" for move in room.moves(self._user_id)
        )
        if room is None or not joined:
            raise RefusedError(403, "M_FORBIDDEN")
        return room

    def _sections(self, room: Room, since: int | None, limit: int) -> dict[str, bytes]:
        """As Synapse has it: who was put out and invited again finds both."""
        moves = room.moves(self._user_id)
        recent = [move for move in moves if move.position > (since or 0)]
        membership = room.membership(self._user_id)
        stayed = since is not None and room.membership(self._user_id, since) == "join"
        if membership == "join":
            if stayed and all(move.content["membership"] == "join" for move in recent):
                return self._news(room, since or 0, limit)
            return {"join": self._whole(room, limit, newly=since is not None)}
        sections = {}
        if recent and membership == "invite":
            invited = [e for e in room.state(room.last).values() if _is_stripped(e, self._user_id)]
            sections["invite"] = _table({"invite_state": _table({"events": _list(invited)})})
        ends = [move for move in recent if move.content["membership"] in {"leave", "ban"}]
        if ends and since is not None:
            joined = any(move.content["membership"] == "join" for move in recent)
            seen = room.between(since, ends[-1].position)
            if not stayed and not joined:
                seen = [event for event in seen if event in recent]
            newly = joined and not stayed
            sections["leave"] = self._timeline(seen, limit, state=(), limited=newly)
        return sections

    def _news(self, room: Room, since: int, limit: int) -> dict[str, bytes]:
        events = room.between(since, self._world.position)
        if not events:
            return {}
        shown = events[-limit:]
        before = room.state(since)
        state = [
            event
            for key, event in room.state(shown[0].position - 1).items()
            if before.get(key) is not event
        ]
        return {"join": self._timeline(events, limit, state=state)}

    def _whole(self, room: Room, limit: int, *, newly: bool) -> bytes:
        """A room that the account has just entered, or that is synced for the first time."""
        shown = room.events[-limit:]
        state = list(room.state(shown[0].position - 1).values())
        return self._timeline(room.events, limit, state=state, limited=newly)

    def _timeline(
        self,
        events: Sequence[Stored],
        limit: int,
        *,
        state: Sequence[Stored],
        limited: bool = False,
    ) -> bytes:
        shown = events[-limit:]
        timeline = {
            "events": self._events(shown[::-1] if self.oddities.reverse_timelines else shown),
            "limited": b"true" if limited or len(events) > limit else b"false",
        }
        if not self.oddities.omit_prev_batch:
            timeline["prev_batch"] = _text(token(shown[0].position - 1))
        return _table({"state": _table({"events": _list(state)}), "timeline": _table(timeline)})


def _is_stripped(event: Stored, user_id: str) -> bool:
    key = event.state_key
    return event.kind in {"m.room.name", "m.room.create", "m.room.encryption"} or key == user_id


def _table(members: Mapping[str, bytes]) -> bytes:
    return b"{" + b",".join(_text(key) + b":" + value for key, value in members.items()) + b"}"


def _list(events: Sequence[Stored]) -> bytes:
    return b"[" + b",".join(event.raw for event in events) + b"]"


def _text(text: str) -> bytes:
    return json.dumps(text).encode()
