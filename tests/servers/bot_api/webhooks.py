"""Updates are brought to where a bot wants them.

Documentation: ``setWebhook`` ("we will send an HTTPS POST request to the specified URL,
containing a JSON-serialized Update. In case of an unsuccessful request (a request with response
HTTP status code different from 2XY), we will repeat the request"; the header
``X-Telegram-Bot-Api-Secret-Token``; ``max_connections``), ``Update.update_id`` (they may come out
of order), ``WebhookInfo`` (the last error). It is repeated until the update is 24 hours old.

A method in the body of the bot's answer is not carried out.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import aiohttp

from tests.servers.bot_api.accounts import Bot, Webhook
from tests.servers.bot_api.clock import Clock
from tests.servers.bot_api.updates import Update

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"


class Carrier:
    """Brings the updates of all bots that have a webhook. An update repeated may be overtaken."""

    def __init__(self, clock: Clock, *, retry_after: float, answer_within: float) -> None:
        self._clock = clock
        self._retry_after = retry_after
        self._timeout = aiohttp.ClientTimeout(total=answer_within)
        self._rounds: dict[int, asyncio.Task[None]] = {}

    def changed(self, bot: Bot) -> None:
        """Begin, end, or begin anew, by what the bot's webhook is now."""
        running = self._rounds.pop(bot.id, None)
        if running is not None:
            running.cancel()
        if bot.webhook is not None:
            round_ = _Round(self._clock, bot, bot.webhook, self._retry_after)
            self._rounds[bot.id] = asyncio.create_task(round_.run(self._timeout))

    async def stop(self) -> None:
        """End all; what was not taken is kept."""
        rounds = list(self._rounds.values())
        self._rounds.clear()
        for round_ in rounds:
            round_.cancel()
        await asyncio.gather(*rounds, return_exceptions=True)


class _Round:
    """The deliveries of one bot to one webhook."""

    def __init__(self, clock: Clock, bot: Bot, hook: Webhook, retry_after: float) -> None:
        self._clock = clock
        self._bot = bot
        self._hook = hook
        self._retry_after = retry_after
        self._places = asyncio.Semaphore(hook.max_connections)
        self._taken: set[int] = set()

    async def run(self, timeout: aiohttp.ClientTimeout) -> None:
        """Bring what is pending and what comes, until cancelled."""
        updates = self._bot.updates
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            asyncio.TaskGroup() as under_way,
        ):
            while True:
                for update in updates.pending():
                    if update.id not in self._taken:
                        await self._places.acquire()
                        self._taken.add(update.id)
                        under_way.create_task(self._bring(session, update))
                await updates.news()

    async def _bring(self, session: aiohttp.ClientSession, update: Update) -> None:
        try:
            error = await self._post(session, update)
        finally:
            self._places.release()
        if error is None:
            self._bot.updates.delivered(update)
            return
        self._bot.webhook_error = (int(self._clock.now()), error)
        await asyncio.sleep(self._retry_after)
        self._taken.discard(update.id)
        self._bot.updates.nudge()

    async def _post(self, session: aiohttp.ClientSession, update: Update) -> str | None:
        headers = {"Content-Type": "application/json"}
        if self._hook.secret_token:
            headers[SECRET_HEADER] = self._hook.secret_token
        try:
            async with session.post(self._hook.url, data=update.raw, headers=headers) as answer:
                await answer.read()
                if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
                    return None
                return f"Wrong response from the webhook: {answer.status} {answer.reason}"
        except TimeoutError:
            return "Read timeout expired"
        except aiohttp.ClientConnectorError:
            return "Connection refused"
        except aiohttp.ClientError:
            return "Connection closed"
