"""Values with sensible defaults, so that a test names only what it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bridge.canonical import Leaf
from bridge.lifecycle import seal_trigger
from bridge.model import (
    Attachment,
    Batch,
    CaptureMethod,
    Cursor,
    Digest,
    Event,
    EventKind,
    Group,
    GroupState,
    Loss,
    NoticeState,
    Outcome,
    Presence,
    Reason,
    Relation,
    SealedRecord,
    Sender,
    Sighting,
    SpooledFile,
    Timer,
    Verdict,
)
from bridge.protocols import Entry, Placement, PlacementKind, Sealing, StoredProof
from tests.fakes.clock import START

NOW = START
CONNECTOR = "matrix"
PLATFORM = "matrix"
GROUP_ID = "!flood:example.org"
ADA = Sender(id="@ada:example.org", display_name="Ada")
BLIND_KEY = bytes(range(32))
JOURNAL_KEY = bytes(range(32, 64))


def seeded(seed: int = 0) -> Callable[[int], bytes]:
    """A source of bytes that are different at each call and the same in each run."""
    calls = 0

    def draw(size: int) -> bytes:
        nonlocal calls
        calls += 1
        return hashlib.shake_128(f"{seed}/{calls}".encode()).digest(size)

    return draw


def event(
    upstream_id: str = "$1",
    *,
    group_id: str = GROUP_ID,
    revision: str | None = None,
    kind: EventKind = EventKind.MESSAGE,
    sender: Sender | None = ADA,
    sent_at: datetime | None = NOW,
    observed_at: datetime = NOW,
    body: str | None = "The pumps arrive at nine.",
    relates_to: Relation | None = None,
    attachments: Sequence[Attachment] = (),
    timer: Timer | float | None = None,
    upstream: tuple[tuple[str, str], ...] = (),
    method: CaptureMethod = CaptureMethod.LIVE,
    missing: str | None = None,
    raw: bytes | None = None,
) -> Event:
    """A text message; ``timer`` may be given in seconds."""
    return Event(
        group_id=group_id,
        upstream_id=upstream_id,
        revision=revision,
        kind=kind,
        sender=sender,
        sent_at=sent_at,
        observed_at=observed_at,
        body=body,
        relates_to=relates_to,
        attachments=tuple(attachments),
        timer=Timer(seconds=timer, basis="sample") if isinstance(timer, int | float) else timer,
        upstream=upstream,
        method=method,
        missing=missing,
        raw=f'{{"event_id":"{upstream_id}"}}'.encode(errors="replace") if raw is None else raw,
    )


def attachment(name: str = "plan.pdf", *, size: int | None = 1000) -> Attachment:
    """A file that an event offers."""
    return Attachment(
        url=f"mxc://example.org/{name}", name=name, declared_type="application/pdf", size=size
    )


def spooled(name: str = "f1", *, data: bytes = b"%PDF-1.7") -> SpooledFile:
    """A file that has come into the spool."""
    return SpooledFile(
        name=name, size=len(data), digest=Digest.of(data), sniffed_type="application/pdf"
    )


def batch(
    *events: Event,
    cursor: bytes | None = b"next",
    losses: Sequence[Loss] = (),
    sightings: Sequence[Sighting] = (),
    unlisted: int = 0,
    connector: str = CONNECTOR,
    platform: str = PLATFORM,
) -> Batch:
    """One delivery of these events."""
    return Batch(
        connector=connector,
        platform=platform,
        cursor=None if cursor is None else Cursor(cursor),
        events=events,
        losses=tuple(losses),
        sightings=tuple(sightings),
        unlisted=unlisted,
    )


def loss(
    why: str = "limited_timeline",
    *,
    group_id: str = GROUP_ID,
    since: datetime | None = NOW - timedelta(hours=1),
    until: datetime | None = NOW,
    detail: str = "",
) -> Loss:
    """A loss that the connector can name."""
    return Loss(group_id=group_id, why=why, since=since, until=until, detail=detail)


def sighting(
    presence: Presence = Presence.JOINED,
    *,
    group_id: str = GROUP_ID,
    at: datetime = NOW,
    name: str | None = None,
    by: str | None = None,
    obstacle: str = "",
    successor: str | None = None,
) -> Sighting:
    """What the platform tells of a group."""
    return Sighting(
        group_id=group_id,
        presence=presence,
        at=at,
        name=name,
        by=by,
        obstacle=obstacle,
        successor=successor,
    )


def group(
    group_id: str = GROUP_ID,
    *,
    state: GroupState = GroupState.ACTIVE,
    notice: NoticeState = NoticeState.POSTED,
    presence: Presence | None = Presence.JOINED,
    name: str | None = "Flood cell",
    note: str = "",
    capture_all: bool = False,
    listed: bool = False,
    connector: str = CONNECTOR,
    platform: str = PLATFORM,
) -> Group:
    """A group that is being recorded and has been told so."""
    return Group(
        connector=connector,
        platform=platform,
        group_id=group_id,
        name=name,
        state=state,
        notice=notice,
        presence=presence,
        note=note,
        capture_all=capture_all,
        listed=listed,
    )


def verdict(
    outcome: Outcome = Outcome.CAPTURE,
    *,
    score: float = 0.9,
    reasons: Sequence[Reason] = (Reason(code="DECISION", rule="sample"),),
    context: Sequence[str] = (),
    markings: Sequence[str] = (),
    restricted: bool = False,
    policy: str = "sample@1",
    model: str = "none",
) -> Verdict:
    """A decision about a message."""
    return Verdict(
        outcome=outcome,
        score=score,
        reasons=tuple(reasons),
        policy=policy,
        model=model,
        markings=tuple(markings),
        context=tuple(context),
        restricted=restricted,
    )


def record_key(entry: Entry, *, area: str = "records") -> str:
    """A key for the record of ``entry``, of the shape keys have."""
    day = entry.event.observed_at.strftime("%Y/%m/%d")
    stem = f"090000000-{entry.n:012d}-{entry.seq:016x}"
    return f"{area}/{entry.stream.platform}/{entry.stream.gid}/{day}/{stem}.json"


def sealing(
    entry: Entry,
    *,
    body: bytes | None = None,
    key: str | None = None,
    media: int = 0,
    at: datetime = NOW,
) -> Sealing:
    """The seal of a judged entry, taking the arrow its verdict asks for."""
    if entry.verdict is None:
        raise RuntimeError("only judged entries are sealed")
    data = f'{{"n":{entry.n},"body":"{entry.event.body}"}}'.encode() if body is None else body
    digest = Digest.of(data)
    area = "review" if entry.verdict.outcome is Outcome.REVIEW else "records"
    return Sealing(
        seq=entry.seq,
        trigger=seal_trigger(entry.verdict),
        record=SealedRecord(body=data, digest=digest, key=key or record_key(entry, area=area)),
        leaf=Leaf.seen(
            at=at, stream=entry.stream.id, n=entry.n, digest=digest, verdict=entry.verdict
        ),
        media=media,
    )


def proof(entry: Entry, *, at: datetime = NOW, late_ms: int | None = None) -> StoredProof:
    """The store's receipt for a sealed entry."""
    if entry.record is None or entry.seen_leaf is None:
        raise RuntimeError("only sealed entries are stored")
    ref = entry.seen_leaf
    return StoredProof(
        seq=entry.seq,
        at=at,
        stored=Leaf.stored(
            at=at,
            ref=ref,
            digest=entry.record.digest,
            key=f"v1/sample/{entry.record.key}",
            retain_until=None,
        ),
        late=Leaf.late(at=at, ref=ref, late_ms=late_ms) if late_ms else None,
        late_ms=late_ms,
    )


def placement(
    kind: PlacementKind = PlacementKind.STEP,
    *,
    folder: str = "acts/2026/03/01",
    body: bytes = b'{"kind":"step"}',
    group_id: str = GROUP_ID,
    connector: str = CONNECTOR,
    at: datetime = NOW,
    stream: str | None = None,
    total: int | None = None,
) -> Placement:
    """A document that waits for its place."""
    return Placement(
        kind=kind,
        folder=folder,
        body=body,
        connector=connector,
        group_id=group_id,
        at=at,
        stream=stream,
        total=total,
    )


def placed_leaf(placement: Placement, *, number: int, at: datetime = NOW) -> Leaf:
    """The leaf of a document that the store has under ``number``."""
    return Leaf.placed(
        kind=placement.kind.value,
        at=at,
        key=f"v1/sample/{placement.folder}/{number:012d}.json",
        digest=Digest.of(placement.body),
        stream=placement.stream,
        total=placement.total,
    )
