"""Downloads of a selection: a bag, JSON lines, and a table for spreadsheets."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Final
from urllib.parse import urlencode

import msgspec
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response, StreamingResponse

from bridge.console.alarm import raise_alarm
from bridge.console.bags import Row
from bridge.console.exports import Export, Sources, State, Wanted
from bridge.console.pages.account import proof_first
from bridge.console.recheck import may_still_have
from bridge.console.reels import Reel, Source
from bridge.console.rights import Right
from bridge.console.sending import (
    SANDBOX,
    MismatchError,
    RangeError,
    gathered,
    record_bytes,
    reel_bytes,
    span_of,
)
from bridge.console.site import Page, Visit
from bridge.console.terms import search_of
from bridge.console.text import cell, disposition
from bridge.console.veil import passes_over, unveiled
from bridge.protocols.catalog import COUNTED

LONGEST_REASON: Final = 500
MOST_STEMS: Final = 1000
"""Records that are named one by one; more are found by a search, which has no limit."""

LONGEST_STEM: Final = 100
_COLUMNS: Final = (
    "number", "stream", "said", "seen", "sender", "sender id", "kind", "text", "outcome", "codes",
    "attachments", "sha256", "record",
)  # fmt: skip


class _Sender(msgspec.Struct):
    id: str = ""
    display_name: str | None = None


class _Record(msgspec.Struct):
    observed_at: str = ""
    sent_at: str = ""
    kind: str = ""
    body: str = ""
    sender: _Sender | None = None


async def show_all(visit: Visit) -> Response:
    """Somebody's downloads; with a selection in the address, the form that prepares one."""
    return await _form(visit, visit.request.query_params, "", status=200)


async def _form(visit: Visit, params: QueryParams, wrong: str, *, status: int) -> Response:
    """The page. ``params`` are those of a selection."""
    now, who = visit.now, visit.session.name if visit.session else ""
    await visit.parts.exports.tidy(now)
    stems = _stems(params.getlist("stem"))
    wanted = await search_of(visit, params)
    total = ""
    if wanted.is_asked and wanted.search is not None:
        found = (await visit.parts.catalog.search(wanted.search)).total
        total = f"more than {COUNTED:,}" if found > COUNTED else f"{found:,}"
        await visit.note("search", f"{total} found", details=f"for a download: {wanted.link}")
    problems = [each.sentence for each in wanted.problems]
    return visit.page(
        "console/downloads_all.html",
        title="Downloads",
        status=400 if problems else status,
        exports=visit.parts.exports.of(who),
        stems=stems,
        link=wanted.link,
        total=total,
        passed_over="" if stems else passes_over(visit, wanted.search),
        problems=[*problems, *([wrong] if wrong else [])],
        why=visit.posted("why")[:LONGEST_REASON],
    )


async def prepare(visit: Visit) -> Response:
    """Begin to prepare a selection. Who, what and why stand in the trail before."""
    selection = QueryParams(visit.posted("selection")[:10_000])
    stems = _stems([*visit.form.getlist("stem"), *selection.getlist("stem")])
    wanted = await search_of(visit, selection)
    back = urlencode([("stem", stem) for stem in stems]) if stems else wanted.link
    if (ask := proof_first(visit, back=f"/downloads?{back}" if back else "/downloads")) is not None:
        return ask
    params = QueryParams(back)
    why = " ".join(visit.posted("why").split())
    if not why or len(why) > LONGEST_REASON:
        said = f"Say what it is for, in up to {LONGEST_REASON} characters."
        return await _form(visit, params, said, status=400)
    if not stems and (wanted.search is None or not wanted.is_asked):
        return await _form(visit, params, "Choose something first: search for it.", status=400)
    if stems and not await _in_scope(visit, stems):
        return await _form(visit, params, "One of these records is not known.", status=400)
    session = visit.session
    asked = Wanted(
        by=session.name if session else "",
        why=why,
        what=f"{len(stems)} records by name" if stems else f"search {wanted.link}",
        stems=stems,
        search=None if stems else wanted.search,
        gids=session.groups if session else frozenset(),
    )
    await visit.parts.exports.tidy(visit.now)
    await visit.note("prepare download", asked.what, details=why)
    export = visit.parts.exports.begin(asked, sources_of(visit))
    return RedirectResponse(f"/downloads/{export.name}", status_code=303)


