"""A room's state answers what the connector and the mapping ask."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.canonical.json import Json
from bridge.model import Timer
from connectors.matrix.room import RoomState
from tests.unit.connectors.matrix.payloads import (
    CLERK,
    MAYOR,
    RECORDER,
    dumps,
    event,
    facts,
    mapped,
    message,
    room_of,
    state,
    values,
)

PINNED = "m.room.pinned_events"


def member(user_id: str, membership: str, **content: Json) -> bytes:
    """A membership event."""
    return state("m.room.member", {"membership": membership, **content}, user_id)


def powers(**content: Json) -> bytes:
    """A power levels event."""
    return state("m.room.power_levels", content)


def created(version: str, **content: Json) -> bytes:
    """The event that made the room; the clerk sent it."""
    return state("m.room.create", {"room_version": version, **content})


def test_a_new_room_is_empty() -> None:
    """Nothing is known before the first event."""
    room = RoomState()
    assert (room.name, room.topic, room.successor, room.pinned) == (None, None, None, ())
    assert not room.encrypted
    assert timers(room) == (None, None)
    assert room.members == {}
    assert room.membership(CLERK) is room.display_name(CLERK) is None
    assert room.roster_bytes() == b"[]"


def test_name_topic_successor_and_pins_follow_the_latest_event() -> None:
    """Each answer is that of the latest state event; empty texts count as none."""
    room = room_of(
        state("m.room.name", {"name": "Old"}),
        state("m.room.name", {"name": "Permits"}),
        state("m.room.topic", {"topic": "Building permits"}),
        state("m.room.tombstone", {"body": "moved", "replacement_room": "!new:x"}),
        state(PINNED, {"pinned": ["$a", 7, "$b"]}),
    )
    assert (room.name, room.topic, room.successor) == ("Permits", "Building permits", "!new:x")
    assert room.pinned == ("$a", "$b")
    room.apply(state("m.room.name", {"name": ""}))
    assert room.name is None


def test_encryption_never_ends() -> None:
    """Once encrypted a room stays so, whatever a later event says."""
    room = room_of(state("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}))
    room.apply(state("m.room.encryption", {}))
    assert room.encrypted


def test_only_state_of_the_room_itself_counts() -> None:
    """Messages that look like state, and state under another key, change nothing."""
    room = room_of(
        event("m.room.name", {"name": "Forged"}),
        state("m.room.name", {"name": "Other"}, "key"),
        event("m.room.name", {"name": "Typed"}, state_key=None),
        state("m.unknown", {}),
    )
    assert room.name is None


def test_an_escaped_state_key_is_seen() -> None:
    """Escapes in the name of a member hide no state."""
    raw = state("m.room.name", {"name": "Permits"}).replace(b"state_key", rb"st\u0061te_key")
    assert room_of(raw).name == "Permits"


def test_members_come_and_go() -> None:
    """Memberships follow the events; one who left keeps the last name known."""
    room = room_of(
        member(CLERK, "join", displayname="Clerk"),
        member(MAYOR, "invite", displayname="Mayor"),
        member(RECORDER, "join"),
        member(CLERK, "leave"),
        member("@odd:x", "join", displayname=5),
        state("m.room.member", {"membership": 5}, MAYOR),
    )
    assert room.membership(CLERK) == "leave"
    assert room.display_name(CLERK) == "Clerk"
    assert room.membership(MAYOR) == "invite"
    assert room.display_name(RECORDER) is None
    assert [m.user_id for m in room.present()] == [MAYOR, RECORDER, "@odd:x"]
    assert set(room.members) == {CLERK, MAYOR, RECORDER, "@odd:x"}
    room.apply(member(MAYOR, "join"))
    assert room.display_name(MAYOR) is None


def test_the_roster_is_made_of_exact_bytes() -> None:
    """Members who are here, powers and name stand in it byte for byte; who left does not."""
    clerk = member(CLERK, "join", displayname="Clerk").replace(b'":', b'" : ')
    levels, name = powers(users={}), state("m.room.name", {"name": "Permits"})
    room = room_of(name, clerk, levels, member(MAYOR, "leave"))
    assert room.roster_bytes() == b"[" + clerk + b"," + levels + b"," + name + b"]"
    assert len(json.loads(room.roster_bytes())) == 3


def timers(room: RoomState) -> tuple[Timer | None, Timer | None]:
    """The standing timer and the default one."""
    found = room.timers("!room", None)
    return found.standing, found.default


def test_retention_in_seconds() -> None:
    """The room's `max_lifetime` is read as seconds and may end again."""
    begins = state("m.room.retention", {"max_lifetime": 4500})
    room = room_of(begins)
    assert timers(room) == (Timer(seconds=4.5, basis="m.room.retention"), None)
    over = room_of(begins, state("m.room.retention", {}))
    assert timers(over) == (None, None)
    assert "problem" not in facts(mapped(state("m.room.retention", {})))


@pytest.mark.parametrize("lifetime", [0, -1, "4000", 1e18, 10**400, True, [4000], {}])
def test_an_unusable_retention_is_a_problem_in_words(lifetime: Json) -> None:
    """A lifetime that is no number of milliseconds gives no timer and one sentence."""
    raw = state("m.room.retention", {"max_lifetime": lifetime})
    assert timers(room_of(raw)) == (None, None)
    assert facts(mapped(raw))["problem"].endswith(".")


