"""Who speaks: a user, an administrator behind the group, a channel, or nobody that is named."""

from __future__ import annotations

from bridge.model import Sender
from bridge.rawjson.fields import JsonObject, table, tables, text, whole
from connectors.telegram.reading import Facts, fact

ANONYMOUS_ADMIN = "anonymous_admin"


def speaker(subject: JsonObject, chat: JsonObject) -> tuple[Sender | None, Facts]:
    """The sender, and what else is told of them.

    Where somebody speaks as a chat, the chat is the sender: the user beside it is a stand-in
    that is the same for everyone. In a channel nobody need be named at all.
    """
    for key in ("sender_chat", "actor_chat", "voter_chat"):
        if (whole(table(subject, key), "id")) is not None:
            return _as_chat(table(subject, key), subject, chat)
    for key in ("from", "user"):
        if (whole(table(subject, key), "id")) is not None:
            return _as_user(table(subject, key), subject)
    if text(chat, "type") == "channel" and whole(chat, "id") is not None:
        return _as_chat(chat, subject, chat)
    return None, _more(subject)


def user_name(user: JsonObject) -> str | None:
    """First and last name as they are shown; a deleted account has none."""
    return " ".join(filter(None, (text(user, "first_name"), text(user, "last_name")))) or None


def chat_name(chat: JsonObject) -> str | None:
    """The title of a group or channel, or the name of the other side."""
    return text(chat, "title") or user_name(chat)


def names(fields: JsonObject, key: str) -> tuple[str | None, str | None]:
    """The names of the users in an array, and their ids one a line."""
    users = tables(fields, key)
    ids = [number for user in users if (number := _id(user)) is not None]
    shown = [name for user in users if (name := shown_as(user)) is not None]
    return ", ".join(shown) or None, "\n".join(map(str, ids)) or None


def shown_as(user: JsonObject) -> str | None:
    """A user for readers: by name, or by number where no name is left."""
    number = _id(user)
    return user_name(user) or (None if number is None else str(number))


def _id(user: JsonObject) -> int | None:
    number = whole(user, "id")
    return whole(user, "user_id") if number is None else number


def _as_user(user: JsonObject, subject: JsonObject) -> tuple[Sender, Facts]:
    name = user_name(user)
    kind = "bot" if user.get("is_bot") is True else None
    if name is None and text(user, "username") is None:
        kind = "deleted"
    facts = fact("sender_type", kind) + fact("username", text(user, "username"))
    return Sender(id=str(_id(user)), display_name=name), facts + _more(subject)


def _as_chat(sender: JsonObject, subject: JsonObject, chat: JsonObject) -> tuple[Sender, Facts]:
    is_this = whole(sender, "id") == whole(chat, "id")
    kind = text(sender, "type")
    if is_this and text(chat, "type") != "channel":
        kind = ANONYMOUS_ADMIN
    facts = fact("sender_type", kind) + fact("username", text(sender, "username"))
    found = Sender(id=str(whole(sender, "id")), display_name=chat_name(sender))
    return found, facts + _more(subject)


def _more(subject: JsonObject) -> Facts:
    return (
        *fact("author_signature", text(subject, "author_signature")),
        *fact("sender_tag", text(subject, "sender_tag")),
        *fact("via_bot", _id(table(subject, "via_bot"))),
        *fact("sender_business_bot", _id(table(subject, "sender_business_bot"))),
    )
