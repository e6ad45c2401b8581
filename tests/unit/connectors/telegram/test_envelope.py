"""Answers and webhook calls are split into exact bytes, by the fast way or the slow one, alike."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.canonical.json import Json
from bridge.errors import EnvelopeError
from bridge.rawjson.scan import ScanError, elements, members
from connectors.telegram import envelope
from connectors.telegram.envelope import (
    RawUpdate,
    offset_after,
    split_updates,
    split_webhook,
    update_id_of,
)
from tests.unit.connectors.matrix.payloads import texts, values, written
from tests.unit.connectors.telegram.payloads import UPDATE_ID, message

GOOD = message(text="Good neighbours.")
HEAD = b'{"update_id":7,"message":'

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
    "trailing comma": b'{"a":1,}',
    "brackets in texts": rb'{"a":"]}\"]}\\","b":[NaN]}',
    "bad escape": rb'{"a":"\x41\u12"}',
    "a word": b"undefined",
    "null": b"null",
}


def answer(*updates: bytes) -> bytes:
    """What ``getUpdates`` answers."""
    return b'{"ok":true,"result":[' + b",".join(updates) + b"]}"


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_update_costs_no_neighbour(hostile: bytes) -> None:
    """Updates around one that cannot be parsed keep their exact bytes, and so does it."""
    good = RawUpdate(update_id=UPDATE_ID, raw=GOOD)
    raw = HEAD + hostile + b"}"
    assert split_updates(answer(GOOD, raw, GOOD)) == (good, RawUpdate(update_id=7, raw=raw), good)
    assert split_updates(answer(GOOD, hostile)) == (good, RawUpdate(update_id=None, raw=hostile))
    assert split_webhook(raw) == RawUpdate(update_id=7, raw=raw)


@settings(max_examples=100, deadline=None, database=None)
@given(
    updates=st.lists(
        st.one_of(
            values(),
            st.dictionaries(
                st.sampled_from(["update_id", "message", "poll"]),
                st.one_of(values(), st.integers(0, 2**40)),
            ),
        ),
        max_size=4,
    ),
    more=st.dictionaries(texts(8).filter(lambda key: key not in {"ok", "result"}), values()),
    seed=st.integers(0, 2**32),
)
def test_both_ways_agree(updates: list[Json], more: dict[str, Json], seed: int) -> None:
    """On valid JSON the slow way finds byte for byte what msgspec finds."""
    document: Json = {**more, "ok": True, "result": updates}
    body = written(document, random.Random(seed)).encode()
    fast = split_updates(body)
    assert tuple(update.raw for update in fast) == envelope._scanned(body)  # white box
    assert len(fast) == len(updates)


@settings(max_examples=100, deadline=None, database=None)
@given(raw=st.binary(max_size=60))
def test_no_bytes_stop_the_splitting(raw: bytes) -> None:
    """Any bytes are split, or refused as no envelope; never anything else."""
    for body in (raw, answer(raw), HEAD + raw, answer(HEAD + raw + b"}")):
        update_id_of(body)
        for split in (split_updates, split_webhook):
            with contextlib.suppress(EnvelopeError):
                split(body)


IDS: list[tuple[bytes, int | None]] = [
    (b'{"update_id":5}', 5),
    (b'{"update_id":0}', 0),
    (b' {"a":NaN, "update_id" : 5 }', 5),
    (rb'{"a":"\ud800","update\u005fid":5}', 5),
    (b'{"update_id":4,"update_id":5}', 5),
    (b'{"a":NaN,"update_id":4,"update_id":5}', 5),
    (b'{"update_id":9223372036854775807}', 2**63 - 1),
    (b'{"update_id":9223372036854775808}', None),
    (b'{"update_id":-1}', None),
    (b'{"a":NaN,"update_id":-1}', None),
    (b'{"update_id":"5"}', None),
    (b'{"update_id":true}', None),
    (b'{"update_id":1.5}', None),
    (b'{"message":{"update_id":5}}', None),
    (b'{"a":"\\"update_id\\":5"}', None),
    (b"[]", None),
    (b"", None),
]


@pytest.mark.parametrize(("raw", "expected"), IDS)
def test_ids(raw: bytes, expected: int | None) -> None:
    """The id is the update's own whole number from 0, or none."""
    assert update_id_of(raw) == expected


REFUSED = {
    "nothing": b"",
    "no JSON": b"<html>",
    "no object": b"[]",
    "no result": b'{"ok":true}',
    "not ok": b'{"ok":false,"error_code":409,"description":"Conflict","result":[]}',
    "hostile and not ok": b'{"ok":false,"result":[NaN]}',
    "no array": b'{"ok":true,"result":{}}',
    "cut off": answer(GOOD)[:-20],
    "cut off in a text": b'{"ok":true,"result":[{"a":"x\\"',
    "cut off after a backslash": b'{"ok":true,"result":[{"a":"x\\',
    "brackets crossed": b'{"ok":true,"result":[{"a":[}]}',
    "more behind": answer(b"NaN") + b"{}",
    "no key": b'{"ok":true,"result":[NaN],5}',
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_split_is_kept_on_the_error(body: bytes) -> None:
    """An answer whose updates cannot be told apart is refused whole, with its bytes."""
    with pytest.raises(EnvelopeError) as caught:
        split_updates(body)
    assert caught.value.body == body


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b'{"a":', b'{"a":1}x', b'{"a" 1}'])
def test_calls_that_are_no_updates(body: bytes) -> None:
    """A webhook call without an object is refused; one without an id is an update."""
    with pytest.raises(EnvelopeError):
        split_webhook(body)
    assert split_webhook(b'{"message":NaN}').update_id is None


def test_what_an_offset_acknowledges() -> None:
    """The next offset lies after the highest id that was told, whatever their order."""
    assert offset_after(()) is None
    assert offset_after(split_updates(answer(b"{}", b"5"))) is None
    found = split_updates(answer(b'{"update_id":9}', b"{}", b'{"update_id":8}'))
    assert offset_after(found) == 10


def test_parts_are_kept_up_to_where_they_cannot_be_told_apart() -> None:
    """What stands before a fault is given."""
    found = members(b'{"a": 1 ,"b":[2')
    assert next(found) == ("a", b"1")
    with pytest.raises(ScanError):
        next(found)
    assert list(elements(b" [ 1 , , \n{} ] ")) == [b"1", b"{}"]


def test_a_great_many_quotes_take_no_great_time() -> None:
    """A text that never ends is looked at once."""
    with pytest.raises(ScanError):
        list(elements(b'["' + b'\\"' * 100_000))
    with pytest.raises(ScanError):
        list(elements(b"[" * 200_000))
