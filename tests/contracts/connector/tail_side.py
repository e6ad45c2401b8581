"""The other side of the third connector: a clerk who writes lines into files."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bridge.model import Attachment
from bridge.protocols import Clock, Connector
from tests.connectors.tail import Line, TailConnector
from tests.contracts.connector.sides import Ability, Content, Side
from tests.fakes.intake import Sign

OWN_ID, CLERK = "recorder", "Clerk"


class TailSide:
    """See :class:`Side`. What it cannot do MUST be asked for by an ability it does not have."""

    abilities: frozenset[Ability] = frozenset()
    own_id, came = OWN_ID, f"joined: {OWN_ID}"
    left = banned = f"left: {OWN_ID}"
    forbidden, not_asked = "not in that file", "not_in_file"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sign = Sign(homeserver=folder.as_uri(), user_id=OWN_ID, folder=folder)
        self._lines = 0
        self._made: list[TailConnector] = []

    def connector(self, clock: Clock) -> Connector:
        """The recorder, not signed in yet."""
        self._made.append(TailConnector(self.folder, OWN_ID, clock))
        return self._made[-1]

    def id_in(self, raw: bytes) -> str:
        """What the bytes of an event say that it is called."""
        return msgspec.json.decode(raw, type=Line).id

    def near(self, room: str) -> tuple[str, ...]:
        """Ids that are almost that of a room."""
        return room[:-1], room.upper(), f"{room}x"

    async def polled(self) -> None:
        """Return when the recorder waits for news."""
        await self._made[-1].idle.wait()

    async def timed(self, name: str, seconds: int) -> str:
        """Lines stay."""
        raise NotImplementedError(Ability.TIMERS)

    async def set_timer(self, room: str, seconds: int) -> None:
        """Lines stay."""
        raise NotImplementedError(Ability.TIMERS)

    async def room(self, name: str, *, state: Mapping[str, Content] | None = None) -> str:
        """A file."""
        assert not state
        await self._write(name, Line(by=CLERK, join=CLERK))
        return name

    async def invite(self, room: str) -> None:
        """Write the recorder in: nobody asks it."""
        await self._write(room, Line(by=CLERK, join=OWN_ID))

    async def ask_in(self, room: str, user_id: str) -> None:
        """Write somebody else in."""
        await self._write(room, Line(by=CLERK, join=user_id))

    async def rename(self, room: str, name: str) -> None:
        """Names are ids."""
        raise NotImplementedError(Ability.NAMES)

    async def kick(self, room: str) -> None:
        """Put the recorder out."""
        await self._write(room, Line(by=CLERK, kick=OWN_ID))

    async def ban(self, room: str) -> None:
        """The same."""
        await self.kick(room)

    async def empower(self, room: str) -> None:
        """Nothing can be pinned."""
        raise NotImplementedError(Ability.STATE)

    async def say(self, room: str, body: str) -> str:
        """Say something."""
        return await self._write(room, Line(by=CLERK, say=body))

    async def send(self, room: str, kind: str, content: Content) -> str:
        """There are no events of any kind."""
        raise NotImplementedError(Ability.STATE)

    async def set(self, room: str, kind: str, content: Content) -> str:
        """There is no state."""
        raise NotImplementedError(Ability.STATE)

    async def redact(self, room: str, event_id: str) -> str:
        """Nothing is taken back."""
        raise NotImplementedError(Ability.HISTORY)

    async def pinned(self, room: str) -> list[str]:
        """Nothing can be pinned."""
        raise NotImplementedError(Ability.STATE)

    async def upgrade(self, room: str) -> str:
        """A file stays itself."""
        raise NotImplementedError(Ability.SUCCESSION)

    async def offer(self, data: bytes) -> Attachment:
        """Lines carry no files."""
        raise NotImplementedError(Ability.FILES)

    def raw(self, room: str, event_id: str) -> bytes | None:
        """The exact bytes of a line."""
        lines = self._path(room).read_bytes().split(b"\n")[:-1]
        return next(raw for raw in lines if self.id_in(raw) == event_id)

    async def write(self, room: str, data: bytes) -> None:
        """Write what need not be a line."""

        def append() -> None:
            with self._path(room).open("ab") as file:
                file.write(data)

        await asyncio.to_thread(append)

    async def _write(self, room: str, line: Line) -> str:
        self._lines += 1
        named = msgspec.structs.replace(line, id=str(self._lines))
        await self.write(room, msgspec.json.encode(named) + b"\n")
        return named.id

    def _path(self, room: str) -> Path:
        return self.folder / f"{room}.log"


async def tail_side(folder: Path) -> TailSide:
    """A folder and its clerk."""
    return TailSide(folder)


def _conforms(side: TailSide) -> Side:
    return side