def sources_of(visit: Visit) -> Sources:
    """Where a download comes from."""
    parts = visit.parts
    return Sources(
        catalog=parts.catalog,
        store=parts.store,
        proofs=parts.proofs,
        clock=parts.clock,
        tenant=parts.tenant,
        department=parts.department,
        alarm=lambda stem, codes: raise_alarm(visit, stem, codes),
        unveiled=lambda listings: unveiled(visit, listings),
    )


def _stems(given: Sequence[object]) -> tuple[str, ...]:
    named = [each for each in given if isinstance(each, str) and 0 < len(each) <= LONGEST_STEM]
    return tuple(dict.fromkeys(named))[:MOST_STEMS]


async def _in_scope(visit: Visit, stems: tuple[str, ...]) -> bool:
    for stem in stems:
        listing = await visit.parts.catalog.by_stem(stem)
        if listing is None or not visit.may_see(listing.gid):
            if listing is not None:
                await visit.note("denied", f"download {stem}", allowed=False)
            return False
    return True


def _export(visit: Visit) -> Export:
    """The download of a path, if it is the visitor's own.

    Raises:
        HTTPException: it is not there for them.
    """
    who = visit.session.name if visit.session else ""
    found = visit.parts.exports.named(visit.request.path_params["name"], by=who)
    if found is None:
        raise HTTPException(404)
    return found


async def show(visit: Visit) -> Response:
    """How far a download is, and where it can be had."""
    return _page(visit, _export(visit))


async def bag_of(visit: Visit) -> Response:
    """The bag, or the part of it that is asked for: a download that broke off goes on."""
    export = _export(visit)
    reel = await _ready(visit, export)
    if isinstance(reel, Response):
        return reel
    etag = f'"{export.name}"'
    headers = _headers(f"muniment-{export.name}.tar", "application/x-tar")
    headers |= {"accept-ranges": "bytes", "etag": etag}
    asked = visit.request.headers
    wanted = asked.get("range") if asked.get("if-range", etag) == etag else None
    try:
        span = span_of(wanted, export.size)
    except RangeError:
        headers["content-range"] = f"bytes */{export.size}"
        return Response(status_code=416, headers=headers)
    if (span is None or not export.begun) and (ask := proof_first(visit)) is not None:
        return ask
    start, stop = span or (0, export.size)
    headers["content-length"] = str(stop - start)
    if span is not None:
        headers["content-range"] = f"bytes {start}-{stop - 1}/{export.size}"
    if visit.request.method == "HEAD":
        return Response(headers=headers)
    await _note(visit, export, f"bag, bytes {start} to {stop - 1} of {export.size}")
    export.begun = True
    parts = reel_bytes(reel, visit.parts.store, start, stop)
    return StreamingResponse(
        _watched(visit, export, parts), status_code=206 if span else 200, headers=headers
    )


async def lines_of(visit: Visit) -> Response:
    """The records, byte for byte, one on a line."""
    return await _records(visit, "JSON lines", "jsonl", "application/x-ndjson", _lines)


async def table_of(visit: Visit) -> Response:
    """A table for spreadsheets. It alters texts that a program might run, and is no evidence."""
    return await _records(visit, "table", "csv", "text/csv; charset=utf-8", _table)


_Form = Callable[[Visit, Reel], AsyncIterator[bytes]]


async def _records(visit: Visit, what: str, ending: str, kind: str, form: _Form) -> Response:
    export = _export(visit)
    reel = await _ready(visit, export)
    if isinstance(reel, Response):
        return reel
    if (ask := proof_first(visit)) is not None:
        return ask
    headers = _headers(f"muniment-{export.name}.{ending}", kind)
    if visit.request.method == "HEAD":
        return Response(headers=headers)
    await _note(visit, export, what)
    return StreamingResponse(_watched(visit, export, form(visit, reel)), headers=headers)


