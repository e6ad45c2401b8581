"""A person joins, leaves, and runs a group.

Documentation: ``Message`` (service messages), ``ChatMemberUpdated``, ``MessageReactionUpdated``
and ``MessageReactionCountUpdated`` (to administrators), ``migrate_to_chat_id`` and
``migrate_from_chat_id``, ``MessageAutoDeleteTimerChanged``, ``ForumTopicCreated``.
"""

from __future__ import annotations

from dataclasses import replace

from tests.servers.bot_api.accounts import Bot, User
from tests.servers.bot_api.chats import Chat, ChatKind, Post
from tests.servers.bot_api.content import emoji
from tests.servers.bot_api.members import ALL_RIGHTS, CHANNEL_RIGHTS, Membership, Status
from tests.servers.bot_api.sending import Sender
from tests.servers.bot_api.speaking import PLAIN, How
from tests.servers.bot_api.wire import JsonObject


class Person(Sender):
    """A person with all that a client can do."""

    def start(self, bot: Bot) -> Chat:
        """Open the private chat with a bot. Only from then on may the bot write there."""
        chat = self.world.private(self.user, bot)
        self.say(chat, "/start")
        return chat

    def block(self, bot: Bot, *, blocked: bool = True) -> None:
        """Stop a bot, or let it go on; it is told."""
        status = Status.KICKED if blocked else Status.MEMBER
        chat = self.world.private(self.user, bot)
        self.world.change_member(chat, self.user, Membership(user=bot, status=status))

    def join(self, chat: Chat) -> None:
        """Come in by oneself."""
        self.add(chat, self.user)

    def add(self, chat: Chat, *users: User) -> None:
        """Bring others in. A channel takes a bot as an administrator only."""
        channel = chat.kind is ChatKind.CHANNEL
        for user in users:
            new = _newcomer(user, channel=channel)
            self.world.change_member(chat, self.user, new)
        if not channel:
            self.serve(chat, "new_chat_members", [user.shown() for user in users])

    def leave(self, chat: Chat) -> None:
        """Go."""
        self._remove(chat, self.user, Status.LEFT)

    def kick(self, chat: Chat, user: User) -> None:
        """Throw somebody out for good."""
        self._remove(chat, user, Status.KICKED)

    def promote(
        self,
        chat: Chat,
        user: User,
        *,
        rights: frozenset[str] = ALL_RIGHTS,
        anonymous: bool = False,
    ) -> None:
        """Make somebody an administrator; an anonymous one hides behind the group."""
        self._change(chat, user, Status.ADMINISTRATOR, rights=rights, anonymous=anonymous)

    def demote(self, chat: Chat, user: User) -> None:
        """Make an administrator a member again."""
        self._change(chat, user, Status.MEMBER)

    def restrict(self, chat: Chat, user: User) -> None:
        """Take rights away from a member."""
        self._change(chat, user, Status.RESTRICTED)

    def hide(self, chat: Chat) -> None:
        """Be an anonymous administrator from now on, as owners may."""
        member = chat.members[self.user.id]
        chat.members[self.user.id] = replace(member, anonymous=True)

    def title(self, chat: Chat, title: str, how: How = PLAIN) -> Post:
        """Name the chat anew."""
        chat.title = title
        return self.serve(chat, "new_chat_title", title, how)

    def timer(self, chat: Chat, seconds: int, how: How = PLAIN) -> Post:
        """Let messages disappear after so many seconds; 0: not any more."""
        chat.auto_delete = seconds
        shown: JsonObject = {"message_auto_delete_time": seconds}
        return self.serve(chat, "message_auto_delete_timer_changed", shown, how)

    def pin(self, post: Post) -> Post:
        """Put a message on top."""
        post.chat.pinned = post
        return self.serve(post.chat, "pinned_message", post.embedded())

    def topic(self, chat: Chat, name: str) -> Post:
        """Open a topic; the message that opens it names it ever after."""
        shown: JsonObject = {"name": name, "icon_color": 7_322_096}
        itself = {"message_thread_id": chat.last_message + 1, "is_topic_message": True}
        return self.serve(chat, "forum_topic_created", shown, How(extra=itself))

    def rename_topic(self, topic: Post, name: str) -> Post:
        """Name a topic anew."""
        return self.serve(topic.chat, "forum_topic_edited", {"name": name}, How(topic=topic))

    def close_topic(self, topic: Post) -> Post:
        """Close a topic."""
        return self.serve(topic.chat, "forum_topic_closed", {}, How(topic=topic))

    def react(self, post: Post, *emojis: str) -> None:
        """React in this way and no other; with none, not any more."""
        old = post.reactions.get(self.user.id, [])
        new = [emoji(each) for each in emojis]
        post.reactions[self.user.id] = new
        place: JsonObject = {"chat": post.chat.shown(), "message_id": post.id}
        place["date"] = self.world.now()
        if post.chat.kind is ChatKind.CHANNEL:
            counts = {"reactions": _counts(post)}
            self.world.tell_administrators(post.chat, "message_reaction_count", place | counts)
            return
        member = post.chat.member(self.user)
        hidden = member is not None and member.anonymous
        actor = {"actor_chat": post.chat.shown()} if hidden else {"user": self.user.shown()}
        change = {"old_reaction": old, "new_reaction": new}
        self.world.tell_administrators(post.chat, "message_reaction", place | actor | change)

    def migrate(self, chat: Chat) -> Chat:
        """Make a group a supergroup: a new chat with the same people."""
        new = self.world.chat(ChatKind.SUPERGROUP, chat.title or "")
        new.auto_delete = chat.auto_delete
        new.members = dict(chat.members)
        self.serve(chat, "migrate_to_chat_id", new.id)
        chat.migrated_to = new.id
        self.serve(new, "migrate_from_chat_id", chat.id)
        return new

    def delete_account(self) -> None:
        """Cease to be: the name is empty from now on."""
        user = self.user
        user.first_name = ""
        user.last_name = user.username = user.language_code = None
        user.is_premium = False

    def _change(
        self,
        chat: Chat,
        user: User,
        status: Status,
        *,
        rights: frozenset[str] = frozenset(),
        anonymous: bool = False,
    ) -> None:
        old = chat.member(user) or Membership(user=user, status=Status.MEMBER)
        new = replace(old, status=status, rights=rights, anonymous=anonymous)
        self.world.change_member(chat, self.user, new)

    def _remove(self, chat: Chat, user: User, status: Status) -> None:
        # Told before it is gone: a bot that is thrown out of a group still gets the message.
        if chat.kind is not ChatKind.CHANNEL:
            self.serve(chat, "left_chat_member", user.shown())
        self.world.change_member(chat, self.user, Membership(user=user, status=status))


def _newcomer(user: User, *, channel: bool) -> Membership:
    hears_all = isinstance(user, Bot) and user.can_read_all_group_messages
    if channel and isinstance(user, Bot):
        rights = ALL_RIGHTS | CHANNEL_RIGHTS
        return Membership(user=user, status=Status.ADMINISTRATOR, rights=rights)
    return Membership(user=user, status=Status.MEMBER, hears_all=hears_all)


def _counts(post: Post) -> list[JsonObject]:
    given = [each for reactions in post.reactions.values() for each in reactions]
    kinds = [each for place, each in enumerate(given) if each not in given[:place]]
    return [{"type": kind, "total_count": given.count(kind)} for kind in kinds]
