"""What every connector promises: Matrix, on a fake homeserver and on Synapse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from bridge.canonical.json import Json
from bridge.demo.homeserver import Homeserver
from bridge.errors import ConnectorRejectedError
from bridge.model import Attachment, Batch, CaptureMethod, EventKind, Presence
from bridge.protocols import Connector
from tests.contracts.sides import FakeSide, Side, fake_side, synapse_side
from tests.fakes.clock import FakeClock
from tests.fakes.intake import PATIENCE, Intake, matrix_connector
from tests.servers import synapse

homeserver = synapse.homeserver

DAY = 86_400.0
_numbers = count()


@pytest.fixture(params=["fake", pytest.param("synapse", marks=synapse.MARKS)])
def server(request: pytest.FixtureRequest) -> Homeserver | None:
    """The real homeserver, or None for the fake one."""
    if request.param == "fake":
        return None
    running: Homeserver = request.getfixturevalue("homeserver")
    return running


@pytest.fixture
async def side(server: Homeserver | None, tmp_path: Path) -> AsyncIterator[Side]:
    """An official on either server."""
    if server is None:
        async with fake_side(tmp_path) as fake:
            yield fake
    else:
        async with synapse_side(server, tmp_path, f"contract-{next(_numbers)}") as real:
            yield real


@pytest.fixture
def clock() -> FakeClock:
    """The recorder's clock."""
    return FakeClock()


@pytest.fixture
async def intake(side: Side, clock: FakeClock) -> AsyncIterator[Intake]:
    """The recorder, not signed in yet."""
    intake = Intake(lambda: matrix_connector(side.sign, clock))
    yield intake
    await intake.connector.aclose()


async def recorded(side: Side, intake: Intake, name: str = "Flood cell") -> str:
    """A room that the recorder was invited to, joined, and has begun to record."""
    room = await side.room(name)
    await intake.start(room)
    await enter(side, intake, room)
    return room


async def enter(side: Side, intake: Intake, room: str) -> None:
    """Invite the recorder to an approved room and see it in."""
    await side.invite(room)
    await intake.until(lambda: has(intake, room, Presence.INVITED))
    await intake.connector.join(room)
    await intake.until(lambda: bool(intake.of(room, EventKind.ROSTER)))


def has(intake: Intake, room: str, presence: Presence) -> bool:
    """Whether such a sighting came."""
    return any(sighting.presence is presence for sighting in intake.sightings(room))


def identities(batch: Batch) -> list[tuple[str, str]]:
    """What a batch brings, rosters apart: they are of the moment."""
    events = [event for event in batch.events if event.kind is not EventKind.ROSTER]
    return [(event.group_id, event.upstream_id) for event in events]


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
    await side.invite(room)
    await intake.start(room)
    await intake.until(lambda: has(intake, room, Presence.INVITED))
    await intake.connector.join(room)
    for keep in (False, False, True):
        batch = await intake.take(keep=keep)
        assert [s.presence for s in batch.sightings] == [Presence.JOINED]
        assert batch.events[-1].kind is EventKind.ROSTER
        assert any(event.kind is EventKind.MEMBERSHIP for event in batch.events)


async def test_order_and_exact_bytes(side: Side, intake: Intake) -> None:
    """Events come in the platform's order, each with its bytes as they were sent."""
    room = await recorded(side, intake)
    said = [await side.say(room, f"Straße {n} \u2028 \U0001f600") for n in range(12)]
    await intake.until(lambda: set(said) <= intake.ids(room))
    events = [event for event in intake.of(room) if event.upstream_id in said]
    assert [event.upstream_id for event in events] == said
    for event in events:
        exact = side.raw(room, event.upstream_id)
        assert exact in {None, event.raw}
        assert json.loads(event.raw)["event_id"] == event.upstream_id
        assert event.method is CaptureMethod.LIVE


