"""How groups stand: heard or not, proposed, left, ended."""

from __future__ import annotations

import pytest

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError
from bridge.model import EventKind, Presence
from connectors.telegram.hearing import PRIVACY, UNPROVED
from connectors.telegram.watch import CHECK_EVERY
from tests.servers.bot_api import Chat, FaultKind, How
from tests.unit.connectors.telegram.scene import DAY, HOUR, Office, office


async def test_a_bot_added_with_privacy_off_hears(at: Office) -> None:
    """It was seen to come while privacy mode was off: the group is readable at once."""
    _, group = await at.recorded()
    (sighting,) = at.intake.sightings(group)
    assert (sighting.presence, sighting.obstacle) == (Presence.JOINED, "")
    assert sighting.name == "Flood cell"


async def test_privacy_mode_is_an_obstacle() -> None:
    """With privacy mode on a mere member is told to hear nothing; an administrator hears."""
    async with office(privacy=True) as at:
        room, group = await at.recorded()
        assert at.intake.sightings(group)[-1].obstacle == PRIVACY
        at.clerk.promote(room, at.bot)
        await at.intake.until(lambda: at.intake.sightings(group)[-1].obstacle == "")
        await at.hears(room, "heard")
        at.clerk.demote(room, at.bot)
        await at.intake.until(lambda: at.intake.sightings(group)[-1].obstacle == PRIVACY)


async def test_privacy_mode_switched_off_too_late() -> None:
    """Switched off after the bot was added, it still hears nothing: it must be added anew."""
    async with office(privacy=True) as at:
        room, group = await at.recorded()
        at.api.privacy(at.bot, on=False)
        at.clock.advance(CHECK_EVERY + 1)
        await at.intake.until(lambda: at.intake.sightings(group)[-1].obstacle == UNPROVED)
        at.clerk.kick(room, at.bot)
        at.clerk.add(room, at.bot)
        await at.intake.until(lambda: at.intake.sightings(group)[-1].obstacle == "")


async def test_privacy_mode_switched_on_before_the_bot_was_added(at: Office) -> None:
    """Who we are is asked anew when we come into a group: what was known before is too old."""
    _, first = await at.recorded()
    at.api.privacy(at.bot, on=True)
    room = at.api.supergroup("Storm cell", at.clerk)
    group = str(room.id)
    at.intake.approve(first, group)
    at.clerk.add(room, at.bot)
    await at.hears(room, "/start@recorder_bot")
    assert at.intake.sightings(group)[-1].obstacle == PRIVACY


async def test_who_we_are_cannot_be_asked_when_we_come(at: Office) -> None:
    """Then nothing is held up, and the group waits for a message that shows that it is heard."""
    _, first = await at.recorded()
    room = at.api.supergroup("Storm cell", at.clerk)
    group = str(room.id)
    at.intake.approve(first, group)
    at.fault(FaultKind.STATUS, "getMe")
    at.clerk.add(room, at.bot)
    await at.hears(room, "/start@recorder_bot")
    assert at.intake.sightings(group)[-1].obstacle == UNPROVED
    await at.hears(room, "among people")
    assert at.intake.sightings(group)[-1].obstacle == ""


async def test_a_bot_that_was_there_before(at: Office) -> None:
    """Nobody saw it come: it hears once a message came that is not for bots."""
    room = at.room()
    at.bot.updates.forget()
    group = str(room.id)
    await at.intake.start(group)
    await at.until_roster(room)
    assert at.intake.sightings(group)[-1].obstacle == UNPROVED
    for words in ("/start@recorder_bot", "you, @recorder_bot"):
        await at.hears(room, words)
        assert at.intake.sightings(group)[-1].obstacle == UNPROVED
    await at.hears(room, "among people")
    assert at.intake.sightings(group)[-1].obstacle == ""


