"""The other side of a connector: officials and their server, fake or real, in the same words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import pytest

from bridge.canonical.json import Json
from bridge.demo.homeserver import Account, Homeserver
from bridge.demo.official import File, Official
from bridge.demo.wire import CLIENT, Wire
from bridge.model import Attachment
from bridge.protocols import Clock, Connector
from tests.fakes.homeserver import CLERK, PASSWORD, RECORDER, SERVER, FakeHomeserver, Reply
from tests.fakes.intake import Sign, matrix_connector

Content = Mapping[str, Json]


class Ability(StrEnum):
    """What a platform may lack. The value says what is then not asked of its connector."""

    INVITATIONS = "the recorder is asked in, and comes in by itself"
    HISTORY = "what was said can be read again"
    ENCRYPTION = "groups are encrypted"
    ROSTER = "every member is told of"
    SUCCESSION = "a group that moves on is another one"
    STATE = "a group has any state that is set, and keeps the order of its pins"
    NAMES = "the recorder's account can be given another name"
    FILES = "messages carry files"
    ADDRESSES = "files have addresses that can be written down"
    TIMERS = "messages disappear after a while"


MATRIX = frozenset(Ability)


class Side(Protocol):
    """An official who owns rooms, on a server that has an account for the recorder.

    ``abilities``: what the platform has. ``left`` and ``banned``: how its connector words that the
    recorder was put out, or put out for good, as ``came`` that it came in; ``forbidden`` what its
    refusals say, and ``not_asked`` the code where it was not asked in.
    """

    sign: Sign
    abilities: frozenset[Ability]
    own_id: str
    came: str
    left: str
    banned: str
    forbidden: str
    not_asked: str

    def connector(self, clock: Clock) -> Connector:
        """The recorder, not signed in yet."""

    def id_in(self, raw: bytes) -> str:
        """What the bytes of an event say that it is called."""

    def near(self, room: str) -> tuple[str, ...]:
        """Ids that are almost that of a room."""

    async def polled(self) -> None:
        """Return when the recorder waits for news, as far as that can be told."""

    async def timed(self, name: str, seconds: int) -> str:
        """A private room in which messages disappear."""

    async def set_timer(self, room: str, seconds: int) -> None:
        """Let messages disappear."""

    async def room(self, name: str, *, state: Mapping[str, Content] | None = None) -> str:
        """A private room of the official's."""

    async def invite(self, room: str) -> None:
        """Ask the recorder in."""

    async def ask_in(self, room: str, user_id: str) -> None:
        """Invite somebody else."""

    async def rename(self, room: str, name: str) -> None:
        """Give the recorder's account another name."""

    async def kick(self, room: str) -> None:
        """Put the recorder out."""

    async def ban(self, room: str) -> None:
        """Put the recorder out for good."""

    async def empower(self, room: str) -> None:
        """Let the recorder pin."""

    async def say(self, room: str, body: str) -> str:
        """Say something."""

    async def send(self, room: str, kind: str, content: Content) -> str:
        """Send any event."""

    async def set(self, room: str, kind: str, content: Content) -> str:
        """Set state."""

    async def redact(self, room: str, event_id: str) -> str:
        """Take something back."""

    async def pinned(self, room: str) -> list[str]:
        """What is pinned."""

    async def upgrade(self, room: str) -> str:
        """Move on to another room."""

    async def offer(self, data: bytes) -> Attachment:
        """A file on the server."""

    def raw(self, room: str, event_id: str) -> bytes | None:
        """The exact bytes of an event, where the server can be asked for them."""


class MatrixSide:
    """What both homeservers have in common."""

    abilities = MATRIX
    came, left, banned = "join", "leave", "ban"
    forbidden = not_asked = "M_FORBIDDEN"

    def __init__(self, sign: Sign) -> None:
        self.sign = sign
        self.own_id = sign.user_id

    def connector(self, clock: Clock) -> Connector:
        """The recorder, not signed in yet."""
        return matrix_connector(self.sign, clock)

    def id_in(self, raw: bytes) -> str:
        """What the bytes of an event say that it is called."""
        return str(json.loads(raw)["event_id"])

    def near(self, room: str) -> tuple[str, ...]:
        """Ids that are almost that of a room."""
        return room[:-1], room.upper(), f"{room}x"


