"""What manifests, records and acts say, as the catalog lists it. Pure: bytes in, values out.

Nothing here is trusted further than it fits: a record whose bytes are not the ones that its
manifest row names is listed as damaged, with what the manifest alone says of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Annotated, Final, TypeAlias

import msgspec

from bridge.errors import CatalogError
from bridge.model import EventKind, Outcome, RelationType
from bridge.protocols.catalog import (
    ListedAct,
    ListedMedium,
    ListedReason,
    ListedRelation,
    Listing,
)

RecordOf = Callable[[str], bytes | None]
"""The bytes under a key below ``v1/<tenant>/``, or None."""

# What a database, a calendar or a store cannot take is no number, time or key of ours.
_Number: TypeAlias = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_Time: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
_Key: TypeAlias = Annotated[
    str, msgspec.Meta(pattern=r"\A(?:records|review)(?:/[a-z0-9_-]{1,100}){1,10}\.json\Z")
]
_NOT_OURS: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)


class _Group(msgspec.Struct):
    id: str
    name: str | None = None


class _Reason(msgspec.Struct):
    code: str
    rule: str
    start: _Number = 0
    end: _Number = 0


class _Row(msgspec.Struct):
    n: _Number
    s: str
    leaf: _Number
    outcome: Outcome
    reasons: list[_Reason]
    score: float
    policy: str
    model: str
    sent_at: _Time | None = None
    context: list[_Number] = []
    key: _Key | None = None
    sha256: str | None = None


class _Part(msgspec.Struct):
    gid: str
    group: _Group
    rows: list[_Row]


class _Sender(msgspec.Struct):
    id: str
    display_name: str | None = None


class _Upstream(msgspec.Struct):
    id: str
    revision: str | None = None


class _Relation(msgspec.Struct):
    type: RelationType
    upstream_id: str
    n: _Number | None = None


class _Medium(msgspec.Struct):
    object: str | None = None
    sha256: str | None = None
    size: _Number | None = None
    declared_type: str | None = None
    sniffed_type: str | None = None
    name: str | None = None


class _Timer(msgspec.Struct):
    seconds: float


class _Capture(msgspec.Struct):
    method: str


class _Record(msgspec.Struct):
    platform: str
    kind: EventKind
    observed_at: _Time
    upstream: _Upstream
    capture: _Capture
    sender: _Sender | None = None
    body: str | None = None
    relates_to: _Relation | None = None
    media: list[_Medium] = []
    timer: _Timer | None = None
    roster: _Number | None = None


class _Act(msgspec.Struct):
    kind: str
    at: _Time
    by: str
    gid: str | None = None
    stream: str | None = None


EVERY: Final = slice(None)
_PART: Final = msgspec.json.Decoder(_Part)
_RECORD: Final = msgspec.json.Decoder(_Record)
_ACT: Final = msgspec.json.Decoder(_Act)


@dataclass(frozen=True, slots=True)
class ManifestPart:
    """One part, understood. Its rows can be listed a few at a time: records may be large."""

    day: str
    number: int
    document: _Part

    def __len__(self) -> int:
        return len(self.document.rows)

    def records(self, rows: slice = EVERY) -> tuple[str, ...]:
        """The keys of the records that these rows name."""
        return tuple(row.key for row in self.document.rows[rows] if row.key is not None)

    def listings(self, record_of: RecordOf, rows: slice = EVERY) -> tuple[Listing, ...]:
        """What these rows list, with what their records say."""
        return tuple(
            _listing(self.document, row, self.day, self.number, record_of)
            for row in self.document.rows[rows]
        )


def part_of(key: str, part: bytes) -> ManifestPart:
    """A part of a manifest. ``key`` is ``manifests/<gid>/<YYYY>/<MM>/<DD>/<part>.json``.

    Raises:
        CatalogError: it is none.
    """
    try:
        document = _PART.decode(part)
        for row in document.rows:
            _in_calendar(row.sent_at)
        _, _, *day, name = key.split("/")
        number, filed = int(name.removesuffix(".json")), "-".join(day)
        if date.fromisoformat(filed).isoformat() != filed or not 0 <= number < 1 << 63:
            raise ValueError("it has no day and number")
    except _NOT_OURS as error:
        raise CatalogError(f"{key} is no part of a manifest: {error}") from None
    return ManifestPart(filed, number, document)


def _in_calendar(at: datetime | None) -> None:
    """See that a time has a year by UTC too.

    Raises:
        OverflowError: it has none.
    """
    if at is not None:
        at.astimezone(UTC)


def listings_of(key: str, part: bytes, record_of: RecordOf) -> tuple[Listing, ...]:
    """What one manifest part lists.

    Raises:
        CatalogError: it is no manifest part.
    """
    return part_of(key, part).listings(record_of)


def act_of(key: str, act: bytes) -> ListedAct:
    """An act as it is listed.

    Raises:
        CatalogError: it is no act.
    """
    try:
        found = _ACT.decode(act)
        _in_calendar(found.at)
        document = act.decode()
    except _NOT_OURS as error:
        raise CatalogError(f"{key} is no act: {error}") from None
    return ListedAct(
        key=key,
        kind=found.kind,
        at=found.at,
        by=found.by,
        subject=found.gid or found.stream,
        document=document,
    )


def _listing(part: _Part, row: _Row, day: str, number: int, record_of: RecordOf) -> Listing:
    record = _record(row, record_of) if row.key is not None else None
    bare = Listing(
        gid=part.gid,
        group_id=part.group.id,
        group_name=part.group.name,
        stream=row.s,
        n=row.n,
        leaf=row.leaf,
        part=number,
        day=day,
        outcome=row.outcome,
        reasons=tuple(
            ListedReason(code=each.code, rule=each.rule, start=each.start, end=each.end)
            for each in row.reasons
        ),
        score=row.score,
        policy=row.policy,
        model=row.model,
        context=tuple(row.context),
        sent_at=row.sent_at,
        key=row.key,
        sha256=row.sha256,
        damaged=row.key is not None and record is None,
    )
    return bare if record is None else _with_record(bare, record)


def _record(row: _Row, record_of: RecordOf) -> _Record | None:
    """The record that a row names, if its bytes are the ones that the row names."""
    data = record_of(row.key or "")
    if data is None or hashlib.sha256(data).hexdigest() != row.sha256:
        return None
    try:
        record = _RECORD.decode(data)
        _in_calendar(record.observed_at)
    except _NOT_OURS:
        return None
    return record


def _with_record(bare: Listing, record: _Record) -> Listing:
    sender, relation = record.sender, record.relates_to
    return replace(
        bare,
        platform=record.platform,
        observed_at=record.observed_at,
        kind=record.kind,
        upstream_id=record.upstream.id,
        revision=record.upstream.revision,
        sender_id=sender.id if sender else None,
        sender_name=sender.display_name if sender else None,
        body=record.body,
        relates_to=None
        if relation is None
        else ListedRelation(type=relation.type, upstream_id=relation.upstream_id, n=relation.n),
        media=tuple(_medium(i, each) for i, each in enumerate(record.media)),
        method=record.capture.method,
        timer_seconds=record.timer.seconds if record.timer else None,
        roster=record.roster,
    )


def _medium(i: int, medium: _Medium) -> ListedMedium:
    return ListedMedium(
        i=i,
        object=medium.object,
        sha256=medium.sha256,
        size=medium.size,
        declared_type=medium.declared_type,
        sniffed_type=medium.sniffed_type,
        name=medium.name,
    )
