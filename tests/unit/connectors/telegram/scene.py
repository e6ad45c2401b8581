"""An official, a group and the recorder's bot on a Bot API server, and what came of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bridge.model import Event, EventKind
from connectors.telegram.place import Place, read_place
from tests.fakes.clock import START, FakeClock
from tests.fakes.intake import Intake, telegram_connector
from tests.servers.bot_api import Bot, BotApi, Chat, Fault, FaultKind, HandClock, Person, bot_api

HOUR = 3600.0
DAY = 24 * HOUR


class Office:
    """Everything of one scene. ``clock`` is the recorder's, ``time`` the server's."""

    def __init__(self, api: BotApi, time: HandClock, bot: Bot, hours: float) -> None:
        self.api = api
        self.time = time
        self.bot = bot
        self.clock = FakeClock()
        self.clerk: Person = api.person("Clerk")
        self.intake = Intake(
            lambda: telegram_connector(api.url, bot.token, self.clock, approval_timeout_hours=hours)
        )

    def room(self, title: str = "Flood cell") -> Chat:
        """A supergroup with the bot in it."""
        room = self.api.supergroup(title, self.clerk)
        self.clerk.add(room, self.bot)
        return room

    async def recorded(self, title: str = "Flood cell") -> tuple[Chat, str]:
        """A supergroup that is recorded, and its id."""
        room = self.room(title)
        await self.intake.start(str(room.id))
        await self.until_roster(room)
        return room, str(room.id)

    async def until_roster(self, room: Chat) -> None:
        """Take deliveries until the group was begun."""
        await self.intake.until(lambda: bool(self.intake.of(str(room.id), EventKind.ROSTER)))

    async def hears(self, room: Chat, body: str, group: str = "") -> Event:
        """The clerk says something; the event it becomes."""
        group = group or str(room.id)
        name = f"{room.id}:{self.clerk.say(room, body).id}"
        await self.intake.until(lambda: name in self.intake.ids(group))
        return next(event for event in self.intake.of(group) if event.upstream_id == name)

    def advance(self, seconds: float) -> None:
        """Move both clocks."""
        self.clock.advance(seconds)
        self.time.advance(seconds)

    def fault(self, kind: FaultKind, method: str, *, retry_after: int = 1) -> None:
        """Do something wrong once."""
        self.api.faults.set(Fault(kind=kind, method=method, times=1, retry_after=retry_after))

    def asked(self, method: str) -> list[Mapping[str, object]]:
        """The parameters of every such request."""
        return [each.given for each in self.api.asked if each.method == method.lower()]

    @property
    def place(self) -> Place:
        """Where the cursor stands."""
        return read_place(self.intake.cursor)


@asynccontextmanager
async def office(*, privacy: bool = False, hours: float = 24.0) -> AsyncIterator[Office]:
    """One for as long as the block lasts."""
    time = HandClock(START.timestamp())
    async with bot_api(clock=time) as api:
        bot = api.bot("Recorder", "recorder_bot", privacy=privacy)
        found = Office(api, time, bot, hours)
        try:
            yield found
        finally:
            await found.intake.connector.aclose()
