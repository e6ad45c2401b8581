"""A record's bytes to take away: the object, what the platform sent, its attachments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from bridge import keys
from bridge.console.alarm import raise_alarm
from bridge.console.pages.records import evidence_of, listing_of, stem_of
from bridge.console.reels import Source
from bridge.console.rights import Right
from bridge.console.sending import SANDBOX, MismatchError, medium_bytes
from bridge.console.site import Page, Visit
from bridge.console.source import sources_of
from bridge.console.text import disposition, file_name, media_type
from bridge.protocols.catalog import ListedMedium, Listing


async def object_of(visit: Visit) -> Response:
    """The exact bytes of the object: the evidential download, proved or not."""
    listing = await listing_of(visit)
    record = stem_of(listing)
    await visit.note("download record", record)
    evidence = await evidence_of(visit, listing)
    if evidence.body is None:
        return _unread(visit, evidence.trouble or "The store has no object of this record.")
    return _attachment(evidence.body, f"{record}.json", "application/json")


async def source_of(visit: Visit) -> Response:
    """The exact bytes that the platform sent, or that were decrypted of them."""
    listing = await listing_of(visit)
    record, name = stem_of(listing), visit.request.path_params["source"]
    await visit.note("download source", record, details=name[:20])
    evidence = await evidence_of(visit, listing)
    if evidence.body is None:
        return _unread(visit, evidence.trouble or "The store has no object of this record.")
    for each in await asyncio.to_thread(sources_of, evidence.body):
        if each.name == name:
            return _attachment(each.body, f"{record}.{name}", "application/octet-stream")
    raise HTTPException(404)


async def medium_of(visit: Visit) -> Response:
    """An attachment, always to be saved and never shown: a stranger wrote it."""
    listing = await listing_of(visit)
    medium = _medium(listing, visit.request.path_params["i"])
    record = stem_of(listing)
    await visit.note("download media", f"{record}/{medium.i}")
    key = keys.media_key(listing.key or "", medium.object or "")
    parts = medium_bytes(visit.parts.store, Source(key, medium.sha256 or ""))
    try:
        # Of what is small all is checked before the first byte is sent.
        first = await anext(parts, b"")
    except MismatchError as error:
        await raise_alarm(visit, record, ["media_mismatch"])
        return _unread(visit, str(error), status=502)
    headers = _headers(file_name(medium.name, otherwise=f"attachment-{medium.i}"))
    if medium.size is not None:
        headers["content-length"] = str(medium.size)
    return StreamingResponse(
        _rest(visit, record, first, parts),
        media_type=media_type(medium.sniffed_type),
        headers=headers,
    )


async def _rest(
    visit: Visit, record: str, first: bytes, parts: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """All parts. Where the last one does not fit, the download breaks off and an alarm is raised.

    Raises:
        MismatchError: the bytes are not those that the record names.
    """
    yield first
    try:
        async for part in parts:
            yield part
    except MismatchError:
        await raise_alarm(visit, record, ["media_mismatch"])
        raise


def _medium(listing: Listing, i: str) -> ListedMedium:
    for each in listing.media:
        if str(each.i) == i and each.object is not None and each.sha256 is not None:
            return each
    raise HTTPException(404)


def _attachment(body: bytes, name: str, kind: str) -> Response:
    return Response(body, media_type=kind, headers=_headers(name))


def _headers(name: str) -> dict[str, str]:
    return {"content-disposition": disposition(name), "content-security-policy": SANDBOX}


def _unread(visit: Visit, wrong: str, *, status: int = 503) -> Response:
    return visit.page(
        "console/records_unread.html", title="It cannot be had", status=status, wrong=wrong
    )


PAGES = (
    Page(path="/records/{stem}/object", handler=object_of, right=Right.CONTENT),
    Page(path="/records/{stem}/raw/{source}", handler=source_of, right=Right.CONTENT),
    Page(path="/records/{stem}/media/{i}", handler=medium_of, right=Right.CONTENT),
)
