"""What is delivered, in which order, and how often."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bridge.canonical.json import Json
from bridge.model import CaptureMethod, EventKind, Presence
from connectors.matrix.sightings import ENCRYPTED
from tests.contracts.connector.scenes import arrive, enter, identities, recorded
from tests.contracts.connector.sides import Ability, Side, fake_side, needs
from tests.fakes.clock import FakeClock
from tests.fakes.intake import Intake, matrix_connector
from tests.patience import PATIENCE

DAY = 86_400.0


async def test_start_may_be_repeated(side: Side, intake: Intake) -> None:
    """Signed in twice, it receives as before."""
    room = await recorded(side, intake)
    await intake.connector.start()
    await side.say(room, "after the second sign-in")
    await intake.until(lambda: "after the second sign-in" in intake.bodies(room))


async def test_the_same_cursor_delivers_the_same_again(side: Side, intake: Intake) -> None:
    """What was not acknowledged is delivered again, with what came since."""
    room = await recorded(side, intake)
    first = await side.say(room, "one")
    lost = await intake.take(keep=False)
    assert (room, first) in identities(lost)
    second = await side.say(room, "two")
    again = await intake.take()
    assert identities(again)[: len(identities(lost))] == identities(lost)
    await intake.until(lambda: second in intake.ids(room))


async def test_a_join_that_was_not_kept_is_told_again(side: Side, intake: Intake) -> None:
    """Sighting, roster and events of a join come again until a cursor shows they are kept."""
    room = await side.room("Not kept")
    await intake.start(room)
    await arrive(side, intake, room)
    for keep in (False, False, True):
        batch = await intake.take(keep=keep)
        assert [s.presence for s in batch.sightings] == [Presence.JOINED]
        assert batch.events[-1].kind is EventKind.ROSTER
        assert any(event.kind is EventKind.MEMBERSHIP for event in batch.events)


async def test_order_and_exact_bytes(side: Side, intake: Intake) -> None:
    """Events come in the platform's order, each with its bytes as they were sent."""
    room = await recorded(side, intake)
    said = [await side.say(room, f"Straße {n} \u2028 \U0001f600") for n in range(12)]
    sent = {event_id: side.raw(room, event_id) for event_id in said}
    await intake.until(lambda: set(said) <= intake.ids(room))
    events = [event for event in intake.of(room) if event.upstream_id in said]
    assert all(sent[event.upstream_id] in {None, event.raw} for event in events)
    assert [event.upstream_id for event in events] == said
    for event in events:
        assert side.id_in(event.raw) == event.upstream_id
        assert event.method is CaptureMethod.LIVE


async def test_a_long_absence_is_filled_through_restarts(side: Side, intake: Intake) -> None:
    """Of 300 messages sent while the recorder was down, none is missing, whenever it stops."""
    room = await recorded(side, intake)
    said = [await side.say(room, f"message {n}") for n in range(300)]
    await intake.until(lambda: set(said) <= intake.ids(room), after_each=intake.restart)
    assert intake.losses == []
    said_before = [e for e in intake.of(room) if e.upstream_id in set(said)]
    if Ability.HISTORY in side.abilities:
        said_before = [e for e in said_before if e.method is CaptureMethod.BACKFILL]
        assert len(said_before) >= 200
    came = [event.upstream_id for event in said_before]
    assert came == [event_id for event_id in said if event_id in set(came)]
    live = await side.say(room, "live again")
    await intake.until(lambda: live in intake.ids(room))
    assert intake.of(room)[-1].method is CaptureMethod.LIVE


async def test_an_encrypted_room(side: Side, intake: Intake) -> None:
    """Encryption is told of the group, and ciphertext is kept as such."""
    needs(side, Ability.ENCRYPTION)
    algorithm: dict[str, Json] = {"algorithm": "m.megolm.v1.aes-sha2"}
    room = await side.room("Sealed", state={"m.room.encryption": algorithm})
    await intake.start(room)
    await enter(side, intake, room)
    assert intake.sightings(room)[-1].obstacle == ENCRYPTED
    sent = await side.send(room, "m.room.encrypted", {**algorithm, "ciphertext": "AwgAEnAC"})
    await intake.until(lambda: sent in intake.ids(room))
    event = intake.of(room)[-1]
    assert (event.kind, event.body) == (EventKind.ENCRYPTED, None)


