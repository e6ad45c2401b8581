"""Steps on groups: somebody proposes one, somebody else approves it, and who may ends it.

An order is written into the office and taken up by the recorder, which alone moves the register.
Whoever proposed a group does not approve it here: two people stand behind every approval of the
console.
"""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from bridge import keys
from bridge.console.deeds import deeds_for, is_own
from bridge.console.pages.account import proof_first
from bridge.console.pages.groups import group_of, group_page
from bridge.console.queue import orders_of
from bridge.console.rights import Right
from bridge.console.site import Page, Visit
from bridge.model import Group, Particulars, unfit_line
from bridge.protocols import GroupStep, StepKind

FIELDS: Final = ("owner", "purpose", "retention", "dpia", "device_type")
OWN: Final = "You proposed this group: somebody else has to approve it."


async def ask(visit: Visit) -> Response:
    """The form that proposes a group."""
    return _form(visit, dict.fromkeys((*FIELDS, "connector", "id", "name", "why"), ""), ())


def _form(
    visit: Visit, typed: dict[str, str], problems: tuple[str, ...], status: int = 200
) -> Response:
    return visit.page(
        "console/groups_new.html",
        title="Propose a group",
        status=status,
        typed=typed,
        problems=problems,
        connectors=sorted(visit.parts.connectors),
        classes=[each.name for each in visit.parts.schedule.classes],
    )


async def propose(visit: Visit) -> Response:
    """Order a proposal. The trail first; nothing is recorded by it."""
    if visit.session is None:
        raise HTTPException(404)
    names = (*FIELDS, "connector", "id", "name", "why")
    typed = {name: visit.posted(name).strip() for name in names}
    problems = _problems(visit, typed, ("name", "why", *FIELDS), needed=_NEEDED)
    platform = visit.parts.connectors.get(typed["connector"])
    if platform is None:
        problems.append("Choose an account from the list.")
    elif (remedy := visit.parts.unfit_group(typed["connector"], typed["id"])) is not None:
        problems.append(f"That is the id of no group: {remedy}.")
    elif not visit.in_scope(keys.group_gid(visit.parts.blind_key, platform, typed["id"])):
        problems.append("Your account is for certain groups, and this is none of them.")
    if problems:
        return _form(visit, typed, tuple(problems), 400)
    subject = f"{typed['connector']} {typed['id']}"
    await visit.note("propose group", subject, details=typed["why"])
    await orders_of(visit).order(
        GroupStep(
            kind=StepKind.PROPOSE,
            connector=typed["connector"],
            group_id=typed["id"],
            name=typed["name"],
            by=visit.session.name,
            at=visit.now,
            why=typed["why"],
            particulars=_said(typed),
            capture_all=bool(visit.posted("capture_all")),
        )
    )
    return RedirectResponse("/groups", status_code=303)


_NEEDED: Final = {
    "name": "the group's name",
    "owner": "who answers for the group",
    "purpose": "what official business it serves",
    "why": "your reason",
}


def _problems(
    visit: Visit, typed: dict[str, str], names: tuple[str, ...], *, needed: dict[str, str]
) -> list[str]:
    """What is wrong with a form, as sentences."""
    found = [f"Say {what}." for name, what in needed.items() if not typed[name]]
    for name in names:
        fault = unfit_line(typed[name]) if typed[name] else None
        if fault is not None:
            words = name.replace("_", " ").capitalize()
            found.append(f"{words} {fault}.")
    classes = {each.name for each in visit.parts.schedule.classes}
    if typed.get("retention") and typed["retention"] not in classes:
        found.append("Choose a class of retention from the list.")
    return found


def _said(typed: dict[str, str]) -> Particulars:
    return Particulars(
        owner=typed["owner"] or None,
        purpose=typed["purpose"] or None,
        retention=typed["retention"] or None,
        dpia=typed["dpia"] or None,
        device_type=typed["device_type"] or None,
    )


async def order(visit: Visit) -> Response:
    """Order a step for a group in the register. The trail first."""
    group = await group_of(visit, visit.request.path_params["gid"])
    if visit.session is None or not visit.in_scope(group.gid):
        raise HTTPException(404)
    kind, known = visit.posted("step"), group.register
    deeds = deeds_for(visit, group.gid, known)
    deed = next((each for each in deeds if each.kind.value == kind), None)
    if deed is None or known is None:
        said = ("That cannot be done with this group as it stands now.",)
        return await group_page(visit, group, problems=said, status=409)
    if deed.proved and (first := proof_first(visit, back=f"/groups/{group.gid}")) is not None:
        return first
    if deed.kind is StepKind.APPROVE and is_own(visit, known):
        await visit.note("approve group", group.gid, details="own", allowed=False)
        return await group_page(visit, group, problems=(OWN,), status=400)
    typed = {name: visit.posted(name).strip() for name in (*FIELDS, "why")}
    needed = {"why": _NEEDED["why"]}
    if deed.kind is StepKind.APPROVE:
        needed = {name: _NEEDED[name] for name in ("owner", "purpose", "why")}
    if problems := _problems(visit, typed, ("why", *FIELDS), needed=needed):
        return await group_page(visit, group, problems=tuple(problems), status=400)
    await visit.note(f"{deed.kind.value} group", group.gid, details=typed["why"])
    await orders_of(visit).order(_step(visit, known, deed.kind, typed))
    return RedirectResponse(f"/groups/{group.gid}", status_code=303)


def _step(visit: Visit, group: Group, kind: StepKind, typed: dict[str, str]) -> GroupStep:
    if visit.session is None:
        raise HTTPException(404)
    approves = kind is StepKind.APPROVE
    return GroupStep(
        kind=kind,
        connector=group.connector,
        group_id=group.group_id,
        name=group.name,
        by=visit.session.name,
        at=visit.now,
        why=typed["why"],
        particulars=_said(typed) if approves else Particulars(),
        capture_all=bool(visit.posted("capture_all")) if approves else None,
    )


PAGES = (
    Page(path="/groups", handler=propose, right=Right.REGISTER, method="POST"),
    Page(path="/groups/new", handler=ask, right=Right.REGISTER),
    Page(path="/groups/{gid}/steps", handler=order, right=Right.REGISTER, method="POST"),
)