async def test_nothing_from_before_the_own_join(side: Side, intake: Intake) -> None:
    """Recording begins with the own join, though the platform shows what was before."""
    room = await side.room("History")
    before = {await side.say(room, "before") for _ in range(3)}
    await intake.start(room)
    await enter(side, intake, room)
    after = await side.say(room, "after")
    await intake.until(lambda: after in intake.ids(room))
    assert before.isdisjoint(intake.ids(room))
    first = intake.of(room)[0]
    assert (first.kind, first.body) == (EventKind.MEMBERSHIP, "join")
    assert ("subject", side.sign.user_id) in first.upstream
    assert [sighting.presence for sighting in intake.sightings(room)] == [
        Presence.INVITED,
        Presence.JOINED,
    ]
    assert intake.losses == []


async def test_a_join_followed_by_much(side: Side, intake: Intake) -> None:
    """More since the own join than one delivery holds is fetched, and nothing before it."""
    room = await side.room("Busy")
    before = await side.say(room, "before")
    await side.invite(room)
    await intake.start(room)
    await intake.until(lambda: has(intake, room, Presence.INVITED))
    await intake.connector.join(room)
    said = {await side.say(room, f"message {n}") for n in range(130)}
    await intake.until(lambda: said <= intake.ids(room), after_each=intake.restart)
    assert before not in intake.ids(room)
    assert intake.losses == []


async def test_a_new_name_of_ours_is_no_join(side: Side, intake: Intake) -> None:
    """What was said between the own join and a change of the own name is kept."""
    room = await side.room("Renamed")
    await side.invite(room)
    await intake.start(room)
    await intake.until(lambda: has(intake, room, Presence.INVITED))
    await intake.connector.join(room)
    said = await side.say(room, "between")
    await side.rename(room, "Records office")
    await intake.until(lambda: bool(intake.of(room, EventKind.ROSTER)))
    assert said in intake.ids(room)


async def test_only_approved_groups(side: Side, intake: Intake) -> None:
    """Events of another group are counted, nothing else, and the group is proposed once."""
    room = await recorded(side, intake)
    other = await side.room("Other")
    await side.invite(other)
    await intake.until(lambda: has(intake, other, Presence.INVITED))
    await intake.connector.join(other)
    await intake.until(lambda: has(intake, other, Presence.JOINED))
    counted = intake.unlisted
    for n in range(3):
        await side.say(other, f"private {n}")
    last = await side.say(room, "last")
    await intake.until(lambda: last in intake.ids(room))
    assert intake.of(other) == []
    assert intake.unlisted == counted + 3
    (invited, joined) = intake.sightings(other)
    assert (invited.name, joined.presence) == ("Other", Presence.JOINED)


async def test_approval_matches_by_exact_id(side: Side, intake: Intake) -> None:
    """An id that is the beginning of another, or differs in case, approves nothing."""
    room = await side.room("Exact")
    await side.invite(room)
    await intake.start(room[:-1], room.upper(), f"{room}x")
    await intake.until(lambda: has(intake, room, Presence.INVITED))
    await intake.connector.join(room)
    await side.say(room, "not for the record")
    await intake.until(lambda: has(intake, room, Presence.JOINED))
    assert intake.events == {}


async def test_approval_takes_effect_at_once(side: Side, intake: Intake) -> None:
    """Approved while the platform is waited for, a group's events come without that wait."""
    room = await side.room("Later")
    await side.invite(room)
    await intake.start()
    await intake.until(lambda: has(intake, room, Presence.INVITED))
    await intake.connector.join(room)
    await intake.until(lambda: has(intake, room, Presence.JOINED))
    waiting = asyncio.create_task(intake.take())
    if isinstance(side, FakeSide):
        await side.server.polling.wait()
    intake.approve(room)
    async with asyncio.timeout(15):
        await waiting
        await intake.until(lambda: bool(intake.of(room, EventKind.ROSTER)))


