"""What updates tell that hold no message: reactions, votes, members, deletions."""

from __future__ import annotations

from collections.abc import Callable

from bridge.canonical.json import rfc3339
from bridge.model import EventKind, RelationType
from bridge.rawjson.fields import JsonObject, table, tables, text, whole
from connectors.telegram import polls
from connectors.telegram.fields import moment
from connectors.telegram.people import shown_as
from connectors.telegram.reading import Facts, Reading, fact
from connectors.telegram.relations import to
from connectors.telegram.service import MEMBERSHIP, SUBJECT
from connectors.telegram.update import KNOWN, Update

Reader = Callable[[Update, str | None], Reading]


def read(update: Update, poll_message: str | None) -> Reading:
    """Read an update that holds no message. MUST NOT raise, whatever its shape.

    ``poll_message`` is the message that holds the poll it tells of, where that is known.
    """
    reader = _READERS.get(update.type or "")
    if reader is not None:
        return reader(update, poll_message)
    is_known = update.type in KNOWN
    return Reading(kind=EventKind.SERVICE if is_known else EventKind.UNKNOWN)


def _reaction(update: Update, _: str | None) -> Reading:
    """The body is what was added; it is empty where something was only taken back."""
    before = _keys(update.subject, "old_reaction")
    now = _keys(update.subject, "new_reaction")
    return Reading(
        kind=EventKind.REACTION,
        body="\n".join(key for key in now if key not in before),
        relates_to=to(RelationType.REACTION, _reacted_to(update)),
        facts=_reactions("reactions_before", before) + _reactions("reactions", now),
    )


def _reaction_count(update: Update, _: str | None) -> Reading:
    counted = tables(update.subject, "reactions")
    shown = [f"{_key(table(each, 'type'))} {whole(each, 'total_count') or 0}" for each in counted]
    return Reading(
        kind=EventKind.REACTION,
        body="\n".join(shown),
        relates_to=to(RelationType.REACTION, _reacted_to(update)),
    )


def _reacted_to(update: Update) -> str | None:
    return update.message_name(update.message_id)


def _reactions(name: str, keys: tuple[str, ...]) -> Facts:
    return fact(name, "\n".join(keys))


def _keys(fields: JsonObject, key: str) -> tuple[str, ...]:
    return tuple(map(_key, tables(fields, key)))


def _key(reaction: JsonObject) -> str:
    """The emoji, or what kind of reaction it is, with the number of one made by users."""
    if (emoji := text(reaction, "emoji")) is not None:
        return emoji
    kind = text(reaction, "type") or "unknown"
    number = text(reaction, "custom_emoji_id")
    return kind if number is None else f"{kind}:{number}"


def _poll(update: Update, poll_message: str | None) -> Reading:
    return Reading(
        kind=EventKind.POLL,
        body=polls.question_and_options(update.subject),
        relates_to=to(RelationType.REPLY, poll_message),
        facts=polls.facts(update.subject),
    )


def _poll_answer(update: Update, poll_message: str | None) -> Reading:
    return Reading(
        kind=EventKind.POLL_ANSWER,
        body=polls.selections(update.subject),
        relates_to=to(RelationType.REPLY, poll_message),
        facts=fact("poll", update.poll_id),
    )


def _member(update: Update, _: str | None) -> Reading:
    member = table(update.subject, "new_chat_member")
    user = table(member, "user")
    status = text(member, "status")
    title = text(member, "custom_title") or text(member, "tag")
    until = moment(member, "until_date") if whole(member, "until_date") else None
    words = (status, shown_as(user), title)
    return Reading(
        kind=EventKind.MEMBERSHIP,
        body=": ".join(word for word in words if word) or None,
        facts=(
            *fact(MEMBERSHIP, status),
            *fact("membership_before", text(table(update.subject, "old_chat_member"), "status")),
            *fact(SUBJECT, whole(user, "id")),
            *fact("until", rfc3339(until) if until else None),
            *fact("invite_link", text(table(update.subject, "invite_link"), "invite_link")),
        ),
    )


def _join_request(update: Update, _: str | None) -> Reading:
    user = table(update.subject, "from")
    words = ("requested", shown_as(user), text(update.subject, "bio"))
    return Reading(
        kind=EventKind.MEMBERSHIP,
        body=": ".join(word for word in words if word),
        facts=fact(MEMBERSHIP, "requested") + fact(SUBJECT, whole(user, "id")),
    )


_READERS: dict[str, Reader] = {
    "message_reaction": _reaction,
    "message_reaction_count": _reaction_count,
    "poll": _poll,
    "poll_answer": _poll_answer,
    "my_chat_member": _member,
    "chat_member": _member,
    "chat_join_request": _join_request,
}
