"""The other side of a connector: officials and their server, fake or real, in the same words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from bridge.canonical.json import Json
from bridge.demo.homeserver import Account, Homeserver
from bridge.demo.official import File, Official
from bridge.demo.wire import CLIENT, Wire
from bridge.model import Attachment
from tests.fakes.homeserver import CLERK, PASSWORD, RECORDER, SERVER, FakeHomeserver, Reply
from tests.fakes.intake import Sign

Content = Mapping[str, Json]


class Side(Protocol):
    """An official who owns rooms, on a server that has an account for the recorder."""

    sign: Sign

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


class FakeSide:
    """See :class:`Side`."""

    def __init__(self, server: FakeHomeserver, sign: Sign) -> None:
        self.server = server
        self.sign = sign
        self._world = server.world

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


class SynapseSide:
    """See :class:`Side`."""

    def __init__(self, official: Official, recorder: Account, sign: Sign) -> None:
        self.sign = sign
        self._recorder = recorder
        self._official = official

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


def _pinned(content: Content) -> list[str]:
    pinned = content.get("pinned")
    assert isinstance(pinned, list)
    return [str(event_id) for event_id in pinned]


def _conforms(fake: FakeSide, real: SynapseSide) -> tuple[Side, Side]:
    return fake, real
