"""Posting to a group, and pinning there where the bot may.

The Bot API has no key for a request: posted twice it stands there twice. So the answer to a key is
kept for as long as this process lives, and a request that its caller gave up goes on, so that
asking again under its key waits for its answer. Two cases are left in which a message may be
posted twice: no answer came though the Bot API had carried it out, and the process died between
the answer and the journal's writing it down. A bot is not given its own messages, so that neither
can be found out afterwards.
"""

from __future__ import annotations

import asyncio

from bridge.errors import ConnectorError, ConnectorRejectedError
from bridge.protocols import Announcement
from connectors.telegram.bot_api import BotApi
from connectors.telegram.refusals import RefusedError, is_of_the_account
from connectors.telegram.update import Update, open_update

MOST_KEYS = 1000


class Noticeboard:
    """What the recorder itself says. ``own``: messages posted and not delivered as events yet."""

    def __init__(self, api: BotApi) -> None:
        self._api = api
        self._posts: dict[str, asyncio.Task[bytes]] = {}
        self.own: list[bytes] = []

    async def announce(self, chat: str, notice: str, *, key: str, pin: bool) -> Announcement:
        """See :meth:`bridge.protocols.Connector.announce`."""
        if ":" in chat:
            return Announcement(upstream_id=None, refusal="It is no group of the bot's own.")
        try:
            message = await self._once(chat, notice, key)
        except ConnectorRejectedError as error:
            if is_of_the_account(error):
                raise
            return Announcement(upstream_id=None, refusal=str(error))
        posted = opened(message)
        if posted.message_id is None:
            return Announcement(upstream_id=None, refusal="The answer names no message.")
        pinned = pin and await self._pin(posted)
        return Announcement(upstream_id=posted.upstream_id, pinned=pinned)

    async def aclose(self) -> None:
        """Wait for nothing any more."""
        posts = tuple(self._posts.values())
        for post in posts:
            post.cancel()
        await asyncio.gather(*posts, return_exceptions=True)

    async def _once(self, chat: str, notice: str, key: str) -> bytes:
        """The message posted under a key, posted now if it was not yet."""
        post = self._posts.get(key)
        if post is None or (post.done() and (post.cancelled() or post.exception())):
            for oldest in tuple(self._posts)[: max(len(self._posts) - MOST_KEYS + 1, 0)]:
                if self._posts[oldest].done():
                    del self._posts[oldest]
            post = asyncio.create_task(self._post(chat, notice))
            self._posts[key] = post
        return await asyncio.shield(post)

    async def _post(self, chat: str, notice: str) -> bytes:
        number = int(chat)
        try:
            message = await self._api.call_raw("sendMessage", chat_id=number, text=notice)
        except RefusedError as error:
            if error.migrated_to is None:
                raise
            number = error.migrated_to
            message = await self._api.call_raw("sendMessage", chat_id=number, text=notice)
        self.own.append(message)
        return message

    async def _pin(self, posted: Update) -> bool:
        chat, _, number = posted.upstream_id.rpartition(":")
        try:
            await self._api.call(
                "pinChatMessage",
                chat_id=int(chat),
                message_id=int(number),
                disable_notification=True,
            )
        except ConnectorError:
            return False
        return True


def opened(message: bytes) -> Update:
    """A ``Message`` as if it had come in an update."""
    return open_update(b'{"message":%b}' % message)
