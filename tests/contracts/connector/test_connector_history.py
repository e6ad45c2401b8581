"""What the platform still holds can be compared with what was delivered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.errors import ConnectorError, ConnectorRejectedError, ConnectorUnavailableError
from bridge.model import CaptureMethod, Cursor, EventKind, Presence
from bridge.protocols import Connector, PastEvent
from tests.contracts.connector.scenes import enter_again, has, recorded
from tests.contracts.connector.sides import Ability, FakeSide, Side, fake_side, needs
from tests.fakes.clock import FakeClock
from tests.fakes.connector import ScriptedConnector
from tests.fakes.homeserver import Reply
from tests.fakes.intake import Intake, matrix_connector

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def past(connector: Connector, room: str) -> list[PastEvent]:
    """All of it, newest first."""
    return [event async for page in connector.history(room) for event in page]


def journalled(intake: Intake, room: str) -> list[str]:
    """What was delivered of the platform's own events, newest first."""
    events = [event for event in intake.of(room) if event.kind is not EventKind.ROSTER]
    return [event.upstream_id for event in reversed(events)]


async def test_history_is_what_was_delivered(side: Side, intake: Intake) -> None:
    """Newest first, of every kind, redacted or not, back to the own join and with it."""
    needs(side, Ability.HISTORY)
    room = await side.room("Compared")
    before = await side.say(room, "before the join")
    await intake.start(room)
    await side.invite(room)
    await intake.until(lambda: has(intake, room, Presence.INVITED))
    await intake.connector.join(room)
    gone = await side.say(room, "taken back")
    await side.set(room, "m.room.topic", {"topic": "Dykes"})
    await side.send(room, "org.example.odd", {"nested": {"n": 1}})
    await side.redact(room, gone)
    last = await side.say(room, "last")
    await intake.until(lambda: last in intake.ids(room) and bool(intake.of(room, EventKind.ROSTER)))
    found = await past(intake.connector, room)
    plain = [event for event in intake.of(room) if event.revision is None]
    wanted = [event.upstream_id for event in reversed(plain) if event.kind is not EventKind.ROSTER]
    assert [event.upstream_id for event in found] == wanted
    assert {event.excuse for event in found} == {None}
    assert before not in wanted
    sent = {event.upstream_id: event.sent_at for event in plain}
    assert all(event.sent_at == sent[event.upstream_id] for event in found)


async def test_history_shows_what_was_not_received_yet(side: Side, intake: Intake) -> None:
    """It is read from the platform, not from what was delivered, and acknowledges nothing."""
    needs(side, Ability.HISTORY)
    room = await recorded(side, intake)
    said = [await side.say(room, f"message {n}") for n in range(230)]
    pages = [page async for page in intake.connector.history(room)]
    found = [event.upstream_id for page in pages for event in page]
    assert [event_id for event_id in found if event_id in said] == said[::-1]
    assert len(pages) > 1
    assert max(len(page) for page in pages) <= 100
    await intake.until(lambda: {*said} <= intake.ids(room), after_each=intake.restart)
    assert sorted(found) == sorted(journalled(intake, room))


async def test_history_of_the_latest_stay(side: Side, intake: Intake, clock: FakeClock) -> None:
    """What was said while the recorder was out is not asked after."""
    needs(side, Ability.HISTORY)
    room = await recorded(side, intake)
    clock.advance(1)
    await side.kick(room)
    await intake.until(lambda: has(intake, room, Presence.REMOVED))
    between = await side.say(room, "between")
    await enter_again(side, intake, room)
    after = await side.say(room, "after")
    found = {event.upstream_id: event.excuse for event in await past(intake.connector, room)}
    assert between not in found
    assert found[after] is None


async def test_history_of_a_group_that_was_left(side: Side, intake: Intake) -> None:
    """Up to the end of the stay everything was to be delivered."""
    needs(side, Ability.HISTORY)
    room = await recorded(side, intake)
    said = await side.say(room, "said")
    await side.kick(room)
    await side.say(room, "after the kick")
    await intake.until(lambda: has(intake, room, Presence.REMOVED))
    found = [event for event in await past(intake.connector, room) if event.excuse is None]
    assert said in {event.upstream_id for event in found}
    assert [event.upstream_id for event in found] == journalled(intake, room)