async def test_approved_after_the_join_it_begins_then(side: Side, intake: Intake) -> None:
    """Nothing from before the approval is recorded; the roster says who is there."""
    room = await side.room("Approved late")
    await side.invite(room)
    await intake.start()
    await intake.until(lambda: has(intake, room, Presence.INVITED))
    await intake.connector.join(room)
    early = await side.say(room, "early")
    await intake.until(lambda: intake.unlisted > 0)
    await intake.take() if intake.unlisted < 2 else None
    intake.approve(room)
    await intake.until(lambda: bool(intake.of(room, EventKind.ROSTER)))
    late = await side.say(room, "late")
    await intake.until(lambda: late in intake.ids(room))
    assert early not in intake.ids(room)
    assert len(intake.of(room, EventKind.ROSTER)) == 1
    assert intake.losses == []


async def test_approval_withdrawn(side: Side, intake: Intake) -> None:
    """A group that is approved no longer yields nothing; approved again, it knows its state."""
    room = await recorded(side, intake)
    other = await recorded_too(side, intake, room)
    intake.approve(other)
    hidden = await side.say(room, "while not approved")
    await side.set(room, "m.room.retention", {"max_lifetime": 90_000})
    marker = await side.say(other, "marker")
    await intake.until(lambda: marker in intake.ids(other))
    intake.approve(room, other)
    await intake.take()
    again = await side.say(room, "approved again")
    await intake.until(lambda: again in intake.ids(room))
    assert hidden not in intake.ids(room)
    (event,) = [event for event in intake.of(room) if event.upstream_id == again]
    assert event.timer is not None
    assert event.timer.seconds == 90.0


async def recorded_too(side: Side, intake: Intake, *rooms: str) -> str:
    """One more recorded room."""
    other = await side.room("Second")
    intake.approve(*rooms, other)
    await enter(side, intake, other)
    return other


async def test_approved_and_withdrawn_before_the_first_delivery(side: Side, intake: Intake) -> None:
    """An approval that is gone again by the next delivery yields nothing."""
    room = await recorded(side, intake)
    intake.approve()
    await intake.restart()
    intake.approve(room)
    intake.approve()
    known = len(intake.events)
    await side.say(room, "not approved")
    await intake.until(lambda: intake.unlisted > 0)
    assert len(intake.events) == known


async def test_a_long_absence_is_filled_through_restarts(side: Side, intake: Intake) -> None:
    """Of 300 messages sent while the recorder was down, none is missing, whenever it stops."""
    room = await recorded(side, intake)
    said = [await side.say(room, f"message {n}") for n in range(300)]
    await intake.until(lambda: set(said) <= intake.ids(room), after_each=intake.restart)
    assert intake.losses == []
    filled = [e.upstream_id for e in intake.of(room) if e.method is CaptureMethod.BACKFILL]
    assert filled == [event_id for event_id in said if event_id in set(filled)]
    assert len(filled) >= 200
    live = await side.say(room, "live again")
    await intake.until(lambda: live in intake.ids(room))
    assert intake.of(room)[-1].method is CaptureMethod.LIVE


async def test_put_out(side: Side, intake: Intake) -> None:
    """A kick is recorded with what was said before it, and told as a removal, with who did it."""
    room = await recorded(side, intake)
    before = await side.say(room, "before the kick")
    await side.kick(room)
    await intake.until(lambda: has(intake, room, Presence.REMOVED))
    assert before in intake.ids(room)
    last = intake.of(room)[-1]
    assert (last.kind, last.body) == (EventKind.MEMBERSHIP, "leave")
    assert ("subject", side.sign.user_id) in last.upstream
    assert last.sender is not None
    assert intake.sightings(room)[-1].by == last.sender.id


async def test_kept_out(side: Side, intake: Intake) -> None:
    """A ban is recorded and told like a kick."""
    room = await recorded(side, intake)
    await side.ban(room)
    await intake.until(lambda: has(intake, room, Presence.REMOVED))
    last = intake.of(room)[-1]
    assert (last.kind, last.body) == (EventKind.MEMBERSHIP, "ban")


