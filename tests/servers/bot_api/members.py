"""Who is in a chat, as what.

Documentation: ``ChatMember`` and its six kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tests.servers.bot_api.accounts import User
from tests.servers.bot_api.wire import JsonObject


class Status(StrEnum):
    """``ChatMember.status``."""

    CREATOR = "creator"
    ADMINISTRATOR = "administrator"
    MEMBER = "member"
    RESTRICTED = "restricted"
    LEFT = "left"
    KICKED = "kicked"


ALL_RIGHTS = frozenset(
    {
        "can_manage_chat",
        "can_delete_messages",
        "can_manage_video_chats",
        "can_restrict_members",
        "can_promote_members",
        "can_change_info",
        "can_invite_users",
        "can_post_stories",
        "can_edit_stories",
        "can_delete_stories",
        "can_pin_messages",
        "can_manage_topics",
    }
)
CHANNEL_RIGHTS = frozenset({"can_post_messages", "can_edit_messages"})
_MAY = [
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
    "can_edit_tag",
    "can_change_info",
    "can_invite_users",
    "can_pin_messages",
    "can_manage_topics",
]
_PRESENT = frozenset({Status.CREATOR, Status.ADMINISTRATOR, Status.MEMBER, Status.RESTRICTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One user in one chat.

    ``hears_all`` is a bot's privacy mode as it was when it joined: BotFather's setting changes
    nothing for groups the bot is in already ("the bot must be re-added").
    """

    user: User
    status: Status
    rights: frozenset[str] = frozenset()
    anonymous: bool = False
    hears_all: bool = False

    @property
    def present(self) -> bool:
        """Whether the user is in the chat."""
        return self.status in _PRESENT

    @property
    def administers(self) -> bool:
        """Whether the user is an administrator, or the owner."""
        return self.status in {Status.CREATOR, Status.ADMINISTRATOR}

    def may(self, right: str) -> bool:
        """Whether the user has this right as an administrator."""
        return self.status is Status.CREATOR or right in self.rights

    def shown(self, *, channel: bool) -> JsonObject:
        """The ``ChatMember`` object of this status."""
        found: JsonObject = {"user": self.user.shown(), "status": str(self.status)}
        if self.status is Status.CREATOR:
            return found | {"is_anonymous": self.anonymous}
        if self.status is Status.ADMINISTRATOR:
            rights = ALL_RIGHTS | CHANNEL_RIGHTS if channel else ALL_RIGHTS
            held = {right: right in self.rights for right in sorted(rights)}
            return found | {"can_be_edited": False, **held, "is_anonymous": self.anonymous}
        if self.status is Status.RESTRICTED:
            may = {each: each == "can_send_messages" for each in _MAY}
            return found | {"is_member": True, "until_date": 0, **may}
        if self.status is Status.KICKED:
            return found | {"until_date": 0}
        return found