async def test_history_that_is_refused(side: Side, intake: Intake) -> None:
    """Of a group that is not ours to see nothing is given, and that is an error."""
    room = await side.room("Closed")
    await intake.start(room)
    with pytest.raises(ConnectorRejectedError):
        await past(intake.connector, room)


async def test_backfill_waits_while_it_is_paused(side: Side, intake: Intake) -> None:
    """Live events come, holes stay in the cursor; afterwards they are filled, none given up."""
    needs(side, Ability.HISTORY)
    room = await recorded(side, intake)
    intake.connector.pause_backfill(paused=True)
    said = {await side.say(room, f"message {n}") for n in range(130)}
    for n in range(4):
        await side.say(room, f"live {n}")
        await intake.take()
    live = await side.say(room, "live")
    await intake.until(lambda: live in intake.ids(room))
    assert not said <= intake.ids(room)
    assert CaptureMethod.BACKFILL not in {event.method for event in intake.of(room)}
    intake.connector.pause_backfill(paused=False)
    await intake.until(lambda: said <= intake.ids(room))
    assert intake.losses == []


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeSide]:
    """A server that can misbehave."""
    async with fake_side(tmp_path) as side:
        yield side


async def test_history_that_breaks_off(fake: FakeSide) -> None:
    """What came before an error holds; the error is not passed over."""
    intake = Intake(lambda: matrix_connector(fake.sign, FakeClock()))
    room = await recorded(fake, intake)
    said = [await fake.say(room, f"message {n}") for n in range(150)]
    replies = (Reply(status=500), Reply(status=429), Reply(change=lambda body: body[:-9]))
    for reply in replies:
        fake.server.faults.clear()
        pages = intake.connector.history(room)
        first = await anext(pages)
        fake.server.answer("/messages", reply)
        with pytest.raises(ConnectorError):
            await anext(pages)
        assert [event.upstream_id for event in first] == said[:-101:-1]
    await intake.connector.aclose()


async def test_history_that_leads_nowhere(fake: FakeSide) -> None:
    """A server whose pages go round in a circle is found out."""
    intake = Intake(lambda: matrix_connector(fake.sign, FakeClock()))
    room = await recorded(fake, intake)
    for n in range(250):
        await fake.say(room, f"message {n}")
    fake.server.deliveries.oddities.circles = True
    with pytest.raises(ConnectorUnavailableError, match="lead nowhere"):
        await past(intake.connector, room)
    await intake.connector.aclose()


async def test_history_excuses_what_nobody_could_deliver(fake: FakeSide) -> None:
    """An event without an id cannot be compared; what came after the end of a stay was not ours."""
    intake = Intake(lambda: matrix_connector(fake.sign, FakeClock()))
    room = await recorded(fake, intake)
    fake.server.world.put_raw(room, b'{"type":"m.room.message","content":{"body":"nameless"}}')
    (nameless, *_) = await past(intake.connector, room)
    assert nameless.excuse is not None
    await fake.kick(room)
    after = await fake.say(room, "after")
    page = b'{"chunk":[{"event_id":"%s","type":"m.room.message","content":{}},' % after.encode()
    fake.server.answer("/messages", Reply(change=lambda body: body.replace(b'{"chunk":[', page)))
    found = await past(intake.connector, room)
    assert [event.excuse for event in found[:2]] == [
        "said while the recorder was not in the group",
        None,
    ]
    await intake.connector.aclose()


async def test_the_scripted_connector_keeps_to_it() -> None:
    """The double gives pages newest first, and what came before an error holds."""

    async def committed() -> Cursor | None:
        return None

    connector = ScriptedConnector(committed=committed)
    assert await past(connector, "!unknown") == []
    events = [PastEvent(upstream_id=f"${n}", sent_at=NOON) for n in (2, 1)]
    connector.past["!room"] = [*events, ConnectorUnavailableError("502")]
    pages = connector.history("!room")
    assert [await anext(pages) for _ in events] == [(event,) for event in events]
    with pytest.raises(ConnectorUnavailableError):
        await anext(pages)
    connector.pause_backfill(paused=True)
    assert connector.backfill_paused
