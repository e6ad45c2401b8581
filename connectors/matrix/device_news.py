"""What a sync response tells of devices: whose changed, and which of our keys are left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from bridge.rawjson.fields import count, decode
from bridge.rawjson.scan import ScanError, Scanner

TOLD_OF_DEVICES = (
    "device_lists",
    "device_one_time_keys_count",
    "device_unused_fallback_key_types",
)
ALGORITHM = "signed_curve25519"
NOTHING = b"null"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNews:
    """What one response tells. Applying it twice changes nothing.

    ``changed`` are users whose devices are to be asked for anew, ``left`` those we share no room
    with any more. ``one_time`` counts the one-time keys that others can still claim.
    ``fallback_unused`` is also said of a server that does not say, which knows no such keys.
    """

    changed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    one_time: int = 0
    fallback_unused: bool = True


NO_NEWS = DeviceNews()


def read_news(lists: bytes, counts: bytes, unused: bytes) -> DeviceNews:
    """Read the three values as they stand in the response. MUST NOT raise.

    What cannot be read counts as nothing: no keys left, so that new ones are given. One user id
    that is no text takes nothing from those beside it.
    """
    changed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    scanner = Scanner(lists)
    with contextlib.suppress(ScanError):
        for key in scanner.members():
            if key == "changed":
                changed = tuple(_texts(scanner.value()))
            elif key == "left":
                left = tuple(_texts(scanner.value()))
    return DeviceNews(
        changed=changed,
        left=left,
        one_time=count(decode(counts) or {}, ALGORITHM) or 0,
        fallback_unused=unused == NOTHING or ALGORITHM in _texts(unused),
    )


def _texts(array: bytes) -> Iterator[str]:
    with contextlib.suppress(ScanError):
        for element in Scanner(array).elements():
            # The delimiter is what ends a value.
            text = Scanner(element + b",").text()
            if text is not None:
                yield text