@pytest.mark.parametrize("lifetime", [b"NaN", b"1e999", b"9" * 5000, b"[" * 2000 + b"]" * 2000])
def test_an_undecodable_retention_is_none_too(lifetime: bytes) -> None:
    """Numbers that no parser takes are no timer, and the next setting counts."""
    raw = b'{"content":{"max_lifetime":%s},"type":"m.room.retention","state_key":""}' % lifetime
    room = room_of(raw)
    assert timers(room) == (None, None)
    assert room.knows_standing
    room.apply(state("m.room.retention", {"max_lifetime": 1000}))
    assert timers(room) == (Timer(seconds=1.0, basis="m.room.retention"), None)


@pytest.mark.parametrize(
    ("content", "timer"),
    [
        ({"type": "after_send", "timer": 86_400_000}, (86_400, ":after_send")),
        ({"type": "after_read", "timer": 1500}, (1.5, ":after_read")),
        ({"type": "some day", "timer": 1000}, (1, "")),
        ({"timer": 1000}, (1, "")),
        ({"type": "after_send", "timer": 0}, None),
        ({}, None),
    ],
)
def test_disappearing_timer(content: Json, timer: tuple[float, str] | None) -> None:
    """The room's own timer says when it starts; empty or zero means off."""
    raw = state("com.beeper.disappearing_timer", content)
    room = room_of(raw)
    expected = timer and Timer(
        seconds=timer[0],
        basis=f"com.beeper.disappearing_timer{timer[1]}",
        from_receipt=timer[1] == ":after_read",
    )
    assert timers(room) == (None, expected)
    assert "problem" not in facts(mapped(raw))


def test_an_unusable_disappearing_timer_is_a_problem() -> None:
    """A timer below zero is none, and said so."""
    content: Json = {"type": "after_send", "timer": -5}
    raw = state("com.beeper.disappearing_timer", content)
    assert timers(room_of(raw)) == (None, None)
    assert facts(mapped(raw))["problem"].endswith(".")


@pytest.mark.parametrize(
    ("events", "allowed"),
    [
        ((), True),
        ((created("10"), powers()), False),
        ((powers(users_default=50),), True),
        ((powers(users={RECORDER: 50}),), True),
        ((powers(users={RECORDER: "50"}),), True),
        ((powers(users={RECORDER: "many"}),), False),
        ((powers(users={RECORDER: 50.0}, events={PINNED: 51}),), False),
        ((powers(users={RECORDER: 10**400}, events={PINNED: 51}),), True),
        ((powers(users={RECORDER: True}, state_default="1"),), False),
        ((powers(events={PINNED: 0}),), True),
        ((powers(state_default=0),), True),
        ((powers(users=[RECORDER], events=5, state_default=None),), False),
        ((created("12", additional_creators=[RECORDER]), powers()), True),
        ((created("11", additional_creators=[RECORDER]), powers()), False),
        ((created("org.matrix.hydra.11", additional_creators=[RECORDER]), powers()), True),
        ((created("²", additional_creators=[RECORDER]), powers()), False),
    ],
)
def test_who_can_pin(events: tuple[bytes, ...], allowed: bool) -> None:  # noqa: FBT001
    """Levels count as numbers or texts, creators above all from room version 12 on."""
    assert room_of(*events).can_pin(RECORDER) is allowed


def test_creators() -> None:
    """Who sent the first event may pin: without any powers, and always from version 12 on."""
    assert room_of(created("10")).can_pin(CLERK)
    assert room_of(created("12"), powers(events={PINNED: 1000})).can_pin(CLERK)
    assert not room_of(created("10"), powers(events={PINNED: 1000})).can_pin(CLERK)


def test_odd_texts_are_cleaned() -> None:
    """A name that is no Unicode is shown with replacement characters."""
    raw = rb'{"type":"m.room.name","state_key":"","content":{"name":"Permits \ud800","x":NaN}}'
    assert room_of(raw).name == "Permits \ufffd"
    raw = b'{"type":"m.room.name","state_key":"","content":{"name":"A\xffB\x00"}}'
    assert room_of(raw).name == "A\ufffdB\x00"


KINDS = [
    "create", "name", "topic", "encryption", "tombstone", "power_levels", "pinned_events",
    "retention", "member",
]  # fmt: skip


@settings(max_examples=100, deadline=None, database=None)
@given(kind=st.sampled_from(KINDS), content=values(), key=st.sampled_from(["", CLERK]))
def test_no_content_makes_it_fail(kind: str, content: Json, key: str) -> None:
    """State of any shape is taken or left, and every answer stays one."""
    known = ("users", "events", "pinned", "max_lifetime", "membership", "additional_creators")
    everywhere: Json = dict.fromkeys(known, content)
    for body in (content, everywhere):
        room = room_of(state(f"m.room.{kind}", body, key))
        assert room.can_pin(RECORDER) in {True, False}
        assert room.roster_bytes().startswith(b"[")


@settings(max_examples=100, deadline=None, database=None)
@given(raw=st.binary(max_size=60))
def test_no_bytes_make_it_fail(raw: bytes) -> None:
    """Bytes that are no event change nothing."""
    room = room_of(raw, b'{"state_key":' + raw, message("x") + raw, dumps([]))
    assert room.members == {}
