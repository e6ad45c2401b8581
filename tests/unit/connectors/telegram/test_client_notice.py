"""The recorder's own messages."""

from __future__ import annotations

import asyncio

import pytest

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError
from bridge.model import EventKind
from connectors.telegram.update import open_update
from tests.servers.bot_api import Fault, FaultKind
from tests.unit.connectors.telegram.scene import Office


async def test_a_notice_is_posted_pinned_and_recorded(at: Office) -> None:
    """An administrator pins it; it is an event though no update tells of it."""
    room, group = await at.recorded()
    at.clerk.promote(room, at.bot)
    said = await at.intake.connector.announce(group, "This group is recorded.", key="k")
    assert said.pinned
    assert room.pinned is not None
    assert said.upstream_id == f"{group}:{room.pinned.id}"
    await at.intake.until(lambda: bool(at.intake.of(group, EventKind.NOTICE)))
    (notice,) = at.intake.of(group, EventKind.NOTICE)
    assert (notice.upstream_id, notice.revision) == (said.upstream_id, None)
    assert notice.body == "This group is recorded."
    assert open_update(b'{"message":%b}' % notice.raw).upstream_id == said.upstream_id


async def test_a_notice_that_was_not_kept_comes_again(at: Office) -> None:
    """The event of our own message is offered until a cursor shows that it is kept."""
    _, group = await at.recorded()
    await at.intake.connector.announce(group, "Recorded.", key="k", pin=False)
    for keep in (False, False, True):
        batch = await at.intake.take(keep=keep)
        assert [event.kind for event in batch.events] == [EventKind.NOTICE]
    taking = asyncio.create_task(at.intake.take())
    await at.bot.updates.polled()
    at.time.advance(60)
    assert (await taking).events == ()


async def test_what_is_said_to_a_paused_group_is_no_event(at: Office) -> None:
    """Nothing is yielded of a group that is not approved, of our own words either."""
    room, group = await at.recorded()
    at.intake.approve()
    await at.intake.connector.announce(group, "Recording is paused.", key="k")
    at.clerk.say(room, "private")
    await at.intake.until(lambda: at.intake.unlisted > 0)
    assert at.intake.of(group, EventKind.NOTICE) == []
    assert room.posts


async def test_a_sentence_is_not_pinned(at: Office) -> None:
    """Without ``pin`` nothing is pinned, whatever the bot may."""
    room, group = await at.recorded()
    at.clerk.promote(room, at.bot)
    said = await at.intake.connector.announce(group, "Interrupted.", key="k", pin=False)
    assert (said.pinned, room.pinned) == (False, None)


async def test_the_same_key_posts_once(at: Office) -> None:
    """Asked at once, one after the other, or after the first caller gave up: one message."""
    _, group = await at.recorded()
    connector = at.intake.connector
    asked = [connector.announce(group, "Recorded.", key="k", pin=False) for _ in range(3)]
    ids = {said.upstream_id for said in await asyncio.gather(*asked)}
    given_up = asyncio.create_task(connector.announce(group, "Other.", key="o", pin=False))
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    await connector.announce(group, "Other.", key="o", pin=False)
    assert len(ids) == 1
    assert [each["text"] for each in at.asked("sendMessage")] == ["Recorded.", "Other."]


async def test_a_post_that_failed_is_tried_again(at: Office) -> None:
    """Nothing was posted: under the same key it is posted by the next try."""
    room, group = await at.recorded()
    at.fault(FaultKind.FLOOD, "sendMessage", retry_after=3)
    with pytest.raises(ConnectorUnavailableError) as error:
        await at.intake.connector.announce(group, "Recorded.", key="k")
    assert error.value.retry_after == 3.0
    said = await at.intake.connector.announce(group, "Recorded.", key="k")
    assert said.upstream_id == f"{room.id}:{max(room.posts)}"


async def test_refusals_of_group_and_account(at: Office) -> None:
    """A group's refusal is an answer; one of the account is not taken for it."""
    room, group = await at.recorded()
    at.clerk.kick(room, at.bot)
    said = await at.intake.connector.announce(group, "Recorded.", key="k")
    assert said.upstream_id is None
    assert "403" in (said.refusal or "")
    too_long = await at.intake.connector.announce(group, "x" * 5000, key="l")
    assert too_long.refusal is not None
    business = await at.intake.connector.announce("business:c:5", "Recorded.", key="b")
    assert business.refusal is not None
    at.api.world.revoke(at.bot)
    with pytest.raises(ConnectorRejectedError):
        await at.intake.connector.announce(group, "Recorded.", key="m")


async def test_an_answer_that_was_lost_may_double_a_message(at: Office) -> None:
    """The limit: the Bot API has no key, and tells a bot nothing of its own messages."""
    _, group = await at.recorded()
    lost = Fault(kind=FaultKind.DROPPED, method="sendMessage", times=1, lands=True)
    at.api.faults.set(lost)
    with pytest.raises(ConnectorUnavailableError):
        await at.intake.connector.announce(group, "Recorded.", key="k", pin=False)
    for _ in range(2):
        await at.intake.connector.announce(group, "Recorded.", key="k", pin=False)
    assert len(at.asked("sendMessage")) == 2
