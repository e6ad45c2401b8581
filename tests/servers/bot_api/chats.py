"""Chats and what stands in them.

Documentation: ``Chat``, ``ChatFullInfo`` and ``Message`` (``message_id`` is unique in its chat).
Basic groups and private chats share one row of message identifiers, as a bot sees them jump.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tests.servers.bot_api.accounts import Bot, User
from tests.servers.bot_api.members import Membership
from tests.servers.bot_api.wire import JsonObject


class ChatKind(StrEnum):
    """``Chat.type``."""

    PRIVATE = "private"
    GROUP = "group"
    SUPERGROUP = "supergroup"
    CHANNEL = "channel"


@dataclass(slots=True, kw_only=True, eq=False)
class Post:
    """A message in a chat: the latest version of its object, and who knows of it.

    ``author`` is who really wrote it, whatever ``from`` shows. ``meant_for`` is the bot it
    addresses by the rules of privacy mode. ``known_to`` holds the bots it was visible to: an
    edit goes to them only.
    """

    chat: Chat
    id: int
    fields: JsonObject
    author: User | None = None
    replied: Post | None = None
    service: str = ""
    meant_for: int | None = None
    known_to: set[int] = field(default_factory=set)
    votes: dict[int, Sequence[int]] = field(default_factory=dict)
    reactions: dict[int, list[JsonObject]] = field(default_factory=dict)
    deleted: bool = False

    @property
    def text(self) -> str:
        """Text or caption, or nothing."""
        value = self.fields.get("text", self.fields.get("caption"))
        return value if isinstance(value, str) else ""

    @property
    def topic(self) -> int | None:
        """The topic it stands in."""
        value = self.fields.get("message_thread_id")
        return value if isinstance(value, int) and "is_topic_message" in self.fields else None

    def embedded(self) -> JsonObject:
        """As it stands in ``reply_to_message``: without the message it replies to itself."""
        return {key: each for key, each in self.fields.items() if key != "reply_to_message"}


@dataclass(slots=True, kw_only=True, eq=False)
class Chat:
    """A chat of any type."""

    id: int
    kind: ChatKind
    title: str | None = None
    username: str | None = None
    partner: User | None = None
    bot: Bot | None = None
    forum: bool = False
    auto_delete: int = 0
    members: dict[int, Membership] = field(default_factory=dict)
    posts: dict[int, Post] = field(default_factory=dict)
    last_bot: int | None = None
    migrated_to: int | None = None
    last_message: int = 0
    pinned: Post | None = None

    def shown(self) -> JsonObject:
        """The ``Chat`` object."""
        found: JsonObject = {"id": self.id}
        if self.partner is not None:
            user = self.partner.shown()
            found |= {key: user[key] for key in _OF_PARTNER if key in user}
        else:
            found["title"] = self.title
        if self.username is not None:
            found["username"] = self.username
        if self.forum:
            found["is_forum"] = True
        if self.kind is ChatKind.GROUP:
            found["all_members_are_administrators"] = False
        return found | {"type": str(self.kind)}

    def full(self) -> JsonObject:
        """The ``ChatFullInfo`` object."""
        found = self.shown() | {
            "accent_color_id": 3,
            "max_reaction_count": 11,
            "accepted_gift_types": dict.fromkeys(_GIFTS, False),
        }
        if self.kind in {ChatKind.GROUP, ChatKind.SUPERGROUP}:
            found["permissions"] = dict.fromkeys(_PERMISSIONS, True)
            found["has_visible_history"] = True
        if self.auto_delete:
            found["message_auto_delete_time"] = self.auto_delete
        if self.pinned is not None and not self.pinned.deleted:
            found["pinned_message"] = self.pinned.embedded()
        return found

    def member(self, user: User) -> Membership | None:
        """This user in this chat, if they are or were in it."""
        return self.members.get(user.id)

    def bots(self) -> list[Bot]:
        """The bots in it, in the order they came."""
        if self.bot is not None:
            return [self.bot]
        inside = [each.user for each in self.members.values() if each.present]
        return [user for user in inside if isinstance(user, Bot)]


_OF_PARTNER = ("first_name", "last_name", "username")
_GIFTS = [
    "unlimited_gifts",
    "limited_gifts",
    "unique_gifts",
    "premium_subscription",
    "gifts_from_channels",
]
_PERMISSIONS = [
    "can_send_messages",
    "can_send_audios",
    "can_send_documents",
    "can_send_photos",
    "can_send_videos",
    "can_send_video_notes",
    "can_send_voice_notes",
    "can_send_polls",
    "can_send_other_messages",
    "can_add_web_page_previews",
    "can_react_to_messages",
    "can_change_info",
    "can_invite_users",
    "can_pin_messages",
    "can_manage_topics",
]
