"""The shortest timer that runs for a message is the one recorded with it."""

from __future__ import annotations

import json

import pytest

from bridge.canonical.json import Json
from bridge.model import Timer
from connectors.matrix.room import RoomState
from connectors.matrix.timers import RETENTION, set_by
from tests.unit.connectors.matrix.payloads import (
    SENT_MS,
    event,
    facts,
    mapped,
    message,
    room_of,
    state,
)

BEEPER = "com.beeper.disappearing_timer"
SELF_DESTRUCT = "org.matrix.self_destruct_after"


def kept(seconds: float) -> RoomState:
    """A room that keeps messages this long."""
    return room_of(state("m.room.retention", {"max_lifetime": seconds * 1000}))


def test_no_timer() -> None:
    """Without any rule there is no timer."""
    assert mapped(message("x")).timer is None


def test_the_rooms_retention_goes_before_the_servers() -> None:
    """The server's default counts only where the room says nothing usable."""
    room = Timer(seconds=90, basis="m.room.retention")
    server = Timer(seconds=60, basis="server default")
    assert mapped(message("x"), room=kept(90), default_retention=60).timer == room
    assert mapped(message("x"), default_retention=60).timer == server
    assert mapped(message("x"), room=kept(-1), default_retention=60).timer == server
    assert mapped(message("x"), default_retention=0).timer is None
    assert mapped(message("x"), default_retention=float("nan")).timer is None


def test_redactions_run_out_with_the_room_and_state_does_not() -> None:
    """Retention removes redactions and reactions, never state."""
    room = kept(90)
    assert mapped(event("m.room.redaction", {}, redacts="$x"), room=room).timer is not None
    assert mapped(event("m.room.encrypted", {}), room=room).timer is not None
    assert mapped(state("m.room.name", {}), room=room).timer is None


@pytest.mark.parametrize(
    ("timer", "seconds", "basis"),
    [
        ({"type": "after_send", "timer": 5000}, 5, f"{BEEPER}:after_send"),
        ({"type": "after_read", "timer": 5500}, 5.5, f"{BEEPER}:after_read"),
        ({"type": "after_read", "timer": 500_000}, 90, "m.room.retention"),
        ({"type": "after_send", "timer": 0}, 90, "m.room.retention"),
        ({"type": "after_send", "timer": "5000"}, 90, "m.room.retention"),
        ({}, 90, "m.room.retention"),
        (None, 90, "m.room.retention"),
    ],
)
def test_a_messages_own_timer(timer: Json, seconds: float, basis: str) -> None:
    """A timer on the message runs where it is the shorter one and usable."""
    found = mapped(message("x", **{BEEPER: timer}), room=kept(90))
    read = basis.endswith("after_read")
    assert found.timer == Timer(seconds=seconds, basis=basis, from_receipt=read)


def test_the_rooms_disappearing_timer() -> None:
    """The room's own timer runs for every message in it."""
    room = kept(90)
    room.apply(state(BEEPER, {"type": "after_send", "timer": 30_000}))
    expected = Timer(seconds=30, basis=f"{BEEPER}:after_send")
    assert mapped(message("x"), room=room).timer == expected


def test_self_destruction_counts_from_the_sending() -> None:
    """The end is a moment; the timer is what lies between."""
    found = mapped(message("x", **{SELF_DESTRUCT: SENT_MS + 2500}), room=kept(90))
    assert found.timer == Timer(seconds=2.5, basis=SELF_DESTRUCT)


def test_a_forged_sending_time_hides_no_end() -> None:
    """Sent "after" its end by its own clock, a message still runs out; receipt is the start."""
    content: Json = {"body": "x", SELF_DESTRUCT: SENT_MS + 3000}
    found = mapped(event("m.room.message", content, origin_server_ts=SENT_MS + 9_000_000))
    assert found.timer == Timer(seconds=2, basis=SELF_DESTRUCT)


@pytest.mark.parametrize(
    "ends", [SENT_MS, SENT_MS - 1, 0, -1, 1e300, 10**20, 250_000_000_000_000, "soon", None, True]
)
def test_an_end_that_is_past_or_none_is_ignored(ends: Json) -> None:
    """Only an end to come makes a timer, and one within a century."""
    raw = message("x", **{SELF_DESTRUCT: ends})
    assert mapped(raw).timer is None
    assert mapped(raw, room=kept(90)).timer == Timer(seconds=90, basis="m.room.retention")


