"""The shortest timer that runs for a message is the one recorded with it."""

from __future__ import annotations

import json

import pytest

from bridge.canonical.json import Json
from bridge.model import Timer
from connectors.matrix.room import RoomState
from tests.unit.connectors.matrix.payloads import (
    SENT_MS,
    event,
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
    assert found.timer == Timer(seconds=seconds, basis=basis)


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
