"""What a webhook does not take in, and how the rest goes on."""

from __future__ import annotations

import asyncio
import io

import pytest

from bridge.errors import EnvelopeError
from connectors.telegram.webhook import LARGEST_POST, Posted, Webhook, WebhookPlace
from tests.servers.bot_api import SECRET_HEADER
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


@pytest.mark.parametrize(
    "secrets",
    [("wrong",), (SECRET + "x",), (SECRET[:-1],), ("",), (SECRET, SECRET), ("wrong", SECRET)],
)
async def test_a_wrong_secret_is_refused(webhook: Webhook, secrets: tuple[str, ...]) -> None:
    """Without exactly the secret nothing is taken in, were it ever so well-formed."""
    async with listening(webhook) as session:
        assert await deliver(session, an_update(1), *secrets) == 403
        assert await webhook.posted(seconds=0) == Posted()


async def test_no_secret_is_refused(webhook: Webhook) -> None:
    """A post without the header is a stranger's."""
    async with (
        listening(webhook) as session,
        session.post("/hook", data=an_update(1)) as answer,
    ):
        assert answer.status == 403
        assert await webhook.posted(seconds=0) == Posted()


async def test_only_its_own_address_is_served(webhook: Webhook) -> None:
    """Other paths are not found, and nothing but a post is allowed."""
    async with listening(webhook) as session:
        assert await deliver(session, an_update(1), path="/") == 404
        async with session.get("/hook", headers={SECRET_HEADER: SECRET}) as answer:
            assert answer.status == 405
        assert await webhook.posted(seconds=0) == Posted()


async def test_a_full_queue_refuses_and_recovers() -> None:
    """With as many waiting as may wait the platform is told to come again."""
    webhook = a_webhook(most=2)
    async with listening(webhook) as session:
        posts = posting(session, 1, 2)
        posted = await waiting(webhook, 2)
        assert await deliver(session, an_update(3)) == 503
        assert await webhook.posted(seconds=60) == posted
        webhook.confirm(posted.mark)
        assert [await post for post in posts] == [200, 200]
        (third,) = posting(session, 3)
        posted = await waiting(webhook, 1)
        assert ids_of(posted) == [3]
        webhook.confirm(posted.mark)
        assert await third == 200


async def test_few_large_updates_fill_the_queue_too(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits is bounded in bytes as in number, and room that was freed is used again."""
    monkeypatch.setattr("connectors.telegram.webhook.MOST_BYTES", len(an_update(1)) + 1)
    async with listening(webhook) as session:
        for number in range(3):
            (post,) = posting(session, number)
            posted = await waiting(webhook, 1)
            assert await deliver(session, an_update(9)) == 503
            webhook.confirm(posted.mark)
            assert await post == 200


@pytest.mark.parametrize("body", [b"", b"[]", b'{"update_id":1', b"\xff", b'"text"'])
async def test_a_post_that_cannot_be_split_is_told_once(webhook: Webhook, body: bytes) -> None:
    """Its bytes come as an error, the platform keeps it, and the others go on."""
    async with listening(webhook) as session:
        posts = posting(session, 1)
        await waiting(webhook, 1)
        assert await deliver(session, body) == 503
        with pytest.raises(EnvelopeError) as caught:
            await webhook.posted(seconds=60)
        assert caught.value.body == body
        posted = await webhook.posted(seconds=60)
        assert ids_of(posted) == [1]
        webhook.confirm(posted.mark)
        assert await asyncio.gather(*posts) == [200]


async def test_a_post_that_cannot_be_split_wakes_who_waits(webhook: Webhook) -> None:
    """It is told at once, even if nothing else comes."""
    async with listening(webhook) as session:
        waiting = asyncio.create_task(webhook.posted(seconds=60))
        assert await deliver(session, b"[") == 503
        with pytest.raises(EnvelopeError):
            await waiting


async def test_a_body_that_is_too_large_is_refused(webhook: Webhook) -> None:
    """More than any update has is not read."""
    async with listening(webhook) as session:
        assert await deliver(session, io.BytesIO(bytes(LARGEST_POST + 1))) == 413
        assert await webhook.posted(seconds=0) == Posted()


async def test_the_secret_is_in_no_text(webhook: Webhook) -> None:
    """What is shown of the place does not show its secret."""
    place = WebhookPlace(url="https://x", host="", port=1, secret=SECRET)
    assert SECRET not in f"{place!r} {webhook!r}"
    assert place.path == "/"
