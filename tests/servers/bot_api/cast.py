"""The people, bots and chats of a scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.servers.bot_api.accounts import Bot, User
from tests.servers.bot_api.business import Business
from tests.servers.bot_api.chats import Chat, ChatKind
from tests.servers.bot_api.members import Membership, Status
from tests.servers.bot_api.person import Person
from tests.servers.bot_api.wire import encode
from tests.servers.bot_api.world import World


class Cast:
    """Makes everybody who takes part."""

    def __init__(self, world: World) -> None:
        self.world = world

    def person(
        self,
        first_name: str,
        *,
        last_name: str | None = None,
        username: str | None = None,
        number: int | None = None,
    ) -> Person:
        """Somebody with a client; ``number`` is their identifier, up to 52 bits."""
        chosen = self.world.new_id() if number is None else number
        user = User(id=chosen, first_name=first_name, last_name=last_name, username=username)
        user.language_code = "en"
        self.world.users[chosen] = user
        return Person(self.world, user)

    def bot(self, first_name: str, username: str, *, privacy: bool = True) -> Bot:
        """A bot with a token of its own."""
        return self.world.bot(first_name, username, privacy=privacy)

    def privacy(self, bot: Bot, *, on: bool) -> None:
        """BotFather's switch: it counts for groups that the bot joins from now on."""
        bot.can_read_all_group_messages = not on

    def group(self, title: str, owner: Person, *members: Person) -> Chat:
        """A basic group."""
        return self._peopled(self.world.chat(ChatKind.GROUP, title), owner, members)

    def supergroup(
        self,
        title: str,
        owner: Person,
        *members: Person,
        forum: bool = False,
        username: str | None = None,
    ) -> Chat:
        """A supergroup, with topics if it is a forum."""
        chat = self.world.chat(ChatKind.SUPERGROUP, title, forum=forum, username=username)
        return self._peopled(chat, owner, members)

    def channel(self, title: str, owner: Person, *, username: str | None = None) -> Chat:
        """A channel."""
        chat = self.world.chat(ChatKind.CHANNEL, title, username=username)
        return self._peopled(chat, owner, ())

    def business(self, owner: Person, bot: Bot) -> Business:
        """A business account connected to a bot."""
        return Business(self.world, owner.user, bot)

    def skip_messages(self, chat: Chat, count: int) -> None:
        """So many identifiers of messages are used by what no bot gets."""
        chat.last_message += count

    def future(
        self, bot: Bot, kind: str, value: Mapping[str, object], *, unlisted: bool = False
    ) -> None:
        """An update of a type that does not exist yet, sent ``unlisted`` even where not allowed."""
        if unlisted or bot.updates.wants(kind):
            seen = self.world.as_seen_by(bot, value)
            bot.updates.push_raw(f'"{kind}":{encode(seen)}'.encode())

    def raw(self, bot: Bot, members: bytes) -> int:
        """An update with these bytes after ``update_id``; its identifier."""
        return bot.updates.push_raw(members).id

    def _peopled(self, chat: Chat, owner: Person, members: tuple[Person, ...]) -> Chat:
        first = Membership(user=owner.user, status=Status.CREATOR)
        chat.members[owner.user.id] = first
        for each in members:
            chat.members[each.user.id] = replace(first, user=each.user, status=Status.MEMBER)
        return chat
