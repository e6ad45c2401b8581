"""Proofs over an archive's folder, as the console of a test has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from starlette.types import Message

from bridge import keys
from bridge.app.proofs import LogProofs, Opened
from bridge.console.exports import Sources
from bridge.protocols import Clock
from bridge.protocols.catalog import Listing
from storage.objects.evidence_local import LocalEvidence
from tests.archive import Archive
from tests.archive.mutations import question
from tests.unit.bridge.console.desk import Browser, Desk


def proofs_over(archive: Archive, root: Path, clock: Clock) -> LogProofs:
    """Proofs of the copy of an archive that lies in ``root``."""

    def opened() -> Opened:
        return question(archive), LocalEvidence(root, archive.tenant)

    return LogProofs(opened, clock)


def kept(desk: Desk) -> list[Listing]:
    """What is kept and can be had."""
    return [each for each in desk.listings.values() if each.key is not None and not each.damaged]


def with_media(desk: Desk) -> Listing:
    """A record with an attachment that is there."""
    return next(each for each in kept(desk) if each.media and each.media[0].sha256)


def path_of(listing: Listing) -> str:
    """The address of a record."""
    return f"/records/{keys.stem_of(listing.key or '')}"


def sources_for(desk: Desk) -> Sources:
    """Where downloads of a desk come from; nobody hears their alarms."""

    async def deaf(stem: str, codes: Sequence[str]) -> None:
        """Nothing."""

    async def all_of(listings: Sequence[Listing]) -> tuple[Listing, ...]:
        """Whoever asks may see all."""
        return tuple(listings)

    return Sources(
        catalog=desk.parts.catalog,
        store=desk.parts.store,
        proofs=desk.parts.proofs,
        clock=desk.clock,
        tenant=desk.parts.tenant,
        department=desk.parts.department,
        alarm=deaf,
        unveiled=all_of,
    )


async def begun(desk: Desk, browser: Browser, path: str) -> tuple[int, bytes, bool]:
    """What a server gets of an answer: the length promised, the bytes, whether that was all."""
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "server": ("127.0.0.1", 8080),
        "client": ("127.0.0.1", 50000),
        "headers": [(b"host", b"127.0.0.1:8080"), (b"cookie", cookie.encode())],
        "asgi": {"version": "3.0", "spec_version": "2.4"},
    }
    messages: list[Message] = []

    async def receive() -> Message:
        """A browser without a body that waits."""
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        """Keep it."""
        messages.append(message)

    await desk.app(scope, receive, send)
    headers = dict(messages[0]["headers"])
    body = b"".join(each.get("body", b"") for each in messages[1:])
    last = messages[-1]
    whole = last["type"] == "http.response.body" and not last.get("more_body", False)
    return int(headers.get(b"content-length", b"0")), body, whole
