"""A running server with a room."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from tests.servers.bot_api import HandClock, bot_api
from tests.unit.servers.bot_api.scene import EVERYTHING, Scene


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    """Nothing waits for the bot, and it hears all."""
    clock = HandClock()
    async with bot_api(clock=clock) as api, aiohttp.ClientSession() as session:
        anna = api.person("Anna", last_name="Berg", username="anna_berg")
        bot = api.bot("Recorder", "recorder_bot", privacy=False)
        room = api.supergroup("Incident room", anna)
        anna.add(room, bot)
        found = Scene(api=api, clock=clock, session=session, anna=anna, bot=bot, room=room)
        await found.ask("getUpdates", {"allowed_updates": EVERYTHING})
        await found.news()
        yield found
