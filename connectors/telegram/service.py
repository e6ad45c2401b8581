"""What service messages say: a group's changes, comings and goings, calls, and the rest."""

from __future__ import annotations

from collections.abc import Callable

from bridge.canonical.json import rfc3339
from bridge.model import EventKind
from bridge.rawjson.fields import JsonObject, table, text, whole, wholes
from connectors.telegram import polls, timers
from connectors.telegram.fields import moment
from connectors.telegram.people import names, shown_as
from connectors.telegram.reading import Facts, fact, lines
from connectors.telegram.update import Update

Shown = tuple[EventKind, str | None, Facts]
Reader = Callable[[Update], Shown]

NEW_PHOTO = "new_chat_photo"
SUBJECT = "subject"
MEMBERSHIP = "membership"


def _joined(update: Update) -> Shown:
    shown, ids = names(update.subject, "new_chat_members")
    return _membership("member", shown, ids)


def _left(update: Update) -> Shown:
    user = table(update.subject, "left_chat_member")
    number = whole(user, "id")
    return _membership("left", shown_as(user), None if number is None else str(number))


def _owner(key: str) -> Reader:
    def owner(update: Update) -> Shown:
        new = table(table(update.subject, key), "new_owner")
        number = whole(new, "id")
        return _membership("creator", shown_as(new), None if number is None else str(number))

    return owner


def _membership(status: str, shown: str | None, ids: str | None) -> Shown:
    body = f"{status}: {shown}" if shown else status
    return EventKind.MEMBERSHIP, body, fact(MEMBERSHIP, status) + fact(SUBJECT, ids)


def _title(update: Update) -> Shown:
    return EventKind.GROUP, text(update.subject, "new_chat_title"), ()


def _migrated(update: Update) -> Shown:
    moved = update.migration
    before, after = (None, None) if moved is None else moved
    facts = fact("successor", after) + fact("predecessor", before)
    return EventKind.GROUP, None if after is None else str(after), facts


def _topic(key: str) -> Reader:
    def topic(update: Update) -> Shown:
        return EventKind.GROUP, text(table(update.subject, key), "name"), ()

    return topic


def _timer(update: Update) -> Shown:
    return EventKind.TIMER, str(timers.setting(table(update.subject, timers.CHANGED))), ()


def _pinned(update: Update) -> Shown:
    pinned = table(update.subject, "pinned_message")
    return EventKind.PIN, update.message_name(whole(pinned, "message_id")), ()


def _call(word: str, key: str) -> Reader:
    def call(update: Update) -> Shown:
        value = table(update.subject, key)
        seconds, at = whole(value, "duration"), moment(value, "start_date")
        invited, _ = names(value, "users")
        more = rfc3339(at) if at else invited
        if seconds is not None:
            more = f"{seconds} s"
        return EventKind.CALL, f"{word}: {more}" if more else word, ()

    return call


def _poll_option(key: str) -> Reader:
    def option(update: Update) -> Shown:
        change = table(update.subject, key)
        holder = update.message_name(whole(table(change, "poll_message"), "message_id"))
        return EventKind.POLL, polls.option_text(change), fact("poll_message", holder)

    return option


def _of(kind: EventKind, key: str, *texts: str) -> Reader:
    """A reader of texts within what stands under ``key``; a text itself is one too."""

    def of(update: Update) -> Shown:
        value = table(update.subject, key)
        return kind, lines(text(update.subject, key), *(text(value, name) for name in texts)), ()

    return of


def _tasks(key: str) -> Reader:
    def tasks(update: Update) -> Shown:
        change = table(update.subject, key)
        holder = update.message_name(whole(table(change, "checklist_message"), "message_id"))
        shown = polls.tasks(change) or polls.tasks_done(change)
        return EventKind.SERVICE, shown, fact("checklist_message", holder)

    return tasks


def _users_shared(update: Update) -> Shown:
    shared = table(update.subject, "users_shared")
    shown, ids = names(shared, "users")
    ids = ids or "\n".join(map(str, wholes(shared, "user_ids"))) or None
    return EventKind.SERVICE, shown, fact(SUBJECT, ids)


def _payment(key: str) -> Reader:
    def payment(update: Update) -> Shown:
        paid: JsonObject = table(update.subject, key)
        facts = fact("currency", text(paid, "currency"))
        facts += fact("total_amount", whole(paid, "total_amount"))
        return EventKind.SERVICE, None, facts

    return payment


_GROUP, _SERVICE = EventKind.GROUP, EventKind.SERVICE

READERS: dict[str, Reader] = {
    "new_chat_members": _joined,
    "left_chat_member": _left,
    "chat_owner_left": _owner("chat_owner_left"),
    "chat_owner_changed": _owner("chat_owner_changed"),
    "new_chat_title": _title,
    NEW_PHOTO: _of(_GROUP, NEW_PHOTO),
    "delete_chat_photo": _of(_GROUP, "delete_chat_photo"),
    "group_chat_created": _of(_GROUP, "group_chat_created"),
    "supergroup_chat_created": _of(_GROUP, "supergroup_chat_created"),
    "channel_chat_created": _of(_GROUP, "channel_chat_created"),
    "migrate_to_chat_id": _migrated,
    "migrate_from_chat_id": _migrated,
    "chat_background_set": _of(_GROUP, "chat_background_set"),
    "forum_topic_created": _topic("forum_topic_created"),
    "forum_topic_edited": _topic("forum_topic_edited"),
    "forum_topic_closed": _topic("forum_topic_closed"),
    "forum_topic_reopened": _topic("forum_topic_reopened"),
    "general_forum_topic_hidden": _topic("general_forum_topic_hidden"),
    "general_forum_topic_unhidden": _topic("general_forum_topic_unhidden"),
    timers.CHANGED: _timer,
    "pinned_message": _pinned,
    "video_chat_scheduled": _call("scheduled", "video_chat_scheduled"),
    "video_chat_started": _call("started", "video_chat_started"),
    "video_chat_ended": _call("ended", "video_chat_ended"),
    "video_chat_participants_invited": _call("invited", "video_chat_participants_invited"),
    "poll_option_added": _poll_option("poll_option_added"),
    "poll_option_deleted": _poll_option("poll_option_deleted"),
    "checklist_tasks_added": _tasks("checklist_tasks_added"),
    "checklist_tasks_done": _tasks("checklist_tasks_done"),
    "users_shared": _users_shared,
    "successful_payment": _payment("successful_payment"),
    "refunded_payment": _payment("refunded_payment"),
    "chat_shared": _of(_SERVICE, "chat_shared", "title"),
    "web_app_data": _of(_SERVICE, "web_app_data", "button_text", "data"),
    "connected_website": _of(_SERVICE, "connected_website"),
    "gift": _of(_SERVICE, "gift", "text"),
    "gift_upgrade_sent": _of(_SERVICE, "gift_upgrade_sent", "text"),
    "suggested_post_declined": _of(_SERVICE, "suggested_post_declined", "comment"),
    **{
        key: _of(_SERVICE, key)
        for key in (
            "boost_added",
            "direct_message_price_changed",
            "giveaway_completed",
            "giveaway_created",
            "managed_bot_created",
            "paid_message_price_changed",
            "passport_data",
            "proximity_alert_triggered",
            "suggested_post_approval_failed",
            "suggested_post_approved",
            "suggested_post_paid",
            "suggested_post_refunded",
            "unique_gift",
            "write_access_allowed",
        )
    },
}
"""By the field of the message that says what happened."""
