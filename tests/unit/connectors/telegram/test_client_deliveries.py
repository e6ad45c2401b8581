"""What is delivered from a group, and what is acknowledged of it."""

from __future__ import annotations

from bridge.model import EventKind, GroupTimer, Timer
from connectors.telegram.delivery import JUMP
from connectors.telegram.timers import AUTO_DELETE
from tests.servers.bot_api import Upload
from tests.unit.connectors.telegram.scene import DAY, HOUR, Office


async def test_only_what_is_durable_is_acknowledged(at: Office) -> None:
    """The offset is that of the cursor given, whatever was delivered since."""
    room, group = await at.recorded()
    at.api.asked.clear()
    for n in range(3):
        at.clerk.say(room, f"message {n}")
        batch = await at.intake.take(keep=False)
        assert len(batch.events) == n + 1
    assert {each["offset"] for each in at.asked("getUpdates")} == {str(at.place.offset)}
    assert len(at.bot.updates.pending()) == 3
    await at.intake.take()
    await at.hears(room, "then")
    assert len(at.intake.of(group, EventKind.MESSAGE)) == 4


async def test_killed_at_any_point_nothing_is_lost(at: Office) -> None:
    """Processes that die before the commit, and after it, see every message once in the end."""
    room, group = await at.recorded()
    said = []
    for n in range(12):
        said.append(f"{room.id}:{at.clerk.say(room, f'message {n}').id}")
        await at.intake.take(keep=n % 3 == 0)
        await at.intake.restart()
    await at.intake.until(lambda: set(said) <= at.intake.ids(group))
    messages = [event.upstream_id for event in at.intake.of(group, EventKind.MESSAGE)]
    assert messages == said
    assert at.intake.losses == []


async def test_out_for_less_than_a_day(at: Office) -> None:
    """What waited for a little less than a day is delivered, and no loss is told."""
    room, _ = await at.recorded()
    await at.intake.connector.aclose()
    at.clerk.say(room, "while down")
    at.advance(DAY - HOUR)
    await at.intake.restart()
    await at.intake.until(lambda: "while down" in at.intake.bodies(str(room.id)))
    assert at.intake.losses == []


async def test_out_for_more_than_a_day(at: Office) -> None:
    """The Bot API has forgotten the beginning of the outage: that is a loss of each group."""
    room, group = await at.recorded()
    heard = at.clock.now()
    await at.intake.connector.aclose()
    at.clerk.say(room, "forgotten")
    at.advance(DAY + HOUR)
    at.clerk.say(room, "kept")
    await at.intake.restart()
    await at.intake.until(lambda: "kept" in at.intake.bodies(group))
    assert "forgotten" not in at.intake.bodies(group)
    (loss,) = at.intake.losses
    assert (loss.group_id, loss.why, loss.since) == (group, "updates_expired", heard)
    assert loss.until is not None
    assert (loss.until - heard).total_seconds() == HOUR


async def test_ids_that_begin_anew_after_a_quiet_week(at: Office) -> None:
    """After a week without updates their ids are random: the offset goes down with them."""
    room, _ = await at.recorded()
    before = at.place.offset or 0
    at.bot.updates.skip(2**40)
    await at.hears(room, "far up")
    assert (at.place.offset or 0) > before
    at.advance(8 * DAY)
    await at.hears(room, "after a week")
    assert (at.place.offset or 0) < 2**40
    at.api.asked.clear()
    await at.hears(room, "and on")
    assert at.asked("getUpdates")[-1]["offset"] is not None


async def test_edits_are_revisions(at: Office) -> None:
    """Two edits within one second are two revisions of the message, and the last text holds."""
    room, group = await at.recorded()
    post = at.clerk.say(room, "first")
    at.clerk.edit(post, "second")
    at.clerk.edit(post, "third")
    await at.intake.until(lambda: len(at.intake.of(group, EventKind.EDIT)) == 2)
    (one, two) = at.intake.of(group, EventKind.EDIT)
    assert one.upstream_id == two.upstream_id == f"{room.id}:{post.id}"
    assert one.revision != two.revision
    assert (one.body, two.body) == ("second", "third")


async def test_media_can_be_fetched(at: Office) -> None:
    """An attachment of a message leads to the bytes of the file."""
    room, group = await at.recorded()
    at.clerk.document(room, Upload(data=b"minutes", name="minutes.txt"), "The minutes")
    await at.intake.until(lambda: any(event.attachments for event in at.intake.of(group)))
    (attachment,) = at.intake.of(group)[-1].attachments
    download = await at.intake.connector.open_download(group, attachment)
    assert b"".join([chunk async for chunk in download.chunks()]) == b"minutes"
    await download.aclose()


async def test_auto_deletion_is_told_and_counts(at: Office) -> None:
    """A change of the timer is told of the group, and what is said from then on has it."""
    room, group = await at.recorded()
    assert (await at.hears(room, "before")).timer is None
    at.clerk.timer(room, 86_400)
    timer = Timer(seconds=86_400.0, basis=AUTO_DELETE)
    assert (await at.hears(room, "under it")).timer == timer
    at.clerk.timer(room, 0)
    assert (await at.hears(room, "after it")).timer is None
    told = [each for batch in at.intake.batches for each in batch.timers]
    wanted = [None, timer, None]
    assert told == [GroupTimer(group_id=group, default=each) for each in wanted]


