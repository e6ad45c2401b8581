"""Events that were made to break readers are kept, and cost no other event."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.canonical.json import Json
from bridge.model import EventKind, Sender
from connectors.matrix.envelope import split_sync
from tests.unit.connectors.matrix.payloads import (
    CLERK,
    ROOM,
    SENT_AT,
    dumps,
    event,
    mapped,
    message,
    values,
)

GOOD = message("Good neighbours.")
HEAD = b'"event_id":"$odd","sender":"@clerk:town.example","origin_server_ts":1750000000000,'
TYPE = b'"type":"m.room.message"'

UNDECODABLE = {
    "not a number": b'{"body":NaN}',
    "infinity": b'{"body":"x","n":-Infinity}',
    "float out of range": b'{"body":"x","n":1e999}',
    "huge integer": b'{"n":' + b"7" * 5000 + b"}",
    "lone surrogate": rb'{"body":"permit \ud800 granted"}',
    "lone low surrogate": rb'{"body":"\udfff"}',
    "surrogate in UTF-8": b'{"body":"\xed\xa0\x80"}',
    "bad UTF-8": b'{"body":"caf\xe9"}',
    "raw control characters": b'{"body":"a\x00b\nc"}',
    "deep arrays": b'{"n":' + b"[" * 2000 + b"]" * 2000 + b"}",
    "deep objects": b'{"n":' * 2000 + b"{}" + b"}" * 2000,
    "bad escape": rb'{"body":"\x41"}',
    "leading zero": b'{"n":007}',
    "trailing comma": b'{"body":"x",}',
    "bare key": b'{body:"x"}',
    "forged id inside": b'{"event_id":"$forged","n":NaN}',
}

ODD = {
    "duplicate keys": b'{"msgtype":"m.text","body":"first","body":"last"}',
    "long body": b'{"body":"' + "§".encode() * 32_768 + b'"}',
    "bidirectional controls": '{"body":"\u202etnarg\u202c \u2066x\u2069"}'.encode(),
    "escaped NUL": rb'{"body":"a\u0000b"}',
    "astral": rb'{"body":"\ud83d\ude00"}',
    "no characters": '{"body":"\ufdd0\U0010ffff\ufeff"}'.encode(),
    "no body": b"{}",
    "body null": b'{"body":null,"msgtype":null}',
    "body object": b'{"body":{"a":1},"msgtype":["m.text"],"m.relates_to":"x"}',
    "big integers": b'{"n":123456789012345678901234567890}',
    "content array": b"[1,2]",
    "content null": b"null",
    "content text": b'"text"',
}


@pytest.mark.parametrize("content", UNDECODABLE.values(), ids=UNDECODABLE.keys())
def test_undecodable_events_are_unparsed(content: bytes) -> None:
    """What no parser takes is kept as it is, with the id, sender and time that can be told."""
    raw = b'{"content":' + content + b"," + HEAD + TYPE + b"}"
    body = b'{"next_batch":"s","rooms":{"join":{"%s":{"timeline":{"events":[%s,%s,%s]}}}}}' % (
        ROOM.encode(),
        GOOD,
        raw,
        GOOD,
    )
    timeline = split_sync(body).joined[ROOM].timeline
    assert timeline == (GOOD, raw, GOOD)
    before, found, after = map(mapped, timeline)
    assert before == after == mapped(GOOD)
    assert (found.kind, found.body, found.upstream_id) == (EventKind.UNPARSED, None, "$odd")
    assert (found.sender, found.sent_at) == (Sender(id=CLERK), SENT_AT)
    assert found.upstream == (("type", "m.room.message"),)


@pytest.mark.parametrize("content", ODD.values(), ids=ODD.keys())
def test_odd_events_are_mapped_as_far_as_they_go(content: bytes) -> None:
    """Valid JSON of an unexpected shape keeps its kind."""
    found = mapped(b"{" + HEAD + TYPE + b',"content":' + content + b"}")
    assert (found.kind, found.upstream_id) == (EventKind.MESSAGE, "$odd")
    assert (found.sender, found.sent_at) == (Sender(id=CLERK), SENT_AT)


def test_texts_are_kept_as_they_are() -> None:
    """Controls, NULs and the last of duplicates reach the body untouched."""
    assert mapped(message("\u202ex\u0000\ufeff")).body == "\u202ex\u0000\ufeff"
    raw = b"{" + HEAD + TYPE + b',"content":' + ODD["duplicate keys"] + b"}"
    assert mapped(raw).body == "last"
    assert mapped(message("§" * 32_768)).body == "§" * 32_768


NAMELESS = {
    "empty": b"",
    "no object": b"[]",
    "null": b"null",
    "a number": b"5",
    "empty object": b"{}",
    "no id": b'{"type":"m.room.message","content":{"body":"x"}}',
    "id empty": b'{"event_id":""}',
    "id number": b'{"event_id":5}',
    "id null": b'{"event_id":null,"content":NaN}',
    "id twice, last no text": b'{"event_id":"$a","event_id":NaN}',
    "id no Unicode": rb'{"event_id":"$\ud800"}',
    "id bad UTF-8": b'{"event_id":"$\xff"}',
    "id only in a text": rb'{"content":"\"event_id\":\"$a\"","n":NaN}',
    "id only in content": b'{"content":{"event_id":"$a"},"n":NaN}',
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("raw", NAMELESS.values(), ids=NAMELESS.keys())
def test_events_without_id_are_named_by_their_digest(raw: bytes) -> None:
    """No two of them are ever taken for one."""
    found = mapped(raw)
    assert found.kind is EventKind.UNPARSED
    assert found.upstream_id == f"sha256:{hashlib.sha256(raw).hexdigest()}"


def test_what_is_no_unicode_names_nobody() -> None:
    """A sender or a type that is mangled is left out."""
    found = mapped(rb'{"event_id":"$a","sender":"@\ud800","type":"\udc00","state_key":"\ud801"}')
    assert (found.upstream_id, found.sender) == ("$a", None)
    assert [name for name, _ in found.upstream] == ["problem"]


@pytest.mark.parametrize("wrong", [None, True, 5, -1.5, "", "text", [], ["a"], {}, {"a": {}}])
def test_wrong_types_everywhere(wrong: Json) -> None:
    """Any value in any place leaves an event that can be recorded."""
    relations: dict[str, Json] = {"m.relates_to": wrong, "m.new_content": wrong}
    nested: Json = {"rel_type": "m.thread", "event_id": wrong, "m.in_reply_to": wrong}
    for kind in KINDS:
        for content in (wrong, dict.fromkeys(PLACES, wrong), relations, {"m.relates_to": nested}):
            assert mapped(event(kind, content)).kind is not EventKind.UNPARSED
            mapped(event(kind, content, state_key=wrong, redacts=wrong, unsigned=wrong))
            mapped(event(kind, content, sender=wrong, origin_server_ts=wrong, type=wrong))
            mapped(event(kind, content, event_id=wrong))


KINDS = [
    "m.room.message", "m.room.encrypted", "m.room.redaction", "m.reaction", "m.sticker",
    "m.poll.start", "m.poll.response", "m.poll.end", "m.room.member", "m.room.name",
    "m.room.pinned_events", "m.room.retention", "com.beeper.disappearing_timer", "m.beacon",
    "m.call.invite", "org.example.odd",
]  # fmt: skip
PLACES = [
    "body", "msgtype", "url", "file", "info", "filename", "geo_uri", "m.relates_to", "reason",
    "m.new_content", "m.poll", "m.text", "m.selections", "m.location", "pinned", "membership",
    "org.matrix.msc3381.poll.start", "org.matrix.msc3381.poll.response", "max_lifetime", "timer",
    "com.beeper.disappearing_timer", "org.matrix.self_destruct_after", "algorithm", "session_id",
]  # fmt: skip


@settings(max_examples=100, deadline=None, database=None)
@given(raw=st.binary(max_size=120))
def test_no_bytes_stop_the_mapping(raw: bytes) -> None:
    """Any bytes, alone or within an event, give an event with exactly these bytes."""
    mapped(raw)
    mapped(b"{" + HEAD + TYPE + b',"content":{"body":"' + raw + b'"}}')
    mapped(b"{" + HEAD + raw)


@settings(max_examples=100, deadline=None, database=None)
@given(kind=st.sampled_from(KINDS), key=st.sampled_from(PLACES), value=values(), top=values())
def test_no_json_stops_the_mapping(kind: str, key: str, value: Json, top: Json) -> None:
    """Any JSON in any place gives an event that can be recorded."""
    mapped(dumps(top))
    content: Json = {"msgtype": "m.image", key: value}
    assert mapped(event(kind, content)).kind is not EventKind.UNPARSED
    assert mapped(event(kind, value, unsigned=top)).kind is not EventKind.UNPARSED
