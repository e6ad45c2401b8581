"""The bytes of a record: every field of the format, and nothing that is absent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bridge.canonical import CaptureTool, MediaCopy, RecordFrame, record_bytes
from bridge.errors import CanonicalError
from bridge.model import (
    CaptureMethod,
    Digest,
    Event,
    EventKind,
    Relation,
    RelationType,
    Sender,
    Timer,
)
from tests.fakes import samples

SENT = datetime(2026, 3, 1, 8, 59, 58, 765_432, tzinfo=UTC)
SEEN = datetime(2026, 3, 1, 9, 0, 0, 1_999, tzinfo=UTC)
BARE = Event(
    group_id="-100", upstream_id="7", kind=EventKind.SERVICE, observed_at=SEEN, raw=b"\x00\xff"
)
FRAME = RecordFrame(
    salt=b"\xff" * 32,
    stream="00ff00ff00ff00ff",
    n=41,
    platform="telegram",
    group_name=None,
    target_n=None,
    roster_n=None,
    media=(),
    tool=CaptureTool(connector="tg", version="0.1.0"),
)
SALT = "_" * 42 + "8"


def test_the_smallest_record() -> None:
    """What is absent is left out, never null; the bytes are known to the last."""
    expected = (
        '{"capture":{"connector":"tg","method":"live","version":"0.1.0"},"group":{"id":"-100"},'
        '"kind":"service","n":41,"observed_at":"2026-03-01T09:00:00.001Z","platform":"telegram",'
        f'"raw":"AP8=","salt":"{SALT}","stream":"00ff00ff00ff00ff","upstream":{{"id":"7"}},"v":1}}'
    )
    assert record_bytes(BARE, FRAME) == expected.encode()


def _full() -> tuple[Event, RecordFrame]:
    event = replace(
        BARE,
        revision="u9",
        kind=EventKind.EDIT,
        sender=Sender(id="42", display_name="Ada Ōe"),
        sent_at=SENT,
        body="agreed 🙂\n",
        relates_to=Relation(type=RelationType.EDIT, upstream_id="6"),
        attachments=(samples.attachment(),),
        timer=Timer(seconds=60.0, basis="chat"),
        upstream=(("thread", "3"), ("update_id", "9")),
        method=CaptureMethod.BACKFILL,
    )
    copy = MediaCopy(
        attachment=samples.attachment("plan.pdf", size=999),
        object_name="media/stem/0",
        digest=Digest.of(b"x"),
        size=1,
        sniffed_type="application/pdf",
    )
    missing = MediaCopy(attachment=samples.attachment("late.bin", size=5))
    frame = replace(FRAME, group_name="Flood cell", target_n=40, roster_n=0, media=(copy, missing))
    return event, frame


def test_the_fullest_record() -> None:
    """Every field of the format under its name, with numbers and times as the format has them."""
    record = json.loads(record_bytes(*_full()))
    assert record == {
        "v": 1,
        "salt": SALT,
        "stream": "00ff00ff00ff00ff",
        "n": 41,
        "platform": "telegram",
        "group": {"id": "-100", "name": "Flood cell"},
        "upstream": {"id": "7", "revision": "u9", "thread": "3", "update_id": "9"},
        "kind": "edit",
        "sender": {"id": "42", "display_name": "Ada Ōe"},
        "sent_at": "2026-03-01T08:59:58.765Z",
        "observed_at": "2026-03-01T09:00:00.001Z",
        "body": "agreed 🙂\n",
        "relates_to": {"type": "edit", "upstream_id": "6", "n": 40},
        "media": [
            {
                "object": "media/stem/0",
                "sha256": Digest.of(b"x").hex,
                "size": 1,
                "declared_type": "application/pdf",
                "sniffed_type": "application/pdf",
                "name": "plan.pdf",
            },
            {"size": 5, "declared_type": "application/pdf", "name": "late.bin"},
        ],
        "timer": {"seconds": 60, "basis": "chat"},
        "roster": 0,
        "capture": {"method": "backfill", "connector": "tg", "version": "0.1.0"},
        "raw": "AP8=",
    }


def test_zero_and_empty_are_not_absent() -> None:
    """Number 0, an empty text and an empty name are values and stand in the record."""
    event = replace(BARE, body="", sender=Sender(id=""))
    record = json.loads(record_bytes(event, replace(FRAME, n=0, roster_n=0, group_name="")))
    assert (record["n"], record["roster"], record["body"]) == (0, 0, "")
    assert record["group"]["name"] == ""
    assert record["sender"] == {"id": ""}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, b"0.5"), (60.0, b"60"), (1e-7, b"1e-7"), (3.1536e9, b"3153600000")]
)
def test_timers_may_be_fractional(seconds: float, text: bytes) -> None:
    """A whole number of seconds has no decimals, and a fraction keeps them."""
    event = replace(BARE, timer=Timer(seconds=seconds, basis="b"))
    assert b'"timer":{"basis":"b","seconds":' + text + b"}" in record_bytes(event, FRAME)


def test_the_salt_changes_every_byte_that_counts() -> None:
    """The same event with another salt is another digest: a record cannot be guessed from one."""
    one = record_bytes(BARE, FRAME)
    two = record_bytes(BARE, replace(FRAME, salt=bytes(32)))
    assert Digest.of(one) != Digest.of(two)
    assert record_bytes(BARE, FRAME) == one


def test_platform_facts_cannot_take_the_place_of_the_identity() -> None:
    """A further fact named like the id or the revision does not replace it."""
    event = replace(BARE, revision="real", upstream=(("id", "forged"), ("revision", "forged")))
    assert json.loads(record_bytes(event, FRAME))["upstream"] == {"id": "7", "revision": "real"}


def test_the_outcome_is_not_in_the_record() -> None:
    """A record says what happened, not what was decided of it."""
    record = json.loads(record_bytes(*_full()))
    assert not {"outcome", "verdict", "score", "reasons", "policy"} & set(record)


@pytest.mark.parametrize(
    "event",
    [
        replace(BARE, body="\ud800"),
        replace(BARE, sender=Sender(id="1", display_name="\udfff")),
        replace(BARE, upstream=(("x", "\ud83d"),)),
    ],
)
def test_what_is_not_unicode_is_refused(event: Event) -> None:
    """A lone surrogate anywhere in an event is for the caller to keep as unparsed."""
    with pytest.raises(CanonicalError):
        record_bytes(event, FRAME)
