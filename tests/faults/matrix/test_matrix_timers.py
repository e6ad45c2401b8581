"""The timers of groups: told at the beginning and at each change, whatever senders make of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.canonical.json import Json
from bridge.model import EventKind, GroupTimer, Timer
from bridge.protocols import Journal
from tests.fakes.clock import FakeClock
from tests.fakes.homeserver import PASSWORD, RECORDER, FakeHomeserver, Reply
from tests.fakes.intake import Intake, Sign, matrix_connector
from tests.faults.matrix.scenes import journalled, pending, persist, recorded

RETENTION = "m.room.retention"
BEEPER = "com.beeper.disappearing_timer"
MINUTE: dict[str, Json] = {"max_lifetime": 60_000}
HOUR: dict[str, Json] = {"max_lifetime": 3_600_000}
QUICK: dict[str, Json] = {"type": "after_send", "timer": 5000}


def kept(seconds: float) -> Timer:
    """A timer of the room's retention."""
    return Timer(seconds=seconds, basis=RETENTION)


def told(intake: Intake, room: str) -> list[GroupTimer]:
    """What was told of a group's timers, without repetitions."""
    every = [timer for batch in intake.batches for timer in batch.timers if timer.group_id == room]
    return [timer for at, timer in enumerate(every) if not at or timer != every[at - 1]]


async def put(server: FakeHomeserver, intake: Intake, room: str, kind: str, content: Json) -> str:
    """Set state and see it in."""
    assert isinstance(content, dict)
    event_id = server.world.send(room, kind, content, key="")
    await intake.until(lambda: event_id in intake.ids(room))
    return event_id


async def test_told_at_the_beginning_and_at_each_change(
    server: FakeHomeserver, intake: Intake
) -> None:
    """None at first, then the standing timer, the default beside it, and each as it goes."""
    (room,) = await recorded(server, intake, "Room")
    await put(server, intake, room, RETENTION, MINUTE)
    await put(server, intake, room, BEEPER, QUICK)
    await put(server, intake, room, RETENTION, {})
    await put(server, intake, room, BEEPER, {})
    default = Timer(seconds=5, basis=f"{BEEPER}:after_send")
    assert told(intake, room) == [
        GroupTimer(group_id=room),
        GroupTimer(group_id=room, standing=kept(60)),
        GroupTimer(group_id=room, standing=kept(60), default=default),
        GroupTimer(group_id=room, default=default),
        GroupTimer(group_id=room),
    ]
    quiet = len([batch for batch in intake.batches if batch.timers])
    server.world.say(room, "said")
    await intake.until(lambda: "said" in intake.bodies(room))
    assert len([batch for batch in intake.batches if batch.timers]) == quiet


async def test_there_and_back_in_one_delivery_is_told(
    server: FakeHomeserver, intake: Intake
) -> None:
    """A timer that stands as before, but was changed between, is told: what is pending needs it."""
    (room,) = await recorded(server, intake, "Room")
    await put(server, intake, room, RETENTION, MINUTE)
    server.world.send(room, RETENTION, HOUR, key="")
    said = server.world.say(room, "between")
    server.world.send(room, RETENTION, MINUTE, key="")
    batch = await intake.take()
    assert batch.timers == (GroupTimer(group_id=room, standing=kept(60)),)
    assert [e.timer for e in batch.events if e.upstream_id == said] == [kept(60)]


async def test_told_again_after_a_restart_until_it_is_kept(
    server: FakeHomeserver, intake: Intake
) -> None:
    """A new process tells how the timers stand, and again with the first cursor that moves."""
    (room,) = await recorded(server, intake, "Room")
    await put(server, intake, room, RETENTION, MINUTE)
    await intake.restart()
    wanted = (GroupTimer(group_id=room, standing=kept(60)),)
    assert (await intake.take()).timers == wanted
    server.world.say(room, "said")
    assert (await intake.take(keep=False)).timers == wanted
    assert (await intake.take()).timers == wanted
    server.world.say(room, "more")
    assert (await intake.take()).timers == ()


async def test_another_server_default_is_told(
    server: FakeHomeserver, intake: Intake, clock: FakeClock, tmp_path: Path
) -> None:
    """The setting counts where the room sets no retention, from the next start on."""
    plain, kept_room = await recorded(server, intake, "Plain", "Kept")
    await put(server, intake, kept_room, RETENTION, MINUTE)
    sign = Sign(homeserver=server.url, user_id=RECORDER, folder=tmp_path, password=PASSWORD)
    await intake.connector.aclose()
    intake.connector = matrix_connector(sign, clock, default_retention=600.0)
    intake.approve(plain, kept_room)
    await intake.connector.start()
    await intake.until(lambda: len(told(intake, plain)) == 2)
    default = Timer(seconds=600, basis="server default")
    assert told(intake, plain)[-1] == GroupTimer(group_id=plain, standing=default)
    assert told(intake, kept_room)[-1] == GroupTimer(group_id=kept_room, standing=kept(60))


