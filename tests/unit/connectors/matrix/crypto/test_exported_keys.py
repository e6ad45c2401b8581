"""Only what is a Megolm key of the session it names is taken for one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.rawjson.fields import JsonObject
from connectors.matrix.crypto.exported_keys import (
    exported,
    is_session_id,
    read_exported,
    read_session_data,
    session_data,
)
from connectors.matrix.crypto.unpadded import encode
from tests.unit.connectors.matrix.crypto.sessions import FORWARDER, ROOM, Sender

SENDER = Sender()
KEY = SENDER.key(forwarders=(FORWARDER,))


def test_there_and_back() -> None:
    """A key is read as it was written, from a file and from a backup."""
    assert read_exported(exported(KEY)) == KEY
    read = read_session_data(session_data(KEY), room_id=ROOM, session_id=KEY.session_id)
    assert read == KEY


def test_the_fields_are_those_of_the_specification() -> None:
    """What is written has the required fields of the export format, and no other."""
    assert exported(KEY) == {
        "algorithm": "m.megolm.v1.aes-sha2",
        "forwarding_curve25519_key_chain": [FORWARDER],
        "sender_key": KEY.sender_key,
        "sender_claimed_keys": {"ed25519": KEY.ed25519},
        "session_key": KEY.session_key,
        "room_id": ROOM,
        "session_id": KEY.session_id,
    }


def test_what_is_only_claimed_may_be_missing() -> None:
    """Without a claimed key, or with a broken chain, the key is taken all the same."""
    fields = exported(KEY) | {
        "sender_claimed_keys": {},
        "forwarding_curve25519_key_chain": [FORWARDER + "=", "", 1, encode(bytes(31))],
        "org.matrix.msc3061.shared_history": True,
    }
    read = read_exported(fields)
    assert read is not None
    assert (read.ed25519, read.forwarders) == ("", (FORWARDER,))
    assert session_data(read)["sender_claimed_keys"] == {}


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": "m.megolm.v2.aes-sha2"},
        {"algorithm": None},
        {"room_id": 5},
        {"room_id": "planning"},
        {"room_id": "!" + "x" * 255},
        {"room_id": "!\ud800:dept.example"},
        {"session_id": Sender().group.session_id},
        {"session_id": None},
        {"sender_key": encode(bytes(31))},
        {"sender_key": "\u00e9" * 43},
        {"sender_key": None},
        {"session_key": None},
        {"session_key": ""},
        {"session_key": KEY.session_key[:-4]},
        {"session_key": "\u00e9"},
        {"session_key": "A" * 220},
        {"session_key": KEY.session_key + "A" * 1000},
        {"session_key": Sender().key().session_key},
    ],
)
def test_what_is_no_key(change: JsonObject) -> None:
    """Another algorithm, another session's key and anything malformed are passed over."""
    assert read_exported(exported(KEY) | change) is None


def test_a_claimed_key_that_is_no_point_is_neither_read_nor_written() -> None:
    """It would make other clients refuse all keys beside it."""
    no_point = encode(bytes(range(32, 64)))
    read = read_exported(exported(KEY) | {"sender_claimed_keys": {"ed25519": no_point}})
    assert read is not None
    assert read.ed25519 == ""
    assert exported(replace(KEY, ed25519=no_point))["sender_claimed_keys"] == {}


def test_session_ids() -> None:
    """An id that no session can have is told from one that it can."""
    assert is_session_id(KEY.session_id)
    for wrong in ("", "..", "a/b", KEY.session_id + "=", encode(bytes(31)), "\u00e9" * 43):
        assert not is_session_id(wrong)
