"""Responses are split into exact bytes, by the fast way or by the scanner, alike."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.canonical.json import Json
from bridge.errors import EnvelopeError
from bridge.rawjson.scan import Scanner
from connectors.matrix import envelope
from connectors.matrix.device_news import DeviceNews
from connectors.matrix.envelope import (
    EventContext,
    JoinedRoom,
    MessagesPage,
    split_context,
    split_messages,
    split_state,
    split_sync,
)
from tests.unit.connectors.matrix.payloads import ROOM, message, scalars, texts, values, written

GOOD = message("Good neighbours.")

HOSTILE = {
    "not a number": b'{"a":NaN,"b":-Infinity}',
    "lone surrogate": rb'{"a":"\ud800"}',
    "lone surrogate as key": rb'{"\udc00":1}',
    "control characters": b'{"a":"\x00\x01\n"}',
    "bad UTF-8": b'{"a":"\xff\xfe"}',
    "surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "too deep": b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}",
    "deep objects": b'{"a":' * 2000 + b"1" + b"}" * 2000,
    "huge integer": b'{"a":' + b"9" * 5000 + b"}",
    "leading zero": b'{"a":01}',
    "bare words": b"{a:b}",
    "no colon": b'{"a" 1}',
    "trailing comma": b'{"a":1,}',
    "brackets in texts": rb'{"a":"]}\"]}\\","b":[NaN]}',
    "bad escape": rb'{"a":"\x41\u12"}',
    "a word": b"undefined",
    "no object": b"null",
}


def sync(*events: bytes) -> bytes:
    """A sync response with these events in one room."""
    return (
        b'{"next_batch":"s1","rooms":{"join":{"' + ROOM.encode() + b'":{"timeline":'
        b'{"events":[' + b",".join(events) + b'],"limited":true,"prev_batch":"p0"},'
        b'"state":{"events":[' + GOOD + b"]}}}}}"
    )


def scanned(body: bytes) -> envelope.SyncEnvelope:
    """White box: what the scanner alone finds."""
    return envelope._scanned(body, envelope._scan_sync, "sync response")


def events() -> st.SearchStrategy[Json]:
    """Event-like values."""
    return st.lists(values(), max_size=3)


def rooms() -> st.SearchStrategy[Json]:
    """Rooms by id, as in a sync response."""
    timeline = st.fixed_dictionaries(
        {"events": events()},
        optional={"limited": st.booleans(), "prev_batch": st.one_of(st.none(), texts())},
    )
    state = st.fixed_dictionaries({}, optional={"events": events()})
    room = st.fixed_dictionaries(
        {}, optional={"timeline": timeline, "state": state, "ephemeral": values()}
    )
    return st.dictionaries(texts(), room, max_size=3)


def invites() -> st.SearchStrategy[Json]:
    """Invitations by room id."""
    invite_state = st.fixed_dictionaries({"events": events()})
    return st.dictionaries(
        texts(), st.fixed_dictionaries({"invite_state": invite_state}), max_size=2
    )


def syncs() -> st.SearchStrategy[dict[str, Json]]:
    """Valid sync responses."""
    joined = st.fixed_dictionaries(
        {}, optional={"join": rooms(), "leave": rooms(), "invite": invites(), "knock": values()}
    )
    return st.fixed_dictionaries(
        {
            "presence": values(),
            "next_batch": texts(),
        },
        optional={
            "rooms": joined,
            "account_data": scalars(),
            "to_device": st.fixed_dictionaries({"events": events()}),
            "device_lists": values(),
            "device_one_time_keys_count": values(),
            "device_unused_fallback_key_types": values(),
        },
    )


@settings(max_examples=100, deadline=None, database=None)
@given(document=syncs(), seed=st.integers(0, 2**32))
def test_scanner_and_parser_agree(document: dict[str, Json], seed: int) -> None:
    """On valid JSON the scanner finds byte for byte what msgspec finds."""
    body = written(document, random.Random(seed)).encode()
    assert scanned(body) == split_sync(body)


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_event_costs_no_neighbour(hostile: bytes) -> None:
    """Events around one that cannot be parsed keep their exact bytes, and so does it."""
    found = split_sync(sync(GOOD, hostile, GOOD))
    assert found.next_batch == "s1"
    assert found.joined[ROOM] == JoinedRoom(
        timeline=(GOOD, hostile, GOOD), limited=True, prev_batch="p0", state=(GOOD,)
    )


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_events_in_history_state_and_context(hostile: bytes) -> None:
    """The other responses are split by the same rules."""
    page = split_messages(b'{"chunk":[%s,%s],"start":"a","end":"b","state":[]}' % (GOOD, hostile))
    assert page == MessagesPage(chunk=(GOOD, hostile), start="a", end="b")
    assert split_state(b"[%s, %s]" % (hostile, GOOD)) == (hostile, GOOD)
    context = split_context(b'{"start":"a","event":%s,"end":"b"}' % hostile)
    event = None if hostile == b"null" else hostile
    assert context == EventContext(event=event, start="a", end="b")


def test_memberships_are_told_apart() -> None:
    """Joined, left and invited rooms come under their own names; knocked ones are ignored."""
    body = (
        b'{"rooms":{"leave":{"!b:x":{"timeline":{"events":[%s]}}},"knock":{"!d:x":{}},'
        b'"invite":{"!c:x":{"invite_state":{"events":[{"type":"x"}]}}}},"next_batch":"s"}' % GOOD
    )
    for found in (split_sync(body), scanned(body)):
        assert found.joined == {}
        assert found.left == {"!b:x": JoinedRoom(timeline=(GOOD,))}
        assert found.invited == {"!c:x": (b'{"type":"x"}',)}


def test_what_is_for_our_device_alone() -> None:
    """To-device messages keep their bytes and order; what is told of devices is read."""
    body = (
        b'{"to_device":{"events":[{"type":"m.room_key", "n":1},%s,{"n":2.0}]},"next_batch":"s",'
        b'"device_lists":{"changed":["@a:x"],"left":["@b:x"]},'
        b'"device_one_time_keys_count":{"signed_curve25519":7},'
        b'"device_unused_fallback_key_types":[]}' % GOOD
    )
    for found in (split_sync(body), scanned(body)):
        assert found.to_device == (b'{"type":"m.room_key", "n":1}', GOOD, b'{"n":2.0}')
        assert found.devices == DeviceNews(
            changed=("@a:x",), left=("@b:x",), one_time=7, fallback_unused=False
        )


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_to_device_message_costs_no_neighbour(hostile: bytes) -> None:
    """A message to our device that cannot be parsed stands beside the others."""
    found = split_sync(
        b'{"next_batch":"s","to_device":{"events":[%s,%s]},"rooms":{"join":{"!a:x":{"timeline":'
        b'{"events":[%s]}}}}}' % (hostile, GOOD, GOOD)
    )
    assert found.to_device == (hostile, GOOD)
    assert found.joined["!a:x"].timeline == (GOOD,)


def test_the_last_of_duplicates_holds() -> None:
    """Of a room that stands twice both ways give the last."""
    body = b'{"next_batch":"s","rooms":{"join":{"!a:x":{"timeline":{"events":[1]}},"!a:x":{}}}}'
    assert split_sync(body).joined == scanned(body).joined == {"!a:x": JoinedRoom()}


def test_null_is_nothing() -> None:
    """A null where a list or an object belongs counts as an empty one."""
    body = (
        b'{"next_batch":"s","rooms":{"invite":null,"leave":{"!b:x":null},"join":{"!a:x":'
        b'{"timeline":{"events":null,"limited":null,"prev_batch":null},"state":null}}}}'
    )
    assert split_sync(body).joined == {"!a:x": JoinedRoom()}
    assert split_sync(b'{"next_batch":"s","rooms":null}').joined == {}


def test_doubtful_limited_is_limited() -> None:
    """Where the server's word on a gap cannot be read, the gap is taken to be there."""
    body = b'{"next_batch":"s","rooms":{"join":{"!a:x":{"timeline":{"limited":"no","events":[]}}}}}'
    assert split_sync(body).joined["!a:x"].limited


