"""What the journal promises: the one place where everything delivered is durable first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bridge.canonical import Leaf
from bridge.lifecycle import EntryState
from bridge.model import (
    Batch,
    Cursor,
    EventKind,
    Group,
    Loss,
    NoticeState,
    Outcome,
    SpooledFile,
    Verdict,
)
from bridge.protocols.ciphertexts import Ciphertexts
from bridge.protocols.counts import Counting
from bridge.protocols.decisions import Decisions
from bridge.protocols.hold_acts import HoldActs
from bridge.protocols.journal_values import (
    Appended,
    DownloadOrder,
    EarlierStream,
    Entry,
    KeptObject,
    ManifestPlace,
    MediaState,
    Placement,
    Saying,
    Sealing,
    StoredProof,
    Tally,
)
from bridge.protocols.leaves import Leaves

VERSIONS = ("decrypted", "rescued+decrypted", "rescued", None)
"""The revisions under which what a message says may stand, the most telling first."""


class Journal(Ciphertexts, Counting, Decisions, HoldActs, Leaves, Protocol):
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

        Its group timers go into the register, and what is pending of those groups (entries not
        stored or discarded, and waiting download orders) gets the deadlines of
        :func:`bridge.deadlines.replan`. Its to-device messages are numbered per connector, gapless
        from 1 or as :meth:`resume_to_device` asks; one that is there already, or was within a
        week, changes nothing. An event of kind ``encrypted`` is given for judging only once half
        the time to ``safe_by`` is over, unless it is decrypted before. Losses come before the
        batch's own events. Numbers are gapless per stream. An event already there, by (stream,
        upstream id, revision), is counted as repeated and changes nothing. A group's first event
        opens its stream and queues the ``open`` act.
        """

    async def claim(
        self,
        state: EntryState,
        *,
        now: datetime,
        limit: int,
        feasible: datetime | None = None,
        pressing: datetime | None = None,
    ) -> tuple[Entry, ...]:
        """Lease entries in ``state`` that may be tried, earliest ``safe_by`` first.

        Entries that expire before ``feasible`` are hopeless and come behind the others; of those
        others, from ``sealed``, the ones that expire before ``pressing`` come first, the first to
        expire first. A next try over 15 minutes ahead is due: the wall clock was set back since it
        was written. From ``sealed`` only entries of groups whose notice is settled are given. A
        lease lasts until a verb moves or fails the entry, :meth:`release` gives it back, or the
        process ends; two claims never hold the same entry.
        """

    def release(self, seqs: Sequence[int]) -> None:
        """Give leases back untouched."""

    async def work(self, state: EntryState, *, seconds: float) -> None:
        """Wait until an entry may have come into ``state``, at most ``seconds``. MAY wake early."""

    async def judge(
        self,
        verdicts: Sequence[tuple[int, Verdict]],
        *,
        kinds: Mapping[int, EventKind] | None = None,
    ) -> None:
        """Move received entries to judged, with their verdicts.

        ``kinds`` says what was judged, by ``seq``: an entry that is of another kind now was given
        its content meanwhile, and MUST stay received.
        """

    async def seal(self, sealings: Sequence[Sealing]) -> None:
        """Fix record bytes and digest of judged entries and write their seen leaves."""

    async def store(self, proofs: Sequence[StoredProof]) -> None:
        """Move sealed entries to stored and write their leaves."""

    async def promote(
        self, seq: int, verdict: Verdict, *, key: str, safe_by: datetime, leaf: Leaf
    ) -> bool:
        """Move a discarded entry, or a stored one of outcome review, to sealed again.

        A review is one that stands under ``review/``, whatever was decided of it. Its decision leaf
        is written with the move; what is sealed again is stored under ``key`` by the normal path
        and is never late. False: it is elsewhere now.
        """

    async def undecided(self, *, received_before: datetime, limit: int) -> tuple[Entry, ...]:
        """Stored entries of outcome review that nobody decided, oldest first.

        Not an encrypted one whose content stands in an entry of its own: that one is decided.
        """

    async def open_discards(self, *, received_before: datetime, limit: int) -> tuple[Entry, ...]:
        """Discards that are not final yet, oldest first."""

    async def finalise(self, seqs: Sequence[int]) -> None:
        """These discards were judged with what followed them: they are final."""

    async def fail(self, seq: int, *, error: str, next_try: datetime) -> None:
        """Count a failed attempt. The entry stays where it is until ``next_try``."""

    async def retry(self, state: EntryState, *, error: str) -> None:
        """What last failed by ``error`` is over: those entries may be tried at once."""

    async def entry(self, seq: int) -> Entry | None:
        """One entry, or None."""

    async def find(
        self, stream: str, upstream_id: str, *, revision: str | None = None, earlier: bool = False
    ) -> Entry | None:
        """The entry of exactly this event, in this stream.

        With ``earlier``, where this stream does not have it: in the latest of the group's other
        streams that does.
        """

    async def find_open(self, stream: str, upstream_id: str) -> Entry | None:
        """The entry that tells best what a message of this stream says, by its upstream id.

        Of its ``VERSIONS`` the first that has its content and is not encrypted; the first that
        has any content where all are. Edits and late attachments are none of them.
        """

    async def recent(
        self, stream: str, *, before: int, limit: int, without: EventKind | None = None
    ) -> tuple[Entry, ...]:
        """The last ``limit`` undestroyed entries with a number below ``before``, oldest first.

        Those of the kind ``without`` are passed over.
        """

    async def following(
        self, stream: str, *, after: int, limit: int, without: EventKind | None = None
    ) -> tuple[Entry, ...]:
        """The first ``limit`` undestroyed entries with a number above ``after``, oldest first.

        ``without``: of this kind none.
        """

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

    async def manifest_places(self) -> tuple[ManifestPlace, ...]:
        """Each group's day that has rows to write; no content is opened for it."""

    async def manifest_due(self, place: ManifestPlace, *, limit: int) -> tuple[Entry, ...]:
        """Sealed entries and new decisions of one place that no manifest part names yet."""

    async def queue(
        self, placement: Placement, *, rows: Sequence[tuple[int, Outcome]] = ()
    ) -> None:
        """Fix a document for placing; ``rows`` are the entries a manifest part now names.

        Each comes with the outcome named; one that was promoted meanwhile stays due. A second
        audit of one day changes nothing.
        """

    async def placements(self, *, limit: int) -> tuple[Placement, ...]:
        """Documents waiting for their place, oldest first, of groups whose notice is settled.

        ``step`` acts hold nothing that was said in a group, and an audit, a hold or a release is of
        no group: they do not wait for the notice.
        """

    async def number(self, placement: Placement, *, after: int | None = None) -> Placement:
        """Give a document the next free number of its series, durably, before it is put.

        One that has a number keeps it, so that a repeated PUT meets its own bytes, unless
        ``after`` says that this number was found taken: then it gets the next free one above it.
        """

    async def place(self, placement: Placement, *, leaf: Leaf) -> None:
        """The store has the document under its number: write its leaf, once.

        If another life of this log published that leaf, it stands already.
        """

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

    async def take_request(self, number: int) -> None:
        """Remember a request of the office as done."""

    async def requests_taken(self) -> int:
        """The number of the last request done."""

    async def settle_notice(
        self,
        group: Group,
        *,
        notice: NoticeState,
        note: str,
        act: Placement,
        version: str | None = None,
        said_at: datetime | None = None,
    ) -> None:
        """Journal the notice's event id or its refusal; storing may begin.

        It is the one after the ``group.notices`` that were settled before: if another was settled
        since, nothing changes. Who came up to ``said_at``, by default when ``act`` was made, is no
        newcomer any more; who came after it MUST stay one.
        """

    async def close_stream(self, group: Group, *, at: datetime) -> None:
        """End the group's stream with its total; a later event would open a new one."""

    async def forget(
        self, *, discarded_before: datetime, limit: int, only: Sequence[int] | None = None
    ) -> tuple[str, ...]:
        """Destroy payload, salt, record and orders of old discards; gives spool names to remove.

        With ``only``, none but these; of them also what :meth:`to_destroy` gives. On return the
        bytes are gone from the database file and its write-ahead log. The numbers, leaves and
        reason codes stay. One on which a person's decision waits is left alone.
        """

    async def keep_body(self, connector: str, body: bytes, *, at: datetime) -> bool:
        """Keep a response that could not be split, once per digest. False: it was there."""

    async def heard(
        self,
        connector: str,
        *,
        at: datetime,
        losses: Sequence[Loss] = (),
        sayings: Sequence[Saying] = (),
    ) -> None:
        """Remember that the platform was heard at ``at``, with the gaps of a silence before it.

        One transaction with what the groups are to be told of it: never twice, never forgotten.
        The notice of each group with such a gap is to be said again.
        """

    async def last_heard(self, connector: str) -> datetime | None:
        """When the platform was last heard, or None if it never was."""

    async def say(self, sayings: Sequence[Saying]) -> None:
        """Have groups told something. A key that is there already changes nothing."""

    async def sayings(self, *, limit: int) -> tuple[Saying, ...]:
        """What is still to be said, oldest first."""

    async def said(self, saying: Saying) -> None:
        """It was said, or is given up."""

    async def supersede(self, earlier: Sequence[EarlierStream], *, at: datetime) -> None:
        """The store holds what this journal does not know: begin a new stream for each group.

        An open stream that is the earlier one takes no more events, and all its unsealed entries
        move to the new stream with new numbers. Of another open stream only those above its last
        sealed number move, so that none is missing below, and it closes with its total. Sealed
        entries are stored as they are. The new stream's ``open`` act names the earlier stream,
        its last number and the unknown period, which is also its first gap
        (``journal_replaced``). A group that is not in the register is left out. Repeating it for
        the same earlier stream changes nothing.
        """

    async def kept(self, *, after: int, limit: int) -> tuple[KeptObject, ...]:
        """Records and documents whose receipt the journal has, with a ``seq`` above ``after``.

        Records come as ``seq`` of their entry; see :meth:`kept_documents` for the others.
        """

    async def kept_documents(self, *, after: int, limit: int) -> tuple[KeptObject, ...]:
        """Manifest parts and acts that were placed, by their id."""

    async def document(self, id_: int) -> Placement | None:
        """A manifest part or an act with its bytes, placed or not."""

    async def knows(self, keys: Sequence[str]) -> frozenset[str]:
        """Which of these object keys are this journal's: records, parts, acts and anchors."""

    async def has_seen(
        self, connector: str, group_id: str, upstream_ids: Sequence[str]
    ) -> frozenset[str]:
        """Which of these events were ever journalled for the group, in any of its streams."""

    async def gaps(self, connector: str, group_id: str) -> tuple[Loss, ...]:
        """The known losses of a group, oldest first."""

    async def pending(self) -> int:
        """Entries that are on their way to the store or to a discard.

        What is received and still encrypted waits for its key, and is not among them.
        """

    async def tally(self, *, now: datetime) -> Tally:
        """Counts for ``status``."""

    async def aclose(self) -> None:
        """Finish what was begun and close the file."""
