"""The review queue: what waits for a person, and one message a page."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from bridge import keys
from bridge.console.elsewhere import elsewhere
from bridge.console.queue import (
    SAMPLE,
    Item,
    Line,
    Sheet,
    is_decided,
    is_marked,
    is_record,
    items_of,
    lines_for,
    orders_of,
    sheet_of,
    taken_up,
)
from bridge.console.rights import Right
from bridge.console.site import Page, Visit
from bridge.console.veil import is_veiled, unveiled
from bridge.model import Outcome
from bridge.protocols import DecisionOrder, Label
from bridge.protocols.catalog import Listing

BEFORE: Final = 5
AFTER: Final = 5
LONGEST_REASON: Final = 1000
MEANWHILE: Final = "Somebody decided about this message meanwhile, or this form was sent twice."
_CODE = re.compile(r"[A-Z][A-Z0-9_]{1,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that a person may say of a message: its name, in words, and what is ordered."""

    name: str
    words: str
    hint: str
    outcome: Outcome
    label: Label | None = None


_FROM_NOW_ON: Final = (
    "Only those who review sensitive content see it from now on, with its versions and attachments;"
    " what quotes it is marked by itself"
)
ACTIONS: Final = (
    Action(
        name="keep",
        words="Keep",
        hint="It is significant: it becomes a record.",
        outcome=Outcome.CAPTURE,
    ),
    Action(
        name="context",
        words="Keep as context",
        hint="It is not significant by itself, and others need it to be understood.",
        outcome=Outcome.CAPTURE,
        label=Label.CONTEXT,
    ),
    Action(
        name="class",
        words="Keep under another reason",
        hint="It is significant for another reason than the one given: choose it below.",
        outcome=Outcome.CAPTURE,
        label=Label.CLASS,
    ),
    Action(
        name="discard",
        words="Discard",
        hint="It is no record. Its copy goes when its time for review is over.",
        outcome=Outcome.DISCARD,
    ),
    Action(
        name="personal",
        words="Mark as personal",
        hint=f"{_FROM_NOW_ON}, and they decide.",
        outcome=Outcome.REVIEW,
        label=Label.PERSONAL,
    ),
    Action(
        name="party",
        words="Mark as party matter",
        hint=f"{_FROM_NOW_ON}, and they decide.",
        outcome=Outcome.REVIEW,
        label=Label.PARTY,
    ),
    Action(
        name="escalate",
        words="Escalate",
        hint=f"Somebody else is to decide. {_FROM_NOW_ON}.",
        outcome=Outcome.REVIEW,
        label=Label.ESCALATED,
    ),
)
BY_NAME: Final = {action.name: action for action in ACTIONS}
TITLES: Final = {
    Line.WAITING: "Waiting for a decision",
    Line.SAMPLE: "Sample of discards",
    Line.SENSITIVE: "Sensitive or escalated",
    Line.RESTRICTED: "Marked SECRET or above",
}


async def show_all(visit: Visit) -> Response:
    """The lists. No content: what was said stands on the page of each message."""
    line = _line(visit, visit.request.query_params.get("list", ""))
    gid = visit.request.query_params.get("group") or None
    sheet = await sheet_of(visit, line, gid)
    apart = line is Line.RESTRICTED
    return visit.page(
        "console/restricted_all.html" if apart else "console/review_all.html",
        title="Review",
        sheet=sheet,
        gid=gid,
        lines=[(each, TITLES[each]) for each in lines_for(visit)],
        lots=_lots(sheet),
        done=visit.request.query_params.get("done", "")[:20],
    )


def _line(visit: Visit, asked: str) -> Line:
    known = {each.value: each for each in lines_for(visit)}
    return known.get(asked, Line.WAITING)


def _lots(sheet: Sheet) -> list[tuple[Item, int]]:
    """Lots of which there are enough that deciding them together helps."""
    counts: dict[str, list[Item]] = {}
    for item in sheet.items:
        counts.setdefault(item.lot, []).append(item)
    large = [items for items in counts.values() if len(items) > SAMPLE]
    return sorted(((items[0], len(items)) for items in large), key=lambda each: -each[1])


async def show_one(visit: Visit) -> Response:
    """One message with what stands around it. It stands in the trail before it is sent."""
    item = await _item(visit)
    return await _form(visit, item, _line(visit, visit.request.query_params.get("list", "")))


async def _item(visit: Visit) -> Item:
    """The message of the path.

    Raises:
        HTTPException: there is none, or it is not for who asks.
    """
    stem = visit.request.path_params["stem"]
    listing = await visit.parts.catalog.by_stem(stem)
    if listing is None:
        raise HTTPException(404)
    (item,) = await items_of(visit, [listing])
    if not visit.may_see(listing.gid) or await is_veiled(visit, listing):
        await visit.note("denied", visit.request.url.path, allowed=False)
        raise HTTPException(404)
    return item


