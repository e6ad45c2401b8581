"""Which messages a bot gets.

Documentation: "Privacy mode" (bot features) and "What messages will my bot get?" (bot FAQ):
every bot gets service messages, private chats with it and channels it is in; administrators and
bots that joined with privacy mode off get everything but what other bots send; the others get
commands meant for them, general commands where they spoke last, what was sent by way of them, and
replies to messages meant for them. A message is for one such bot at most, and a reply decides
first.

A bot's own messages do not come back to it, but service messages it caused do.
"""

from __future__ import annotations

import re

from tests.servers.bot_api.accounts import Bot
from tests.servers.bot_api.chats import Chat, ChatKind, Post

_COMMAND = re.compile(r"/[A-Za-z0-9_]{1,32}(?:@(\w+))?(?=\s|$)")


def meant_for(chat: Chat, post: Post) -> int | None:
    """The bot that a message addresses, or None."""
    if post.replied is not None:
        if isinstance(post.replied.author, Bot):
            return post.replied.author.id
        if post.replied.meant_for is not None:
            return post.replied.meant_for
    via = post.fields.get("via_bot")
    if isinstance(via, dict) and isinstance(via.get("id"), int):
        return int(via["id"])
    command = _COMMAND.match(post.text)
    if command is None:
        return None
    named = command.group(1)
    if named is None:
        return chat.last_bot
    found = (bot.id for bot in chat.bots() if (bot.username or "").lower() == named.lower())
    return next(found, None)


def hears(bot: Bot, chat: Chat, post: Post) -> bool:
    """Whether this message in this chat is visible to this bot."""
    if chat.kind is ChatKind.PRIVATE:
        return chat.bot is bot and post.author is not bot
    member = chat.member(bot)
    if member is None or not member.present:
        return False
    if post.service:
        return True
    if post.author is bot:
        return False
    if chat.kind is ChatKind.CHANNEL:
        return True
    if isinstance(post.author, Bot):
        return False
    return member.administers or member.hears_all or post.meant_for == bot.id
