"""Takes deliveries as the capture loop does, and keeps in memory what a journal would."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.model import Batch, Cursor, Event, EventKind, Loss, Sighting
from bridge.protocols import Clock, Connector
from connectors.matrix.account import Account
from connectors.matrix.client import MatrixConnector
from connectors.matrix.crypto.settings import CryptoSettings
from connectors.matrix.http import Endpoint, MatrixHttp
from connectors.telegram.bot_api import BotApi
from connectors.telegram.bot_api import Endpoint as BotEndpoint
from connectors.telegram.client import TelegramConnector
from connectors.telegram.webhook import Webhook
from tests.patience import PATIENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """How the recorder signs in, and where."""

    homeserver: str
    user_id: str
    folder: Path
    password: str | None = None
    access_token: str | None = None
    ca_file: Path | None = None


def matrix_connector(
    sign: Sign,
    clock: Clock,
    *,
    default_retention: float | None = None,
    crypto: CryptoSettings | None = None,
) -> MatrixConnector:
    """A connector as the composition root makes it."""
    http = MatrixHttp(Endpoint(homeserver=sign.homeserver, ca_file=sign.ca_file))
    account = Account(
        http,
        user_id=sign.user_id,
        password=sign.password,
        access_token=sign.access_token,
        session_file=sign.folder / "matrix-town.session",
        device_name="Muniment recorder",
    )
    return MatrixConnector(
        name="town",
        http=http,
        account=account,
        user_id=sign.user_id,
        clock=clock,
        default_retention=default_retention,
        crypto=crypto,
    )


def telegram_connector(
    api_base: str,
    token: str,
    clock: Clock,
    *,
    approval_timeout_hours: float = 24.0,
    webhook: Webhook | None = None,
) -> TelegramConnector:
    """A connector as the composition root makes it."""
    return TelegramConnector(
        name="office",
        api=BotApi(BotEndpoint(api_base=api_base), token=token),
        clock=clock,
        approval_timeout_hours=approval_timeout_hours,
        webhook=webhook,
    )


class Intake:
    """One connector and what came of it. ``events`` holds each identity once, as first seen."""

    def __init__(self, make: Callable[[], Connector]) -> None:
        self._make = make
        self._approved: frozenset[str] = frozenset()
        self.connector = make()
        self.cursor: Cursor | None = None
        self.batches: list[Batch] = []
        self.events: dict[tuple[str, str, str | None], Event] = {}

    async def start(self, *approved: str) -> None:
        """Approve and sign in."""
        self.approve(*approved)
        await self.connector.start()

    def approve(self, *approved: str) -> None:
        """Approve exactly these groups."""
        self._approved = frozenset(approved)
        self.connector.approve(self._approved)

    async def restart(self) -> None:
        """Another connector object, as after a crash: it knows the cursor alone."""
        await self.connector.aclose()
        self.connector = self._make()
        await self.start(*self._approved)

    async def take(self, *, keep: bool = True) -> Batch:
        """One delivery. Without ``keep`` it is as if the journal had failed."""
        batch = await self.connector.receive(self.cursor)
        if keep:
            self.cursor = batch.cursor
            self.batches.append(batch)
            for event in batch.events:
                self.events.setdefault((event.group_id, event.upstream_id, event.revision), event)
        return batch

    async def until(
        self,
        reached: Callable[[], bool],
        *,
        after_each: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Take deliveries until the condition holds."""
        async with asyncio.timeout(PATIENCE):
            while not reached():
                before = self.cursor
                await self.take()
                if after_each is not None and self.cursor != before:
                    await after_each()

    def of(self, group_id: str, *kinds: EventKind) -> list[Event]:
        """The events of a group, in the order of their arrival."""
        events = [event for event in self.events.values() if event.group_id == group_id]
        return [event for event in events if not kinds or event.kind in kinds]

    def bodies(self, group_id: str) -> list[str | None]:
        """What was said in a group."""
        return [event.body for event in self.of(group_id, EventKind.MESSAGE)]

    def ids(self, group_id: str) -> set[str]:
        """The ids of all events of a group."""
        return {event.upstream_id for event in self.of(group_id)}

    @property
    def losses(self) -> list[Loss]:
        """Every loss told."""
        return [loss for batch in self.batches for loss in batch.losses]

    def sightings(self, group_id: str) -> list[Sighting]:
        """Every sighting of a group."""
        told = [sighting for batch in self.batches for sighting in batch.sightings]
        return [sighting for sighting in told if sighting.group_id == group_id]

    @property
    def unlisted(self) -> int:
        """How many events of other groups were counted."""
        return sum(batch.unlisted for batch in self.batches)
