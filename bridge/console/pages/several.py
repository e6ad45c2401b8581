"""Many alike in the review queue: the same for all of them, once a sample was decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from bridge.console.pages.review import BY_NAME, Action, order_of, problems_of
from bridge.console.queue import SAMPLE, SAMPLE_AGE, Item, Line, orders_of, sheet_of
from bridge.console.rights import Right
from bridge.console.site import Page, Visit
from bridge.protocols import DecisionOrder

AT_ONCE: Final = 200
TOGETHER: Final = tuple(BY_NAME[name] for name in ("keep", "context", "discard"))
"""What may be decided of many at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Many alike. ``sample``: what this person decided one by one of its sample lately."""

    name: str
    gid: str
    code: str
    group: str
    items: tuple[Item, ...]
    drawn: tuple[Item, ...]
    sample: tuple[DecisionOrder, ...]

    @property
    def missing(self) -> int:
        """How many are still to be decided one by one."""
        return max(SAMPLE - len(self.sample), 0)

    @property
    def action(self) -> Action | None:
        """What may be decided of all of them: what was decided of each in the sample."""
        said = {(each.outcome, each.label) for each in self.sample}
        fitting = [each for each in TOGETHER if {(each.outcome, each.label)} == said]
        return fitting[0] if fitting and not self.missing else None


async def _lot(visit: Visit) -> Lot:
    """The lot that a request names.

    Raises:
        HTTPException: it is not for who asks.
    """
    given = visit.request.query_params
    gid = visit.posted("group") or given.get("group", "")
    code = visit.posted("code") or given.get("code", "")
    if not visit.may_see(gid):
        await visit.note("denied", visit.request.url.path, allowed=False)
        raise HTTPException(404)
    sheet = await sheet_of(visit, Line.WAITING, gid)
    name = f"{gid}/{code}"
    items = sheet.lot(name)
    by = visit.session.name if visit.session else ""
    since = visit.now - SAMPLE_AGE
    return Lot(
        name=name,
        gid=gid,
        code=code,
        group=items[0].group if items else gid,
        items=items[:AT_ONCE],
        drawn=sheet.drawn(name),
        sample=(await orders_of(visit).sample(name, by=by, since=since))[-SAMPLE:],
    )


async def show_many(visit: Visit) -> Response:
    """Many alike: their sample, and the form once it is decided."""
    return _many(visit, await _lot(visit))


def _many(visit: Visit, lot: Lot, *, problems: tuple[str, ...] = (), status: int = 200) -> Response:
    return visit.page(
        "console/review_many.html",
        title="Decide several together",
        status=status,
        lot=lot,
        needed=SAMPLE,
        problems=problems,
        why=visit.posted("why"),
    )


async def decide_many(visit: Visit) -> Response:
    """Order the same of all that were shown and still wait, each an order of its own."""
    lot = await _lot(visit)
    shown = {str(each) for each in visit.form.getlist("item")}
    chosen = [each for each in lot.items if f"{each.event[0]}.{each.event[1]}" in shown]
    problems = list(problems_of(visit, chosen))
    if not chosen:
        problems.append("None of the messages shown waits any more.")
    if lot.action is None or visit.posted("action") != lot.action.name:
        problems.append(
            "Decide the sample one by one first; then the same may be said of the rest."
        )
    if problems or lot.action is None:
        return _many(visit, lot, problems=tuple(problems), status=400)
    details = f"{lot.action.name} {len(chosen)} after a sample of {SAMPLE}"
    await visit.note("decide several", lot.name, details=details)
    done = 0
    for item in chosen:
        order = order_of(visit, item, lot.action)
        done += await orders_of(visit).decide_after(order, last=item.last) is not None
    return RedirectResponse(f"/review?{urlencode({'group': lot.gid, 'done': done})}", 303)


PAGES = (
    Page(path="/review/many", handler=show_many, right=Right.REVIEW),
    Page(path="/review/many", handler=decide_many, right=Right.REVIEW, method="POST"),
)
"""They MUST stand before the page of one message, whose path would match theirs."""
