"""An update as far as it must be known before it is mapped: of what, from where, called what."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from bridge.model import Presence
from bridge.rawjson.fields import JsonObject, decode, table, text, whole
from connectors.telegram.envelope import update_id_of
from connectors.telegram.fields import moment, salvage

NEW = frozenset({"message", "channel_post", "business_message", "guest_message"})
EDITED = frozenset({"edited_message", "edited_channel_post", "edited_business_message"})
MESSAGES = NEW | EDITED
DELETED = "deleted_business_messages"
MEMBERS = frozenset({"my_chat_member", "chat_member"})
POLLS = frozenset({"poll", "poll_answer"})
REACTIONS = frozenset({"message_reaction", "message_reaction_count"})
OTHERS = frozenset(
    {
        "business_connection",
        "callback_query",
        "chat_boost",
        "chat_join_request",
        "chosen_inline_result",
        "inline_query",
        "managed_bot",
        "pre_checkout_query",
        "purchased_paid_media",
        "removed_chat_boost",
        "shipping_query",
    }
)
KNOWN = MESSAGES | MEMBERS | POLLS | REACTIONS | OTHERS | {DELETED}

_UPDATE_ID = "update_id"
# An update holds a message, which holds a chat: so deep an id is looked for in a broken one.
_DEPTH = 3
_JOINED = frozenset({"creator", "administrator", "member"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """An opened update. ``subject`` is what stands under its ``type``.

    ``clean`` is False where the update could not be decoded as a whole; then ``subject`` holds
    only what could be told one by one.
    """

    raw: bytes = field(repr=False)
    update_id: int | None
    type: str | None
    subject: JsonObject = field(repr=False)
    clean: bool
    problem: str | None = None

    @property
    def chat(self) -> JsonObject:
        """The chat it is of, or an empty object."""
        return table(self.subject, "chat") or table(table(self.subject, "message"), "chat")

    @property
    def chat_id(self) -> str | None:
        """The chat, as group ids name it; None where the update names none.

        Chats of business accounts, and those a guest was called to, are not the bot's own chats
        of the same number, so they are named apart.
        """
        number = whole(self.chat, "id")
        if number is None:
            return None
        if connection := text(self.subject, "business_connection_id"):
            return f"business:{connection}:{number}"
        return f"guest:{number}" if self.type == "guest_message" else str(number)

    @property
    def message_id(self) -> int | None:
        """The message's number in its chat. One that is still to be sent has none yet."""
        return whole(self.subject, "message_id") or None

    @property
    def upstream_id(self) -> str:
        """``<chat>:<message>``, ``update:<id>``, or the digest of an update without names."""
        named = self._message_name()
        if named is not None and (self.type in NEW or self.update_id is not None):
            return named
        if self.update_id is not None:
            return f"update:{self.update_id}"
        return f"sha256:{hashlib.sha256(self.raw).hexdigest()}"

    @property
    def revision(self) -> str | None:
        """``u<update_id>`` of everything but a new message."""
        if self.update_id is None or (self.type in NEW and self._message_name() is not None):
            return None
        return f"u{self.update_id}"

    @property
    def sent_at(self) -> datetime | None:
        """When the platform says that it happened; of an edit, when the message was sent."""
        if self.type == "chat_boost":
            return moment(table(self.subject, "boost"), "add_date")
        return moment(self.subject, "remove_date" if self.type == "removed_chat_boost" else "date")

    @property
    def poll_id(self) -> str | None:
        """The poll it holds, or tells of: polls are told of without their chat."""
        if self.type == "poll":
            return text(self.subject, "id")
        if self.type == "poll_answer":
            return text(self.subject, "poll_id")
        return text(table(self.subject, "poll"), "id") if self.type in MESSAGES else None

    @property
    def migration(self) -> tuple[int, int] | None:
        """The chat's number before and after it became a supergroup, if that is what happened."""
        here = whole(self.chat, "id")
        if here is None or self.type not in MESSAGES:
            return None
        if (after := whole(self.subject, "migrate_to_chat_id")) is not None:
            return here, after
        before = whole(self.subject, "migrate_from_chat_id")
        return None if before is None else (before, here)

    @property
    def own_presence(self) -> Presence | None:
        """Where the bot now stands, if that is what the update tells."""
        if self.type != "my_chat_member":
            return None
        member = table(self.subject, "new_chat_member")
        status = text(member, "status")
        if status in _JOINED or (status == "restricted" and member.get("is_member") is True):
            return Presence.JOINED
        if status not in {"left", "kicked", "restricted"}:
            return None
        by, bot = (whole(table(each, key), "id") for each, key in _ends(self.subject, member))
        is_own = status == "left" and by is not None and by == bot
        return Presence.LEFT if is_own else Presence.REMOVED

    def message_name(self, number: int | None) -> str | None:
        """A message of this chat as upstream ids name it."""
        return None if number is None or self.chat_id is None else f"{self.chat_id}:{number}"

    def _message_name(self) -> str | None:
        return self.message_name(self.message_id) if self.type in MESSAGES else None


def open_update(raw: bytes) -> Update:
    """Look into an update. MUST NOT raise for any bytes."""
    decoded = decode(raw)
    fields = salvage(raw, _DEPTH) if decoded is None else decoded
    update_type, problem = _type(fields)
    return Update(
        raw=raw,
        update_id=update_id_of(raw),
        type=update_type,
        subject=table(fields, update_type or ""),
        clean=decoded is not None,
        problem=problem,
    )


def _ends(subject: JsonObject, member: JsonObject) -> tuple[tuple[JsonObject, str], ...]:
    return (subject, "from"), (member, "user")


def _type(fields: JsonObject) -> tuple[str | None, str | None]:
    """What it is of: of several, one that is known goes first."""
    found = [key for key in fields if key != _UPDATE_ID]
    subjects = [key for key in found if isinstance(fields[key], dict)]
    known = [key for key in subjects if key in KNOWN]
    problem = "The update holds more than one thing." if len(subjects) > 1 else None
    return next(iter((*known, *subjects, *found)), None), problem