class FakeSide(MatrixSide):
    """See :class:`Side`."""

    def __init__(self, server: FakeHomeserver, sign: Sign) -> None:
        super().__init__(sign)
        self.server = server
        self._world = server.world

    async def polled(self) -> None:
        """Return when the recorder waits for news."""
        await self.server.polling.wait()

    async def timed(self, name: str, seconds: int) -> str:
        """A private room in which messages disappear."""
        return await self.room(name, state={"m.room.retention": _retention(seconds)})

    async def set_timer(self, room: str, seconds: int) -> None:
        """Let messages disappear."""
        await self.set(room, "m.room.retention", _retention(seconds))

    async def room(self, name: str, *, state: Mapping[str, Content] | None = None) -> str:
        """A private room of the official's."""
        return self._world.room(name, state=state)

    async def invite(self, room: str) -> None:
        """Ask the recorder in."""
        self._world.member(room, RECORDER, "invite", sender=CLERK)

    async def ask_in(self, room: str, user_id: str) -> None:
        """Invite somebody else."""
        self._world.member(room, user_id, "invite", sender=CLERK)

    async def rename(self, room: str, name: str) -> None:
        """Give the recorder's account another name."""
        content: Content = {"membership": "join", "displayname": name}
        self._world.send(room, "m.room.member", content, key=RECORDER, sender=RECORDER)

    async def kick(self, room: str) -> None:
        """Put the recorder out."""
        self._world.member(room, RECORDER, "leave", sender=CLERK)

    async def ban(self, room: str) -> None:
        """Put the recorder out for good."""
        self._world.member(room, RECORDER, "ban", sender=CLERK)

    async def empower(self, room: str) -> None:
        """Let the recorder pin."""
        levels: Content = {"users": {CLERK: 100, RECORDER: 50}}
        self._world.send(room, "m.room.power_levels", levels, key="")

    async def say(self, room: str, body: str) -> str:
        """Say something."""
        return self._world.say(room, body)

    async def send(self, room: str, kind: str, content: Content) -> str:
        """Send any event."""
        return self._world.send(room, kind, content)

    async def set(self, room: str, kind: str, content: Content) -> str:
        """Set state."""
        return self._world.send(room, kind, content, key="")

    async def redact(self, room: str, event_id: str) -> str:
        """Take something back."""
        return self._world.redact(room, event_id)

    async def pinned(self, room: str) -> list[str]:
        """What is pinned."""
        return _pinned(self._world.rooms[room].content("m.room.pinned_events"))

    async def upgrade(self, room: str) -> str:
        """Move on to another room."""
        successor = self._world.room("Successor")
        await self.set(room, "m.room.tombstone", {"replacement_room": successor, "body": "moved"})
        return successor

    async def offer(self, data: bytes) -> Attachment:
        """A file on the server."""
        name = f"file{len(self._world.files)}"
        self._world.files[name] = data
        return Attachment(url=f"mxc://{SERVER}/{name}")

    def raw(self, room: str, event_id: str) -> bytes | None:
        """The exact bytes of an event."""
        events = self._world.rooms[room].events
        return next(event.raw for event in events if event.event_id == event_id)

    def moved_away(self, attachment: Attachment, target: str) -> None:
        """From now on the file is said to lie elsewhere."""
        media = attachment.url.rpartition("/")[2]
        reply = Reply(status=307, headers={"Location": target})
        self.server.answer(f"/{SERVER}/{media}", reply, times=None)