async def test_a_message_in_a_topic_shows_hearing(at: Office) -> None:
    """What stands in a topic answers the topic and no bot; an answer shows nothing."""
    room = at.api.supergroup("Flood cell", at.clerk, forum=True)
    at.clerk.add(room, at.bot)
    topic = at.clerk.topic(room, "Dykes")
    at.bot.updates.forget()
    group = str(room.id)
    await at.intake.start(group)
    await at.until_roster(room)
    first = at.clerk.say(room, "unseen")
    at.bot.updates.forget()
    at.clerk.reply(first, "an answer")
    await at.intake.until(lambda: "an answer" in at.intake.bodies(group))
    assert at.intake.sightings(group)[-1].obstacle == UNPROVED
    at.clerk.say(room, "in the topic", How(topic=topic))
    await at.intake.until(lambda: "in the topic" in at.intake.bodies(group))
    assert at.intake.sightings(group)[-1].obstacle == ""


async def test_a_group_without_approval_is_left(at: Office) -> None:
    """It is proposed once, nothing of it is kept, and it is left when its time is over."""
    room = at.room("Strangers")
    group = str(room.id)
    await at.intake.start()
    await at.intake.until(lambda: bool(at.intake.sightings(group)))
    at.clerk.say(room, "private")
    await at.intake.take()
    assert at.intake.sightings(group)[0].by == str(at.clerk.user.id)
    await at.intake.restart()
    at.clock.advance(23 * HOUR)
    await at.intake.take()
    assert at.asked("leaveChat") == []
    at.clock.advance(HOUR)
    await at.intake.until(lambda: at.intake.sightings(group)[-1].presence is Presence.LEFT)
    assert len(at.asked("leaveChat")) == 1
    assert room.members[at.bot.id].present is False
    assert at.intake.events == {}
    assert group not in at.place.waiting


async def test_a_group_approved_in_time_is_not_left(at: Office) -> None:
    """An approval ends the waiting; so does a group that was approved and is paused."""
    room = at.room()
    group = str(room.id)
    await at.intake.start()
    await at.intake.until(lambda: bool(at.intake.sightings(group)))
    at.intake.approve(group)
    await at.until_roster(room)
    at.intake.approve()
    at.clerk.say(room, "paused")
    await at.intake.take()
    at.clock.advance(2 * DAY)
    for _ in range(3):
        at.clerk.say(room, "later")
        await at.intake.take()
    assert at.asked("leaveChat") == []


async def test_leaving_is_tried_again(at: Office) -> None:
    """Where the platform does not answer, the group is left a little later."""
    room = at.room()
    group = str(room.id)
    await at.intake.start()
    await at.intake.until(lambda: bool(at.intake.sightings(group)))
    at.clock.advance(DAY)
    at.fault(FaultKind.STATUS, "leaveChat")
    with pytest.raises(ConnectorUnavailableError, match="500"):
        await at.intake.take()
    at.clerk.say(room, "meanwhile")
    await at.intake.take()
    at.clock.advance(10)
    await at.intake.until(lambda: at.intake.sightings(group)[-1].presence is Presence.LEFT)


@pytest.mark.parametrize(("method", "later"), [("leaveChat", DAY), ("getMe", CHECK_EVERY + 1)])
async def test_a_wish_to_wait_beside_the_stream_holds_up_no_events(
    at: Office, method: str, later: float
) -> None:
    """Of a 429 to a check or to leaving a group the loop is told no seconds, and events come."""
    room, _ = await at.recorded()
    at.room("Strangers")
    await at.hears(room, "before")
    at.advance(later)
    at.fault(FaultKind.FLOOD, method, retry_after=3000)
    with pytest.raises(ConnectorUnavailableError, match="429") as error:
        await _taking(at, room)
    assert error.value.retry_after is None
    asked = len(at.asked(method))
    await at.hears(room, "meanwhile")
    assert len(at.asked(method)) == asked
    at.clock.advance(3001)
    at.clerk.say(room, "wake")
    await at.intake.until(lambda: len(at.asked(method)) > asked)


async def _taking(at: Office, room: Chat) -> None:
    for _ in range(9):
        at.clerk.say(room, "more")
        await at.intake.take()


