"""The audit trail: who did what, without content; whether it is whole; and a copy to take away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response, StreamingResponse

from bridge.console.dates import end_of, start_of
from bridge.console.pages.account import proof_first
from bridge.console.rights import Right
from bridge.console.site import Page, Visit
from bridge.protocols.people import People, TrailEntry, TrailFilter

PAGE: Final = 100
CHUNK: Final = 1000
LONGEST: Final = 200
FIELDS: Final = ("who", "what", "subject", "from", "to", "denied")


class Line(msgspec.Struct, omit_defaults=False):
    """A line of the trail as it is exported. ``chain``: SHA-256 over the one before and this."""

    number: int
    at: str
    who: str
    what: str
    subject: str
    details: str
    allowed: bool
    chain: str


async def show(visit: Visit) -> Response:
    """The trail, newest first."""
    typed = {name: visit.request.query_params.get(name, "")[:LONGEST] for name in FIELDS}
    asked, problem = _filter(visit, typed)
    before = visit.request.query_params.get("before", "")
    if before and not _is_number(before):
        problem = "The page is no number."
    lines: tuple[TrailEntry, ...] = ()
    if not problem:
        lines = await visit.parts.office.trail_matching(
            asked, before=int(before) if before else None, limit=PAGE + 1
        )
    chosen = {name: value for name, value in typed.items() if value}
    following = lines[PAGE - 1].number if len(lines) > PAGE else None
    return visit.page(
        "console/audit_all.html",
        title="Audit trail",
        status=400 if problem else 200,
        lines=lines[:PAGE],
        typed=typed,
        problem=problem,
        older=urlencode({**chosen, "before": following}) if following else "",
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _filter(visit: Visit, typed: dict[str, str]) -> tuple[TrailFilter, str]:
    try:
        since, until = (
            start_of(typed["from"], visit.parts.zone),
            end_of(typed["to"], visit.parts.zone),
        )
    except ValueError:
        return TrailFilter(), "Write days as in 2026-03-31."
    return (
        TrailFilter(
            who=_sayable(typed["who"]),
            what=_sayable(typed["what"]),
            subject=_sayable(typed["subject"]),
            since=since,
            until=until,
            denied=bool(typed["denied"]),
        ),
        "",
    )


def _sayable(text: str) -> str:
    return text.strip().encode("utf-8", "replace").decode()


async def check(visit: Visit) -> Response:
    """Whether each line follows from the one before it."""
    broken = await visit.parts.office.broken_trail()
    (last, *_) = await visit.parts.office.trail(limit=1) or (None,)
    await visit.note("check trail", details="unbroken" if broken is None else f"broken at {broken}")
    return visit.page(
        "console/audit_check.html", title="Is the trail whole?", broken=broken, last=last
    )


async def export(visit: Visit) -> Response:
    """All of it as JSON Lines, oldest first. That it was taken is its last line."""
    if (first := proof_first(visit)) is not None:
        return first
    await visit.note("export trail")
    name = f"audit-trail-{visit.now:%Y-%m-%d}.jsonl"
    return StreamingResponse(
        _lines(visit.parts.office),
        media_type="application/x-ndjson",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


async def _lines(office: People) -> AsyncIterator[bytes]:
    number = 0
    (newest, *_) = await office.trail(limit=1) or (None,)
    until = 0 if newest is None else newest.number
    while number < until and (found := await office.trail_after(number, limit=CHUNK)):
        number = found[-1].number
        kept = [each for each in found if each.number <= until]
        yield b"".join(msgspec.json.encode(_line(each)) + b"\n" for each in kept)


def _line(entry: TrailEntry) -> Line:
    return Line(
        number=entry.number,
        at=entry.at.isoformat(),
        who=entry.who,
        what=entry.what,
        subject=entry.subject,
        details=entry.details,
        allowed=entry.allowed,
        chain=entry.chain.hex(),
    )


PAGES = (
    Page(path="/audit", handler=show, right=Right.TRAIL),
    Page(path="/audit/check", handler=check, right=Right.TRAIL),
    Page(path="/audit/export", handler=export, right=Right.TRAIL),
)
