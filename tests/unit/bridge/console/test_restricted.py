"""What is marked SECRET or above in the console: one role decides, and nobody reads it there."""

from __future__ import annotations

import asyncio
import re

import pytest

from bridge.console.queue import is_restricted
from bridge.console.sessions import PROOF
from bridge.model import Outcome
from bridge.protocols import Office
from bridge.protocols.catalog import Listing
from bridge.protocols.holds import Hold, HoldScope
from bridge.protocols.people import Role
from tests.unit.bridge.console.desk import Browser, Desk

LIST = "/review?list=restricted"
_FORMS = re.compile(r'href="(/review/restricted/[0-9a-f]{16}/\d+)"')


def _apart(desk: Desk) -> list[Listing]:
    return [each for each in desk.listings.values() if is_restricted(each)]


def _path(listing: Listing) -> str:
    return f"/review/restricted/{listing.stream}/{listing.n}"


def _office(desk: Desk) -> Office:
    assert desk.parts.orders is not None
    return desk.parts.orders


async def _decide(
    browser: Browser, listing: Listing, action: str, why: str = "A wrong mark"
) -> int:
    await browser.get(_path(listing))
    return (await browser.post(_path(listing), {"action": action, "why": why})).status_code


async def test_each_has_a_row_the_oldest_first(desk: Desk) -> None:
    """Group, time, number and codes; the page says why there is no more."""
    browser = await desk.browser(Role.SENSITIVITY_REVIEWER)
    answer = await browser.get(LIST)
    wanted = sorted(_apart(desk), key=lambda each: each.at or desk.clock.now())
    assert len(wanted) > 1
    assert _FORMS.findall(answer.text) == [_path(each) for each in wanted]
    assert "further spill" in answer.text
    for listing in wanted:
        assert listing.group_name is not None
        assert listing.group_name in answer.text
        assert all(reason.code in answer.text for reason in listing.reasons)


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.RECORDS_MANAGER])
async def test_others_see_how_many_there_are(desk: Desk, role: Role) -> None:
    """Asked for the list they get their own; the form is denied, and that stands in the trail."""
    browser = await desk.browser(role)
    answer = await browser.get(LIST)
    assert answer.status_code == 200
    assert _FORMS.findall(answer.text) == []
    assert "kept apart and cannot be read here" in answer.text
    assert await _decide(browser, _apart(desk)[0], "release") == 403
    assert {line.allowed for line in await desk.trail()} == {False}
    assert await _office(desk).decisions(0) == ()


async def test_no_role_orders_it_by_another_way(desk: Desk) -> None:
    """Neither page of the queue knows it: it has no stem there, and is in no lot."""
    listing = _apart(desk)[0]
    code = listing.reasons[0].code
    for role in (Role.REVIEWER, Role.RECORDS_MANAGER, Role.SENSITIVITY_REVIEWER):
        browser = await desk.browser(role)
        await browser.get("/review")
        fields = {"action": "keep", "why": "because", "last": "0"}
        for stem in (f"{listing.stream}.{listing.n}", f"{listing.n:012d}", "None", "restricted"):
            assert (await browser.post(f"/review/{stem}", fields)).status_code == 404
        many = {**fields, "group": listing.gid, "code": code}
        many["item"] = f"{listing.stream}.{listing.n}"
        assert (await browser.post("/review/many", many)).status_code == 400
    assert await _office(desk).decisions(0) == ()


@pytest.mark.parametrize(
    ("action", "outcome"), [("release", Outcome.CAPTURE), ("destroy", Outcome.DISCARD)]
)
async def test_what_is_said_is_ordered(desk: Desk, action: str, outcome: Outcome) -> None:
    """The trail first, without the reason; then it is out of the list, and shown as ordered."""
    listing = _apart(desk)[0]
    browser = await desk.browser(Role.SENSITIVITY_REVIEWER)
    assert await _decide(browser, listing, action) == 303
    (order,) = await _office(desk).decisions(0)
    assert (order.stream, order.n, order.by) == (listing.stream, listing.n, "jo")
    assert (order.outcome, order.label, order.why) == (outcome, None, "A wrong mark")
    subject = f"{listing.stream}/{listing.n}"
    assert [(line.what, line.subject, line.details) for line in await desk.trail()] == [
        ("view restricted", subject, ""),
        ("decide restricted", subject, action),
    ]
    text = (await browser.get(LIST)).text
    assert "waits until the recorder takes it up" in text
    assert _path(listing) not in text[: text.index("Decided, and not carried out yet")]
    await desk.journal.take_orders(await _office(desk).decisions(0))
    assert "taken up by the recorder" in (await browser.get(LIST)).text


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "release", "why": " "},
        {"action": "destroy", "why": "x" * 1001},
        {"action": "keep", "why": "because"},
        {"why": "because"},
    ],
)
async def test_what_is_not_understood_is_asked_again(desk: Desk, fields: dict[str, str]) -> None:
    """Without reason or choice nothing is ordered."""
    listing = _apart(desk)[0]
    browser = await desk.browser(Role.SENSITIVITY_REVIEWER)
    answer = await browser.post(_path(listing), fields)
    assert answer.status_code == 400
    assert "There is a problem" in answer.text
    assert await _office(desk).decisions(0) == ()


