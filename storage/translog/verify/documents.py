"""Records, manifest parts and acts, as far as ``verify`` reads them. Pure."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Literal, TypeAlias, TypeVar

import msgspec

from bridge.canonical import dumps
from bridge.errors import CanonicalError
from storage.translog.malformed import MalformedError
from storage.translog.verify.lines import LARGEST_INTEGER

BEYOND = b"\xf0\xf1\xf2\xf3\xf4"
"""With these begins, in UTF-8, what is beyond the Basic Multilingual Plane."""

PRIVATE = b"\xee\xef"
"""And with these what sorts before it as code points and behind it as UTF-16."""

Time: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$", max_length=24
    ),
]
Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]


class DocumentError(MalformedError):
    """A document is not of its format. The message says what is wrong."""


class MediaCopy(msgspec.Struct, frozen=True, gc=False):
    """An attachment in a record."""

    object: str | None = None
    sha256: str | None = None
    size: int | None = None


class Record(msgspec.Struct, frozen=True):
    """What of a record must fit its leaf and its key."""

    v: Literal[1]
    salt: str
    stream: str
    n: int
    platform: str
    observed_at: Time
    sent_at: Time | None = None
    media: tuple[MediaCopy, ...] = ()


class Row(msgspec.Struct, frozen=True, gc=False):
    """A row of a manifest part."""

    n: int
    s: str
    leaf: int
    outcome: Literal["capture", "review", "discard"]
    sha256: str | None = None
    key: str | None = None


class Manifest(msgspec.Struct, frozen=True):
    """A manifest part."""

    v: Literal[1]
    gid: str
    rows: tuple[Row, ...]


class ActGroup(msgspec.Struct, frozen=True):
    """The group of an act."""

    id: str


class Previous(msgspec.Struct, frozen=True):
    """The stream that an ``open`` takes the place of."""

    stream: str


class Act(msgspec.Struct, frozen=True):
    """An act of any kind: what of it must fit its leaf. ``leaves`` are ranges that it covers."""

    v: Literal[1]
    salt: str
    kind: str
    at: Moment
    by: str
    stream: str | None = None
    total: int | None = None
    stream_key: str | None = None
    gid: str | None = None
    platform: str | None = None
    group: ActGroup | None = None
    previous: Previous | None = None
    leaves: tuple[tuple[int, int], ...] = ()


_T = TypeVar("_T", Record, Manifest, Act)


_Whole: TypeAlias = Annotated[int, msgspec.Meta(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)]
_Plain: TypeAlias = bool | _Whole | str | None
_Within: TypeAlias = _Plain | list[_Plain] | dict[str, _Plain]
_Around: TypeAlias = _Plain | list[_Within] | dict[str, _Within]
_QUICK = msgspec.json.Decoder(dict[str, _Around])
"""What the quick encoder writes as RFC 8785 has it: no fractions, which it writes otherwise."""

_SORTED = msgspec.json.Encoder(order="sorted")
_RECORD = msgspec.json.Decoder(Record)
_MANIFEST = msgspec.json.Decoder(Manifest)
_ACT = msgspec.json.Decoder(Act)


def read_record(body: bytes) -> Record:
    """A record.

    Raises:
        DocumentError: the bytes are not canonical JSON of the format.
    """
    return _read(body, _RECORD)


def read_manifest(body: bytes) -> Manifest:
    """A manifest part.

    Raises:
        DocumentError: the bytes are not canonical JSON of the format.
    """
    return _read(body, _MANIFEST)


def read_act(body: bytes) -> Act:
    """An act.

    Raises:
        DocumentError: the bytes are not canonical JSON of the format.
    """
    return _read(body, _ACT)


def is_canonical(body: bytes) -> bool:
    """Whether the bytes are the RFC 8785 form of what they say."""
    if _is_quickly(body):
        return True
    try:
        return dumps(json.loads(body)) == body
    except (ValueError, RecursionError, CanonicalError, AttributeError):
        return False


def _is_quickly(body: bytes) -> bool:
    """Whether the bytes are canonical by the quick encoder, where that is the same as RFC 8785.

    Besides numbers it differs in the order of some names with letters beyond the Basic
    Multilingual Plane. What is nested deeply is left to the slow one, too.
    """
    try:
        if _SORTED.encode(_QUICK.decode(body)) != body:
            return False
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return body.isascii() or not (_has(body, BEYOND) and _has(body, PRIVATE))


def _has(body: bytes, some: bytes) -> bool:
    return len(body.translate(None, some)) < len(body)


def _read(body: bytes, decoder: msgspec.json.Decoder[_T]) -> _T:
    try:
        document = decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise DocumentError(str(error)) from None
    if not is_canonical(body):
        raise DocumentError("its JSON is not canonical")
    return document