async def test_encryption_switched_on_later(side: Side, intake: Intake) -> None:
    """A group that becomes encrypted is told of again."""
    needs(side, Ability.ENCRYPTION)
    room = await recorded(side, intake)
    assert intake.sightings(room)[-1].obstacle == ""
    await side.set(room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    await intake.until(lambda: intake.sightings(room)[-1].obstacle == ENCRYPTED)


async def test_a_roster_at_most_once_a_day(side: Side, intake: Intake, clock: FakeClock) -> None:
    """Members who come and go within a day of a roster are in the next one, a day later."""
    needs(side, Ability.ROSTER)
    room = await recorded(side, intake)
    (roster,) = intake.of(room, EventKind.ROSTER)
    assert roster.body is not None
    assert len(roster.body.splitlines()) == 2
    assert side.sign.user_id.encode() in roster.raw
    for name in ("ada", "bo"):
        await side.ask_in(room, f"@{name}:{side.sign.user_id.partition(':')[2]}")
    marker = await side.say(room, "two were asked in")
    await intake.until(lambda: marker in intake.ids(room))
    assert len(intake.of(room, EventKind.ROSTER)) == 1
    clock.advance(DAY)
    await side.say(room, "a day later")
    await intake.until(lambda: len(intake.of(room, EventKind.ROSTER)) == 2)
    assert dict(intake.of(room, EventKind.ROSTER)[-1].upstream)["members"] == "4"
    clock.advance(DAY)
    last = await side.say(room, "nobody came since")
    await intake.until(lambda: last in intake.ids(room))
    assert len(intake.of(room, EventKind.ROSTER)) == 2


async def test_a_group_that_moves_on(side: Side, intake: Intake) -> None:
    """An upgrade is recorded and tells the successor, which is no group of ours yet."""
    needs(side, Ability.SUCCESSION)
    room = await recorded(side, intake)
    successor = await side.upgrade(room)
    await intake.until(lambda: intake.sightings(room)[-1].successor == successor)
    tombstones = [e for e in intake.of(room) if ("type", "m.room.tombstone") in e.upstream]
    assert [event.kind for event in tombstones] == [EventKind.GROUP]
    assert intake.of(successor) == []


async def test_a_restart_knows_names_and_timers(side: Side, intake: Intake) -> None:
    """What is known of a group from before is loaded, so that the first message has it."""
    has_timers = Ability.TIMERS in side.abilities
    room = await (side.timed("Timed", 60) if has_timers else side.room("Timed"))
    await intake.start(room)
    await enter(side, intake, room)
    await intake.restart()
    said = await side.say(room, "after the restart")
    await intake.until(lambda: said in intake.ids(room))
    event = intake.of(room)[-1]
    assert event.sender is not None
    assert event.sender.display_name == "Clerk"
    assert (None if event.timer is None else event.timer.seconds) == (60.0 if has_timers else None)
    assert len(intake.of(room, EventKind.ROSTER)) == 1


async def test_cancelled_it_can_be_called_again(side: Side, intake: Intake) -> None:
    """A delivery that was given up costs nothing."""
    room = await recorded(side, intake)
    waiting = asyncio.create_task(intake.take())
    await side.polled()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    said = await side.say(room, "after")
    async with asyncio.timeout(PATIENCE):
        await intake.until(lambda: said in intake.ids(room))


async def test_nothing_newer_is_acknowledged(tmp_path: Path) -> None:
    """Only the token of the cursor given is ever sent, whatever was delivered since."""
    async with fake_side(tmp_path) as side:
        intake = Intake(lambda: matrix_connector(side.sign, FakeClock()))
        room = await recorded(side, intake)
        held = intake.cursor
        assert held is not None
        since = json.loads(held)["since"]
        side.server.since.clear()
        for n in range(3):
            await side.say(room, f"message {n}")
            batch = await intake.take(keep=False)
            assert len(identities(batch)) == n + 1
        assert side.server.since == [since] * 3
        assert side.server.asked("/receipt") == side.server.asked("/read_markers") == []
        await intake.connector.aclose()
