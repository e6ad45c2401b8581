"""Messages marked SECRET or above: one role releases each, or has it destroyed, without its text.

What was said is not shown: on this machine that would be a further spill. Only where it stands, and
why it was kept apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from bridge.console.pages.account import proof_first
from bridge.console.pages.review import MEANWHILE, said_wrong
from bridge.console.queue import Item, Line, is_restricted, items_of, orders_of, taken_up
from bridge.console.rights import Right
from bridge.console.site import Page, Visit
from bridge.model import Outcome
from bridge.protocols import DecisionOrder

LIST: Final = f"/review?list={Line.RESTRICTED.value}"
LONGEST_NUMBER: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What may be ordered of such a message."""

    name: str
    words: str
    hint: str
    outcome: Outcome


CHOICES: Final = (
    Choice(
        name="release",
        words="Release it",
        hint="The marking is wrong, or may stand here. It becomes a record like any other.",
        outcome=Outcome.CAPTURE,
    ),
    Choice(
        name="destroy",
        words="Destroy it",
        hint="Its text and its attachments are destroyed here within minutes, for good. The log"
        " keeps that there was a message, and your decision.",
        outcome=Outcome.DISCARD,
    ),
)
BY_NAME: Final = {choice.name: choice for choice in CHOICES}


async def show(visit: Visit) -> Response:
    """Where one message stands, and the form."""
    item = await _item(visit)
    if (first := proof_first(visit)) is not None:
        return first
    return await _form(visit, item)


async def _item(visit: Visit) -> Item:
    """The message of the path.

    Raises:
        HTTPException: there is none such, or it is not for who asks.
    """
    stream, n = visit.request.path_params["stream"], visit.request.path_params["n"]
    is_number = n.isascii() and n.isdigit() and len(n) < LONGEST_NUMBER
    found = await visit.parts.catalog.numbered(stream, [int(n)]) if is_number else ()
    if not found:
        raise HTTPException(404)
    if not visit.may_see(found[0].gid):
        await visit.note("denied", visit.request.url.path, allowed=False)
        raise HTTPException(404)
    (item,) = await items_of(visit, found[:1])
    if not is_restricted(item.listing) and item.order is None:
        raise HTTPException(404)
    return item


async def _form(
    visit: Visit, item: Item, *, problems: tuple[str, ...] = (), status: int = 200
) -> Response:
    await visit.note("view restricted", _subject(item))
    return visit.page(
        "console/restricted_one.html",
        title="One message marked SECRET or above",
        status=status,
        item=item,
        back=LIST,
        decided=_is_decided(item),
        taken=await taken_up(visit),
        choices=CHOICES,
        problems=problems,
        chosen=visit.posted("action"),
        why=visit.posted("why"),
    )


async def decide(visit: Visit) -> Response:
    """Order what is to become of one message. The trail first: no order stands without it.

    Crash between: the trail names a decision that nobody ordered, and the message still waits.
    """
    item = await _item(visit)
    if (first := proof_first(visit, back=_path(item))) is not None:
        return first
    if _is_decided(item):
        return await _form(visit, item, problems=(MEANWHILE,), status=409)
    problems = _problems(visit, item)
    if problems:
        return await _form(visit, item, problems=problems, status=400)
    choice = BY_NAME[visit.posted("action")]
    await visit.note("decide restricted", _subject(item), details=choice.name)
    if await orders_of(visit).decide_after(_order(visit, item, choice), last=0) is None:
        (now,) = await items_of(visit, [item.listing])
        return await _form(visit, now, problems=(MEANWHILE,), status=409)
    return RedirectResponse(LIST, status_code=303)


def _problems(visit: Visit, item: Item) -> tuple[str, ...]:
    found = said_wrong(visit, BY_NAME)
    if visit.posted("action") == "destroy" and item.holds:
        found.append("It is under a legal hold, and cannot be destroyed while that stands.")
    return tuple(found)


def _order(visit: Visit, item: Item, choice: Choice) -> DecisionOrder:
    if visit.session is None:
        raise HTTPException(404)
    stream, n = item.event
    return DecisionOrder(
        stream=stream,
        n=n,
        outcome=choice.outcome,
        by=visit.session.name,
        at=visit.now,
        why=visit.posted("why").strip(),
    )


def _is_decided(item: Item) -> bool:
    return item.order is not None or not is_restricted(item.listing)


def _subject(item: Item) -> str:
    stream, n = item.event
    return f"{stream}/{n}"


def _path(item: Item) -> str:
    return f"/review/restricted/{_subject(item)}"


PAGES = (
    Page(path="/review/restricted/{stream}/{n}", handler=show, right=Right.SENSITIVE),
    Page(
        path="/review/restricted/{stream}/{n}",
        handler=decide,
        right=Right.SENSITIVE,
        method="POST",
    ),
)
