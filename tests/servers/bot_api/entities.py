"""Entities that the service finds in a text by itself.

Documentation: ``MessageEntity`` (offsets and lengths are in UTF-16 code units).
"""

from __future__ import annotations

import re

from tests.servers.bot_api.wire import JsonObject

_FOUND = {
    "bot_command": re.compile(r"(?<!\S)/[A-Za-z0-9_]{1,32}(?:@\w+)?"),
    "mention": re.compile(r"(?<!\w)@\w{4,32}"),
    "hashtag": re.compile(r"(?<!\w)#\w+"),
    "url": re.compile(r"https?://\S+"),
}


def units(text: str) -> int:
    """The length of a text in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def found_in(text: str) -> list[JsonObject]:
    """The commands, mentions, hashtags and links of a text, in their order."""
    found = [
        (units(text[: match.start()]), units(match.group()), kind)
        for kind, pattern in _FOUND.items()
        for match in pattern.finditer(text)
    ]
    return [
        {"offset": offset, "length": length, "type": kind} for offset, length, kind in sorted(found)
    ]
