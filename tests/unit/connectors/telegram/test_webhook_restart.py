"""A webhook loses nothing over restarts and bursts."""

from __future__ import annotations

import asyncio

from bridge.demo.ports import free_ports
from connectors.telegram.bot_api import BotApi, Endpoint
from connectors.telegram.webhook import Webhook
from tests.servers.bot_api import Bot, Chat, Person, bot_api
from tests.unit.connectors.telegram.posting import (
    SECRET,
    a_webhook,
    ids_of,
    waiting,
)


class _Journal:
    """What is durable, by update id, in the order in which it came."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.mark = ""

    async def take(self, webhook: Webhook) -> None:
        """One round as the recorder does it: confirm what is durable, and only then take."""
        webhook.confirm(self.mark)
        posted = await webhook.posted(seconds=60)
        known = {*self.ids}
        self.ids += [n for n in ids_of(posted) if n is not None and n not in known]
        self.mark = posted.mark


async def _until_confirmed(bot: Bot, webhook: Webhook, journal: _Journal) -> None:
    """Take until the platform has nothing left."""

    async def forever() -> None:
        while True:
            await journal.take(webhook)

    taking = asyncio.create_task(forever())
    await bot.updates.confirmed()
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)


def _say(anna: Person, room: Chat, count: int) -> None:
    for number in range(count):
        anna.say(room, f"Message {number}")


async def test_nothing_is_lost_over_a_restart() -> None:
    """What an ended process had not confirmed the platform brings to the next one."""
    (port,) = free_ports(1)
    async with bot_api() as server:
        anna, bot = server.person("Anna"), server.bot("Recorder", "recorder_bot", privacy=False)
        room = server.supergroup("Incident room", anna)
        api = BotApi(Endpoint(api_base=server.url), token=bot.token)
        anna.add(room, bot)
        journal, first = _Journal(), a_webhook(port=port)
        await first.start()
        await api.call("setWebhook", **first.parameters)
        await journal.take(first)  # durable, and the process ends before it is confirmed
        _say(anna, room, 5)
        await waiting(first, 6)  # handed out, and never durable
        await first.aclose()
        _say(anna, room, 5)
        second = a_webhook(port=port, boot="b2")
        await second.start()
        await _until_confirmed(bot, second, journal)
        assert len(journal.ids) == 12
        assert sorted(journal.ids) == [bot.updates.next_id - 12 + n for n in range(12)]
        assert bot.webhook is not None
        assert bot.webhook.secret_token == SECRET
        await second.aclose()
        await api.aclose()


async def test_a_burst_through_a_small_queue_loses_nothing() -> None:
    """With far more at once than may wait, all of it comes in the end."""
    (port,) = free_ports(1)
    async with bot_api() as server:
        anna, bot = server.person("Anna"), server.bot("Recorder", "recorder_bot", privacy=False)
        room = server.supergroup("Incident room", anna)
        api = BotApi(Endpoint(api_base=server.url), token=bot.token)
        anna.add(room, bot)
        webhook, journal = a_webhook(port=port, most=3), _Journal()
        await webhook.start()
        _say(anna, room, 60)
        await api.call("setWebhook", **webhook.parameters, max_connections=20)
        await _until_confirmed(bot, webhook, journal)
        assert len(journal.ids) == 62
        await webhook.aclose()
        await api.aclose()
