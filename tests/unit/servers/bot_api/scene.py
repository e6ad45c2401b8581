"""A client without any library, and a room with a recorder in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from tests.servers.bot_api import Bot, BotApi, Chat, HandClock, Person
from tests.servers.bot_api.wire import NOTHING, JsonObject

EVERYTHING = (
    '["message","edited_message","channel_post","edited_channel_post","poll","poll_answer",'
    '"my_chat_member","chat_member","message_reaction","message_reaction_count",'
    '"business_connection","business_message","edited_business_message",'
    '"deleted_business_messages"]'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the server answered."""

    status: int
    raw: bytes
    body: JsonObject

    @property
    def result(self) -> object:
        """``result`` of a success."""
        assert self.body["ok"] is True, self.body
        return self.body["result"]

    @property
    def object(self) -> JsonObject:
        """The same, where it is an object."""
        assert isinstance(self.result, dict)
        return self.result

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and description of a refusal."""
        assert self.body["ok"] is False
        assert self.body["error_code"] == self.status
        return self.status, str(self.body["description"])


@dataclass(slots=True, kw_only=True)
class Scene:
    """A server, its clock, and a supergroup where Anna is the owner and the bot hears all."""

    api: BotApi
    clock: HandClock
    session: aiohttp.ClientSession
    anna: Person
    bot: Bot
    room: Chat

    async def ask(
        self, method: str, given: Mapping[str, object] = NOTHING, bot: Bot | None = None
    ) -> Said:
        """Call a method with JSON."""
        url = f"{self.api.base_url}{(bot or self.bot).token}/{method}"
        async with self.session.post(url, json=dict(given)) as answer:
            raw = await answer.read()
            return Said(status=answer.status, raw=raw, body=json.loads(raw))

    async def updates(
        self, offset: int = 0, *, limit: int = 100, bot: Bot | None = None
    ) -> list[JsonObject]:
        """What waits for a bot from this offset."""
        said = await self.ask("getUpdates", {"offset": offset, "limit": limit}, bot)
        assert isinstance(said.result, list)
        return said.result

    async def news(self, bot: Bot | None = None) -> list[JsonObject]:
        """What waits for a bot, confirmed: the next call gives what comes after."""
        found = await self.updates(bot=bot)
        if found:
            await self.updates(numbers(found)[-1] + 1, bot=bot)
        return found

    async def one(self, kind: str, bot: Bot | None = None) -> JsonObject:
        """The only update that waits, which is of this type."""
        found = await self.news(bot)
        assert [kinds(each) for each in found] == [kind], found
        value = found[0][kind]
        assert isinstance(value, dict)
        return value

    async def poll(self, offset: int = 0, timeout: int = 50) -> asyncio.Task[Said]:
        """A long poll under way."""
        given = {"offset": offset, "timeout": timeout}
        self.bot.updates.poll_began.clear()
        task = asyncio.create_task(self.ask("getUpdates", given))
        await self.bot.updates.poll_began.wait()
        return task


def numbers(updates: Sequence[JsonObject]) -> list[int]:
    """Their identifiers."""
    return [int(str(each["update_id"])) for each in updates]


def kinds(update: JsonObject) -> str:
    """Its type: the one member beside the identifier."""
    (kind,) = [key for key in update if key != "update_id"]
    return kind


def texts(updates: Sequence[JsonObject]) -> list[str]:
    """The texts of messages and posts, as far as they have any."""
    found = [each[kinds(each)] for each in updates]
    return [each["text"] for each in found if isinstance(each, dict) and "text" in each]