async def test_put_out_and_let_in_again(side: Side, intake: Intake, clock: FakeClock) -> None:
    """What was said while the recorder was out is not recorded; the new join begins anew."""
    room = await recorded(side, intake)
    clock.advance(1)
    await side.kick(room)
    await intake.until(lambda: has(intake, room, Presence.REMOVED))
    between = await side.say(room, "between")
    await enter_again(side, intake, room)
    assert between not in intake.ids(room)
    assert len(intake.of(room, EventKind.ROSTER)) == 2


async def enter_again(side: Side, intake: Intake, room: str) -> None:
    """Invite the recorder once more and see it in."""
    rosters = len(intake.of(room, EventKind.ROSTER))
    told = len(intake.sightings(room))
    await side.invite(room)
    await intake.until(lambda: len(intake.sightings(room)) > told)
    await intake.connector.join(room)
    await intake.until(lambda: len(intake.of(room, EventKind.ROSTER)) > rosters)


async def test_put_out_and_asked_in_while_down(
    side: Side, intake: Intake, clock: FakeClock
) -> None:
    """A kick that was followed by an invitation is recorded; nothing from between is."""
    room = await recorded(side, intake)
    clock.advance(1)
    before = await side.say(room, "before the kick")
    await side.kick(room)
    between = await side.say(room, "between")
    await enter_again(side, intake, room)
    told = [sighting.presence for sighting in intake.sightings(room)]
    assert told[2:] == [Presence.REMOVED, Presence.INVITED, Presence.JOINED]
    assert before in intake.ids(room)
    assert between not in intake.ids(room)
    assert "leave" in [event.body for event in intake.of(room, EventKind.MEMBERSHIP)]
    assert intake.losses == []


async def test_out_and_in_again_while_down(side: Side, intake: Intake) -> None:
    """Of a stay that ended and one that began, all is recorded; nothing from between is."""
    room = await recorded(side, intake)
    before = await side.say(room, "before the kick")
    await side.kick(room)
    between = await side.say(room, "between")
    await side.invite(room)
    await intake.connector.join(room)
    after = await side.say(room, "after")
    await intake.until(lambda: {before, after} <= intake.ids(room))
    assert between not in intake.ids(room)


async def test_a_stay_that_went_by_while_down(side: Side, intake: Intake) -> None:
    """In and out again between two deliveries: what was said in that stay is recorded."""
    room = await side.room("Short stay")
    before = await side.say(room, "before")
    await side.invite(room)
    await intake.start(room)
    await intake.until(lambda: has(intake, room, Presence.INVITED))
    await intake.connector.join(room)
    said = await side.say(room, "while in")
    await side.kick(room)
    await intake.until(lambda: has(intake, room, Presence.REMOVED))
    assert said in intake.ids(room)
    assert before not in intake.ids(room)
    assert intake.of(room)[-1].body == "leave"


async def test_put_out_after_much(side: Side, intake: Intake) -> None:
    """More before a kick than one delivery holds is fetched nevertheless."""
    room = await recorded(side, intake)
    said = {await side.say(room, f"message {n}") for n in range(120)}
    await side.kick(room)
    after = await side.say(room, "after the kick")
    await intake.until(lambda: said <= intake.ids(room))
    assert has(intake, room, Presence.REMOVED)
    assert after not in intake.ids(room)
    assert intake.losses == []


async def test_an_invitation_is_told(side: Side, intake: Intake) -> None:
    """An invitation tells name and inviter, and yields no events."""
    await intake.start()
    room = await side.room("Invited")
    await side.invite(room)
    await intake.until(lambda: has(intake, room, Presence.INVITED))
    (sighting,) = intake.sightings(room)
    assert sighting.name == "Invited"
    assert sighting.by is not None
    assert sighting.by.startswith("@clerk")
    assert intake.events == {}


