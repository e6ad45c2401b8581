"""What the journal promises: the one place where everything delivered is durable first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bridge.canonical import Leaf
from bridge.lifecycle import EntryState, Trigger
from bridge.model import (
    Attachment,
    Batch,
    Cursor,
    Event,
    Group,
    Loss,
    NoticeState,
    Outcome,
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
    """A journal row with its content. ``n`` is its number in its stream, gapless from 0."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A document with fixed bytes, waiting for its number and its place in the store.

    ``folder`` is ``manifests/<gid>/<day>`` or ``acts/<day>``; ``number`` is the next to try.
    ``at`` is when it was fixed, from which its retention counts; ``stream`` and ``total`` go into
    the leaf of ``open`` and ``close``.
    """

    id: int = 0
    kind: PlacementKind
    folder: str
    number: int = 0
    body: bytes = field(repr=False)
    connector: str
    group_id: str
    at: datetime
    stream: str | None = None
    total: int | None = None


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


class Journal(Protocol):
    """Durable, ordered, single-writer. Raises :class:`bridge.errors.JournalError` and nothing else.

    Every verb that writes is one transaction, durable on return. A verb whose caller is
    cancelled has happened or not; who must know reads again. Moves are compare-and-set: one that
    finds the entry elsewhere changes nothing and is left out of the answer.
    """

    @property
    def damaged(self) -> int:
        """Entries met so far that do not open with the journal key; they cost no other entry."""

    async def cursor(self, connector: str) -> Cursor | None:
        """Where ``connector`` stands, or None before its first batch."""

    async def append(self, batch: Batch) -> Appended:
        """Commit a batch: events, numbers, deadlines, download orders, losses, sightings, cursor.

        Losses come before the batch's own events. Numbers are gapless per stream. An event
        already there, by (stream, upstream id, revision), is counted as repeated and changes
        nothing. A group's first event opens its stream and queues the ``open`` act.
        """

    async def claim(
        self, state: EntryState, *, now: datetime, limit: int, feasible: datetime | None = None
    ) -> tuple[Entry, ...]:
        """Lease entries in ``state`` that may be tried, earliest ``safe_by`` first.

        Entries that expire before ``feasible`` are hopeless and come behind the others. From
        ``sealed`` only entries of groups whose notice is settled are given. A lease lasts until
        a verb moves or fails the entry, :meth:`release` gives it back, or the process ends; two
        claims never hold the same entry.
        """

    def release(self, seqs: Sequence[int]) -> None:
        """Give leases back untouched."""

    async def work(self, state: EntryState, *, seconds: float) -> None:
        """Wait until an entry may have come into ``state``, at most ``seconds``. MAY wake early."""

    async def judge(self, verdicts: Sequence[tuple[int, Verdict]]) -> None:
        """Move received entries to judged, with their verdicts."""

    async def seal(self, sealings: Sequence[Sealing]) -> None:
        """Fix record bytes and digest of judged entries and write their seen leaves."""

    async def store(self, proofs: Sequence[StoredProof]) -> None:
        """Move sealed entries to stored and write their leaves."""

    async def promote(
        self, seq: int, verdict: Verdict, *, key: str, safe_by: datetime, leaf: Leaf
    ) -> bool:
        """Move a discarded entry to sealed, with its decision leaf. False: it is elsewhere now."""

    async def fail(self, seq: int, *, error: str, next_try: datetime) -> None:
        """Count a failed attempt. The entry stays where it is until ``next_try``."""

    async def entry(self, seq: int) -> Entry | None:
        """One entry, or None."""

    async def find(self, stream: str, upstream_id: str) -> Entry | None:
        """The entry of an event without revision, by its upstream id."""

    async def recent(self, stream: str, *, before: int, limit: int) -> tuple[Entry, ...]:
        """The last ``limit`` undestroyed entries with a number below ``before``, oldest first."""

    async def roster_before(self, stream: str, n: int) -> int | None:
        """Number of the latest roster or membership event at or below ``n``."""

    async def media(self, seq: int) -> tuple[MediaState, ...]:
        """The attachments of an entry, in order."""

    async def claim_download(self, *, now: datetime) -> DownloadOrder | None:
        """Lease the download order that is due first."""

    async def downloaded(self, order: DownloadOrder, file: SpooledFile, *, at: datetime) -> bool:
        """The file is in the spool. If its record is sealed already, a ``media`` entry is made.

        False: the entry was destroyed meanwhile, and the file is to go.
        """

    def release_download(self, order: DownloadOrder) -> None:
        """Give an order back untouched."""

    async def download_failed(
        self, order: DownloadOrder, *, why: str, at: datetime, next_try: datetime | None
    ) -> None:
        """Count a failure; without ``next_try`` it is final and a gap is written."""

    async def spooled(self) -> frozenset[str]:
        """Names of all spool files that an entry still needs; any other file may go."""

    async def media_stored(self, seq: int) -> tuple[str, ...]:
        """Mark an entry's spooled media stored; gives the spool names that may go."""

    async def record_gap(self, connector: str, loss: Loss, *, at: datetime) -> None:
        """Write a gap that no batch carries."""

    async def manifest_due(self, *, limit: int) -> tuple[Entry, ...]:
        """Sealed entries and new decisions that no manifest part names yet."""

    async def queue(
        self, placement: Placement, *, rows: Sequence[tuple[int, Outcome]] = ()
    ) -> None:
        """Fix a document for placing; ``rows`` are the entries a manifest part now names.

        Each comes with the outcome named; one that was promoted meanwhile stays due.
        """

    async def placements(self, *, limit: int) -> tuple[Placement, ...]:
        """Documents waiting for their place, oldest first, of groups whose notice is settled.

        ``step`` acts, which hold nothing that was said in a group, do not wait for the notice.
        """

    async def place(self, placement: Placement, *, number: int, leaf: Leaf) -> None:
        """The store has the document under ``number``: write its leaf."""

    async def groups(self) -> tuple[Group, ...]:
        """The register."""

    async def set_group(
        self,
        group: Group,
        *,
        expect: Group | None,
        acts: Sequence[Placement] = (),
        office_step: int | None = None,
    ) -> bool:
        """Write a group's row if it is still ``expect`` (None: if it is not there).

        ``office_step`` is remembered as taken in the same transaction. False: somebody, or the
        platform, changed it meanwhile; nothing was written.
        """

    async def skip_office_step(self, number: int) -> None:
        """Remember a step that asks for nothing as taken."""

    async def office_taken(self) -> int:
        """The number of the last office step taken."""

    async def settle_notice(
        self, group: Group, *, notice: NoticeState, note: str, act: Placement
    ) -> None:
        """Journal the notice's event id or its refusal; storing may begin.

        Of a notice that is not due any more nothing changes.
        """

    async def close_stream(self, group: Group, *, at: datetime) -> None:
        """End the group's stream with its total; a later event would open a new one."""

    async def forget(self, *, discarded_before: datetime, limit: int) -> tuple[str, ...]:
        """Destroy payload, salt, record and orders of old discards; gives spool names to remove.

        On return the bytes are gone from the database file and its write-ahead log. The numbers,
        leaves and reason codes stay.
        """

    async def keep_body(self, connector: str, body: bytes, *, at: datetime) -> bool:
        """Keep a response that could not be split, once per digest. False: it was there."""

    async def pending(self) -> int:
        """Entries that are on their way to the store or to a discard."""

    async def tally(self, *, now: datetime) -> Tally:
        """Counts for ``status``."""

    async def aclose(self) -> None:
        """Finish what was begun and close the file."""