async def test_auto_deletion_survives_a_restart(at: Office) -> None:
    """A timer set before the start, and one set while down, count for what came under them."""
    room, group = await at.recorded()
    at.clerk.timer(room, 86_400)
    await at.hears(room, "under it")
    await at.intake.connector.aclose()
    at.clerk.say(room, "still under it")
    at.clerk.timer(room, 0)
    at.clerk.say(room, "free")
    await at.intake.restart()
    await at.intake.until(lambda: "free" in at.intake.bodies(group))
    timers = {event.body: event.timer for event in at.intake.of(group, EventKind.MESSAGE)}
    assert timers["still under it"] is not None
    assert timers["free"] is None


async def test_a_jump_in_message_ids_is_an_observation(at: Office) -> None:
    """Numbers that were left out are a fact of the next message, and no loss."""
    room, _ = await at.recorded()
    assert JUMP not in dict((await at.hears(room, "one")).upstream)
    at.api.skip_messages(room, 4)
    assert dict((await at.hears(room, "two")).upstream)[JUMP] == "4"
    assert at.intake.losses == []


async def test_a_vote_is_of_the_group_of_its_poll(at: Office) -> None:
    """The Bot API tells of votes and results without the chat: the poll shows it, once known."""
    room, group = await at.recorded()
    poll = {"id": "77", "question": "Which dyke?", "options": [{"text": "North"}]}
    post = at.clerk.send(room, {"poll": poll})
    await at.intake.take()
    await at.intake.restart()
    at.api.raw(at.bot, b'"poll_answer":{"poll_id":"77","user":{"id":5},"option_ids":[0]}')
    at.api.raw(at.bot, b'"poll_answer":{"poll_id":"78","user":{"id":5},"option_ids":[0]}')
    await at.intake.until(lambda: bool(at.intake.of(group, EventKind.POLL_ANSWER)))
    (answer,) = at.intake.of(group, EventKind.POLL_ANSWER)
    assert answer.relates_to is not None
    assert answer.relates_to.upstream_id == f"{room.id}:{post.id}"
    assert at.intake.unlisted == 1


async def test_a_group_that_becomes_a_supergroup(at: Office) -> None:
    """The stream goes on under the id that was approved; messages carry the new one."""
    room = at.api.group("Flood cell", at.clerk)
    at.clerk.add(room, at.bot)
    group = str(room.id)
    await at.intake.start(group)
    await at.until_roster(room)
    await at.hears(room, "before", group)
    new = at.clerk.migrate(room)
    event = await at.hears(new, "after", group)
    assert event.upstream_id.startswith(f"{new.id}:")
    assert ("chat", str(new.id)) in event.upstream
    moves = [e for e in at.intake.of(group, EventKind.GROUP) if "successor" in dict(e.upstream)]
    assert {dict(each.upstream)["successor"] for each in moves} == {str(new.id)}
    assert {dict(each.upstream)["predecessor"] for each in moves} == {group}
    await at.intake.restart()
    await at.hears(new, "after a restart", group)
    said = await at.intake.connector.announce(group, "Recorded.", key="k")
    assert said.upstream_id is not None
    assert said.upstream_id.startswith(f"{new.id}:")
    assert at.intake.of(str(new.id)) == []
    assert at.intake.sightings(str(new.id)) == []


async def test_a_migration_that_went_by_unseen(at: Office) -> None:
    """Where its update is gone, the Bot API's refusal leads to the supergroup all the same."""
    room = at.api.group("Flood cell", at.clerk)
    at.clerk.add(room, at.bot)
    group = str(room.id)
    await at.intake.start(group)
    await at.until_roster(room)
    await at.intake.connector.aclose()
    new = at.clerk.migrate(room)
    at.bot.updates.forget()
    at.advance(DAY)
    await at.intake.restart()
    said = await at.intake.connector.announce(group, "Recorded.", key="k")
    assert said.upstream_id is not None
    await at.intake.until(lambda: group in at.place.moved.values())
    await at.hears(new, "after", group)


async def test_hostile_updates_cost_no_neighbour(at: Office) -> None:
    """Bad Unicode, depth and numbers within one answer: all else comes, and so do they."""
    room, group = await at.recorded()
    chat = b'"chat":{"id":%d,"type":"supergroup"}' % room.id
    for text in (b'"\xff\xfe"', b'"\\ud800"', b"[" * 5000 + b"]" * 5000, b"1e999", b"NaN"):
        at.clerk.say(room, "neighbour")
        message = b'"message":{"message_id":900,"date":1,%b,"text":%b}'
        at.api.raw(at.bot, message % (chat, text))
    last = await at.hears(room, "last")
    assert at.intake.bodies(group).count("neighbour") == 5
    assert at.intake.of(group, EventKind.UNPARSED)
    assert last.kind is EventKind.MESSAGE
