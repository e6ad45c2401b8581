"""Updates that the platform brings, each answered with 200 only once it is durable."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from bridge.errors import ConnectorUnavailableError, EnvelopeError
from connectors.telegram.envelope import RawUpdate, split_webhook

log = structlog.get_logger(__name__)

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of a header
LARGEST_POST = 4 * 1024 * 1024
MOST_WAITING = 1000
MOST_BYTES = 64 * 1024 * 1024
MOST_AT_ONCE = 100
MOST_UNSPLIT = 16
PATIENCE = 45.0
"""Seconds that a post waits for its answer; the platform gives up after about a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookPlace:
    """Where we listen, and the ``url`` at which the platform reaches that place."""

    url: str
    host: str
    port: int
    secret: str = field(repr=False)

    @property
    def path(self) -> str:
        """What is asked for: all else is not found."""
        return urlsplit(self.url).path or "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What waits, in the platform's order, and the ``mark`` by which it is confirmed."""

    mark: str = ""
    updates: tuple[RawUpdate, ...] = ()


@dataclass(slots=True, kw_only=True, eq=False)
class _Post:
    """One update that waits. Several requests may have brought it."""

    update: RawUpdate
    digest: bytes
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    is_durable: bool = False

    def settle(self, *, durable: bool) -> None:
        self.is_durable = durable
        self.settled.set()


class Webhook:
    """A server for one bot's updates, with as many waiting as ``most`` says.

    ``boot`` is new for each process: what an earlier one was given it was given in vain, unless
    it became durable, and then the platform's second delivery is known by its id. A process that
    does not record does not listen (``listens``), and is never posted anything.
    """

    def __init__(
        self,
        place: WebhookPlace,
        *,
        boot: str,
        listens: bool = True,
        most: int = MOST_WAITING,
        patience: float = PATIENCE,
    ) -> None:
        self._place = place
        self._boot = boot
        self._listens = listens
        self._most = most
        self._patience = patience
        self._secret = place.secret.encode()
        self._posts: dict[int, _Post] = {}
        self._tickets: dict[bytes, int] = {}
        self._last = 0
        self._bytes = 0
        self._unsplit: list[EnvelopeError] = []
        self._news = asyncio.Event()
        self._strangers = 0
        self._runner: web.AppRunner | None = None
        self.port = place.port

    @property
    def listens(self) -> bool:
        """Whether this process takes updates, once it was started."""
        return self._listens

    @property
    def parameters(self) -> dict[str, object]:
        """What ``setWebhook`` is called with, beside the types of updates."""
        return {"url": self._place.url, "secret_token": self._place.secret}

    async def start(self) -> None:
        """Listen. MAY be repeated.

        Raises:
            ConnectorUnavailableError: the address cannot be had.
        """
        if self._runner is not None or not self._listens:
            return
        app = web.Application(client_max_size=LARGEST_POST)
        app.router.add_post(self._place.path, self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._place.host, self._place.port).start()
        except OSError as error:
            await runner.cleanup()
            raise ConnectorUnavailableError(
                f"[[telegram]] webhook_listen cannot be used ({error.strerror}).",
                hint="Set it to an address of this machine that no other program has.",
            ) from None
        self._runner = runner
        self.port = int(runner.addresses[0][1])

    async def posted(self, *, seconds: float) -> Posted:
        """What is not confirmed yet; waits up to ``seconds`` until there is something.

        Until it is confirmed it comes with every call, oldest first, never less of it.

        Raises:
            EnvelopeError: a post could not be split. It was answered 503, and is not there any
                more; the others are.
        """
        if not self._posts and not self._unsplit:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()
        if self._unsplit:
            raise self._unsplit.pop(0)
        tickets = sorted(self._posts)[:MOST_AT_ONCE]
        if not tickets:
            return Posted()
        updates = [self._posts[ticket].update for ticket in tickets]
        return Posted(
            mark=f"{self._boot}-{tickets[-1]}", updates=tuple(sorted(updates, key=_in_order))
        )

    def confirm(self, mark: str) -> None:
        """What was handed out with this mark is durable: its posts are answered 200.

        Crash before the answer: the platform brings them again, and the journal knows them.
        """
        boot, _, number = mark.rpartition("-")
        if boot != self._boot or not number.isdecimal():
            return
        for ticket in [each for each in self._posts if each <= int(number)]:
            self._settle(ticket, durable=True)

    async def aclose(self) -> None:
        """Listen no more. What is not confirmed is answered 503: the platform brings it again."""
        runner, self._runner = self._runner, None
        for ticket in list(self._posts):
            self._settle(ticket, durable=False)
        if runner is not None:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        if not self._is_known(request):
            self._count_stranger()
            return web.Response(status=403)
        body = await request.read()
        try:
            update = split_webhook(body)
        except EnvelopeError as error:
            if len(self._unsplit) < MOST_UNSPLIT:
                self._unsplit.append(error)
            self._news.set()
            return web.Response(status=503)
        post = self._waiting(update)
        if post is None:
            return web.Response(status=503)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await post.settled.wait()
        return web.Response(status=200 if post.is_durable else 503)

    def _is_known(self, request: web.Request) -> bool:
        given = request.headers.getall(SECRET_HEADER, [])
        # Compared in constant time: how long it takes must not tell how much of it was right.
        right = [
            hmac.compare_digest(each.encode("utf-8", "replace"), self._secret) for each in given
        ]
        return right == [True]

    def _count_stranger(self) -> None:
        """A line for the first, second, fourth, …: whoever tries must not fill the logging."""
        self._strangers += 1
        if self._strangers & (self._strangers - 1) == 0:
            log.warning("webhook_secret_wrong", times=self._strangers)

    def _waiting(self, update: RawUpdate) -> _Post | None:
        """The post with this update, be it the platform's second try; None: no room, or closed."""
        digest = hashlib.sha256(update.raw).digest()
        if (ticket := self._tickets.get(digest)) is not None:
            return self._posts[ticket]
        full = len(self._posts) >= self._most or self._bytes + len(update.raw) > MOST_BYTES
        if self._runner is None or full:
            return None
        self._last += 1
        self._bytes += len(update.raw)
        post = self._posts[self._last] = _Post(update=update, digest=digest)
        self._tickets[digest] = self._last
        self._news.set()
        return post

    def _settle(self, ticket: int, *, durable: bool) -> None:
        post = self._posts.pop(ticket)
        del self._tickets[post.digest]
        self._bytes -= len(post.update.raw)
        post.settle(durable=durable)


def _in_order(update: RawUpdate) -> tuple[bool, int]:
    return update.update_id is None, update.update_id or 0
