"""The other side of the Telegram connector: an official on the Bot API server for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.model import Attachment
from bridge.protocols import Clock, Connector
from connectors.telegram.media import file_url
from connectors.telegram.update import open_update
from tests.contracts.connector.sides import Ability, Content, Side
from tests.fakes.clock import START
from tests.fakes.intake import Sign, telegram_connector
from tests.servers.bot_api import Bot, BotApi, Chat, HandClock, Upload, bot_api


class TelegramSide:
    """See :class:`Side`. What it cannot do MUST be asked for by an ability it does not have."""

    abilities = frozenset({Ability.FILES, Ability.TIMERS})
    came, left, banned = "member: Recorder", "kicked: Recorder", "kicked: Recorder"
    forbidden = "Bot API"
    not_asked = "not_added"

    def __init__(self, api: BotApi, bot: Bot, folder: Path) -> None:
        self.api = api
        self.bot = bot
        self.own_id = str(bot.id)
        self.sign = Sign(homeserver=api.url, user_id=self.own_id, folder=folder)
        self.clerk = api.person("Clerk")

    def connector(self, clock: Clock) -> Connector:
        """The recorder, not signed in yet."""
        return telegram_connector(self.api.url, self.bot.token, clock)

    def id_in(self, raw: bytes) -> str:
        """What the bytes of an event say that it is called."""
        return open_update(raw).upstream_id

    def near(self, room: str) -> tuple[str, ...]:
        """Ids that are almost that of a room."""
        return room[:-1], room.removeprefix("-"), f"{room}0"

    async def polled(self) -> None:
        """Return when the recorder waits for news."""
        await self.bot.updates.polled()

    async def timed(self, name: str, seconds: int) -> str:
        """A private room in which messages disappear."""
        room = await self.room(name)
        await self.set_timer(room, seconds)
        return room

    async def set_timer(self, room: str, seconds: int) -> None:
        """Let messages disappear."""
        self.clerk.timer(self.chat(room), seconds)

    async def room(self, name: str, *, state: Mapping[str, Content] | None = None) -> str:
        """A supergroup of the official's."""
        assert not state
        return str(self.api.supergroup(name, self.clerk).id)

    async def invite(self, room: str) -> None:
        """Add the recorder: nobody asks a bot."""
        self.clerk.add(self.chat(room), self.bot)

    async def ask_in(self, room: str, user_id: str) -> None:
        """Add somebody else."""
        self.api.person(user_id).join(self.chat(room))

    async def rename(self, room: str, name: str) -> None:
        """BotFather's affair."""
        raise NotImplementedError(Ability.NAMES)

    async def kick(self, room: str) -> None:
        """Put the recorder out."""
        self.clerk.kick(self.chat(room), self.bot)

    async def ban(self, room: str) -> None:
        """The same."""
        self.clerk.kick(self.chat(room), self.bot)

    async def empower(self, room: str) -> None:
        """Let the recorder pin."""
        self.clerk.promote(self.chat(room), self.bot)

    async def say(self, room: str, body: str) -> str:
        """Say something."""
        return f"{room}:{self.clerk.say(self.chat(room), body).id}"

    async def send(self, room: str, kind: str, content: Content) -> str:
        """There are no events of any kind."""
        raise NotImplementedError(Ability.STATE)

    async def set(self, room: str, kind: str, content: Content) -> str:
        """There is no state of any kind."""
        raise NotImplementedError(Ability.STATE)

    async def redact(self, room: str, event_id: str) -> str:
        """Take something back; no bot is told."""
        self.clerk.delete(self.chat(room).posts[int(event_id.rpartition(":")[2])])
        return event_id

    async def pinned(self, room: str) -> list[str]:
        """What was pinned last."""
        pinned = self.chat(room).pinned
        return [] if pinned is None else [f"{room}:{pinned.id}"]

    async def upgrade(self, room: str) -> str:
        """Become a supergroup."""
        return str(self.clerk.migrate(self.chat(room)).id)

    async def offer(self, data: bytes) -> Attachment:
        """A file on the server."""
        stored = self.api.world.files.put(Upload(data=data), "documents")
        file_id = self.api.world.files.id_for(self.bot, stored.key)
        return Attachment(url=file_url(file_id, stored.unique_id))

    def raw(self, room: str, event_id: str) -> bytes | None:
        """The exact bytes of the update, while it is kept."""
        pending = [update.raw for update in self.bot.updates.pending()]
        return next((raw for raw in pending if open_update(raw).upstream_id == event_id), None)

    def chat(self, room: str) -> Chat:
        """The chat behind an id."""
        return self.api.world.chats[int(room)]


@asynccontextmanager
async def telegram_side(folder: Path, *, privacy: bool = False) -> AsyncIterator[TelegramSide]:
    """A Bot API server, its clerk, and a bot for the recorder."""
    async with bot_api(clock=HandClock(START.timestamp())) as api:
        bot = api.bot("Recorder", "recorder_bot", privacy=privacy)
        yield TelegramSide(api, bot, folder)


def _conforms(side: TelegramSide) -> Side:
    return side
