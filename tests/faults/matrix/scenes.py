"""Bad answers, and how a recorder comes by them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bridge.errors import (
    ConnectorError,
    ConnectorRejectedError,
    ConnectorUnavailableError,
    EnvelopeError,
)
from bridge.lifecycle import EntryState
from bridge.model import Batch, EventKind
from bridge.protocols import Entry, Journal
from tests.fakes.homeserver import (
    CLERK,
    RECORDER,
    FakeHomeserver,
    Reply,
)
from tests.fakes.intake import Intake
from tests.fakes.samples import group
from tests.patience import PATIENCE

HTML = Reply(body=b"<html>Please sign in</html>")


TRUNCATED = Reply(change=lambda body: body[: len(body) // 2])


TOO_LARGE = Reply(body=b" " * (33 * 1024 * 1024))


BROKEN: dict[str, tuple[Reply, type[ConnectorError]]] = {
    "HTML": (HTML, EnvelopeError),
    "truncated": (TRUNCATED, EnvelopeError),
    "cut": (Reply(body=b"{}" * 50, cut=9), ConnectorUnavailableError),
    "500": (Reply(status=500), ConnectorUnavailableError),
    "429": (Reply(status=429), ConnectorUnavailableError),
    "redirect": (Reply(status=302, headers={"Location": "/x"}), ConnectorRejectedError),
    "401": (Reply(status=401, body=b'{"errcode":"M_UNKNOWN_TOKEN"}'), ConnectorRejectedError),
    "404 of a proxy": (Reply(status=404, body=b"<html>"), ConnectorRejectedError),
}


async def recorded(server: FakeHomeserver, intake: Intake, *names: str) -> list[str]:
    """Rooms that are approved, joined and begun."""
    rooms = [server.world.room(name) for name in names]
    for room in rooms:
        server.world.member(room, RECORDER, "invite", sender=CLERK)
        server.world.member(room, RECORDER, "join", sender=RECORDER)
    await intake.start(*rooms)
    await intake.until(lambda: all(intake.of(room, EventKind.ROSTER) for room in rooms))
    await intake.until(lambda: since(intake) is not None)
    return rooms


def since(intake: Intake) -> str | None:
    """The one token of the cursor."""
    place = {} if intake.cursor is None else json.loads(intake.cursor)
    return place.get("since") if "slices" not in place else None


async def persist(intake: Intake, times: int) -> list[ConnectorError]:
    """Call so many times, as the capture loop does, and give the errors."""
    errors: list[ConnectorError] = []
    async with asyncio.timeout(PATIENCE):
        for _ in range(times):
            try:
                await intake.take()
            except ConnectorError as error:
                errors.append(error)
    return errors


async def journalled(journal: Journal, batches: Sequence[Batch], *rooms: str) -> None:
    """Admit rooms and append what came so far."""
    for room in rooms:
        assert await journal.set_group(replace(group(room), connector="town"), expect=None)
    for batch in batches:
        await journal.append(batch)


async def pending(journal: Journal) -> tuple[Entry, ...]:
    """Everything that was received."""
    later = datetime(2027, 1, 1, tzinfo=UTC)
    entries = await journal.claim(EntryState.RECEIVED, now=later, limit=10_000)
    journal.release([entry.seq for entry in entries])
    return entries
