"""The rooms of the fake homeserver: one stream of positions, and the exact bytes of each event."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bridge.canonical.json import Json

SERVER = "town.example"
CLERK = f"@clerk:{SERVER}"
RECORDER = f"@recorder:{SERVER}"
BEGAN_MS = 1_772_355_600_000
"""2026-03-01 09:00 UTC; each event is one second later than the one before."""

Content = Mapping[str, Json]


class RefusedError(Exception):
    """The homeserver refuses: an HTTP status and its error code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An event at its place in the stream. ``raw`` is what clients are given, byte for byte."""

    position: int
    raw: bytes
    event_id: str = ""
    kind: str = ""
    sender: str = ""
    state_key: str | None = None
    content: Content = field(default_factory=dict)


class Room:
    """One room: its events in the order of the stream; ``originals`` of those redacted, by id."""

    def __init__(self, room_id: str) -> None:
        self.room_id = room_id
        self.events: list[Stored] = []
        self.originals: dict[str, bytes] = {}

    def between(self, after: int, until: int) -> list[Stored]:
        """Events after one position, up to and with another."""
        return [event for event in self.events if after < event.position <= until]

    def state(self, at: int) -> dict[tuple[str, str], Stored]:
        """The latest event of each kind and key, at a position."""
        return {
            (event.kind, event.state_key): event
            for event in self.events
            if event.state_key is not None and event.position <= at
        }

    def content(self, kind: str, key: str = "") -> Content:
        """What a state event says now."""
        found = self.state(self.last).get((kind, key))
        return {} if found is None else found.content

    def moves(self, user_id: str) -> list[Stored]:
        """The membership events of a user."""
        wanted = ("m.room.member", user_id)
        return [event for event in self.events if (event.kind, event.state_key) == wanted]

    def membership(self, user_id: str, at: int | None = None) -> str:
        """The membership of a user at a position; ``leave`` before the first."""
        moves = [m for m in self.moves(user_id) if at is None or m.position <= at]
        return str(moves[-1].content["membership"]) if moves else "leave"

    def power(self, user_id: str) -> int:
        """The power of a user."""
        users = self.content("m.room.power_levels").get("users")
        own = users.get(user_id, 0) if isinstance(users, Mapping) else 0
        return own if isinstance(own, int) else 0

    @property
    def redact_level(self) -> int:
        """The power that redactions, and a look at what was redacted, need."""
        level = self.content("m.room.power_levels").get("redact", 50)
        return level if isinstance(level, int) else 50

    @property
    def last(self) -> int:
        """The position of the latest event."""
        return self.events[-1].position if self.events else 0


class World:
    """All rooms of the homeserver, what officials do in them, and the files they sent."""

    def __init__(self) -> None:
        self.position = 0
        self.rooms: dict[str, Room] = {}
        self.files: dict[str, bytes] = {}
        self.to_device: list[Stored] = []
        self._moved = asyncio.Event()

    async def moved(self) -> None:
        """Wait until something happens."""
        await self._moved.wait()

    def room(self, name: str, *, state: Mapping[str, Content] | None = None) -> str:
        """A room of the clerk's, private and with its history shared, as most are."""
        room_id = f"!{name.lower().replace(' ', '-')}-{len(self.rooms)}:{SERVER}"
        self.rooms[room_id] = Room(room_id)
        self.send(room_id, "m.room.create", {"room_version": "11"}, key="")
        self.member(room_id, CLERK, "join", sender=CLERK)
        self.send(room_id, "m.room.power_levels", {"users": {CLERK: 100}}, key="")
        self.send(room_id, "m.room.history_visibility", {"history_visibility": "shared"}, key="")
        self.send(room_id, "m.room.name", {"name": name}, key="")
        for kind, content in (state or {}).items():
            self.send(room_id, kind, content, key="")
        return room_id

    def send(
        self,
        room_id: str,
        kind: str,
        content: Content,
        *,
        key: str | None = None,
        sender: str = CLERK,
        sent_ms: int | None = None,
    ) -> str:
        """Add an event, as Synapse would write it. Returns its id."""
        room = self.rooms[room_id]
        position = self.position + 1
        unsigned: dict[str, Json] = {"age": 7}
        if key is not None and (before := room.state(self.position).get((kind, key))):
            unsigned |= {"replaces_state": before.event_id, "prev_content": before.content}
        event: dict[str, Json] = {
            "content": content,
            "event_id": f"$event-{position}",
            "origin_server_ts": BEGAN_MS + 1000 * position if sent_ms is None else sent_ms,
            "sender": sender,
            "type": kind,
            "unsigned": unsigned,
        }
        if key is not None:
            event["state_key"] = key
        stored = Stored(
            position=position,
            raw=json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode(),
            event_id=f"$event-{position}",
            kind=kind,
            sender=sender,
            state_key=key,
            content=content,
        )
        self._add(room, stored)
        return stored.event_id

    def say(self, room_id: str, body: str, *, sent_ms: int | None = None) -> str:
        """A message of the clerk's."""
        content = {"msgtype": "m.text", "body": body}
        return self.send(room_id, "m.room.message", content, sent_ms=sent_ms)

    def redact(self, room_id: str, event_id: str, *, sender: str = CLERK) -> str:
        """Take an event back: from now on clients are given it without its content."""
        room = self.rooms[room_id]
        redaction = self.send(room_id, "m.room.redaction", {"redacts": event_id}, sender=sender)
        because: Json = {"event_id": redaction, "type": "m.room.redaction", "sender": sender}
        for at, found in enumerate(room.events):
            if found.event_id == event_id:
                room.originals[event_id] = found.raw
                pruned: dict[str, Json] = json.loads(found.raw)
                pruned |= {"content": {}, "unsigned": {"age": 9, "redacted_because": because}}
                raw = json.dumps(pruned, separators=(",", ":"), ensure_ascii=False).encode()
                room.events[at] = replace(found, raw=raw, content={})
        return redaction

    def put_raw(self, room_id: str, raw: bytes, *, state: tuple[str, str] | None = None) -> None:
        """Add an event that no JSON library need be able to write, as ``state`` or not."""
        kind, key = state or ("", None)
        stored = Stored(position=self.position + 1, raw=raw, kind=kind, state_key=key)
        self._add(self.rooms[room_id], stored)

    def repeat(self, room_id: str, event_id: str) -> None:
        """Give an event a second place in the stream: the same bytes, the same id."""
        (found,) = {e.raw for e in self.rooms[room_id].events if e.event_id == event_id}
        self.put_raw(room_id, found)

    def member(self, room_id: str, user_id: str, membership: str, *, sender: str) -> str:
        """Change a membership."""
        content: dict[str, Json] = {"membership": membership}
        if membership in {"join", "invite"}:
            content["displayname"] = user_id[1:].partition(":")[0].title()
        return self.send(room_id, "m.room.member", content, key=user_id, sender=sender)

    def join(self, room_id: str, user_id: str) -> None:
        """Accept an invitation.

        Raises:
            RefusedError: there is none.
        """
        room = self.rooms.get(room_id)
        if room is None or room.membership(user_id) not in {"invite", "join"}:
            raise RefusedError(403, "M_FORBIDDEN")
        if room.membership(user_id) == "invite":
            self.member(room_id, user_id, "join", sender=user_id)

    def whisper(self, raw: bytes) -> None:
        """A message to the recorder's device alone; it is forgotten once a sync begins after it."""
        self.to_device.append(Stored(position=self.position + 1, raw=raw))
        self._move(self.position + 1)

    def forget_whispers(self, until: int) -> None:
        """What a client shows to have, by asking for what follows."""
        self.to_device = [each for each in self.to_device if each.position > until]

    def _add(self, room: Room, event: Stored) -> None:
        room.events.append(event)
        self._move(event.position)

    def _move(self, position: int) -> None:
        self.position = position
        self._moved.set()
        self._moved = asyncio.Event()