async def _rows(reel: Reel) -> AsyncIterator[Row]:
    """Rows of the records that are there."""
    lines = reel.lines()
    while line := await asyncio.to_thread(_next, lines):
        row = msgspec.json.decode(line, type=Row)
        if not row.is_left_out:
            yield row


def _next(lines: Iterator[bytes]) -> bytes:
    return next(lines, b"")


async def _bodies(visit: Visit, reel: Reel) -> AsyncIterator[tuple[Row, bytes]]:
    async for row in _rows(reel):
        source = Source(row.key, row.sha256 or "")
        yield row, await record_bytes(visit.parts.store, source)


async def _lines(visit: Visit, reel: Reel) -> AsyncIterator[bytes]:
    async for _, body in _bodies(visit, reel):
        yield body + b"\n"


async def _table(visit: Visit, reel: Reel) -> AsyncIterator[bytes]:
    yield b"\xef\xbb\xbf" + _cells(_COLUMNS)
    async for row, body in _bodies(visit, reel):
        yield await asyncio.to_thread(_cells_of, row, body)


def _cells_of(row: Row, body: bytes) -> bytes:
    try:
        record = msgspec.json.decode(body, type=_Record)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        record = _Record(body="(not a record; see the object)")
    sender = record.sender or _Sender()
    names = "; ".join(str(each.get("name") or "") for each in row.media)
    codes = " ".join(str(each.get("code", "")) for each in row.reasons)
    return _cells(
        (
            str(row.n),
            row.stream,
            record.sent_at,
            record.observed_at,
            sender.display_name or "",
            sender.id,
            record.kind,
            record.body,
            row.outcome,
            codes,
            names,
            hashlib.sha256(body).hexdigest(),
            row.stem,
        )
    )


def _cells(cells: tuple[str, ...]) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerow([cell(each) for each in cells])
    return out.getvalue().encode("utf-8", "replace")


async def _watched(
    visit: Visit, export: Export, parts: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """The parts. Where an object is no longer what it was, it breaks off, and an alarm is raised.

    Raises:
        MismatchError: it is not.
    """
    try:
        async for part in gathered(parts):
            yield part
    except MismatchError:
        await raise_alarm(visit, f"download {export.name}", ["object_mismatch"])
        raise


async def _note(visit: Visit, export: Export, what: str) -> None:
    details = f"{what}; {export.records} records, {export.media} attachments: {export.wanted.why}"
    await visit.note("download", export.name, details=details)


def _headers(name: str, kind: str) -> dict[str, str]:
    return {
        "content-type": kind,
        "content-disposition": disposition(name),
        "content-security-policy": SANDBOX,
    }


async def _ready(visit: Visit, export: Export) -> Reel | Response:
    """What is to be sent, or the page that says why it cannot be had."""
    reel = export.reel
    if export.state is not State.READY or reel is None or not reel.is_open:
        return _page(visit, export, status=409)
    if not await may_still_have(visit, reel):
        await visit.note("denied", f"download {export.name}", allowed=False)
        return _page(visit, export, status=409, is_stale=True)
    return reel


def _page(visit: Visit, export: Export, *, status: int = 200, is_stale: bool = False) -> Response:
    values = {"export": export, "is_stale": is_stale}
    return visit.page("console/downloads_one.html", title="Download", status=status, **values)


PAGES = (
    Page(path="/downloads", handler=show_all, right=Right.EXPORT),
    Page(path="/downloads", handler=prepare, right=Right.EXPORT, method="POST"),
    Page(path="/downloads/{name}", handler=show, right=Right.EXPORT),
    Page(path="/downloads/{name}/bag.tar", handler=bag_of, right=Right.EXPORT),
    Page(path="/downloads/{name}/records.jsonl", handler=lines_of, right=Right.EXPORT),
    Page(path="/downloads/{name}/table.csv", handler=table_of, right=Right.EXPORT),
)
