"""What the content of a message says, in the words of the record format."""

from __future__ import annotations

from collections.abc import Callable

from bridge.model import EventKind
from bridge.rawjson.fields import JsonObject, says, table, text, whole
from connectors.telegram import media, places, polls, service
from connectors.telegram.entities import hidden, oddness
from connectors.telegram.people import names
from connectors.telegram.reading import Facts, Reading, fact, lines
from connectors.telegram.relations import forwarded, story_name
from connectors.telegram.update import Update

Shown = tuple[EventKind, str | None, Facts]
Reader = Callable[[JsonObject], Shown]


def read(update: Update) -> Reading:
    """Read a message as its content says. MUST NOT raise, whatever its shape.

    Of several contents the first known one holds; content of no known kind is ``unknown``.
    """
    message = update.subject
    content, (kind, body, facts) = _content(update)
    found = media.attachments(message)
    if kind is EventKind.UNKNOWN:
        found += media.attached([table(message, key) for key in _unknown(message)])
    if content == service.NEW_PHOTO:
        found = media.attached([media.largest(message, service.NEW_PHOTO)])
    return Reading(
        kind=kind,
        body=body,
        attachments=found,
        facts=(
            *fact("content", content),
            *facts,
            *fact("media_group", text(message, "media_group_id")),
            *forwarded(message),
            *hidden(message),
        ),
        missing=media.withheld(message),
        problem=oddness(message),
    )


def _content(update: Update) -> tuple[str, Shown]:
    message = update.subject
    for key, reader in _CONTENT.items():
        if says(message, key):
            return key, reader(message)
    for key, serves in service.READERS.items():
        if says(message, key):
            return key, serves(update)
    return " ".join(_unknown(message)), (EventKind.UNKNOWN, _words(message), ())


def _unknown(message: JsonObject) -> tuple[str, ...]:
    return tuple(key for key in message if key not in _AROUND and says(message, key))


def _words(message: JsonObject) -> str | None:
    shown = text(message, "text")
    return text(message, "caption") if shown is None else shown


def _message(message: JsonObject) -> Shown:
    return EventKind.MESSAGE, _words(message), ()


def _sticker(message: JsonObject) -> Shown:
    sticker = table(message, "sticker")
    return EventKind.STICKER, text(sticker, "emoji"), fact("set_name", text(sticker, "set_name"))


def _contact(message: JsonObject) -> Shown:
    contact = table(message, "contact")
    name = " ".join(filter(None, (text(contact, "first_name"), text(contact, "last_name"))))
    shown = lines(name, text(contact, "phone_number"))
    return EventKind.CONTACT, shown, fact("contact", whole(contact, "user_id"))


def _place(message: JsonObject) -> Shown:
    return EventKind.LOCATION, *places.place(message)


def _poll(message: JsonObject) -> Shown:
    poll = table(message, "poll")
    return EventKind.POLL, polls.question_and_options(poll), polls.facts(poll)


def _checklist(message: JsonObject) -> Shown:
    return EventKind.MESSAGE, polls.tasks(table(message, "checklist")), ()


def _dice(message: JsonObject) -> Shown:
    dice = table(message, "dice")
    value = whole(dice, "value")
    parts = filter(None, (text(dice, "emoji"), None if value is None else str(value)))
    return EventKind.MESSAGE, " ".join(parts) or None, ()


def _story(message: JsonObject) -> Shown:
    story = table(message, "story")
    return EventKind.MESSAGE, _words(message), fact("story", story_name(story))


def _game(message: JsonObject) -> Shown:
    game = table(message, "game")
    shown = lines(text(game, "title"), text(game, "description"), text(game, "text"))
    return EventKind.MESSAGE, shown, ()


def _invoice(message: JsonObject) -> Shown:
    invoice = table(message, "invoice")
    facts = fact("currency", text(invoice, "currency"))
    facts += fact("total_amount", whole(invoice, "total_amount"))
    return EventKind.MESSAGE, lines(text(invoice, "title"), text(invoice, "description")), facts


def _giveaway(message: JsonObject) -> Shown:
    giveaway = table(message, "giveaway") or table(message, "giveaway_winners")
    winners, _ = names(giveaway, "winners")
    return EventKind.MESSAGE, lines(text(giveaway, "prize_description"), winners), ()


# Of what stands together in one message, for old clients' sake, the more exact goes first.
_CONTENT: dict[str, Reader] = {
    "text": _message,
    "animation": _message,
    "live_photo": _message,
    "document": _message,
    "photo": _message,
    "video": _message,
    "audio": _message,
    "voice": _message,
    "video_note": _message,
    "paid_media": _message,
    "sticker": _sticker,
    "contact": _contact,
    "venue": _place,
    "location": _place,
    "poll": _poll,
    "checklist": _checklist,
    "dice": _dice,
    "story": _story,
    "game": _game,
    "invoice": _invoice,
    "giveaway": _giveaway,
    "giveaway_winners": _giveaway,
}

# What stands around the content of a message and is none.
_AROUND = frozenset({
    "author_signature", "business_connection_id", "caption", "caption_entities", "chat", "date",
    "direct_messages_topic", "edit_date", "effect_id", "entities", "external_reply",
    "forward_date", "forward_from", "forward_from_chat", "forward_from_message_id",
    "forward_origin", "forward_sender_name", "forward_signature", "from",
    "guest_bot_caller_chat", "guest_bot_caller_user", "guest_query_id", "has_media_spoiler",
    "has_protected_content", "is_automatic_forward", "is_from_offline", "is_paid_post",
    "is_topic_message", "link_preview_options", "media_group_id", "message_id",
    "message_thread_id", "paid_star_count", "quote", "reply_markup",
    "reply_to_checklist_task_id", "reply_to_message", "reply_to_poll_option_id",
    "reply_to_story", "sender_boost_count", "sender_business_bot", "sender_chat", "sender_tag",
    "show_caption_above_media", "suggested_post_info", "via_bot",
})  # fmt: skip
