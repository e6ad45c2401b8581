"""Each way in which the Bot API refuses or fails has its error and its remedy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError, EnvelopeError
from bridge.model import EventKind
from connectors.telegram.bot_api import BotApi, Endpoint
from connectors.telegram.polling import ALLOWED
from tests.patience import PATIENCE
from tests.servers.bot_api import FaultKind
from tests.unit.connectors.telegram.scene import Office


async def test_a_revoked_token(at: Office) -> None:
    """A refusal of the account says what to do, and the token stands nowhere in it."""
    await at.recorded()
    token = at.bot.token
    at.api.world.revoke(at.bot)
    for attempt in (at.intake.take, at.intake.connector.start):
        with pytest.raises(ConnectorRejectedError) as refusal:
            await attempt()
        assert "BotFather" in refusal.value.hint
        assert token not in f"{refusal.value!r} {refusal.value.hint}"


async def test_a_second_poller(at: Office) -> None:
    """Whoever else asks for the updates ends our wait: that is told, and later we go on."""
    room, _ = await at.recorded()
    waiting = asyncio.create_task(at.intake.take())
    await at.bot.updates.polled()
    async with _somebody_else(at) as other:
        await other.get_updates(offset=None, seconds=0)
    with pytest.raises(ConnectorRejectedError, match="Somebody else") as refusal:
        await waiting
    assert "revoke the token" in refusal.value.hint
    await at.intake.connector.start()
    await at.hears(room, "alone again")


@asynccontextmanager
async def _somebody_else(at: Office) -> AsyncIterator[BotApi]:
    api = BotApi(Endpoint(api_base=at.api.url), token=at.bot.token)
    try:
        yield api
    finally:
        await api.aclose()


async def test_a_webhook_of_somebody_else(at: Office) -> None:
    """While a webhook takes the updates, neither a start nor a delivery succeeds."""
    await at.recorded()
    async with _somebody_else(at) as other:
        await other.call("setWebhook", url="http://127.0.0.1:9/hook")
    for attempt in (at.intake.take, at.intake.connector.start):
        with pytest.raises(ConnectorRejectedError, match="webhook") as refusal:
            await attempt()
        assert "deleteWebhook" in refusal.value.hint


async def test_a_wish_to_wait(at: Office) -> None:
    """The seconds of a 429 are handed on; nothing was lost or acknowledged."""
    room, _ = await at.recorded()
    at.fault(FaultKind.FLOOD, "getUpdates", retry_after=17)
    with pytest.raises(ConnectorUnavailableError) as error:
        await at.intake.take()
    assert error.value.retry_after == 17.0
    await at.hears(room, "afterwards")


@pytest.mark.parametrize(
    "kind",
    [FaultKind.STATUS, FaultKind.DROPPED, FaultKind.TRUNCATED],
)
async def test_no_answer(at: Office, kind: FaultKind) -> None:
    """5xx, a cut connection and a cut body deliver nothing; the next try has it all."""
    room, group = await at.recorded()
    at.clerk.say(room, "said")
    at.fault(kind, "getUpdates")
    with pytest.raises(ConnectorUnavailableError):
        await at.intake.take()
    await at.intake.take()
    assert "said" in at.intake.bodies(group)


async def test_all_types_are_asked_for(at: Office) -> None:
    """Reactions and members come only where they are named."""
    await at.recorded()
    asked = json.loads(str(at.asked("getUpdates")[-1]["allowed_updates"]))
    assert asked == list(ALLOWED)
    assert {"chat_member", "message_reaction", "message_reaction_count"} <= set(ALLOWED)


async def test_an_answer_cut_short_once(at: Office) -> None:
    """An answer that ends too early is kept, and everything comes with the next tries."""
    room, group = await at.recorded()
    said = [at.clerk.say(room, f"message {n}") for n in range(5)]
    at.fault(FaultKind.INVALID_JSON, "getUpdates")
    with pytest.raises(EnvelopeError) as error:
        await at.intake.take()
    assert error.value.body.startswith(b'{"ok":true')
    await at.intake.until(lambda: at.intake.bodies(group)[-5:] == [post.text for post in said])
    assert at.intake.losses == []
    assert at.asked("getUpdates")[-1]["limit"] == "1"
    await at.intake.take()
    await at.hears(room, "by many again")
    assert at.asked("getUpdates")[-1]["limit"] == "100"


async def _bodies_kept(at: Office, until: int, group: str) -> list[bytes]:
    """What is raised until the group has so many messages."""
    kept = []
    async with asyncio.timeout(PATIENCE):
        while len(at.intake.of(group, EventKind.MESSAGE)) < until:
            try:
                await at.intake.take()
            except EnvelopeError as error:
                kept.append(error.body)
    return kept


BROKEN = b'"message":{"chat":{"id":%d,"type":"supergroup"},"message_id":70,"date":[1}'


async def test_an_update_that_cannot_be_split(at: Office) -> None:
    """It is kept, then passed by with a loss; what stands around it comes, in order."""
    room, group = await at.recorded()
    at.clerk.say(room, "before")
    at.api.raw(at.bot, BROKEN % room.id)
    at.clerk.say(room, "after")
    kept = await _bodies_kept(at, 2, group)
    assert len(kept) == 3
    assert all(BROKEN % room.id in body for body in kept)
    assert at.intake.bodies(group) == ["before", "after"]
    assert [(loss.group_id, loss.why) for loss in at.intake.losses] == [
        (group, "response_unreadable")
    ]
    await at.hears(room, "and on")
    assert at.asked("getUpdates")[-1]["limit"] == "100"
    assert at.place.offset == at.bot.updates.next_id


async def test_several_that_cannot_be_split(at: Office) -> None:
    """Bad ones in a row are passed by together."""
    room, group = await at.recorded()
    for _ in range(3):
        at.api.raw(at.bot, BROKEN % room.id)
    at.clerk.say(room, "after")
    await _bodies_kept(at, 1, group)
    assert at.intake.bodies(group) == ["after"]
    assert [loss.why for loss in at.intake.losses] == ["response_unreadable"]
    await at.hears(room, "and on")


async def test_the_last_update_cannot_be_split(at: Office) -> None:
    """Nothing behind it tells its number: it stands, paced, until the next message has come."""
    room, group = await at.recorded()
    at.api.raw(at.bot, BROKEN % room.id)
    for _ in range(4):
        with pytest.raises(EnvelopeError):
            await at.intake.take()
    assert at.clock.slept == [5.0, 5.0]
    at.clerk.say(room, "next")
    await _bodies_kept(at, 1, group)
    assert [loss.why for loss in at.intake.losses] == ["response_unreadable"]


async def test_an_update_of_nobody_knows_whom(at: Office) -> None:
    """Neither readable nor of a group that can be told: kept, and a loss of each group."""
    room, group = await at.recorded()
    at.api.raw(at.bot, b'"message":{"text":"\xff"}')
    at.clerk.say(room, "after")
    kept = await _bodies_kept(at, 1, group)
    assert [b'"text":"\xff"' in body for body in kept] == [True]
    assert [(loss.group_id, loss.why) for loss in at.intake.losses] == [
        (group, "response_unreadable")
    ]
    await at.hears(room, "and on")
    assert len(at.intake.losses) == 1


async def test_an_update_without_a_usable_number(at: Office) -> None:
    """It is delivered once, does not spin, and goes with the next one that has a number."""
    room, group = await at.recorded()
    chat = b'"chat":{"id":%d,"type":"supergroup"}' % room.id
    at.api.raw(
        at.bot, b'"update_id":-5,"message":{"message_id":80,"date":1,%b,"text":"odd"}' % chat
    )
    await at.intake.until(lambda: "odd" in at.intake.bodies(group))
    for _ in range(3):
        batch = await at.intake.take()
        assert batch.events == ()
    assert at.clock.slept == [5.0] * 3
    await at.hears(room, "next")
    assert at.intake.bodies(group) == ["odd", "next"]
    assert at.place.offset == at.bot.updates.next_id
