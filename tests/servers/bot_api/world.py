"""Everything the service knows: accounts, chats, files, and what is told to which bot.

Documentation: ``Update`` (one member beside ``update_id``; edits of messages "known to the bot"),
``Message``, ``ChatMemberUpdated`` (``chat_member`` is for administrators).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from random import Random

from tests.servers.bot_api.accounts import Bot, User
from tests.servers.bot_api.chats import Chat, ChatKind, Post
from tests.servers.bot_api.clock import Clock
from tests.servers.bot_api.files import FileShelf
from tests.servers.bot_api.hearing import hears, meant_for
from tests.servers.bot_api.members import Membership, Status
from tests.servers.bot_api.refusals import not_found, unauthorized
from tests.servers.bot_api.updates import UpdateQueue
from tests.servers.bot_api.wire import NOTHING, JsonObject

_CHANNELS_BEGIN = 1_000_000_000_000


class World:
    """The service behind the methods. Every verb of a person ends here."""

    def __init__(self, clock: Clock, random: Random, local: Path | None = None) -> None:
        self.clock = clock
        self.random = random
        self.local = local
        self.files = FileShelf(clock, local)
        self.bots: dict[int, Bot] = {}
        self.users: dict[int, User] = {}
        self.chats: dict[int, Chat] = {}
        self._privates: dict[tuple[int, int], Chat] = {}
        self._last_id = 4_000_000
        self._last_message = 100

    def now(self) -> int:
        """The time as messages show it, in whole seconds."""
        return int(self.clock.now())

    def new_id(self) -> int:
        """An identifier that nothing has yet."""
        self._last_id += self.random.randrange(1, 1000)
        return self._last_id

    def new_token(self, bot_id: int) -> str:
        """A token as BotFather writes them."""
        return f"{bot_id}:{self.random.randbytes(17).hex()}A"

    def bot(self, first_name: str, username: str, *, privacy: bool = True) -> Bot:
        """A new bot; privacy mode is on unless it is said to be off."""
        bot_id = self.new_id()
        bot = Bot(
            id=bot_id,
            first_name=first_name,
            username=username,
            is_bot=True,
            token=self.new_token(bot_id),
            updates=UpdateQueue(self.clock, self.random),
            can_read_all_group_messages=not privacy,
        )
        self.bots[bot_id] = bot
        self.users[bot_id] = bot
        return bot

    def bot_by(self, token: str) -> Bot:
        """The bot that has this token.

        Raises:
            RefusalError: it is none by its form, or nobody has it, or nobody any more.
        """
        if _TOKEN.fullmatch(token) is None:
            raise not_found()
        for bot in self.bots.values():
            if bot.token == token:
                return bot
        raise unauthorized()

    def revoke(self, bot: Bot) -> str:
        """BotFather gives the bot a new token; the old one is good for nothing at once."""
        bot.token = self.new_token(bot.id)
        bot.updates.end_poll(unauthorized())
        return bot.token

    def chat(
        self, kind: ChatKind, title: str, *, forum: bool = False, username: str | None = None
    ) -> Chat:
        """A new chat without anybody in it."""
        far = kind in {ChatKind.SUPERGROUP, ChatKind.CHANNEL}
        number = -self.new_id() - (_CHANNELS_BEGIN if far else 0)
        chat = Chat(id=number, kind=kind, title=title, forum=forum, username=username)
        self.chats[number] = chat
        return chat

    def private(self, user: User, bot: Bot) -> Chat:
        """The chat of a person with a bot. Its identifier is the person's, for every bot."""
        key = (user.id, bot.id)
        if key not in self._privates:
            chat = Chat(id=user.id, kind=ChatKind.PRIVATE, partner=user, bot=bot)
            chat.members[user.id] = Membership(user=user, status=Status.MEMBER)
            chat.members[bot.id] = Membership(user=bot, status=Status.MEMBER)
            self._privates[key] = chat
        return self._privates[key]

    def seen_chat(self, bot: Bot, chat_id: int) -> Chat | None:
        """The chat that a bot means by this identifier."""
        return self._privates.get((chat_id, bot.id)) or self.chats.get(chat_id)

    def new_message_id(self, chat: Chat) -> int:
        """The next identifier in a chat's row."""
        if chat.kind in {ChatKind.SUPERGROUP, ChatKind.CHANNEL}:
            chat.last_message += 1
            return chat.last_message
        self._last_message += 1
        return self._last_message

    def post(
        self,
        chat: Chat,
        author: User | None,
        fields: Mapping[str, object],
        *,
        service: str = "",
        replied: Post | None = None,
    ) -> Post:
        """A new message; ``fields`` beside identifier, date and chat. Bots are told of it."""
        number = self.new_message_id(chat)
        whole: JsonObject = {"message_id": number}
        whole |= {key: fields[key] for key in _HEAD if key in fields}
        whole |= {"chat": chat.shown(), "date": self.now()}
        post = Post(
            chat=chat,
            id=number,
            fields=whole | dict(fields),
            author=author,
            replied=replied,
            service=service,
        )
        post.meant_for = meant_for(chat, post)
        chat.posts[number] = post
        self.publish(post)
        if isinstance(author, Bot) and not service:
            chat.last_bot = author.id
        return post

    def publish(self, post: Post, *, edited: bool = False) -> None:
        """Tell the bots that hear a message, or know one that was edited."""
        kind = "channel_post" if post.chat.kind is ChatKind.CHANNEL else "message"
        for bot in post.chat.bots():
            if not hears(bot, post.chat, post) or (edited and bot.id not in post.known_to):
                continue
            post.known_to.add(bot.id)
            self.tell(bot, f"edited_{kind}" if edited else kind, post.fields)

    def tell(self, bot: Bot, kind: str, value: Mapping[str, object]) -> None:
        """An update for a bot, if it wants the type; files get the bot's own identifiers."""
        bot.updates.push(kind, self.as_seen_by(bot, value))

    def tell_administrators(self, chat: Chat, kind: str, value: Mapping[str, object]) -> None:
        """The same, for every bot that is an administrator of the chat."""
        for bot in chat.bots():
            member = chat.member(bot)
            if member is not None and member.administers:
                self.tell(bot, kind, value)

    def as_seen_by(self, bot: Bot, value: Mapping[str, object]) -> JsonObject:
        """The same object with this bot's file identifiers."""
        found = {key: self._seen(bot, each) for key, each in value.items()}
        if "file_unique_id" in found:
            found["file_id"] = self.files.id_for(bot, str(found["file_id"]))
        return found

    def _seen(self, bot: Bot, value: object) -> object:
        if isinstance(value, dict):
            return self.as_seen_by(bot, value)
        if isinstance(value, list):
            return [self._seen(bot, each) for each in value]
        return value

    def change_member(
        self, chat: Chat, actor: User, new: Membership, extra: Mapping[str, object] = NOTHING
    ) -> None:
        """Put a user into a new standing in a chat, and tell whom it concerns."""
        user, channel = new.user, chat.kind is ChatKind.CHANNEL
        old = chat.member(user) or Membership(user=user, status=Status.LEFT)
        chat.members[user.id] = new
        value: JsonObject = {
            "chat": chat.shown(),
            "from": actor.shown(),
            "date": self.now(),
            "old_chat_member": old.shown(channel=channel),
            "new_chat_member": new.shown(channel=channel),
        }
        if isinstance(user, Bot):
            self.tell(user, "my_chat_member", value | dict(extra))
        if chat.kind is not ChatKind.PRIVATE:
            for bot in chat.bots():
                seen = chat.member(bot)
                if bot is not user and seen is not None and seen.administers:
                    self.tell(bot, "chat_member", value | dict(extra))


_TOKEN = re.compile(r"\d{1,16}:[A-Za-z0-9_-]{30,60}")
_HEAD = ("message_thread_id", "from", "author_signature", "sender_chat")