def test_a_room_id_that_is_no_unicode_costs_no_other_room() -> None:
    """An odd key stays apart, and the rooms beside it are found."""
    body = (
        rb'{"next_batch":"s","rooms":{"join":{"!\ud800":{},"!\u0061:x":{"timeline":'
        rb'{"events":[1]}}}}}'
    )
    assert split_sync(body).joined["!a:x"].timeline == (b"1",)


UNSPLITTABLE = {
    "empty": b"",
    "HTML": b"<html><body>Bad gateway</body></html>",
    "array": b"[]",
    "null": b"null",
    "no token": b'{"rooms":{}}',
    "token no text": b'{"next_batch":5}',
    "token no Unicode": rb'{"next_batch":"\ud800"}',
    "truncated in a text": sync(GOOD)[:150],
    "truncated in an object": sync(GOOD)[:-3],
    "truncated after a quote": b'{"next_batch":"',
    "truncated escape": b'{"next_batch":"\\"',
    "two documents": b'{"next_batch":"s"}{"next_batch":"s"}',
    "unbalanced event": sync(GOOD, b'{"a":[}', GOOD),
    "event closes its list": sync(GOOD, b'{"a":1}]', GOOD),
    "event opens a text": sync(GOOD, b'{"a":"}', GOOD),
    "events no list": b'{"next_batch":"s","rooms":{"join":{"!a:x":{"timeline":{"events":{}}}}}}',
    "events no value": b'{"next_batch":"s","rooms":{"join":{"!a:x":{"timeline":{"events":}}}}}',
    "keys no text": b'{next_batch:"s"}',
    "to-device no list": b'{"next_batch":"s","to_device":{"events":{}}}',
    "to-device truncated": b'{"next_batch":"s","to_device":{"events":[{}',
}


