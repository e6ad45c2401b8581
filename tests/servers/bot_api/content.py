"""What messages carry, in the shapes of the documentation.

Documentation: ``PhotoSize``, ``Audio``, ``Document``, ``Video``, ``VideoNote``, ``Voice``,
``Sticker``, ``Contact``, ``Location``, ``Venue``, ``Poll``, ``Dice``, ``Story``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.servers.bot_api.files import FileShelf, StoredFile, Upload
from tests.servers.bot_api.wire import JsonObject


def _file(stored: StoredFile) -> JsonObject:
    # The key stands for the identifier; each bot gets its own when it is told.
    return {
        "file_id": stored.key,
        "file_unique_id": stored.unique_id,
        "file_size": stored.upload.length,
    }


def _named(stored: StoredFile) -> JsonObject:
    return {"file_name": stored.upload.name, "mime_type": stored.upload.mime} | _file(stored)


def photo(files: FileShelf, upload: Upload) -> JsonObject:
    """``photo``: the same picture in three sizes, the last one is the whole."""
    small = Upload(data=upload.data[:64], name=upload.name, mime=upload.mime)
    sizes = ((small, 90, 67), (small, 320, 240), (upload, 1280, 960))
    shown = [
        _file(files.put(each, "photos")) | {"width": width, "height": height}
        for each, width, height in sizes
    ]
    return {"photo": shown}


def document(files: FileShelf, upload: Upload) -> JsonObject:
    """``document``."""
    return {"document": _named(files.put(upload, "documents"))}


def audio(files: FileShelf, upload: Upload) -> JsonObject:
    """``audio``."""
    about: JsonObject = {"duration": 12, "title": "Recording"}
    return {"audio": about | _named(files.put(upload, "music"))}


def video(files: FileShelf, upload: Upload) -> JsonObject:
    """``video``."""
    about: JsonObject = {"duration": 9, "width": 640, "height": 360}
    return {"video": about | _named(files.put(upload, "videos"))}


def animation(files: FileShelf, upload: Upload) -> JsonObject:
    """``animation``, with the ``document`` that stands beside it for old clients."""
    stored = files.put(upload, "animations")
    about: JsonObject = {"duration": 3, "width": 320, "height": 240}
    return {"animation": about | _named(stored), "document": _named(stored)}


def voice(files: FileShelf, upload: Upload) -> JsonObject:
    """``voice``."""
    about: JsonObject = {"duration": 4, "mime_type": upload.mime}
    return {"voice": about | _file(files.put(upload, "voice"))}


def video_note(files: FileShelf, upload: Upload) -> JsonObject:
    """``video_note``."""
    about: JsonObject = {"duration": 5, "length": 240}
    return {"video_note": about | _file(files.put(upload, "video_notes"))}


def sticker(files: FileShelf, upload: Upload, emoji: str) -> JsonObject:
    """``sticker``."""
    about: JsonObject = {
        "width": 512,
        "height": 512,
        "emoji": emoji,
        "set_name": "Signals",
        "is_animated": False,
        "is_video": False,
        "type": "regular",
    }
    return {"sticker": about | _file(files.put(upload, "stickers"))}


def location(latitude: float, longitude: float) -> JsonObject:
    """``location``."""
    return {"location": {"latitude": latitude, "longitude": longitude}}


def venue(latitude: float, longitude: float, title: str, address: str) -> JsonObject:
    """``venue``, with the ``location`` that stands beside it."""
    place = location(latitude, longitude)
    return {"venue": place | {"title": title, "address": address}} | place


def poll(number: int, question: str, options: Sequence[str], *, anonymous: bool) -> JsonObject:
    """A ``Poll`` nobody has voted in yet."""
    return {
        "id": str(number),
        "question": question,
        "options": [
            {"persistent_id": str(place), "text": text, "voter_count": 0}
            for place, text in enumerate(options)
        ],
        "total_voter_count": 0,
        "is_closed": False,
        "is_anonymous": anonymous,
        "type": "regular",
        "allows_multiple_answers": True,
        "allows_revoting": True,
        "members_only": False,
    }


def counted(poll: Mapping[str, object], votes: Mapping[int, Sequence[int]]) -> JsonObject:
    """The same ``Poll`` with these votes, by voter."""
    options = poll["options"]
    assert isinstance(options, list)
    shown = [
        dict(each) | {"voter_count": sum(place in chosen for chosen in votes.values())}
        for place, each in enumerate(options)
    ]
    return dict(poll) | {
        "options": shown,
        "total_voter_count": sum(bool(chosen) for chosen in votes.values()),
    }


def emoji(text: str) -> JsonObject:
    """A ``ReactionType``: an emoji, or a custom one given by its number."""
    if text.isdecimal():
        return {"type": "custom_emoji", "custom_emoji_id": text}
    return {"type": "emoji", "emoji": text}