async def _form(
    visit: Visit, item: Item, line: Line, *, problems: tuple[str, ...] = (), status: int = 200
) -> Response:
    around = await _around(visit, item.listing)
    others = await elsewhere(visit, item.listing)
    await visit.note("view review", keys.stem_of(item.listing.key or ""))
    for each in others:
        await visit.note("view review", keys.stem_of(each.key or ""), details="said elsewhere")
    policy = visit.parts.policy
    codes = (
        {} if policy is None else {name: each.description for name, each in policy.codes.items()}
    )
    return visit.page(
        "console/review_one.html",
        title="Review of one message",
        status=status,
        item=item,
        around=around,
        elsewhere=others,
        line=line,
        decided=is_decided(item) and not is_record(item),
        is_record=is_record(item),
        taken=await taken_up(visit),
        actions=[each for each in ACTIONS if _may_become(item, each)],
        codes=codes,
        problems=problems,
        chosen=visit.posted("action"),
        chosen_code=visit.posted("code"),
        why=visit.posted("why"),
    )


async def _around(visit: Visit, listing: Listing) -> tuple[Listing, ...]:
    """What stands around, without what is marked as sensitive for others."""
    found = await visit.parts.catalog.around(listing, before=BEFORE, after=AFTER)
    return await unveiled(visit, found)


async def decide(visit: Visit) -> Response:
    """Order what a person says of one message. The trail first: no order stands without it.

    Crash between: the trail names a decision that nobody ordered, and the message still waits.
    """
    item = await _item(visit)
    line = _line(visit, visit.posted("list"))
    problems = problems_of(visit, [item])
    if problems:
        return await _form(visit, item, line, problems=problems, status=400)
    sheet = await sheet_of(visit, line)
    action = BY_NAME[visit.posted("action")]
    order = order_of(visit, item, action, lot=item.lot if await _is_drawn(visit, item) else "")
    await visit.note(
        "decide",
        keys.stem_of(item.listing.key or ""),
        details=f"{action.name} {order.code}".strip(),
    )
    last = _number(visit.posted("last"))
    is_late = (is_decided(item) and not is_record(item)) or last is None
    if is_late or await orders_of(visit).decide_after(order, last=last or 0) is None:
        (now,) = await items_of(visit, [item.listing])
        return await _form(visit, now, line, problems=(MEANWHILE,), status=409)
    following = [each.listing for each in sheet.items if each.event != item.event]
    # What was said may have taken more than this one out of who asks's sight.
    stems = [keys.stem_of(each.key or "") for each in await unveiled(visit, following)]
    after = f"/{stems[0]}" if stems else ""
    return RedirectResponse(f"/review{after}?{urlencode({'list': line.value})}", status_code=303)


async def _is_drawn(visit: Visit, item: Item) -> bool:
    """Whether it is of the sample of its lot, which is drawn of what waits in its group."""
    waiting = await sheet_of(visit, Line.WAITING, item.listing.gid)
    return item.event in {each.event for each in waiting.drawn(item.lot)}


def problems_of(visit: Visit, items: list[Item]) -> tuple[str, ...]:
    """What is wrong with what was typed about these messages."""
    action = visit.posted("action")
    found = said_wrong(visit, BY_NAME)
    if action == "class" and not _is_code(visit, visit.posted("code")):
        found.append("Choose the reason under which it is kept.")
    known = BY_NAME.get(action)
    if known is not None and not all(_may_become(item, known) for item in items):
        found.append("It is a record: it cannot be discarded, and needs no other decision.")
    if action == "discard" and any(item.holds for item in items):
        found.append("It is under a legal hold, and cannot be discarded while that stands.")
    return tuple(found)


def _may_become(item: Item, action: Action) -> bool:
    """Whether this may be said of it: what is a record is not discarded, and not decided again."""
    if is_record(item):
        return action.outcome is Outcome.REVIEW
    is_kept = item.listing.outcome is Outcome.CAPTURE
    return not (is_kept and action.outcome is Outcome.DISCARD)


def said_wrong(visit: Visit, known: Container[str]) -> list[str]:
    """What is wrong with the action, of those ``known``, and with the reason for it."""
    why = visit.posted("why").strip()
    found = []
    if visit.posted("action") not in known:
        found.append("Choose what is to become of the message.")
    if not why:
        found.append("Give your reason.")
    if len(why) > LONGEST_REASON:
        found.append(f"The reason has {len(why)} characters; the most is {LONGEST_REASON}.")
    return found


def _is_code(visit: Visit, code: str) -> bool:
    if visit.parts.policy is not None:
        return code in visit.parts.policy.codes
    return _CODE.fullmatch(code) is not None


def order_of(visit: Visit, item: Item, action: Action, *, lot: str = "") -> DecisionOrder:
    """What a person said, as it is ordered."""
    if visit.session is None:
        raise HTTPException(404)
    stream, n = item.event
    return DecisionOrder(
        stream=stream,
        n=n,
        outcome=action.outcome,
        by=visit.session.name,
        at=visit.now,
        why=visit.posted("why").strip(),
        label=action.label,
        code=visit.posted("code") if action.label is Label.CLASS else "",
        lot=lot,
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


GLOBALS: Final = {"is_marked": is_marked}
"""What templates ask about an item."""

PAGES = (
    Page(path="/review", handler=show_all, right=Right.REVIEW),
    Page(path="/review/{stem}", handler=show_one, right=Right.REVIEW),
    Page(path="/review/{stem}", handler=decide, right=Right.REVIEW, method="POST"),
)