@pytest.mark.parametrize("body", UNSPLITTABLE.values(), ids=UNSPLITTABLE.keys())
def test_what_cannot_be_split_is_kept_whole(body: bytes) -> None:
    """The error carries the body and says in one sentence what is wrong with it."""
    with pytest.raises(EnvelopeError) as caught:
        split_sync(body)
    assert caught.value.body == body
    assert str(caught.value).startswith("The sync response cannot be split: ")
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("split", "body"),
    [
        (split_messages, b'{"start":"a"}'),
        (split_messages, b'{"chunk":[],"end":7}'),
        (split_messages, rb'{"chunk":[],"end":"\ud800"}'),
        (split_state, b"{}"),
        (split_state, b"[1,2"),
        (split_context, b'{"end":[]}'),
        (split_context, b"[]"),
    ],
)
def test_other_responses_fail_alike(split: Callable[[bytes], object], body: bytes) -> None:
    """A missing chunk or a token that cannot be read never passes for an end of history."""
    with pytest.raises(EnvelopeError) as caught:
        split(body)
    assert caught.value.body == body


def test_end_of_history() -> None:
    """A page without `end`, or with null, is the last; a context may lack its event."""
    assert split_messages(b'{"chunk":[],"start":"a"}').end is None
    assert split_messages(b'{"chunk":[NaN],"start":"a","end":null}').end is None
    assert split_context(b'{"event":null}').event is None


@settings(max_examples=100, deadline=None, database=None)
@given(
    body=st.one_of(st.binary(max_size=80), st.text(alphabet='{}[]",:\\ \nnul1a').map(str.encode))
)
def test_any_bytes_are_split_or_refused(body: bytes) -> None:
    """No response makes a splitter fail in any other way."""
    for split in (split_sync, split_messages, split_state, split_context):
        with contextlib.suppress(EnvelopeError):
            split(body)


def test_the_scanner_is_linear_in_escapes_and_depth() -> None:
    """Megabytes of quotes, escapes and brackets are stepped over without recursion."""
    hostile = b'["' + b'\\"' * 300_000 + b'",' + b"[{" * 200_000 + b"}]" * 200_000 + b"]"
    scanner = Scanner(b"[" + hostile + b",1]")
    assert list(scanner.elements()) == [hostile, b"1"]