@pytest.mark.parametrize("odd", [0, -5, 1e17, 10**400, "1", True, [], {}])
def test_unusable_timers_stop_nothing(odd: Json) -> None:
    """A timer of any value maps the message, without it."""
    found = mapped(message("x", **{BEEPER: {"type": "after_send", "timer": odd}}))
    assert (found.body, found.timer) == ("x", None)


def test_an_unparsed_event_has_the_rooms_timer() -> None:
    """What cannot be parsed disappears as fast as the rest, unless it is plainly state."""
    raw = b'{"event_id":"$a","content":{"body":NaN,"%s":%s}}'
    timer = json.dumps({"type": "after_send", "timer": 5000}).encode()
    found = mapped(raw % (BEEPER.encode(), timer), room=kept(90))
    assert found.timer == Timer(seconds=5, basis=f"{BEEPER}:after_send")
    assert mapped(b"\xff", room=kept(90)).timer == Timer(seconds=90, basis="m.room.retention")
    assert mapped(b'{"state_key":"","a":NaN}', room=kept(90)).timer is None


def test_what_no_change_of_the_retention_moves() -> None:
    """A message's own timers and the room's disappearing timer; the retention stands beside."""
    room = kept(90)
    assert mapped(message("x"), room=room).own_timer is None
    room.apply(state(BEEPER, {"type": "after_read", "timer": 300_000}))
    of_room = Timer(seconds=300, basis=f"{BEEPER}:after_read", from_receipt=True)
    found = mapped(message("x"), room=room, default_retention=60)
    assert (found.own_timer, found.timer) == (of_room, Timer(seconds=90, basis="m.room.retention"))
    quick: Json = {"type": "after_send", "timer": 5000}
    found = mapped(message("x", **{BEEPER: quick}), room=room)
    of_message = Timer(seconds=5, basis=f"{BEEPER}:after_send")
    assert (found.own_timer, found.timer) == (of_message, of_message)
    assert mapped(state("m.room.topic", {}), room=room).own_timer is None


@pytest.mark.parametrize("odd", [-5, 1e17, 10**400, "1", True, False, [], {}])
def test_an_unusable_timer_is_named(odd: Json) -> None:
    """A sentence says which timer of the message, or of the room, is no use."""
    for raw in (
        message("x", **{BEEPER: {"type": "after_send", "timer": odd}}),
        message("x", **{SELF_DESTRUCT: odd}),
        state("m.room.retention", {"max_lifetime": odd}),
        state(BEEPER, {"timer": odd}),
    ):
        assert facts(mapped(raw))["problem"].endswith(".")
    assert "problem" not in facts(mapped(message("x", **{BEEPER: {"timer": 5}})))
    assert "problem" not in facts(mapped(message("x", **{BEEPER: {}})))


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        (SENT_MS, False),
        (SENT_MS + 3_600_000, False),
        (SENT_MS + 90_000_000, True),
        (0, True),
        (-1, True),
        (2**63, True),
        ("noon", True),
        (None, True),
        (True, True),
    ],
)
def test_an_odd_sending_time_is_named(sent: Json, *, named: bool) -> None:
    """One that is none, or that records are not filed by, has its sentence."""
    raw = event("m.room.message", {"body": "x"}, origin_server_ts=sent)
    assert ("problem" in facts(mapped(raw))) is named


@pytest.mark.parametrize(
    ("raw", "kind", "seconds"),
    [
        (state("m.room.retention", {"max_lifetime": 5000}), RETENTION, 5.0),
        (state("m.room.retention", {}), RETENTION, None),
        (state(BEEPER, {"timer": 5000}), BEEPER, 5.0),
        (
            rb'{"type":"m.room.retention","state\u005fkey":"","content":{"max_lifetime":1}}',
            "",
            0.001,
        ),
    ],
)
def test_what_an_event_sets(raw: bytes, kind: str, seconds: float | None) -> None:
    """A timer is read from the exact bytes of the event that sets it."""
    setting = set_by(raw, kind or RETENTION)
    assert setting is not None
    assert (None if setting.timer is None else setting.timer.seconds) == seconds


@pytest.mark.parametrize(
    "raw",
    [
        message("m.room.retention state_key"),
        event("m.room.retention", {"max_lifetime": 5000}),
        state("m.room.retention", {"max_lifetime": 5000}, "key"),
        state("m.room.name", {"name": "m.room.retention"}),
        b"",
    ],
)
def test_what_sets_no_timer(raw: bytes) -> None:
    """Only state of this type without a key sets a room's timer."""
    assert set_by(raw, RETENTION) is None
