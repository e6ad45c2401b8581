"""The examples of ``docs/formats.md``, made by the code that makes the real ones.

One message is followed from its record over its leaves to its manifest row, so that the digests
on the page fit together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TypedDict

import msgspec

from bridge import keys
from bridge.app.backed_up import BackupReport
from bridge.app.report import (
    GroupReport,
    JournalReport,
    LogReport,
    StatusReport,
    Totals,
    UnopenedReport,
)
from bridge.canonical import (
    CaptureTool,
    Leaf,
    ManifestRow,
    RecordFrame,
    act_bytes,
    manifest_bytes,
    record_bytes,
)
from bridge.canonical.json import Json, base64url_text
from bridge.model import (
    Digest,
    Event,
    EventKind,
    Outcome,
    Reason,
    Relation,
    RelationType,
    Sender,
    Timer,
    Verdict,
)
from bridge.notekeys import generate, origin
from storage.translog.verify.codes import Code
from storage.translog.verify.report import CheckpointReport, Counts, Finding, Vouches
from storage.translog.verify.report import Report as VerifyReport

TENANT = "mydept"
NEXT_KEY = generate(origin("records.example.org", TENANT), lambda size: bytes(range(size)))[1]
ROOM = "!abcdefgh:example.org"
NAME = "Flood response"
BLIND_KEY = bytes(range(32))
STREAM_KEY = bytes(range(32, 64))
SALT = bytes(range(64, 96))
SENT = datetime(2026, 3, 2, 9, 15, 30, 250000, tzinfo=UTC)
SEEN = SENT + timedelta(milliseconds=400)
KEPT_UNTIL = datetime(2033, 3, 2, tzinfo=UTC)
N = 7
SEEN_LEAF = 12

STREAM = keys.stream_id(STREAM_KEY, "matrix", ROOM)
GID = keys.group_gid(BLIND_KEY, "matrix", ROOM)

EVENT = Event(
    group_id=ROOM,
    upstream_id="$Rn2kXh0QyVb4sUe9cJwLtPz1oGm6dTfA8iKx3uBqWvE",
    kind=EventKind.MESSAGE,
    sender=Sender(id="@t.whitfield:example.org", display_name="Tom Whitfield"),
    sent_at=SENT,
    observed_at=SEEN,
    body="The Minister has agreed to option B.",
    relates_to=Relation(
        type=RelationType.REPLY, upstream_id="$Wq5tYc7ZrHd2mNa0vFxKpEs8jLb4uGiO6hTz9kQyRnB"
    ),
    timer=Timer(seconds=30.0, basis="m.room.retention"),
    upstream=(("type", "m.room.message"),),
    raw=b'{"type":"m.room.message"}',
)

VERDICT = Verdict(
    outcome=Outcome.CAPTURE,
    score=0.9,
    reasons=(Reason(code="DECISION", rule="agreed-option", start=4, end=35),),
    policy="uk-nccc@2023.1",
    model="rules-1",
    context=(EVENT.relates_to.upstream_id if EVENT.relates_to else "",),
)

RECORD = record_bytes(
    EVENT,
    RecordFrame(
        salt=SALT,
        stream=STREAM,
        n=N,
        platform="matrix",
        group_name=NAME,
        target_n=5,
        roster_n=0,
        media=(),
        tool=CaptureTool(connector="matrix", version="0.1.0"),
    ),
)

PLACE = keys.RecordName(
    platform="matrix",
    gid=GID,
    filed_at=keys.filed_at(sent_at=SENT, observed_at=SEEN),
    n=N,
    id16=keys.identity(BLIND_KEY, STREAM, EVENT.upstream_id, None)[:8].hex(),
)
KEY = PLACE.record(keys.RECORDS)

MANIFEST = manifest_bytes(
    gid=GID,
    group_id=ROOM,
    group_name=NAME,
    rows=(
        ManifestRow(
            n=N,
            stream=STREAM,
            leaf=SEEN_LEAF,
            digest=Digest.of(RECORD),
            sent_at=SENT,
            verdict=VERDICT,
            context=(5,),
            key=KEY,
            sender=EVENT.sender,
        ),
    ),
)

STEP = act_bytes(
    salt=SALT,
    kind="step",
    at=SEEN,
    by="settings file",
    details={
        "connector": "matrix",
        "platform": "matrix",
        "group": {"id": ROOM, "name": NAME},
        "step": "approve",
        "why": "listed in the file",
        "owner": "Head of resilience",
        "purpose": "Co-ordinating the flood response",
        "capture_all": False,
    },
)

OPEN = act_bytes(
    salt=SALT,
    kind="open",
    at=SEEN,
    by="bridge",
    details={
        "stream": STREAM,
        "stream_key": base64url_text(STREAM_KEY),
        "gid": GID,
        "platform": "matrix",
        "group": {"id": ROOM, "name": NAME},
    },
)

CLOSE = act_bytes(
    salt=SALT, kind="close", at=SEEN, by="bridge", details={"stream": STREAM, "total": 8}
)

DECISION = act_bytes(
    salt=SALT,
    kind="decision",
    at=SEEN,
    by="ada",
    details={
        "connector": "matrix",
        "platform": "matrix",
        "group": {"id": ROOM, "name": NAME},
        "stream": STREAM,
        "n": N,
        "outcome": "capture",
        "was": "review",
        "cl": "uk-nccc@2023.1+rules-1",
        "via": "console",
        "ordered_at": "2026-03-02T09:15:29.650Z",
        "why": "it says who pays",
    },
)


def _later(seconds: int) -> datetime:
    return SEEN + timedelta(seconds=seconds)


LEAVES: Mapping[str, Leaf] = {
    "seen": Leaf.seen(at=_later(1), stream=STREAM, n=N, digest=Digest.of(RECORD), verdict=VERDICT),
    "stored": Leaf.stored(
        at=_later(2),
        ref=SEEN_LEAF,
        digest=Digest.of(RECORD),
        key=keys.absolute(TENANT, KEY),
        retain_until=KEPT_UNTIL,
    ),
    "decision": Leaf.decision(at=_later(3), ref=SEEN_LEAF, verdict=VERDICT, by="policy"),
    "ruling": Leaf.ruling(
        at=_later(3),
        ref=SEEN_LEAF,
        outcome=Outcome.CAPTURE,
        classifier="uk-nccc@2023.1+rules-1",
        key=keys.absolute(TENANT, keys.placed_key(keys.act_folder(SEEN), 4)),
        digest=Digest.of(DECISION),
    ),
    "gap": Leaf.gap(
        at=_later(4),
        stream=STREAM,
        after=N,
        why="history_refused",
        since=None,
        until=_later(4),
    ),
    "late": Leaf.late(at=_later(5), ref=SEEN_LEAF, late_ms=1250),
    "step": Leaf.placed(
        kind="step",
        at=_later(6),
        key=keys.absolute(TENANT, keys.placed_key(keys.act_folder(SEEN), 0)),
        digest=Digest.of(STEP),
    ),
    "close": Leaf.placed(
        kind="close",
        at=_later(7),
        key=keys.absolute(TENANT, keys.placed_key(keys.act_folder(SEEN), 3)),
        digest=Digest.of(CLOSE),
        stream=STREAM,
        total=8,
    ),
    "anchor": Leaf.anchor(
        at=_later(8),
        size=19,
        key=keys.absolute(TENANT, "anchors/0/19.note"),
        digest=Digest.of(b"a signed note"),
    ),
    "key": Leaf.key(at=_later(9), line=NEXT_KEY),
}


class _Counts(TypedDict):
    """What a group and the total count alike."""

    seen: int
    captured: int
    review: int
    discarded: int
    undecided: int
    stored: int
    gaps: int
    late: int


_COUNTS: _Counts = {
    "seen": 8,
    "captured": 3,
    "review": 1,
    "discarded": 4,
    "undecided": 0,
    "stored": 4,
    "gaps": 0,
    "late": 0,
}

STATUS = StatusReport(
    groups=[
        GroupReport(
            connector="matrix",
            id=ROOM,
            name=NAME,
            state="active",
            last_event_at="2026-03-02T09:15:30.650Z",
            notice="posted",
            note="",
            timer=86_400.0,
            unopened=[
                UnopenedReport(
                    count=2,
                    oldest_at="2026-03-02T09:14:02.118Z",
                    why="The event cannot be decrypted: its key has not come.",
                )
            ],
            **_COUNTS,
        )
    ],
    totals=Totals(unlisted=0, unopened=2, **_COUNTS),
    journal=JournalReport(entries_by_state={"discarded": 4, "stored": 4}, unsplit=0),
    downloads={},
    log=LogReport(size=19),
    overdue=0,
    alarms=[],
    capture_delay=0.412,
    backup=BackupReport(at="2026-03-02T02:00:04.310Z"),
    version="0.1.0",
)


ROOT_300 = Digest.of(b"the first 300 leaves").hex
VERIFIED = VerifyReport(
    verdict="intact",
    store="file:/srv/copy",
    origin="records.example.org/mydept/log/0",
    checkpoint=CheckpointReport(size=300, root=ROOT_300, at="2026-03-02T09:31:07.120Z"),
    findings=[],
    listed=[
        Finding(
            code=Code.NUMBER_OPEN.value,
            what=f"Stream {STREAM} has no leaf for number 78 yet.",
            stream=STREAM,
            n=78,
        )
    ],
    counts=Counts(
        leaves=300,
        records=110,
        acts=24,
        manifests=7,
        media=20,
        anchors=2,
        objects=190,
        bytes=161231,
        streams=2,
    ),
    vouches=Vouches(
        size=300,
        time="2026-03-02T09:31:07.120Z",
        timestamped_size=251,
        timestamped_at="2026-03-02T09:30:00.000Z",
        witnessed_size=251,
        witnessed_by=["witness.example.net/archives"],
        known=[52],
    ),
    version="1.2.3",
)


@cache
def examples() -> Mapping[str, Json]:
    """Every JSON example of the page, by the word after ``json`` on its fence."""
    made: dict[str, Json] = {
        "record": json.loads(RECORD),
        "manifest": json.loads(MANIFEST),
        "act-step": json.loads(STEP),
        "act-open": json.loads(OPEN),
        "act-close": json.loads(CLOSE),
        "act-decision": json.loads(DECISION),
        "status": json.loads(msgspec.json.encode(STATUS)),
        "verify": json.loads(msgspec.json.encode(VERIFIED)),
    }
    return made | {f"leaf-{kind}": json.loads(leaf.body) for kind, leaf in LEAVES.items()}


def facts() -> Mapping[str, str]:
    """What the page's text and tables say of the example."""
    return {
        "stream": STREAM,
        "gid": GID,
        "record key": keys.absolute(TENANT, KEY),
        "media key": keys.absolute(TENANT, keys.media_key(KEY, keys.media_object(PLACE.stem, 0))),
        "manifest key": keys.absolute(
            TENANT, keys.placed_key(keys.manifest_folder(GID, PLACE.day), 0)
        ),
        "act key": keys.absolute(TENANT, keys.placed_key(keys.act_folder(SEEN), 0)),
        "record digest": Digest.of(RECORD).hex,
    }
