"""A webhook, and requests to it as the platform makes them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from connectors.telegram.webhook import Posted, Webhook, WebhookPlace
from tests.servers.bot_api import SECRET_HEADER

SECRET = "0123456789abcdef_-ABC"


def a_webhook(
    *, port: int = 0, boot: str = "b1", most: int = 1000, patience: float = 60.0
) -> Webhook:
    """One at ``/hook``, on any free port unless another is given."""
    place = WebhookPlace(
        url=f"http://127.0.0.1:{port}/hook", host="127.0.0.1", port=port, secret=SECRET
    )
    return Webhook(place, boot=boot, most=most, patience=patience)


@asynccontextmanager
async def listening(webhook: Webhook) -> AsyncIterator[aiohttp.ClientSession]:
    """A session to it, for as long as it listens."""
    await webhook.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{webhook.port}") as session:
            yield session
    finally:
        await webhook.aclose()


def an_update(number: int) -> bytes:
    """An update with this number."""
    return b'{"update_id":%d, "message":{"text":"\xc3\xbc"}}' % number


async def deliver(
    session: aiohttp.ClientSession, body: bytes | io.BytesIO, *secrets: str, path: str = "/hook"
) -> int:
    """Post a body; the status of the answer."""
    headers = [(SECRET_HEADER, each) for each in secrets or (SECRET,)]
    async with session.post(path, data=body, headers=headers) as answer:
        assert await answer.read() == b"" or answer.status >= 400
        return answer.status


def posting(session: aiohttp.ClientSession, *numbers: int) -> list[asyncio.Task[int]]:
    """Post updates with these numbers side by side."""
    return [asyncio.create_task(deliver(session, an_update(number))) for number in numbers]


async def waiting(webhook: Webhook, count: int) -> Posted:
    """What was posted, once so many posts wait."""
    while len((found := await webhook.posted(seconds=60)).updates) < count:  # noqa: ASYNC110
        await asyncio.sleep(0)  # the server goes on meanwhile
    return found


def ids_of(posted: Posted) -> list[int | None]:
    """The numbers of the updates that were handed out."""
    return [update.update_id for update in posted.updates]