class SynapseSide(MatrixSide):
    """See :class:`Side`."""

    def __init__(self, official: Official, recorder: Account, sign: Sign) -> None:
        super().__init__(sign)
        self._recorder = recorder
        self._official = official

    async def polled(self) -> None:
        """Synapse does not say."""

    async def timed(self, name: str, seconds: int) -> str:
        """A private room in which messages disappear."""
        return await self.room(name, state={"m.room.retention": _retention(seconds)})

    async def set_timer(self, room: str, seconds: int) -> None:
        """Let messages disappear."""
        await self.set(room, "m.room.retention", _retention(seconds))

    async def room(self, name: str, *, state: Mapping[str, Content] | None = None) -> str:
        """A private room of the official's."""
        return await self._official.create_room(name, state=list((state or {}).items()))

    async def invite(self, room: str) -> None:
        """Ask the recorder in."""
        await self._official.invite(room, self.sign.user_id)

    async def ask_in(self, room: str, user_id: str) -> None:
        """Invite somebody else."""
        await self._official.invite(room, user_id)

    async def rename(self, room: str, name: str) -> None:
        """Give the recorder's account another name."""
        wire = Wire(homeserver=self.sign.homeserver, token=self._recorder.access_token)
        await wire.open()
        path = f"{CLIENT}/profile/{self.sign.user_id}/displayname"
        await wire.fetch("PUT", path, data=json.dumps({"displayname": name}).encode())
        await wire.close()

    async def kick(self, room: str) -> None:
        """Put the recorder out."""
        await self._official.kick(room, self.sign.user_id)

    async def ban(self, room: str) -> None:
        """Put the recorder out for good."""
        await self._official.ban(room, self.sign.user_id)

    async def empower(self, room: str) -> None:
        """Let the recorder pin."""
        await self._official.power(room, self.sign.user_id, 50)

    async def say(self, room: str, body: str) -> str:
        """Say something."""
        return await self._official.text(room, body)

    async def send(self, room: str, kind: str, content: Content) -> str:
        """Send any event."""
        return await self._official.send_raw(room, kind, content)

    async def set(self, room: str, kind: str, content: Content) -> str:
        """Set state."""
        return await self._official.set_state(room, kind, content)

    async def redact(self, room: str, event_id: str) -> str:
        """Take something back."""
        return await self._official.redact(room, event_id)

    async def pinned(self, room: str) -> list[str]:
        """What is pinned."""
        return _pinned(await self._official.get_state(room, "m.room.pinned_events"))

    async def upgrade(self, room: str) -> str:
        """Move on to another room."""
        return await self._official.upgrade(room, "11")

    async def offer(self, data: bytes) -> Attachment:
        """A file on the server."""
        return Attachment(url=await self._official.upload(File(name="a.bin", data=data)))

    def raw(self, room: str, event_id: str) -> bytes | None:
        """Synapse writes an event anew for each answer."""
        return None


@asynccontextmanager
async def fake_side(folder: Path) -> AsyncIterator[FakeSide]:
    """The fake homeserver and its clerk."""
    async with FakeHomeserver() as server:
        sign = Sign(homeserver=server.url, user_id=RECORDER, folder=folder, password=PASSWORD)
        yield FakeSide(server, sign)


@asynccontextmanager
async def synapse_side(
    homeserver: Homeserver, folder: Path, unique: str
) -> AsyncIterator[SynapseSide]:
    """Two new accounts on the real homeserver."""
    recorder = await homeserver.register(f"recorder-{unique}", PASSWORD, "Recorder")
    clerk = await homeserver.register(f"clerk-{unique}", PASSWORD, "Clerk")
    async with Official(homeserver=homeserver.url, account=clerk) as official:
        sign = Sign(
            homeserver=homeserver.url, user_id=recorder.user_id, folder=folder, password=PASSWORD
        )
        yield SynapseSide(official, recorder, sign)


def needs(side: Side, *abilities: Ability) -> None:
    """Ask nothing of a platform that it cannot do."""
    for ability in abilities:
        if ability not in side.abilities:
            pytest.skip(f"not so on this platform: {ability.value}")


def _retention(seconds: int) -> Content:
    return {"max_lifetime": seconds * 1000}


def _pinned(content: Content) -> list[str]:
    pinned = content.get("pinned")
    assert isinstance(pinned, list)
    return [str(event_id) for event_id in pinned]


def _conforms(fake: FakeSide, real: SynapseSide) -> tuple[Side, Side]:
    return fake, real
