"""An event that is planned anew has the deadline it would have had under the new timer."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from bridge import deadlines
from bridge.canonical.json import Json
from bridge.model import CaptureMethod, Event, GroupTimer, Timer
from connectors.matrix.content import _CALLS, _LOCATIONS, _READERS, _STATE
from connectors.matrix.mapping import map_event
from connectors.matrix.room import RoomState
from connectors.matrix.timers import DISAPPEARING, SELF_DESTRUCT
from tests.unit.connectors.matrix.payloads import RECORDER, ROOM, SEEN_AT, SENT_MS, event

KINDS = (
    *_READERS,
    *_STATE,
    *(f"{prefix}x" for prefix in (*_CALLS, *_LOCATIONS)),
    "m.room.member",
    "m.room.redaction",
    "im.vector.modular.widgets",
)
TIMERS = st.none() | st.builds(
    Timer,
    seconds=st.floats(min_value=1e-3, max_value=1e6),
    basis=st.just("test"),
    from_receipt=st.booleans(),
)
CONTENTS: st.SearchStrategy[dict[str, Json]] = st.fixed_dictionaries(
    {},
    optional={
        "body": st.just("x"),
        "msgtype": st.sampled_from(["m.text", "m.location", "m.file"]),
        "membership": st.just("join"),
        DISAPPEARING: st.fixed_dictionaries(
            {
                "type": st.sampled_from(["after_send", "after_read", "x"]),
                "timer": st.integers(min_value=-5, max_value=10**8),
            }
        ),
        SELF_DESTRUCT: st.integers(min_value=SENT_MS - 10**6, max_value=SENT_MS + 10**8),
    },
)
SENT = st.integers(min_value=SENT_MS - 10**8, max_value=SENT_MS + 10**6) | st.none()
EVENTS: st.SearchStrategy[bytes] = st.builds(
    lambda kind, content, sent, fields, cut: event(kind, content, origin_server_ts=sent, **fields)[
        : -1 if cut else None
    ],
    st.sampled_from(KINDS),
    CONTENTS,
    SENT,
    st.sampled_from([{}, {"state_key": ""}, {"state_key": "@a:x"}, {"state_key": 5}]),
    st.booleans(),
)


def _said(raw: bytes, *, standing: Timer | None, default: Timer | None) -> Event:
    return map_event(
        raw,
        room=RoomState(),
        timers=GroupTimer(group_id=ROOM, standing=standing, default=default),
        encrypted=False,
        own_user=RECORDER,
        observed_at=SEEN_AT,
        method=CaptureMethod.LIVE,
    )


@given(raw=EVENTS, before=TIMERS, now=TIMERS, default=TIMERS)
@example(
    raw=event("m.call.member", {}, state_key="@a:x"),
    before=None,
    now=Timer(seconds=30.0, basis="test"),
    default=None,
)
@example(
    raw=event("m.room.message", {}, state_key=""),
    before=Timer(seconds=30.0, basis="test"),
    now=Timer(seconds=40.0, basis="test"),
    default=None,
)
def test_planned_anew_is_planned(
    raw: bytes, before: Timer | None, now: Timer | None, default: Timer | None
) -> None:
    """Whatever ran before, and whether it is state or said, of a kind we know or not."""
    planned, then = (_said(raw, standing=each, default=default) for each in (now, before))
    assert deadlines.replan(
        lasting=deadlines.lasts(then.kind, then.upstream),
        sent_at=then.sent_at,
        received_at=then.observed_at,
        own_timer=then.own_timer,
        standing=now,
    ) == deadlines.plan(
        sent_at=planned.sent_at, received_at=planned.observed_at, timer=planned.timer
    )
