"""What was decrypted becomes the event's content, as if it had come in the clear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.canonical import record_bytes
from bridge.canonical.json import Json
from bridge.model import (
    Crypto,
    DeviceTrust,
    Event,
    EventKind,
    GroupTimer,
    Provenance,
    Relation,
    RelationType,
    Timer,
)
from connectors.matrix.crypto.opened import opened
from tests.unit.connectors.matrix.payloads import (
    CLERK,
    FRAME,
    RECORDER,
    ROOM,
    SENT_MS,
    dumps,
    event,
    facts,
    mapped,
    related,
    to_target,
    values,
)

MEGOLM = "m.megolm.v1.aes-sha2"
NOTHING: Mapping[str, Json] = {}
HOW = Crypto(
    algorithm=MEGOLM,
    session="s1",
    device="PHONE",
    trust=DeviceTrust.SIGNED,
    provenance=Provenance.DIRECT,
)


def sealed(content: Mapping[str, Json] = NOTHING, *, sender: str = CLERK) -> Event:
    """An encrypted event, as mapped; ``content`` adds to what stands outside."""
    outside: dict[str, Json] = {"algorithm": MEGOLM, "session_id": "s1", "sender_key": "k"}
    return mapped(event("m.room.encrypted", {**outside, **content}, sender=sender))


def inside(kind: str, content: Json, **fields: Json) -> bytes:
    """What a client encrypts."""
    return dumps({"type": kind, "content": content, "room_id": ROOM, **fields})


def unsealed(outer: Event, clear: bytes) -> Event:
    """The opened event, checked: the bytes are kept, and a record can be made of it."""
    found = opened(outer, replace(HOW, clear=clear), own_user=RECORDER)
    assert found.raw == outer.raw
    assert found.upstream_id == outer.upstream_id
    assert found.crypto == replace(HOW, clear=clear)
    assert record_bytes(found, FRAME)
    return found


def said(**content: Json) -> bytes:
    """A text message, to be encrypted."""
    return inside("m.room.message", {"msgtype": "m.text", "body": "Granted.", **content})


def test_a_message() -> None:
    """Kind, text and type come from inside; what is outside stays."""
    outer = sealed()
    found = unsealed(outer, said())
    assert found.kind is EventKind.MESSAGE
    assert found.body == "Granted."
    assert found.sender == outer.sender
    assert found.upstream == (("type", "m.room.message"), ("msgtype", "m.text"))


def test_relations_stand_outside() -> None:
    """Replies and edits are found in the clear, where clients put them."""
    reply: Json = {"m.in_reply_to": {"event_id": "$target"}}
    found = unsealed(sealed({"m.relates_to": reply}), said())
    assert found.relates_to == to_target(RelationType.REPLY)
    edit = sealed({"m.relates_to": related("m.replace")})
    new: Json = {"msgtype": "m.text", "body": "Refused."}
    found = unsealed(edit, said(**{"m.new_content": new}))
    assert (found.kind, found.body) == (EventKind.EDIT, "Refused.")
    assert found.relates_to == to_target(RelationType.EDIT)


def test_a_relation_inside_is_the_senders_own() -> None:
    """What the homeserver could have changed does not count against it; nonsense inside does not
    hide what is outside.
    """
    elsewhere = sealed({"m.relates_to": {"rel_type": "m.thread", "event_id": "$forged"}})
    found = unsealed(elsewhere, said(**{"m.relates_to": related("m.thread")}))
    assert found.relates_to == to_target(RelationType.THREAD)
    outer = sealed({"m.relates_to": related("m.thread")})
    assert unsealed(outer, said(**{"m.relates_to": 5})).relates_to is not None


def test_reactions_and_polls() -> None:
    """Other kinds are read as they are in the clear."""
    reaction = inside("m.reaction", {"m.relates_to": related("m.annotation", key="+1")})
    found = unsealed(sealed(), reaction)
    assert (found.kind, found.body) == (EventKind.REACTION, "+1")
    assert found.relates_to == to_target(RelationType.REACTION)
    poll = inside(
        "m.poll.start",
        {"m.poll": {"question": {"m.text": "Agreed?"}, "answers": [{"m.text": "Yes"}]}},
    )
    found = unsealed(sealed(), poll)
    assert (found.kind, found.body) == (EventKind.POLL, "Agreed?\nYes")
    location = inside("m.room.message", {"msgtype": "m.location", "body": "x", "geo_uri": "geo:1"})
    assert unsealed(sealed(), location).kind is EventKind.LOCATION
    assert unsealed(sealed(), inside("some.thing", {})).kind is EventKind.UNKNOWN


def test_an_attachment() -> None:
    """The file and its address come from inside."""
    file: Json = {"url": "mxc://town.example/abc"}
    found = unsealed(
        sealed(),
        inside("m.room.message", {"msgtype": "m.image", "body": "plan.png", "file": file}),
    )
    [attachment] = found.attachments
    assert (attachment.url, attachment.name) == ("mxc://town.example/abc", "plan.png")
    assert facts(found)["file_encrypted"] == "true"


def test_our_own_notice() -> None:
    """What we said ourselves is a notice; the same of others is a message."""
    notice = inside("m.room.message", {"msgtype": "m.notice", "body": "We record."})
    assert unsealed(sealed(sender=RECORDER), notice).kind is EventKind.NOTICE
    assert unsealed(sealed(), notice).kind is EventKind.MESSAGE


def test_a_timer_inside_may_be_shorter() -> None:
    """Of the timers inside, outside and of the room the one that ends first runs."""
    outer = sealed()
    running = Timer(seconds=60, basis="server default")
    outer = replace(outer, timer=running, own_timer=None)
    short = unsealed(outer, said(**{"com.beeper.disappearing_timer": {"timer": 30_000}}))
    assert short.own_timer is not None
    assert (short.own_timer.seconds, short.timer) == (30, short.own_timer)
    long = unsealed(outer, said(**{"com.beeper.disappearing_timer": {"timer": 90_000}}))
    assert long.own_timer is not None
    assert (long.own_timer.seconds, long.timer) == (90, running)
    ends = unsealed(outer, said(**{"org.matrix.self_destruct_after": SENT_MS + 5000}))
    assert ends.timer is not None
    assert ends.timer.seconds == 5
    odd = unsealed(outer, said(**{"org.matrix.self_destruct_after": "soon"}))
    assert odd.timer == running
    assert "self_destruct" in facts(odd)["problem"]


def test_the_rooms_timer_holds_on() -> None:
    """A timer that was found before decrypting is never lost by it."""
    timer = Timer(seconds=20, basis="com.beeper.disappearing_timer")
    room = GroupTimer(group_id=ROOM, default=timer)
    outer = replace(sealed(), timer=room.default, own_timer=room.default)
    found = unsealed(outer, said())
    assert found.timer == found.own_timer == timer


def test_problems_of_the_outside_stay() -> None:
    """What was odd about the event is told beside what is odd inside."""
    outer = mapped(event("m.room.encrypted", {"session_id": "s"}, origin_server_ts="x"))
    assert facts(unsealed(outer, said()))["problem"] == facts(outer)["problem"]
    unsigned: Json = {"redacted_because": {"event_id": "$r"}}
    redacted = mapped(event("m.room.encrypted", {"session_id": "s"}, unsigned=unsigned))
    assert facts(unsealed(redacted, said()))["redacted_by"] == "$r"


def test_what_was_rescued_stays_so() -> None:
    """It belongs to the entry it was rescued for; its own relation stands beside its type."""
    outer = sealed({"m.relates_to": related("m.replace")})
    rescued = Relation(type=RelationType.RESCUED, upstream_id="$first")
    found = unsealed(replace(outer, revision="rescued", relates_to=rescued), said())
    assert found.relates_to == rescued
    assert facts(found)["edit"] == "$target"


REFUSED = {
    "no JSON": (b"\xff", "no JSON object"),
    "no object": (b"[]", "no JSON object"),
    "no text of ours": (rb'{"type":"\ud800"}', "no JSON object"),
    "no type": (dumps({"content": {}, "room_id": ROOM}), "no type"),
    "no content": (dumps({"type": "m.room.message", "room_id": ROOM}), "no type"),
    "another room": (dumps({"type": "a", "content": {}, "room_id": "!b:x"}), "another room"),
    "no room": (dumps({"type": "a", "content": {}}), "another room"),
    "state": (inside("m.room.topic", {"topic": "x"}, state_key=""), "state of the room"),
    "nested": (inside("m.room.encrypted", {}), "never encrypted"),
    "redaction": (inside("m.room.redaction", {"redacts": "$a"}), "never encrypted"),
}


@pytest.mark.parametrize(("clear", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_content_of_this_event(clear: bytes, why: str) -> None:
    """It stays encrypted and says why; the clear bytes are kept, nothing of them is believed."""
    outer = sealed({"m.relates_to": related("m.replace")})
    found = unsealed(outer, clear)
    assert found.kind is EventKind.ENCRYPTED
    assert why in facts(found)["problem"]
    assert (found.body, found.attachments) == (None, ())
    assert found.relates_to == outer.relates_to


@settings(max_examples=80, deadline=None, database=None)
@given(content=values(), kind=st.sampled_from(["m.room.message", "m.sticker", "m.poll.start", "x"]))
def test_any_content(content: Json, kind: str) -> None:
    """Nothing inside makes it fail."""
    unsealed(sealed(), inside(kind, content))
    unsealed(sealed(), inside("m.room.message", {"msgtype": "m.file", "m.relates_to": content}))


@settings(max_examples=80, deadline=None, database=None)
@given(clear=st.binary(max_size=60))
def test_any_bytes(clear: bytes) -> None:
    """Nor do bytes that are no JSON."""
    assert unsealed(sealed(), clear).kind is EventKind.ENCRYPTED
