"""Listings as rows and back. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec

from bridge import keys
from bridge.model import EventKind, Outcome, RelationType
from bridge.protocols.catalog import ListedMedium, ListedReason, ListedRelation, Listing

Value: TypeAlias = "str | int | float | None"

COLUMNS = (
    "id", "stream", "n", "gid", "part", "day", "leaf", "outcome", "reasons", "score", "policy",
    "model", "context", "sent_at", "key", "stem", "sha256", "damaged", "observed_at", "kind",
    "upstream_id", "revision", "sender_id", "sender_name", "body", "relation", "target_id",
    "target_n", "media", "method", "timer", "roster",
)  # fmt: skip
"""Of the table ``listing``, in its order."""

SPREAD = 20
"""Bits below the millisecond in an id: of what is said in one, each has a place of its own."""

STREAM_BITS = 6
"""Of these, the lowest, by which streams differ; those above are the number in the stream."""

LAST_MS = 1 << 42
"""In the year 2109. An id is a positive number of 63 bits."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REASONS = msgspec.json.Decoder(tuple[ListedReason, ...])
_MEDIA = msgspec.json.Decoder(tuple[ListedMedium, ...])
_NUMBERS = msgspec.json.Decoder(tuple[int, ...])
_encode = msgspec.json.Encoder().encode


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def first_id(moment: datetime) -> int:
    """The lowest id that something said at ``moment`` or later can have."""
    return min(max(to_ms(moment), 0), LAST_MS) << SPREAD


def wanted_id(listing: Listing) -> int:
    """Where a listing belongs in the order of pages; the next free id above it is as good.

    What was said at one moment (Telegram tells whole seconds) stands in the order of its stream;
    the low bits keep streams apart. The order wraps once in 16,384 numbers.
    """
    at = listing.at or datetime.fromisoformat(listing.day).replace(tzinfo=UTC)
    name = hashlib.sha256(listing.stream.encode()).digest()
    of_stream = name[0] >> (8 - STREAM_BITS)
    return first_id(at) + ((listing.n % (1 << (SPREAD - STREAM_BITS))) << STREAM_BITS) + of_stream


def row_of(id_: int, listing: Listing) -> tuple[Value, ...]:
    """The row of a listing."""
    relation = listing.relates_to
    return (
        id_,
        listing.stream,
        listing.n,
        listing.gid,
        listing.part,
        listing.day,
        listing.leaf,
        listing.outcome.value,
        _encode(listing.reasons).decode(),
        listing.score,
        listing.policy,
        listing.model,
        _encode(listing.context).decode(),
        None if listing.sent_at is None else to_ms(listing.sent_at),
        listing.key,
        None if listing.key is None else keys.stem_of(listing.key),
        listing.sha256,
        int(listing.damaged),
        None if listing.observed_at is None else to_ms(listing.observed_at),
        None if listing.kind is None else listing.kind.value,
        listing.upstream_id,
        listing.revision,
        listing.sender_id,
        listing.sender_name,
        listing.body,
        None if relation is None else relation.type.value,
        None if relation is None else relation.upstream_id,
        None if relation is None else relation.n,
        _encode(listing.media).decode(),
        listing.method,
        listing.timer_seconds,
        listing.roster,
    )


class ListingRow(msgspec.Struct, array_like=True):
    """A row as SQLite gives it, in the order of ``COLUMNS``, with what its group is called."""

    id: int
    stream: str
    n: int
    gid: str
    part: int
    day: str
    leaf: int
    outcome: Outcome
    reasons: str
    score: float
    policy: str
    model: str
    context: str
    sent_at: int | None
    key: str | None
    stem: str | None
    sha256: str | None
    damaged: int
    observed_at: int | None
    kind: EventKind | None
    upstream_id: str | None
    revision: str | None
    sender_id: str | None
    sender_name: str | None
    body: str | None
    relation: RelationType | None
    target_id: str | None
    target_n: int | None
    media: str
    method: str | None
    timer: float | None
    roster: int | None
    platform: str
    group_id: str
    group_name: str | None
    root_id: str | None

    def listing(self) -> Listing:
        """The row as a value."""
        return Listing(
            gid=self.gid,
            group_id=self.group_id,
            group_name=self.group_name,
            stream=self.stream,
            n=self.n,
            leaf=self.leaf,
            part=self.part,
            day=self.day,
            outcome=self.outcome,
            reasons=_REASONS.decode(self.reasons),
            score=self.score,
            policy=self.policy,
            model=self.model,
            context=_NUMBERS.decode(self.context),
            sent_at=_moment(self.sent_at),
            key=self.key,
            sha256=self.sha256,
            damaged=bool(self.damaged),
            platform=self.platform,
            observed_at=_moment(self.observed_at),
            kind=self.kind,
            upstream_id=self.upstream_id,
            revision=self.revision,
            sender_id=self.sender_id,
            sender_name=self.sender_name,
            body=self.body,
            relates_to=self._relation(),
            root_id=self.root_id,
            media=_MEDIA.decode(self.media),
            method=self.method,
            timer_seconds=self.timer,
            roster=self.roster,
        )

    def _relation(self) -> ListedRelation | None:
        if self.relation is None or self.target_id is None:
            return None
        return ListedRelation(type=self.relation, upstream_id=self.target_id, n=self.target_n)


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else _EPOCH + timedelta(milliseconds=ms)
