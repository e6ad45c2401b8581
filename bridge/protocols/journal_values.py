"""The values that the journal speaks in: entries, orders, seals, documents, and counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bridge.canonical import Leaf
from bridge.lifecycle import EntryState, Trigger
from bridge.model import (
    Attachment,
    Digest,
    Event,
    Group,
    SealedRecord,
    SpooledFile,
    Stream,
    Verdict,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What one append did: new entries by group, repeats, and groups whose stream it opened."""

    new: int
    repeated: int
    opened: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A journal row with its content. ``n`` is its number in its stream, gapless from 0.

    ``opened_at``: when it was decrypted in place; until then it could only wait.
    """

    seq: int
    n: int
    stream: Stream
    event: Event
    state: EntryState
    safe_by: datetime
    expires_at: datetime | None
    verdict: Verdict | None
    record: SealedRecord | None
    seen_leaf: int | None
    attempts: int
    stored_at: datetime | None = None
    opened_at: datetime | None = None


class DownloadState(StrEnum):
    """Where a download order stands."""

    WAITING = "waiting"
    SPOOLED = "spooled"
    STORED = "stored"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadOrder:
    """An attachment still to fetch, with its own deadline."""

    id: int
    seq: int
    i: int
    connector: str
    group_id: str
    attachment: Attachment
    due: datetime
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaState:
    """An attachment of an entry and how far it came."""

    order_id: int
    i: int
    attachment: Attachment
    state: DownloadState
    file: SpooledFile | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """A seal: the exact record bytes, the seen leaf, and the arrow the entry takes.

    ``media`` counts the attachments the record names with an object. If another came in
    meanwhile, the seal changes nothing and is made again.
    """

    seq: int
    trigger: Trigger
    record: SealedRecord
    leaf: Leaf
    media: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredProof:
    """The store's receipt for a record: the leaves it gives, and when it was."""

    seq: int
    at: datetime
    stored: Leaf
    late: Leaf | None = None
    late_ms: int | None = None


class PlacementKind(StrEnum):
    """Documents that are numbered when they are put: manifest parts and acts."""

    MANIFEST = "manifest"
    OPEN = "open"
    CLOSE = "close"
    STEP = "step"
    NOTICE = "notice"
    AUDIT = "audit"
    DECISION = "decision"
    HOLD = "hold"
    RELEASE = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A document with fixed bytes, waiting for its number and its place in the store.

    ``folder`` is ``manifests/<gid>/<day>`` or ``acts/<day>``; ``number`` is the one it was given
    (:meth:`Journal.number`), or None while it has none.
    ``at`` is when it was fixed, from which its retention counts; ``stream`` and ``total`` go into
    the leaf of ``open`` and ``close``.
    """

    id: int = 0
    kind: PlacementKind
    folder: str
    number: int | None = None
    body: bytes = field(repr=False)
    connector: str
    group_id: str
    at: datetime
    stream: str | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCount:
    """How many seen leaves a stream has, and the highest number among them."""

    stream: str
    last_n: int
    seen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestPlace:
    """A day of a group whose manifest lacks rows. ``day`` is ``YYYY/MM/DD``."""

    gid: str
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """A sentence that a group is to be told, once, under ``key``; after ``until`` it is stale."""

    id: int = 0
    connector: str
    group_id: str
    text: str
    key: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierStream:
    """A stream that a lost journal wrote, as the store shows it. ``last_n`` is its highest number.

    Between ``since`` and ``until`` nobody knows what was delivered.
    """

    connector: str
    group_id: str
    stream: str
    last_n: int
    since: datetime | None
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptObject:
    """An object that must stand in the store, as the journal has it: no content is opened.

    ``seq`` orders them; ``key`` is below ``v1/<tenant>/``.
    """

    seq: int
    key: str
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Unopened:
    """An entry that is still encrypted. ``why`` is what was last found to be in the way.

    ``gave_up``: it is a gap by now; a key that comes yet still opens it.
    """

    seq: int
    group_id: str
    session: str
    event: Event
    why: str
    gave_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decryption:
    """An encrypted entry's event with its content."""

    seq: int
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class UnopenedGroup:
    """Entries of one group that are still encrypted, by what is in the way."""

    connector: str
    group_id: str
    why: str
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyGroup:
    """Counts of one group, over all its streams."""

    group: Group
    captured: int = 0
    review: int = 0
    discarded: int = 0
    undecided: int = 0
    stored: int = 0
    gaps: int = 0
    late: int = 0
    last_event_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What ``status`` counts."""

    groups: tuple[TallyGroup, ...]
    entries_by_state: tuple[tuple[str, int], ...]
    downloads: tuple[tuple[str, int], ...]
    leaves: int
    overdue: int
    unlisted: int
    unsplit: int
    unopened: tuple[UnopenedGroup, ...] = ()
