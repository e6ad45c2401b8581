"""Keys of objects, told apart by their form. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_RECORD = re.compile(
    r"(?P<area>records|review)/(?P<platform>[a-z0-9_-]+)/(?P<gid>[0-9a-f]{16})"
    r"/(?P<day>[0-9]{4}/[0-9]{2}/[0-9]{2})"
    r"/(?P<clock>[0-9]{9})-(?P<n>[0-9]{12,})-(?P<id16>[0-9a-f]{16})\.json"
)
_MEDIA = re.compile(
    r"(?P<folder>(?:records|review)(?:/[a-z0-9_-]+)+)/media/(?P<stem>[a-z0-9-]+)/(?:0|[1-9][0-9]*)"
)
_MANIFEST = re.compile(
    r"manifests/(?P<gid>[0-9a-f]{16})/[0-9]{4}/[0-9]{2}/[0-9]{2}/[0-9]{6,}\.json"
)
_ACT = re.compile(r"acts/[0-9]{4}/[0-9]{2}/[0-9]{2}/[0-9]{12,}\.json")
_ANCHOR = re.compile(r"anchors/(?P<shard>[^/]+)/(?P<size>0|[1-9][0-9]{0,18})\.(?P<form>note|tsr)")


class RecordPlace(NamedTuple):
    """What a record's key says."""

    area: str
    platform: str
    gid: str
    day: str
    clock: str
    n: int


@dataclass(frozen=True, slots=True)
class AnchorPlace:
    """What an anchor's key says. ``form`` is ``note`` or ``tsr``."""

    shard: str
    size: int
    form: str


def record_place(key: str) -> RecordPlace | None:
    """A record's key, read; None if it is none."""
    found = _RECORD.fullmatch(key)
    if found is None:
        return None
    area, platform, gid, day, clock, n = found.group(1, 2, 3, 4, 5, 6)
    return RecordPlace(area, platform, gid, day, clock, int(n))


def record_of_media(key: str) -> str | None:
    """The key of the record beside which an attachment's key lies; None if it is none."""
    found = _MEDIA.fullmatch(key)
    return f"{found['folder']}/{found['stem']}.json" if found else None


def manifest_gid(key: str) -> str | None:
    """The blinded group in a manifest part's key; None if it is none."""
    found = _MANIFEST.fullmatch(key)
    return found["gid"] if found else None


def is_act(key: str) -> bool:
    """Whether this is the key of an act."""
    return _ACT.fullmatch(key) is not None


def anchor_place(key: str) -> AnchorPlace | None:
    """An anchor's key, read; None if it is none."""
    found = _ANCHOR.fullmatch(key)
    if found is None:
        return None
    return AnchorPlace(shard=found["shard"], size=int(found["size"]), form=found["form"])


def twin(key: str) -> str | None:
    """The key of a record's copy in the other area; None if it is no record's or medium's key."""
    area, _, rest = key.partition("/")
    other = {"records": "review", "review": "records"}.get(area)
    return f"{other}/{rest}" if other else None