async def test_no_state_no_timer(server: FakeHomeserver, intake: Intake) -> None:
    """While a room's state cannot be had, nothing is told that would end a timer which runs."""
    (room,) = await recorded(server, intake, "Room")
    await put(server, intake, room, RETENTION, MINUTE)
    await intake.restart()
    reply = Reply(status=500)
    fault = server.answer(f"{room}/state", reply, times=None)
    before = len(intake.batches)
    quick = server.world.send(room, BEEPER, QUICK, key="")
    await persist(intake, 2)
    assert quick in intake.ids(room)
    assert [batch.timers for batch in intake.batches[before:] if batch.timers] == []
    server.world.send(room, RETENTION, HOUR, key="")
    await persist(intake, 1)
    assert told(intake, room)[-1].standing == kept(3600)
    fault.times = 0


@pytest.mark.parametrize("down", [False, True])
async def test_each_message_has_the_timers_it_disappears_by(
    server: FakeHomeserver, intake: Intake, *, down: bool
) -> None:
    """The standing one as it is now; the room's disappearing timer as it was at the sending.

    So it is while the recorder listens, and after it was down.
    """
    (room,) = await recorded(server, intake, "Room")
    await put(server, intake, room, BEEPER, QUICK)
    quick = server.world.say(room, "quick")
    server.world.send(room, RETENTION, MINUTE, key="")
    server.world.send(room, BEEPER, {}, key="")
    slow = server.world.say(room, "slow")
    server.world.send(room, RETENTION, HOUR, key="")
    if down:
        await intake.restart()
    await intake.until(lambda: slow in intake.ids(room))
    found = {event.upstream_id: event for event in intake.of(room)}
    default = Timer(seconds=5, basis=f"{BEEPER}:after_send")
    assert (found[quick].own_timer, found[quick].timer) == (default, default)
    assert (found[slow].own_timer, found[slow].timer) == (None, kept(3600))


@pytest.mark.parametrize("down", [False, True])
async def test_timers_of_a_hole(server: FakeHomeserver, intake: Intake, *, down: bool) -> None:
    """Page by page each message has the disappearing timer that ran when it was sent."""
    (room,) = await recorded(server, intake, "Room")
    await put(server, intake, room, BEEPER, QUICK)
    quick = {server.world.say(room, f"quick {n}") for n in range(130)}
    server.world.send(room, BEEPER, {}, key="")
    slow = {server.world.say(room, f"slow {n}") for n in range(130)}
    after_each = intake.restart if down else None
    await intake.until(lambda: quick | slow <= intake.ids(room), after_each=after_each)
    own = {event.upstream_id: event.own_timer for event in intake.of(room)}
    assert {own[event_id] for event_id in quick} == {Timer(seconds=5, basis=f"{BEEPER}:after_send")}
    assert {own[event_id] for event_id in slow} == {None}


ODD: list[Json] = [0, -5, -0.5, 10**17, 10**400, 0.0001, "5000", "", True, False, [], [5], {}, None]
"""Timers that are none, or hardly one."""

TIMES = [b"0", b"-1", b"-9e99", b"9223372036854775808", b'"noon"', b"null", b"[1]", b"1e16", b"NaN"]
"""Sending times that are none, or not believable."""

UNDECODABLE = [b"NaN", b"1e999", b"9" * 5000]


