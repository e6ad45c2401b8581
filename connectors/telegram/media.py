"""The files that a message offers, and the address by which the connector fetches each."""

from __future__ import annotations

from urllib.parse import quote, unquote

from bridge.model import Attachment
from bridge.rawjson.fields import JsonObject, count, table, tables, text

PREVIEW = "paid_media_preview"
"""Why a paid medium did not reach us: the platform shows only that there is one."""

# Where there is an animation, the document is the same file again.
FILES = (
    "animation",
    "live_photo",
    "video",
    "document",
    "audio",
    "voice",
    "video_note",
    "sticker",
)


def file_url(file_id: str, unique_id: str | None) -> str:
    """What stands in :attr:`bridge.model.Attachment.url`: both names of a file.

    ``file_id`` is what ``getFile`` takes; ``unique_id`` stays the same over time and for all bots.
    """
    return quote(file_id, safe="") + ("" if unique_id is None else "#" + quote(unique_id, safe=""))


def file_names(url: str) -> tuple[str, str | None]:
    """The ``file_id`` and the ``file_unique_id`` in an address made by :func:`file_url`."""
    file_id, mark, unique_id = url.partition("#")
    return unquote(file_id), unquote(unique_id) if mark else None


def attachments(message: JsonObject) -> tuple[Attachment, ...]:
    """Every file of a message, each once and a photo in its largest size."""
    found: list[JsonObject] = [table(message, key) for key in FILES]
    found.append(largest(message, "photo"))
    game = table(message, "game")
    found += [table(game, "animation"), largest(game, "photo")]
    for paid in tables(table(message, "paid_media"), "paid_media"):
        found += [table(paid, "live_photo"), table(paid, "video"), largest(paid, "photo")]
    poll = table(message, "poll")
    found += _of_poll(poll)
    return attached(found)


def attached(files: list[JsonObject]) -> tuple[Attachment, ...]:
    """The files that can be fetched, each once."""
    found: dict[str, Attachment] = {}
    for file in files:
        file_id, unique_id = text(file, "file_id"), text(file, "file_unique_id")
        if file_id:
            found.setdefault(
                unique_id or file_id,
                Attachment(
                    url=file_url(file_id, unique_id),
                    name=text(file, "file_name"),
                    declared_type=text(file, "mime_type"),
                    size=count(file, "file_size"),
                ),
            )
    return tuple(found.values())


def largest(fields: JsonObject, key: str) -> JsonObject:
    """The largest of the sizes of a photo, or an empty object."""
    sizes = [size for size in tables(fields, key) if text(size, "file_id")]
    return max(sizes, key=_area, default={})


def withheld(message: JsonObject) -> str | None:
    """Why a part of the content did not come, if the message shows that much."""
    paid = tables(table(message, "paid_media"), "paid_media")
    return PREVIEW if any(text(each, "type") == "preview" for each in paid) else None


def _area(size: JsonObject) -> tuple[int, int]:
    area = (count(size, "width") or 0) * (count(size, "height") or 0)
    return area, count(size, "file_size") or 0


def _of_poll(poll: JsonObject) -> list[JsonObject]:
    holders = [table(poll, "media"), table(poll, "explanation_media")]
    holders += [table(option, "media") for option in tables(poll, "options")]
    found: list[JsonObject] = []
    for holder in holders:
        found += [table(holder, key) for key in FILES]
        found.append(largest(holder, "photo"))
    return found
