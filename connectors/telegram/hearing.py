"""Whether what is said in a group reaches the bot.

Privacy mode is fixed when a bot comes into a group: what ``getMe`` says now counts for groups it
comes into from now on. So a member that is no administrator is known to hear a group only if
privacy mode was off when it was seen to come, or if it got a message that it would not get
otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.rawjson.fields import JsonObject, says, table, text, whole
from connectors.telegram.service import READERS
from connectors.telegram.update import Update

ADMINISTRATORS = frozenset({"creator", "administrator"})
PRIVACY = (
    "the bot's privacy mode is on: make it an administrator, or switch privacy mode off with "
    "BotFather and then add it anew"
)
UNPROVED = (
    "nothing shows yet that privacy mode was off when the bot was added: make it an administrator, "
    "add it anew, or wait for the first message"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """The bot's own account."""

    id: int
    username: str = ""
    reads_all: bool = False


def obstacle(me: Me, *, status: str, hears: bool) -> str:
    """Why the group cannot be heard, in words; empty where it can."""
    if status in ADMINISTRATORS:
        return ""
    if not me.reads_all:
        return PRIVACY
    return "" if hears else UNPROVED


def shows_hearing(me: Me, update: Update) -> bool:
    """Whether this message comes only to a bot that gets all that people say."""
    message = update.subject
    shown = text(message, "text") or text(message, "caption") or ""
    sender = table(message, "from")
    return (
        update.type == "message"
        and update.clean
        and whole(sender, "id") not in {None, me.id}
        and sender.get("is_bot") is not True
        and not shown.startswith("/")
        and not (me.username and f"@{me.username}".lower() in shown.lower())
        and not _answers(message)
        and not any(says(message, key) for key in ("sender_chat", "via_bot", *READERS))
    )


def _answers(message: JsonObject) -> bool:
    """Whether it may be an answer to a bot. What stands in a topic answers its beginning."""
    answered = table(message, "reply_to_message")
    return says(message, "reply_to_message") and not says(answered, "forum_topic_created")
