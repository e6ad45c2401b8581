"""Which streams a store shows: read from acts, manifest parts and records. Pure.

Objects that this journal does not know were written by somebody else, and may be anything: a part
that is not as the format has it makes the whole document nobody's.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from bridge import keys

FORMAT = re.compile(
    r"acts/\d{4}/\d\d/\d\d/(?P<act>\d{12,15})\.json"
    r"|manifests/(?P<manifest>[0-9a-f]{16}/\d{4}/\d\d/\d\d)/\d{6,15}\.json"
    r"|(?:records|review)/[a-z0-9._-]+/(?P<folder>(?P<gid>[0-9a-f]{16})/\d{4}/\d\d/\d\d)/"
    r"(?:media/)?(?P<stem>\d{9}-(?P<n>\d{12})-[0-9a-f]{16})(?:\.json|(?P<medium>/\d+))"
)
"""Every key that this program makes."""

_T = TypeVar("_T")


class GroupPart(msgspec.Struct, frozen=True):
    """The group as documents name it."""

    id: str


class PreviousPart(msgspec.Struct, frozen=True):
    """The stream that an ``open`` act replaces."""

    stream: str


class ActDocument(msgspec.Struct, frozen=True):
    """What is read of an act."""

    v: int
    kind: str
    at: str
    stream: str = ""
    stream_key: str = ""
    gid: str = ""
    platform: str = ""
    connector: str = ""
    group: GroupPart | None = None
    previous: PreviousPart | None = None


class RowPart(msgspec.Struct, frozen=True):
    """What is read of a manifest row."""

    n: int
    s: str
    sent_at: str = ""
    key: str = ""


class ManifestDocument(msgspec.Struct, frozen=True):
    """What is read of a manifest part."""

    v: int
    gid: str
    group: GroupPart
    rows: list[RowPart]


class CapturePart(msgspec.Struct, frozen=True):
    """Who captured a record."""

    connector: str = ""


class RecordDocument(msgspec.Struct, frozen=True):
    """What is read of a record."""

    v: int
    stream: str
    n: int
    platform: str
    group: GroupPart
    sent_at: str = ""
    capture: CapturePart | None = None


def decoded(body: bytes | None, shape: type[_T]) -> _T | None:
    """A document of this shape, or None: then it is nobody's."""
    if body is None:
        return None
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def moment(text: str) -> datetime | None:
    """A time as documents write it."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else None
    except (ValueError, OverflowError):
        return None


@dataclass(slots=True, kw_only=True)
class SeenStream:
    """A stream as documents show it. ``own``: this journal opened it."""

    stream: str
    platform: str = ""
    connector: str = ""
    group_id: str = ""
    gid: str = ""
    opened_at: datetime | None = None
    own: bool = False
    last_n: int = -1
    newest: datetime | None = None
    objects: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, n: int, at: datetime | None) -> None:
        """An event of this stream was seen."""
        self.last_n = max(self.last_n, n)
        if at is not None and (self.newest is None or at > self.newest):
            self.newest = at


class Lineage:
    """The streams of a tenant, which of them ended, and which were replaced by others."""

    def __init__(self) -> None:
        self.streams: dict[str, SeenStream] = {}
        self._opened: set[str] = set()
        self._closed_here: set[str] = set()
        self._closed_there: set[str] = set()
        self._replaced: set[str] = set()

    def stream(self, name: str) -> SeenStream:
        """The stream of this name, met now or before."""
        return self.streams.setdefault(name, SeenStream(stream=name))

    def take(self, act: ActDocument, *, own: bool) -> None:
        """Learn what an act says of streams. ``own``: it is this journal's act."""
        if act.kind == "close" and act.stream:
            (self._closed_here if own else self._closed_there).add(act.stream)
        if act.kind != "open" or not act.stream or act.group is None:
            return
        if not _is_consistent(act, act.group.id):
            return
        seen = self.stream(act.stream)
        seen.platform, seen.group_id, seen.gid = act.platform, act.group.id, act.gid
        seen.connector = act.connector or seen.connector
        seen.opened_at, seen.own = moment(act.at), seen.own or own
        self._opened.add(act.stream)
        if act.previous is not None:
            self._replaced.add(act.previous.stream)

    def is_over(self, seen: SeenStream) -> bool:
        """Whether nothing new can come in this stream: it was replaced, or it has its total.

        A close that this journal does not know of leaves its own stream open here.
        """
        if seen.stream in self._replaced or seen.stream in self._closed_here:
            return True
        return seen.stream in self._closed_there and not seen.own

    def is_ours(self, seen: SeenStream, *, blind_key: bytes) -> bool:
        """Whether a journal of this tenant opened it: its act says so, or its group's blinding."""
        if seen.stream in self._opened:
            return True
        return bool(seen.gid) and seen.gid == keys.group_gid(
            blind_key, seen.platform, seen.group_id
        )

    def own_open(self) -> list[SeenStream]:
        """The streams that this journal goes on with."""
        return [seen for seen in self.streams.values() if seen.own and not self.is_over(seen)]

    def opened_elsewhere(self) -> list[SeenStream]:
        """Streams that another journal opened and nobody ended."""
        return [
            self.streams[name]
            for name in self._opened
            if not self.streams[name].own and not self.is_over(self.streams[name])
        ]


def _is_consistent(act: ActDocument, group_id: str) -> bool:
    """Whether an ``open`` act proves its stream: the name comes from key, platform and group."""
    try:
        stream_key = base64.urlsafe_b64decode(act.stream_key + "=" * (-len(act.stream_key) % 4))
    except ValueError:
        return False
    return act.stream == keys.stream_id(stream_key, act.platform, group_id)