async def test_private_chats_are_counted_only(at: Office) -> None:
    """Whoever writes to the bot itself is no group, and is not proposed."""
    await at.intake.start()
    at.clerk.start(at.bot)
    await at.intake.until(lambda: at.intake.unlisted == 1)
    assert [sighting for batch in at.intake.batches for sighting in batch.sightings] == []
    assert at.place.waiting == {}


async def test_a_removal_that_nobody_told(at: Office) -> None:
    """Found out by asking, it is told as a removal with a loss."""
    room, group = await at.recorded()
    await at.intake.connector.aclose()
    at.clerk.kick(room, at.bot)
    at.bot.updates.forget()
    await at.intake.restart()
    await at.intake.until(lambda: at.intake.sightings(group)[-1].presence is Presence.REMOVED)
    (loss,) = at.intake.losses
    assert (loss.group_id, loss.why) == (group, "removal_unseen")
    assert group not in at.place.groups


async def test_a_new_title_is_told(at: Office) -> None:
    """A group is told of again under its new name, and once."""
    room, group = await at.recorded()
    at.clerk.title(room, "Storm cell")
    await at.hears(room, "hello")
    assert [sighting.name for sighting in at.intake.sightings(group)] == [
        "Flood cell",
        "Storm cell",
    ]


async def test_the_roster_says_what_it_covers(at: Office) -> None:
    """Administrators are all that a bot is told of, with the number of members."""
    room = at.api.supergroup("Flood cell", at.clerk, at.api.person("Ben"))
    at.clerk.add(room, at.bot)
    await at.intake.start(str(room.id))
    await at.until_roster(room)
    (roster,) = at.intake.of(str(room.id), EventKind.ROSTER)
    assert roster.body == "Clerk"
    assert dict(roster.upstream) == {"members": "3", "covers": "administrators"}
    assert roster.raw.startswith(b"[{")


async def test_a_roster_at_most_once_a_day(at: Office) -> None:
    """Changes within a day of a roster are in the next one, and without any there is none."""
    room, group = await at.recorded()
    at.api.person("Ben").join(room)
    await at.hears(room, "welcome")
    assert len(at.intake.of(group, EventKind.ROSTER)) == 1
    at.advance(DAY)
    await at.intake.until(lambda: len(at.intake.of(group, EventKind.ROSTER)) == 2)
    assert dict(at.intake.of(group, EventKind.ROSTER)[-1].upstream)["members"] == "3"
    at.advance(DAY)
    await at.hears(room, "nobody came")
    await at.hears(room, "since")
    assert len(at.intake.of(group, EventKind.ROSTER)) == 2


async def test_a_group_that_does_not_answer_holds_up_nothing(at: Office) -> None:
    """While the state of one group cannot be had, events come, and it is begun later."""
    room, _ = await at.recorded()
    other = at.room("Other")
    at.fault(FaultKind.FLOOD, "getChat", retry_after=90)
    at.intake.approve(str(room.id), str(other.id))
    with pytest.raises(ConnectorUnavailableError, match="429"):
        await at.intake.take()
    await at.hears(other, "heard meanwhile")
    assert at.intake.of(str(other.id), EventKind.ROSTER) == []
    at.clock.advance(91)
    at.clerk.say(room, "wake")
    await at.until_roster(other)
    assert at.intake.sightings(str(other.id))[-1].obstacle == ""


async def test_joining_is_for_others_to_do(at: Office) -> None:
    """A bot that nobody added cannot come in; one that was added is in."""
    room = at.api.supergroup("Closed", at.clerk)
    await at.intake.start(str(room.id))
    with pytest.raises(ConnectorRejectedError, match="cannot join"):
        await at.intake.connector.join(str(room.id))
    at.clerk.add(room, at.bot)
    await at.intake.connector.join(str(room.id))


async def test_there_is_no_history(at: Office) -> None:
    """What a group said before cannot be asked for, and that is said."""
    _, group = await at.recorded()
    with pytest.raises(ConnectorRejectedError, match="no history"):
        await anext(at.intake.connector.history(group))
    at.intake.connector.pause_backfill(paused=True)
    assert at.intake.connector.decrypter is None
