"""How a message refers to others: replies, quotes, topics, and where it was forwarded from."""

from __future__ import annotations

from bridge.canonical.json import rfc3339
from bridge.model import Relation, RelationType
from bridge.rawjson.fields import JsonObject, says, table, text, whole
from connectors.telegram.fields import moment
from connectors.telegram.people import chat_name, user_name
from connectors.telegram.reading import Facts, fact
from connectors.telegram.update import Update


def to(kind: RelationType, target: str | None) -> Relation | None:
    """The relation, where there is a target."""
    return None if target is None else Relation(type=kind, upstream_id=target)


def relation(update: Update) -> tuple[Relation | None, Facts]:
    """What a message answers, or else the topic that it stands in.

    A message of a topic is delivered as a reply to the one that made the topic; it answers none.
    """
    message = update.subject
    thread = update.message_name(whole(message, "message_thread_id"))
    target = reply(update)
    made = table(message, "reply_to_message")
    if target == thread and says(made, "forum_topic_created"):
        target = None
    facts = _reply_facts(message)
    if target is not None:
        return to(RelationType.REPLY, target), fact("thread", thread) + facts
    return to(RelationType.THREAD, thread), facts


def reply(update: Update) -> str | None:
    """The message that is answered, in this chat or, as an external one, in another."""
    replied = table(update.subject, "reply_to_message")
    if (number := whole(replied, "message_id")) is not None:
        return update.message_name(number)
    external = table(update.subject, "external_reply")
    number, chat = whole(external, "message_id"), whole(table(external, "chat"), "id")
    return None if number is None or chat is None else f"{chat}:{number}"


def forwarded(message: JsonObject) -> Facts:
    """Where a forwarded message comes from, as far as its author lets that be seen."""
    origin = table(message, "forward_origin")
    return (
        *_origin(origin, "forward"),
        *fact("forwarded_automatically", _true(message, "is_automatic_forward")),
    )


def _reply_facts(message: JsonObject) -> Facts:
    external = table(message, "external_reply")
    story = table(message, "reply_to_story")
    return (
        *fact("quote", text(table(message, "quote"), "text")),
        *_origin(table(external, "origin"), "reply"),
        *fact("reply_to_story", story_name(story)),
        *fact("reply_to_task", whole(message, "reply_to_checklist_task_id")),
        *fact("reply_to_option", text(message, "reply_to_poll_option_id")),
    )


def story_name(story: JsonObject) -> str | None:
    """A story as ``<chat>:<story>``."""
    chat, number = whole(table(story, "chat"), "id"), whole(story, "id")
    return None if chat is None or number is None else f"{chat}:{number}"


def _origin(origin: JsonObject, prefix: str) -> Facts:
    user = table(origin, "sender_user")
    chat = table(origin, "chat") or table(origin, "sender_chat")
    shown = text(origin, "sender_user_name") or user_name(user) or chat_name(chat)
    number, at = whole(origin, "message_id"), moment(origin, "date")
    chat_id, user_id = whole(chat, "id"), whole(user, "id")
    is_message = chat_id is not None and number is not None
    return (
        *fact(f"{prefix}_origin", text(origin, "type")),
        *fact(f"{prefix}_name", shown),
        *fact(f"{prefix}_id", chat_id if user_id is None else user_id),
        *fact(f"{prefix}_message", f"{chat_id}:{number}" if is_message else None),
        *fact(f"{prefix}_signature", text(origin, "author_signature")),
        *fact(f"{prefix}_date", rfc3339(at) if at else None),
    )


def _true(fields: JsonObject, key: str) -> str | None:
    return "true" if fields.get(key) is True else None