async def test_an_encrypted_room(side: Side, intake: Intake) -> None:
    """Encryption is told of the group, and ciphertext is kept as such."""
    algorithm: dict[str, Json] = {"algorithm": "m.megolm.v1.aes-sha2"}
    room = await side.room("Sealed", state={"m.room.encryption": algorithm})
    await intake.start(room)
    await enter(side, intake, room)
    assert intake.sightings(room)[-1].encrypted
    sent = await side.send(room, "m.room.encrypted", {**algorithm, "ciphertext": "AwgAEnAC"})
    await intake.until(lambda: sent in intake.ids(room))
    event = intake.of(room)[-1]
    assert (event.kind, event.body) == (EventKind.ENCRYPTED, None)


async def test_encryption_switched_on_later(side: Side, intake: Intake) -> None:
    """A group that becomes encrypted is told of again."""
    room = await recorded(side, intake)
    assert not intake.sightings(room)[-1].encrypted
    await side.set(room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    await intake.until(lambda: intake.sightings(room)[-1].encrypted)


async def test_a_roster_at_most_once_a_day(side: Side, intake: Intake, clock: FakeClock) -> None:
    """Members who come and go within a day of a roster are in the next one, a day later."""
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


async def test_the_notice_is_posted_once(side: Side, intake: Intake) -> None:
    """The same key again is the same message; it is recorded as a notice."""
    room = await recorded(side, intake)
    first = await intake.connector.announce(room, "This group is recorded.", key="k 1/2")
    again = await intake.connector.announce(room, "This group is recorded.", key="k 1/2")
    assert first.upstream_id is not None
    assert again.upstream_id == first.upstream_id
    assert (first.refusal, first.pinned) == (None, False)
    marker = await side.say(room, "marker")
    await intake.until(lambda: marker in intake.ids(room))
    (notice,) = intake.of(room, EventKind.NOTICE)
    assert (notice.upstream_id, notice.body) == (first.upstream_id, "This group is recorded.")


async def test_the_notice_is_pinned_where_allowed(side: Side, intake: Intake) -> None:
    """With the power to pin, the notice joins what is pinned already."""
    room = await recorded(side, intake)
    older = await side.say(room, "pinned before")
    await side.set(room, "m.room.pinned_events", {"pinned": [older]})
    await side.empower(room)
    marker = await side.say(room, "marker")
    await intake.until(lambda: marker in intake.ids(room))
    for _ in range(2):
        said = await intake.connector.announce(room, "Recorded.", key="key")
        assert said.pinned
        assert await side.pinned(room) == [older, said.upstream_id]
    await intake.until(lambda: len(intake.of(room, EventKind.PIN)) >= 2)


async def test_a_refused_notice_is_an_answer(side: Side, intake: Intake) -> None:
    """Where the platform lets us say nothing, that comes back in words."""
    room = await side.room("Not ours")
    await intake.start(room)
    said = await intake.connector.announce(room, "Recorded.", key="key")
    assert said.upstream_id is None
    assert said.refusal is not None
    assert "M_FORBIDDEN" in said.refusal


async def test_joining_twice_succeeds(side: Side, intake: Intake) -> None:
    """A join that had happened is no error."""
    room = await recorded(side, intake)
    await intake.connector.join(room)


async def test_joining_uninvited_is_refused(side: Side, intake: Intake) -> None:
    """A group that is not open and asked nobody refuses us."""
    room = await side.room("Closed")
    await intake.start(room)
    with pytest.raises(ConnectorRejectedError) as refusal:
        await intake.connector.join(room)
    assert refusal.value.code == "M_FORBIDDEN"


async def fetched(connector: Connector, attachment: Attachment) -> tuple[int | None, bytes]:
    """A file and the size it was said to have."""
    download = await connector.open_download("!room", attachment)
    return download.size, b"".join([chunk async for chunk in download.chunks()])


async def test_a_download(side: Side, intake: Intake) -> None:
    """A file comes in order and whole, with its size told before."""
    await intake.start()
    data = bytes(range(256)) * 1500
    attachment = await side.offer(data)
    assert await fetched(intake.connector, attachment) == (len(data), data)


async def test_a_download_too_large_is_known_before(side: Side, intake: Intake) -> None:
    """The size is told before a byte is read, so that a file too large need not be."""
    await intake.start()
    download = await intake.connector.open_download("!room", await side.offer(bytes(900_000)))
    assert download.size == 900_000
    async for chunk in download.chunks():
        assert len(chunk) < 900_000
        break


@pytest.mark.parametrize(
    "url",
    [
        "mxc://town.example/missing",
        "mxc://../config",
        "mxc://town.example/../../x",
        "http://127.0.0.1/x",
        "",
    ],
)
async def test_a_download_that_cannot_be_had(side: Side, intake: Intake, url: str) -> None:
    """What is not there, or is no address of the platform's, is refused."""
    await intake.start()
    attachment = Attachment(url=url.replace("town.example", side.sign.user_id.partition(":")[2]))
    with pytest.raises(ConnectorRejectedError):
        await fetched(intake.connector, attachment)


async def test_a_download_elsewhere(side: Side, intake: Intake) -> None:
    """A redirect is not followed."""
    if not isinstance(side, FakeSide):
        pytest.skip("only the fake can be told to redirect")
    await intake.start()
    attachment = await side.offer(b"data")
    side.moved_away(attachment, f"{side.server.url}/elsewhere")
    with pytest.raises(ConnectorRejectedError, match="307"):
        await fetched(intake.connector, attachment)
    assert side.server.asked("/elsewhere") == []


async def test_a_group_that_moves_on(side: Side, intake: Intake) -> None:
    """An upgrade is recorded and tells the successor, which is no group of ours yet."""
    room = await recorded(side, intake)
    successor = await side.upgrade(room)
    await intake.until(lambda: intake.sightings(room)[-1].successor == successor)
    tombstones = [e for e in intake.of(room) if ("type", "m.room.tombstone") in e.upstream]
    assert [event.kind for event in tombstones] == [EventKind.GROUP]
    assert intake.of(successor) == []


async def test_a_restart_knows_names_and_timers(side: Side, intake: Intake) -> None:
    """What is known of a group from before is loaded, so that the first message has it."""
    lifetime: dict[str, Json] = {"max_lifetime": 60_000}
    room = await side.room("Timed", state={"m.room.retention": lifetime})
    await intake.start(room)
    await enter(side, intake, room)
    await intake.restart()
    said = await side.say(room, "after the restart")
    await intake.until(lambda: said in intake.ids(room))
    event = intake.of(room)[-1]
    assert event.sender is not None
    assert event.sender.display_name == "Clerk"
    assert event.timer is not None
    assert event.timer.seconds == 60.0
    assert len(intake.of(room, EventKind.ROSTER)) == 1


async def test_the_first_sync_keeps_to_the_own_stay(side: Side, intake: Intake) -> None:
    """Without a cursor, of a group joined before, nothing from before that join is delivered."""
    room = await side.room("Joined before")
    before = await side.say(room, "before")
    await intake.start()
    await side.invite(room)
    await intake.connector.join(room)
    after = await side.say(room, "after")
    intake.approve(room)
    await intake.until(lambda: after in intake.ids(room))
    assert before not in intake.ids(room)
    assert intake.losses == []


async def test_cancelled_it_can_be_called_again(side: Side, intake: Intake) -> None:
    """A delivery that was given up costs nothing."""
    room = await recorded(side, intake)
    waiting = asyncio.create_task(intake.take())
    if isinstance(side, FakeSide):
        await side.server.polling.wait()
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