def send_odd_things(server: FakeHomeserver, room: str) -> int:
    """All of it, as state and on messages; gives the number of events."""
    before = len(server.world.rooms[room].events)
    for n, odd in enumerate(ODD):
        server.world.send(room, RETENTION, {"max_lifetime": odd}, key="")
        server.world.send(room, BEEPER, {"type": "after_read", "timer": odd}, key="")
        server.world.send(room, BEEPER, {"type": odd, "timer": 5}, key="")
        for key in (BEEPER, "org.matrix.self_destruct_after"):
            content: dict[str, Json] = {"msgtype": "m.text", "body": f"odd {n}", key: odd}
            server.world.send(room, "m.room.message", content)
        carried: dict[str, Json] = {"body": f"odder {n}", BEEPER: {"timer": odd}}
        server.world.send(room, "m.room.message", carried)
    for n, odd_bytes in enumerate(UNDECODABLE):
        unread = b'{"max_lifetime":%s,"timer":%s}' % (odd_bytes, odd_bytes)
        for kind in (RETENTION, BEEPER):
            head = b'"event_id":"$u%d%s","sender":"@clerk:town.example","state_key":""'
            raw = b'{"type":"%s","content":%s,%s}'
            head %= (n, kind.encode())
            state = (kind, "")
            server.world.put_raw(room, raw % (kind.encode(), unread, head), state=state)
    for n, time in enumerate(TIMES):
        raw = b'{"type":"m.room.message","event_id":"$t%d","sender":"@x:y","origin_server_ts":%s}'
        server.world.put_raw(room, raw % (n, time))
    raw = b'{"type":"m.room.message","event_id":"$untimed","sender":"@x:y","content":{"body":"x"}}'
    server.world.put_raw(room, raw)
    return len(server.world.rooms[room].events) - before


async def test_odd_timers_and_times_stop_nobody(
    server: FakeHomeserver, intake: Intake, journal: Journal
) -> None:
    """All is journalled and named; the other group has its deadlines, and so has this one again."""
    good, bad = await recorded(server, intake, "Good", "Bad")
    await put(server, intake, good, RETENTION, MINUTE)
    await journalled(journal, intake.batches, good, bad)
    odd = send_odd_things(server, bad)
    said = server.world.say(good, "said")
    later = (server.world.send(bad, RETENTION, HOUR, key=""), server.world.say(bad, "later"))
    done = len(intake.batches)
    await intake.until(lambda: len(intake.of(bad)) >= odd and said in intake.ids(good))
    await intake.until(lambda: set(later) <= intake.ids(bad))
    for batch in intake.batches[done:]:
        await journal.append(batch)
    assert intake.losses == []
    entries = await pending(journal)
    assert {entry.event.upstream_id for entry in entries} >= intake.ids(good) | intake.ids(bad)
    by_id = {entry.event.upstream_id: entry for entry in entries}
    for event_id, timer in ((said, kept(60)), (later[1], kept(3600))):
        entry = by_id[event_id]
        assert entry.event.timer == timer
        received = entry.event.observed_at
        assert received <= entry.safe_by <= received + timedelta(seconds=60)
    registered = {group.group_id: group.timer for group in await journal.groups()}
    assert registered[good] == kept(60)
    assert registered[bad] is not None


async def test_odd_timers_and_times_are_named(server: FakeHomeserver, intake: Intake) -> None:
    """A sentence stands with each event whose timer or time cannot be used, and with no other."""
    (room,) = await recorded(server, intake, "Room")
    ok = server.world.say(room, "plain")
    odd = send_odd_things(server, room)
    last = server.world.say(room, "last")
    await intake.until(lambda: {ok, last} <= intake.ids(room) and len(intake.of(room)) > odd)
    problems = {event.upstream_id: dict(event.upstream).get("problem") for event in intake.of(room)}
    assert problems[ok] is problems[last] is None
    for n, time in enumerate(TIMES):
        assert problems[f"$t{n}"] is not None, time
    assert problems["$untimed"] == "The origin_server_ts is no usable time."
    set_kinds = [
        (event.body, "problem" in dict(event.upstream))
        for event in intake.of(room, EventKind.TIMER)
    ]
    assert {named for body, named in set_kinds if body == "unusable"} == {True}
    assert [body for body, _ in set_kinds].count("unusable") >= 2 * (len(ODD) - 4)


async def test_a_time_ahead_gains_nothing(
    server: FakeHomeserver, intake: Intake, journal: Journal
) -> None:
    """Sent in the year 3000, or in 1970, a message is due by its receipt."""
    (room,) = await recorded(server, intake, "Room")
    await journalled(journal, intake.batches, room)
    server.world.send(room, RETENTION, MINUTE, key="")
    ahead = server.world.say(room, "ahead", sent_ms=32_503_680_000_000)
    old = server.world.say(room, "old", sent_ms=0)
    await intake.until(lambda: old in intake.ids(room))
    await journal.append(intake.batches[-1])
    by_id = {entry.event.upstream_id: entry for entry in await pending(journal)}
    received = by_id[ahead].event.observed_at
    assert by_id[ahead].expires_at == received + timedelta(seconds=60)
    assert by_id[old].expires_at == received
    assert by_id[old].event.sent_at == datetime(1970, 1, 1, tzinfo=UTC)
