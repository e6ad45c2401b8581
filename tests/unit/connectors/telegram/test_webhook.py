"""Updates by webhook: 200 only for what is durable."""

from __future__ import annotations

import asyncio

import pytest

from bridge.errors import ConnectorUnavailableError
from connectors.telegram.webhook import Posted, Webhook, WebhookPlace
from tests.unit.connectors.telegram.posting import (
    SECRET,
    a_webhook,
    an_update,
    deliver,
    ids_of,
    listening,
    posting,
    waiting,
)


@pytest.fixture(name="webhook")
async def _fixture() -> Webhook:
    return a_webhook()


async def test_a_post_is_answered_once_it_is_durable(webhook: Webhook) -> None:
    """The exact bytes are handed out; 200 comes with the confirmation and not before."""
    async with listening(webhook) as session:
        (post,) = posting(session, 7)
        posted = await webhook.posted(seconds=60)
        assert [update.raw for update in posted.updates] == [an_update(7)]
        assert await webhook.posted(seconds=60) == posted
        assert not post.done()
        webhook.confirm(posted.mark)
        assert await post == 200
        assert await webhook.posted(seconds=0) == Posted()


async def test_a_confirmation_covers_what_was_handed_out(webhook: Webhook) -> None:
    """A post that came after the delivery is not answered by the delivery's commit."""
    async with listening(webhook) as session:
        (first,) = posting(session, 1)
        posted = await waiting(webhook, 1)
        (second,) = posting(session, 2)
        both = await waiting(webhook, 2)
        webhook.confirm(posted.mark)
        assert await first == 200
        assert not second.done()
        assert ids_of(await webhook.posted(seconds=60)) == [2]
        webhook.confirm(both.mark)
        assert await second == 200


@pytest.mark.parametrize("mark", ["", "b1-", "b1-x", "b2-1", "-1", "b1--1", "1", "b1-0"])
async def test_a_foreign_mark_confirms_nothing(webhook: Webhook, mark: str) -> None:
    """A cursor of an earlier process, or one without a mark, answers no post."""
    async with listening(webhook) as session:
        (post,) = posting(session, 1)
        posted = await waiting(webhook, 1)
        webhook.confirm(mark)
        assert await webhook.posted(seconds=60) == posted
        webhook.confirm(posted.mark)
        assert await post == 200


async def test_concurrent_posts_come_in_the_platform_s_order(webhook: Webhook) -> None:
    """Whatever way they come in, those that wait together are sorted by their ids."""
    async with listening(webhook) as session:
        numbers = [5, 3, 9, 1, 8, 2, 7, 4, 6]
        posts = posting(session, *numbers)
        posted = await waiting(webhook, len(numbers))
        assert ids_of(posted) == sorted(numbers)
        webhook.confirm(posted.mark)
        assert await asyncio.gather(*posts) == [200] * len(numbers)


async def test_many_posts_come_in_several_deliveries(webhook: Webhook) -> None:
    """At most a hundred are handed out at once, the same ones until they are confirmed."""
    async with listening(webhook) as session:
        posts: list[asyncio.Task[int]] = posting(session, *range(95))
        await waiting(webhook, 95)
        posts += posting(session, *range(95, 120))
        first = await waiting(webhook, 100)
        webhook.confirm(first.mark)
        second = await waiting(webhook, 20)
        assert {*ids_of(first), *ids_of(second)} == {*range(120)}
        webhook.confirm(second.mark)
        assert await asyncio.gather(*posts) == [200] * 120


async def test_the_platform_s_second_try_joins_the_first(webhook: Webhook) -> None:
    """The same update posted twice is handed out once, and both are answered."""
    async with listening(webhook) as session:
        posts = [*posting(session, 4, 4), *posting(session, 5)]
        posted = await waiting(webhook, 2)
        assert ids_of(posted) == [4, 5]
        webhook.confirm(posted.mark)
        assert await asyncio.gather(*posts) == [200] * 3


async def test_impatience_is_no_loss() -> None:
    """A post that waited too long is told 503, stays, and its second try is answered."""
    webhook = a_webhook(patience=0.01)
    async with listening(webhook) as session:
        assert await deliver(session, an_update(1)) == 503
        posted = await webhook.posted(seconds=60)
        assert ids_of(posted) == [1]
    webhook = a_webhook()
    async with listening(webhook) as session:
        posts = posting(session, 1)
        webhook.confirm((await waiting(webhook, 1)).mark)
        assert await asyncio.gather(*posts) == [200]


async def test_a_caller_that_goes_away_is_no_loss(webhook: Webhook) -> None:
    """What was read of a connection that broke since is handed out all the same."""
    async with listening(webhook) as session:
        (post,) = posting(session, 1)
        posted = await waiting(webhook, 1)
        post.cancel()
        await asyncio.gather(post, return_exceptions=True)
        assert await webhook.posted(seconds=60) == posted
        webhook.confirm(posted.mark)
        assert await webhook.posted(seconds=0) == Posted()


async def test_an_update_without_an_id_comes_last(webhook: Webhook) -> None:
    """An update that does not tell its id is handed out like any other."""
    async with listening(webhook) as session:
        posts = [asyncio.create_task(deliver(session, b'{"message":{}}')), *posting(session, 3)]
        posted = await waiting(webhook, 2)
        assert ids_of(posted) == [3, None]
        webhook.confirm(posted.mark)
        assert [await post for post in posts] == [200, 200]


async def test_the_end_answers_what_is_not_durable_with_503(webhook: Webhook) -> None:
    """At its end nothing is called taken that was not."""
    async with listening(webhook) as session:
        posts = posting(session, 1, 2)
        posted = await waiting(webhook, 2)
        await webhook.aclose()
        assert [await post for post in posts] == [503, 503]
        webhook.confirm(posted.mark)


async def test_an_address_in_use_is_unavailable(webhook: Webhook) -> None:
    """A port that somebody has is named as a setting; once it is free it is had."""
    async with listening(webhook):
        second = a_webhook(port=webhook.port)
        with pytest.raises(ConnectorUnavailableError, match="webhook_listen"):
            await second.start()
    async with listening(second) as session:
        await second.start()
        assert await deliver(session, b"[") == 503


async def test_who_does_not_record_does_not_listen() -> None:
    """Beside the process that records another one leaves its address alone."""
    place = WebhookPlace(url="http://127.0.0.1/", host="127.0.0.1", port=0, secret=SECRET)
    webhook = Webhook(place, boot="b1", listens=False)
    await webhook.start()
    assert webhook.port == 0
    assert await webhook.posted(seconds=0) == Posted()
    await webhook.aclose()
