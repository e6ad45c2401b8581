"""From an opened update to :class:`bridge.model.Event` values. Pure and total."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from bridge.canonical.json import rfc3339
from bridge.deadlines import lasts, sooner
from bridge.keys import EARLIEST, FURTHEST_AHEAD
from bridge.model import CaptureMethod, Event, EventKind, GroupTimer, RelationType, Sender
from bridge.rawjson.fields import wholes
from connectors.telegram import content, happenings
from connectors.telegram.fields import moment
from connectors.telegram.people import speaker
from connectors.telegram.reading import Facts, Reading, fact
from connectors.telegram.relations import relation, to
from connectors.telegram.timers import set_by
from connectors.telegram.update import DELETED, EDITED, MEMBERS, MESSAGES, REACTIONS, Update

MOST_DELETED = 1000
"""Deletions of one update that are told one by one; the Bot API names a hundred at most."""

_DATED = MESSAGES | MEMBERS | REACTIONS | {"chat_join_request", "chat_boost", "removed_chat_boost"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the connector knows beside an update: the group it belongs to, and its timers.

    ``poll_message`` is the message that holds the poll that the update tells of, if it is known.
    """

    timers: GroupTimer
    own_id: int | None
    poll_message: str | None = None
    method: CaptureMethod = CaptureMethod.LIVE


def map_update(update: Update, setting: Setting, observed_at: datetime) -> tuple[Event, ...]:
    """What happened: one event, or one for each message that was deleted.

    MUST NOT raise for any update; ``raw`` is kept exactly. What cannot be decoded is
    ``unparsed``; what is merely odd is mapped, with a sentence under ``problem``.
    """
    event = _event(update, setting, observed_at)
    if update.type != DELETED or event.kind is EventKind.UNPARSED:
        return (event,)
    gone = tuple(dict.fromkeys(wholes(update.subject, "message_ids")))[:MOST_DELETED]
    return tuple(_deleted(update, event, number) for number in gone) or (event,)


def _event(update: Update, setting: Setting, observed_at: datetime) -> Event:
    reading = _read(update, setting.poll_message)
    sender, told = speaker(update.subject, update.chat)
    if reading.kind is EventKind.MESSAGE and _is_own(sender, setting.own_id):
        reading.kind = EventKind.NOTICE
    facts = (
        *fact("type", update.type),
        *fact("update_id", update.update_id),
        *_place(update, setting.timers.group_id),
        *told,
        *reading.facts,
        *fact("problem", _problem(update, reading, observed_at)),
    )
    sent_at = update.sent_at
    own, standing = setting.timers.default, setting.timers.standing
    if lasts(reading.kind, facts):
        own, standing = None, None
    return Event(
        group_id=setting.timers.group_id,
        upstream_id=update.upstream_id,
        revision=update.revision,
        kind=reading.kind,
        sender=sender,
        sent_at=sent_at,
        observed_at=observed_at,
        body=reading.body,
        relates_to=reading.relates_to,
        attachments=reading.attachments,
        timer=sooner(own, standing, sent_at=sent_at, received_at=observed_at),
        own_timer=own,
        upstream=facts,
        method=setting.method,
        missing=reading.missing,
        raw=update.raw,
    )


def _read(update: Update, poll_message: str | None) -> Reading:
    if not update.clean or update.type is None:
        return Reading(kind=EventKind.UNPARSED)
    if update.type not in MESSAGES:
        if update.type == DELETED:
            return Reading(kind=EventKind.REDACTION)
        return happenings.read(update, poll_message)
    reading = content.read(update)
    relates_to, facts = relation(update)
    if update.type in EDITED:
        edited = moment(update.subject, "edit_date")
        if relates_to is not None:
            is_reply = relates_to.type is RelationType.REPLY
            facts += fact("reply_to" if is_reply else "thread", relates_to.upstream_id)
        facts += fact("edited_at", rfc3339(edited) if edited else None)
        reading.kind = EventKind.EDIT
        relates_to = to(RelationType.EDIT, update.message_name(update.message_id))
    reading.relates_to = relates_to
    reading.facts += facts
    return reading


def _deleted(update: Update, event: Event, number: int) -> Event:
    """The deletion of one message of several. Each is an event of its own, and stays it."""
    target = update.message_name(number)
    return replace(
        event,
        upstream_id=f"{event.upstream_id}:{number}",
        relates_to=to(RelationType.REDACTION, target),
    )


def _is_own(sender: Sender | None, own_id: int | None) -> bool:
    return sender is not None and own_id is not None and sender.id == str(own_id)


def _place(update: Update, group_id: str) -> Facts:
    """The chat, where the group has another id: of before or after it became a supergroup."""
    return () if update.chat_id == group_id else fact("chat", update.chat_id)


def _problem(update: Update, reading: Reading, observed_at: datetime) -> str | None:
    timer = set_by(update)
    found = (
        update.problem,
        reading.problem,
        None if timer is None else timer.problem,
        _oddness(update, observed_at),
    )
    return " ".join(filter(None, found)) or None


def _oddness(update: Update, observed_at: datetime) -> str | None:
    """What is wrong with the time, by the rule that files records by day."""
    sent_at = update.sent_at
    if sent_at is None:
        return "The date is no usable time." if update.type in _DATED else None
    if sent_at < EARLIEST:
        return "The date lies before 1990."
    if sent_at > observed_at + FURTHEST_AHEAD:
        return "The date lies over a day ahead of the receipt."
    return None