async def test_the_first_decision_holds(desk: Desk) -> None:
    """A form sent twice, or after somebody else, orders nothing more."""
    listing = _apart(desk)[0]
    jo = await desk.browser(Role.SENSITIVITY_REVIEWER)
    al = await desk.browser(Role.SENSITIVITY_REVIEWER, name="al")
    assert await _decide(jo, listing, "release") == 303
    assert await _decide(jo, listing, "release") == 409
    assert await _decide(al, listing, "destroy") == 409
    (order,) = await _office(desk).decisions(0)
    assert order.outcome is Outcome.CAPTURE
    assert "This message is decided" in (await al.get(_path(listing))).text


async def test_two_forms_at_once_order_once(desk: Desk) -> None:
    """Also where both were looked at before either was sent."""
    listing = _apart(desk)[0]
    browser = await desk.browser(Role.SENSITIVITY_REVIEWER)
    await browser.get(_path(listing))
    fields = {"action": "destroy", "why": "because"}
    answers = await asyncio.gather(*(browser.post(_path(listing), fields) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [303, 409, 409]
    assert len(await _office(desk).decisions(0)) == 1


async def test_what_is_held_cannot_be_destroyed(desk: Desk) -> None:
    """The page says so; it may be released all the same."""
    listing = _apart(desk)[0]
    assert desk.parts.holds is not None
    hold = Hold(
        authority="Chair",
        matter="INQ/9",
        scope=HoldScope(gids=(listing.gid,)),
        by="ada",
        at=desk.clock.now(),
        why="notice",
    )
    await desk.parts.holds.place(hold)
    browser = await desk.browser(Role.SENSITIVITY_REVIEWER)
    assert "INQ/9" in (await browser.get(_path(listing))).text
    assert await _decide(browser, listing, "destroy") == 400
    assert await _decide(browser, listing, "release") == 303


async def test_a_group_scope_holds(desk: Desk) -> None:
    """Somebody for one group sees and decides nothing of another."""
    listing = _apart(desk)[0]
    browser = await desk.browser(Role.SENSITIVITY_REVIEWER, groups=frozenset({"0" * 16}))
    for path in (LIST, f"{LIST}&group={listing.gid}"):
        assert _FORMS.findall((await browser.get(path)).text) == []
    assert await _decide(browser, listing, "release") == 404
    assert await _office(desk).decisions(0) == ()


async def test_what_is_not_restricted_has_no_such_page(desk: Desk) -> None:
    """A record, a discard, a number that nobody gave, and what is no number."""
    browser = await desk.browser(Role.SENSITIVITY_REVIEWER)
    others = [each for each in desk.listings.values() if not is_restricted(each)]
    kept = next(each for each in others if each.key is not None)
    gone = next(each for each in others if each.key is None)
    paths = [_path(kept), _path(gone)]
    paths += [f"/review/restricted/{kept.stream}/{n}" for n in ("99999", "x", "-1", "9" * 5000)]
    for path in paths:
        assert (await browser.get(path)).status_code == 404
        fields = {"action": "destroy", "why": "because"}
        assert (await browser.post(path, fields)).status_code == 404
    assert await _office(desk).decisions(0) == ()


async def test_it_asks_for_the_password_once_more(desk: Desk) -> None:
    """Neither form nor order goes on with a proof that is too old."""
    listing = _apart(desk)[0]
    browser = await desk.browser(Role.SENSITIVITY_REVIEWER)
    desk.clock.advance(PROOF.total_seconds() + 1)
    for answer in (
        await browser.get(_path(listing)),
        await browser.post(_path(listing), {"action": "release", "why": "because"}),
    ):
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/prove?")
    assert await _office(desk).decisions(0) == ()
