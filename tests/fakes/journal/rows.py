"""What the journal in memory remembers, and the values it shows of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bridge.lifecycle import EntryState
from bridge.model import (
    Attachment,
    Event,
    EventKind,
    Reason,
    SealedRecord,
    SpooledFile,
    Stream,
    Verdict,
)
from bridge.protocols import (
    DownloadOrder,
    DownloadState,
    Entry,
    ManifestPlace,
    MediaState,
    PersonDecision,
    Placement,
    PlacementKind,
)

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def to_millisecond(moment: datetime) -> datetime:
    """``moment`` as the journal keeps the times it works with."""
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)


def is_due(next_try: datetime, now: datetime) -> bool:
    """It may be tried: also where the clock was set back since the next try was written."""
    moment = to_millisecond(now)
    return next_try <= moment or next_try > moment + timedelta(minutes=15)


def sayable(text: str) -> str:
    """``text`` without what UTF-8 cannot carry."""
    return text.encode("utf-8", "replace").decode()


def is_unopened(event: Event) -> bool:
    """Whether a key could still show what ``event`` says."""
    crypto = event.crypto
    return event.kind is EventKind.ENCRYPTED and crypto is not None and crypto.clear is None


@dataclass(slots=True, kw_only=True)
class MessageRow:
    """A message to our device; ``raw`` goes once the decrypter has it."""

    number: int
    raw: bytes | None
    at: datetime


@dataclass(slots=True, kw_only=True)
class ShutRow:
    """That an entry is still encrypted, what is in the way, and whether it is a gap by now."""

    why: str = ""
    gave_up: bool = False


@dataclass(slots=True, kw_only=True)
class StreamRow:
    """A stream and the next number in it. ``replaced``: numbers below it may have left it."""

    id: str
    gid: str
    connector: str
    platform: str
    group_id: str
    next_n: int = 0
    closed: bool = False
    replaced: bool = False

    def value(self, *, name: str | None, capture_all: bool, retention: str | None) -> Stream:
        """The row with what the register adds."""
        return Stream(
            id=self.id,
            gid=self.gid,
            connector=self.connector,
            platform=self.platform,
            group_id=self.group_id,
            group_name=name,
            capture_all=capture_all,
            retention=retention,
        )


@dataclass(slots=True, kw_only=True)
class EntryRow:
    """An entry; ``event`` and ``record`` go when it is destroyed, the rest stays."""

    seq: int
    n: int
    stream: StreamRow
    ident: bytes
    kind: EventKind
    event: Event | None
    state: EntryState
    received_at: datetime
    safe_by: datetime
    expires_at: datetime | None
    verdict: Verdict | None = None
    record: SealedRecord | None = None
    key: str = ""
    seen_leaf: int | None = None
    stored_at: datetime | None = None
    late_ms: int | None = None
    attempts: int = 0
    error: str = ""
    next_try: datetime = LONG_AGO
    manifest_due: bool = False
    fixed_deadline: bool = False
    shut: ShutRow | None = None
    opened_at: datetime | None = None
    opened_beside: bool = False
    final: bool = False

    def value(self, stream: Stream) -> Entry | None:
        """The row as others see it; None once its content was destroyed."""
        if self.event is None:
            return None
        return Entry(
            seq=self.seq,
            n=self.n,
            stream=stream,
            event=self.event,
            state=self.state,
            safe_by=self.safe_by,
            expires_at=self.expires_at,
            verdict=self.verdict,
            record=self.record,
            seen_leaf=self.seen_leaf,
            attempts=self.attempts,
            stored_at=self.stored_at,
            opened_at=self.opened_at,
        )

    @property
    def place(self) -> ManifestPlace:
        """Where its manifest row stands."""
        _, _, gid, *day = self.key.split("/")[:6]
        return ManifestPlace(gid=gid, day="/".join(day))

    @property
    def half_time(self) -> datetime:
        """Until when media, or a key, may be waited for."""
        time = max(self.safe_by - self.received_at, timedelta(0))
        return to_millisecond(self.received_at + time / 2)

    def try_again_at(self, moment: datetime) -> None:
        """Nothing stands against the next step from ``moment`` on."""
        self.attempts = 0
        self.error = ""
        self.next_try = moment

    def destroy(self) -> None:
        """The content goes; of the verdict stays what holds no words of a message."""
        self.event = None
        self.shut = None
        self.record = None
        self.manifest_due = False
        if self.verdict is not None:
            reasons = tuple(Reason(code=each.code, rule=each.rule) for each in self.verdict.reasons)
            self.verdict = replace(self.verdict, reasons=reasons, markings=(), context=())


@dataclass(slots=True, kw_only=True)
class OrderRow:
    """A download order, and the file once it came."""

    id: int
    entry: EntryRow
    i: int
    attachment: Attachment
    due: datetime
    state: DownloadState = DownloadState.WAITING
    file: SpooledFile | None = None
    attempts: int = 0
    next_try: datetime = LONG_AGO

    def order(self) -> DownloadOrder:
        """The row as an order."""
        return DownloadOrder(
            id=self.id,
            seq=self.entry.seq,
            i=self.i,
            connector=self.entry.stream.connector,
            group_id=self.entry.stream.group_id,
            attachment=self.attachment,
            due=self.due,
            attempts=self.attempts,
        )

    def media(self) -> MediaState:
        """The row as the medium of its entry."""
        return MediaState(
            order_id=self.id,
            i=self.i,
            attachment=self.attachment,
            state=self.state,
            file=self.file,
        )


@dataclass(slots=True, kw_only=True)
class DecisionRow:
    """A person's decision; ``judged`` is the verdict it changed, ``act`` the id of its document."""

    id: int
    decision: PersonDecision
    state: str = "waiting"
    judged: Verdict | None = None
    act: int | None = None


@dataclass(slots=True, kw_only=True)
class PlacementRow:
    """A document; ``number`` is None until it is to be put, ``leaf`` until the store has it."""

    id: int
    placement: Placement
    number: int | None = None
    leaf: int | None = None

    def value(self) -> Placement:
        """The row as others see it."""
        return replace(self.placement, id=self.id, number=self.number)

    @property
    def series(self) -> str:
        """Within what numbers are free or taken: all acts, or the parts of one folder."""
        manifest = self.placement.kind is PlacementKind.MANIFEST
        return self.placement.folder if manifest else "acts"
