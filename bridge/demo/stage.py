"""The people and their rooms on a homeserver, and how they perform a line."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from types import TracebackType
from typing import Self

from bridge.demo.findings import Said
from bridge.demo.homeserver import Account, Homeserver
from bridge.demo.official import File, Official
from bridge.demo.picture import flooded_bridge
from bridge.demo.recorder import ApprovedGroup
from bridge.demo.script import PEOPLE, ROOMS, Line, Move, Room

_MAY_PIN = 50


class Stage:
    """Officials signed in, rooms made, the recorder invited. ``async with`` sets it up."""

    def __init__(self, homeserver: Homeserver) -> None:
        self._homeserver = homeserver
        self._people: dict[str, Official] = {}
        self._rooms: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        self._clients = contextlib.AsyncExitStack()
        self._recorder: Account | None = None
        self._visitor: Account | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._set_up()
        except BaseException:
            await self._clients.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._clients.aclose()

    @property
    def recorder(self) -> Account:
        """The recorder's account."""
        return _present(self._recorder)

    @property
    def visitor(self) -> Account:
        """An account for whoever watches: invited to every room."""
        return _present(self._visitor)

    @property
    def groups(self) -> tuple[ApprovedGroup, ...]:
        """The rooms as the department approves them."""
        return tuple(ApprovedGroup(id=self._rooms[room.key], name=room.name) for room in ROOMS)

    @property
    def names(self) -> dict[str, str]:
        """Short names by user id: what the screen shows."""
        known = {
            self._people[part.username].user_id: part.display_name.split(" (")[0] for part in PEOPLE
        }
        return known | {self.recorder.user_id: "Recorder", self.visitor.user_id: "You"}

    async def perform(self, line: Line) -> Said:
        """Do what the line says."""
        event_id = await self._perform(self._people[line.who], self._rooms[line.room], line)
        if line.label:
            self._labels[line.label] = event_id
        return Said(line=line, room_id=self._rooms[line.room], event_id=event_id)

    async def _perform(self, person: Official, room: str, line: Line) -> str:
        about = self._labels.get(line.about, "")
        match line.move:
            case Move.SAY:
                return await person.text(room, line.text)
            case Move.REPLY:
                return await person.reply(room, about, line.text)
            case Move.EDIT:
                return await person.edit(room, about, line.text)
            case Move.REACT:
                return await person.react(room, about, line.text)
            case Move.REDACT:
                return await person.redact(room, about, line.text or None)
            case Move.PHOTO:
                picture = await asyncio.to_thread(flooded_bridge)
                return await person.image(
                    room, File(name=line.text, data=picture, type="image/png")
                )
            case Move.POLL:
                return await person.poll(room, line.text, line.answers)
            case Move.VOTE:
                return await person.vote(room, about, line.text)
            case Move.TIMER:
                return await person.retention(room, int(line.text) * 1000)

    async def _set_up(self) -> None:
        self._recorder = await self._register("recorder", "Muniment recorder")
        self._visitor = await self._register("visitor", "You")
        for part in PEOPLE:
            account = await self._register(part.username, part.display_name)
            self._people[part.username] = await self._clients.enter_async_context(
                Official(homeserver=self._homeserver.url, account=account)
            )
        for room in ROOMS:
            self._rooms[room.key] = await self._open(room)

    async def _open(self, room: Room) -> str:
        host = self._people[room.host]
        guests = [self._people[name] for name in room.members if name != room.host]
        room_id = await host.create_room(
            room.name,
            invite=[
                *(guest.user_id for guest in guests),
                self.recorder.user_id,
                self.visitor.user_id,
            ],
            retention_ms=None if room.timer is None else room.timer * 1000,
        )
        for guest in guests:
            await guest.join(room_id)
        await host.power(room_id, self.recorder.user_id, _MAY_PIN)
        return room_id

    async def _register(self, username: str, display_name: str) -> Account:
        return await self._homeserver.register(username, secrets.token_urlsafe(12), display_name)


def _present(account: Account | None) -> Account:
    if account is None:
        raise RuntimeError("the stage is set up by `async with`")
    return account
