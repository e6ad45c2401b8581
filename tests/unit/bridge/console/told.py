"""Invented conversations in a catalog of their own, and a console over it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

from bridge.canonical import dumps
from bridge.canonical.json import Json
from bridge.model import EventKind, Outcome, RelationType
from bridge.protocols import DecisionOrder, Label, ObjectBody
from bridge.protocols.catalog import ListedReason, ListedRelation, Listing
from storage.catalog import SqliteCatalog, SqliteCatalogWriter
from tests.unit.bridge.console.desk import Desk, console_over

GID = "00112233445566aa"
STREAM = "aa66554433221100"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def said(n: int, body: str | None = "Agreed.", *, at: datetime | None = None) -> Listing:
    """A message that is kept; others are made of it with ``replace``."""
    at = at or NOON + timedelta(seconds=n)
    stem = f"{at:%H%M%S}000-{n:012d}-{n:016x}"
    key = f"records/matrix/{GID}/{at:%Y/%m/%d}/{stem}.json"
    return Listing(
        gid=GID,
        group_id="!g:example.org",
        group_name="Spring budget",
        stream=STREAM,
        n=n,
        leaf=0,
        part=0,
        day=f"{at:%Y-%m-%d}",
        outcome=Outcome.CAPTURE,
        reasons=(ListedReason(code="DECISION", rule="agreed", start=0, end=6),),
        score=0.9,
        policy="uk-nccc@2023.1",
        model="rules-1",
        sent_at=at,
        observed_at=at,
        key=key,
        sha256="0" * 64,
        platform="matrix",
        kind=EventKind.MESSAGE,
        upstream_id=f"$e{n}",
        sender_id="@a:example.org",
        sender_name="Ann",
        body=body,
        method="live",
    )


def about(listing: Listing, target: int, kind: RelationType) -> Listing:
    """The same as something that happened to another message."""
    relation = ListedRelation(type=kind, upstream_id=f"$e{target}", n=target)
    return replace(listing, relates_to=relation, kind=EventKind(kind.value))


async def tell(desk: Desk, folder: Path, listings: Sequence[Listing]) -> None:
    """Have the desk's console list these and nothing else."""
    path = folder / "told" / "catalog.db"
    writer = await SqliteCatalogWriter.open(path)
    places = sorted({(each.gid, each.day) for each in listings})
    for gid, day in places:
        key = f"manifests/{gid}/{day.replace('-', '/')}/000000.json"
        rows = [each for each in listings if (each.gid, each.day) == (gid, day)]
        await writer.take(key, listings=rows)
    await writer.aclose()
    desk.parts = replace(desk.parts, catalog=SqliteCatalog(path))
    desk.app = await asyncio.to_thread(console_over, desk.parts)


async def say(desk: Desk, listings: Sequence[Listing], label: Label | None = None) -> None:
    """Order that these are kept, or mark them."""
    assert desk.parts.orders is not None
    for each in listings:
        await desk.parts.orders.decide(
            DecisionOrder(
                stream=each.stream,
                n=each.n,
                outcome=Outcome.REVIEW if label else Outcome.CAPTURE,
                by="al",
                at=desk.clock.now(),
                why="why",
                label=label,
            )
        )


async def put(desk: Desk, listing: Listing, *, raw: bytes, **fields: Json) -> Listing:
    """Put an object for a listing; gives the listing that names its bytes."""
    document: dict[str, Json] = {"raw": base64.b64encode(raw).decode(), **fields}
    body = dumps(document)
    await desk.parts.store.put(listing.key or "", ObjectBody.of(body), retain_until=None)
    return replace(listing, sha256=hashlib.sha256(body).hexdigest())


@dataclass(slots=True)
class Shape:
    """An element of a page, and its attributes."""

    tag: str
    attributes: dict[str, str]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Shape] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(Shape(tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def shapes(page: str) -> tuple[list[Shape], str]:
    """The elements of a page, and its text."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.found, "".join(reader.text)
