"""The review queue: what waits, in which order, what may be said of it, and of many at once."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge import keys
from bridge.console.queue import SAMPLE
from bridge.errors import JournalUnavailableError
from bridge.model import Outcome
from bridge.protocols import Label, Office
from bridge.protocols.catalog import Found, Listing, Search
from bridge.protocols.holds import Hold, HoldScope
from bridge.protocols.people import Role
from storage.catalog import SqliteCatalog
from tests.unit.bridge.console.desk import Browser, Desk, console_over

_STEMS = re.compile(r'href="/review/([0-9a-f-]+)\?')


def _reviews(desk: Desk) -> list[Listing]:
    return [
        each
        for each in desk.listings.values()
        if each.outcome is Outcome.REVIEW and each.key is not None
    ]


def _stem(listing: Listing) -> str:
    return keys.stem_of(listing.key or "")


def _office(desk: Desk) -> Office:
    assert desk.parts.orders is not None
    return desk.parts.orders


async def _decide(browser: Browser, listing: Listing, action: str, **more: str) -> int:
    path = f"/review/{_stem(listing)}"
    await browser.get(path)
    fields = {"action": action, "why": "It names who pays", "last": "0", **more}
    return (await browser.post(path, fields)).status_code


async def test_all_that_waits_is_listed_the_most_pressing_first(desk: Desk) -> None:
    """Sorted by the day on which it is due, then by score; no word of what was said."""
    browser = await desk.browser(Role.REVIEWER)
    answer = await browser.get("/review")
    assert answer.status_code == 200
    wanted = [
        each
        for each in _reviews(desk)
        if each.at is not None and all(reason.code != "AUDIT" for reason in each.reasons)
    ]
    assert wanted
    ordered = sorted(
        wanted,
        key=lambda each: ((each.observed_at or each.at).date(), -each.score, each.at),  # type: ignore[union-attr]
    )
    found = _STEMS.findall(answer.text)
    assert set(found) <= {_stem(each) for each in ordered}
    assert found == [_stem(each) for each in ordered if _stem(each) in found]
    assert not any(each.body in answer.text for each in wanted if each.body and len(each.body) > 9)
    assert await desk.trail() == ()


async def test_a_message_stands_with_what_surrounds_it(desk: Desk) -> None:
    """That it was looked at stands in the trail; the form has all that may be said of it."""
    listing = _reviews(desk)[0]
    browser = await desk.browser(Role.REVIEWER)
    answer = await browser.get(f"/review/{_stem(listing)}")
    assert f'id="n{listing.n}-{listing.stream}"' in answer.text
    for action in ("keep", "context", "class", "discard", "personal", "party", "escalate"):
        assert f'value="{action}"' in answer.text
    first, *elsewhere = await desk.trail()
    assert (first.what, first.subject, first.details) == ("view review", _stem(listing), "")
    assert {line.details for line in elsewhere} <= {"said elsewhere"}


@pytest.mark.parametrize(
    ("action", "outcome", "label"),
    [
        ("keep", Outcome.CAPTURE, None),
        ("context", Outcome.CAPTURE, Label.CONTEXT),
        ("class", Outcome.CAPTURE, Label.CLASS),
        ("discard", Outcome.DISCARD, None),
        ("personal", Outcome.REVIEW, Label.PERSONAL),
        ("party", Outcome.REVIEW, Label.PARTY),
        ("escalate", Outcome.REVIEW, Label.ESCALATED),
    ],
)
async def test_what_is_said_is_ordered(
    desk: Desk, action: str, outcome: Outcome, label: Label | None
) -> None:
    """An order stands in the office and a line without the reason's words in the trail."""
    listing = _reviews(desk)[0]
    browser = await desk.browser(Role.REVIEWER)
    code = "DECISION" if action == "class" else ""
    assert await _decide(browser, listing, action, code=code) == 303
    (order,) = await _office(desk).decisions(0)
    assert (order.stream, order.n, order.by) == (listing.stream, listing.n, "jo")
    assert (order.outcome, order.label, order.code) == (outcome, label, code)
    assert order.why == "It names who pays"
    (line,) = [line for line in await desk.trail() if line.what == "decide"]
    assert (line.subject, line.details) == (_stem(listing), f"{action} {code}".strip())


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "keep", "why": " "},
        {"action": "keep", "why": "x" * 1001},
        {"action": "burn", "why": "because"},
        {"action": "class", "why": "because", "code": "no such"},
        {"why": "because"},
    ],
)
async def test_what_is_not_understood_is_asked_again(desk: Desk, fields: dict[str, str]) -> None:
    """Without reason or choice nothing is ordered, and what was typed stands in the form."""
    listing = _reviews(desk)[0]
    browser = await desk.browser(Role.REVIEWER)
    answer = await browser.post(f"/review/{_stem(listing)}", {"last": "0", **fields})
    assert answer.status_code == 400
    assert "There is a problem" in answer.text
    assert await _office(desk).decisions(0) == ()


async def test_a_form_sent_twice_orders_once(desk: Desk) -> None:
    """The page's token is spent by the first; so is that of somebody else who looked meanwhile."""
    listing = _reviews(desk)[0]
    jo = await desk.browser(Role.REVIEWER)
    al = await desk.browser(Role.REVIEWER, name="al")
    assert await _decide(jo, listing, "keep") == 303
    assert await _decide(jo, listing, "keep") == 409
    assert await _decide(al, listing, "discard") == 409
    (order,) = await _office(desk).decisions(0)
    assert order.outcome is Outcome.CAPTURE
    answer = await al.get(f"/review/{_stem(listing)}")
    assert "This message is decided" in answer.text


@pytest.mark.parametrize("last", ["", "x", "-1", "9" * 30, "٣"])
async def test_a_token_that_is_none_orders_nothing(desk: Desk, last: str) -> None:
    """Whatever stands in its place."""
    listing = _reviews(desk)[0]
    browser = await desk.browser(Role.REVIEWER)
    assert await _decide(browser, listing, "keep", last=last) == 409
    assert await _office(desk).decisions(0) == ()


async def test_an_order_waits_until_the_recorder_took_it(desk: Desk) -> None:
    """It is out of the queue at once; the page says how far the recorder is with it."""
    listing = _reviews(desk)[0]
    browser = await desk.browser(Role.REVIEWER)
    await _decide(browser, listing, "keep")
    answer = await browser.get("/review")
    assert _stem(listing) not in _STEMS.findall(answer.text)
    assert "waits until the recorder takes it up" in answer.text
    await desk.journal.take_orders(await _office(desk).decisions(0))
    assert "taken up by the recorder" in (await browser.get("/review")).text


async def test_without_a_recorder_decisions_wait(desk: Desk) -> None:
    """They are ordered all the same, and the page says so."""
    desk.parts.ledger.found = JournalUnavailableError("none")  # type: ignore[attr-defined]
    browser = await desk.browser(Role.REVIEWER)
    assert await _decide(browser, _reviews(desk)[0], "keep") == 303
    answer = await browser.get("/review")
    assert "While the recorder does not run, decisions wait" in answer.text


async def test_what_is_marked_is_for_those_who_review_what_is_sensitive(desk: Desk) -> None:
    """It leaves everybody else's queue, page and surroundings; they decide it."""
    listing = _reviews(desk)[0]
    browser = await desk.browser(Role.REVIEWER)
    await _decide(browser, listing, "personal")
    assert _stem(listing) not in (await browser.get("/review")).text
    assert (await browser.get(f"/review/{_stem(listing)}")).status_code == 404
    assert (await desk.trail())[-1].allowed is False
    other = next(each for each in _reviews(desk) if each.gid == listing.gid and each != listing)
    assert (
        f'id="n{listing.n}-{listing.stream}"'
        not in (await browser.get(f"/review/{_stem(other)}")).text
    )
    sensitive = await desk.browser(Role.SENSITIVITY_REVIEWER, name="sam")
    assert _stem(listing) in (await sensitive.get("/review?list=sensitive")).text
    (order,) = await _office(desk).decisions(0)
    assert await _decide(sensitive, listing, "keep", last=str(order.number)) == 303
    assert _stem(listing) not in _STEMS.findall(
        (await sensitive.get("/review?list=sensitive")).text
    )


async def test_a_group_scope_holds_for_queue_and_page(desk: Desk) -> None:
    """Somebody for one group sees, finds and decides nothing of another."""
    listing = _reviews(desk)[0]
    browser = await desk.browser(Role.REVIEWER, groups=frozenset({"0" * 16}))
    assert _STEMS.findall((await browser.get("/review")).text) == []
    assert _STEMS.findall((await browser.get(f"/review?group={listing.gid}")).text) == []
    assert (await browser.get(f"/review/{_stem(listing)}")).status_code == 404
    assert await _decide(browser, listing, "keep") == 404
    many = await browser.get(f"/review/many?group={listing.gid}&code=DOUBT")
    assert many.status_code == 404
    assert await _office(desk).decisions(0) == ()


async def test_what_is_held_cannot_be_discarded(desk: Desk) -> None:
    """The page says so, and nothing is ordered."""
    listing = _reviews(desk)[0]
    assert desk.parts.holds is not None
    await desk.parts.holds.place(
        Hold(
            authority="Chair",
            matter="INQ/9",
            scope=HoldScope(gids=(listing.gid,)),
            by="ada",
            at=desk.clock.now(),
            why="notice",
        )
    )
    browser = await desk.browser(Role.REVIEWER)
    assert "INQ/9" in (await browser.get(f"/review/{_stem(listing)}")).text
    assert await _decide(browser, listing, "discard") == 400
    assert await _decide(browser, listing, "keep") == 303


class ManyAlike(SqliteCatalog):
    """A catalog in which one message stands many times, each with a number of its own."""

    alike: tuple[Listing, ...] = ()

    async def search(self, search: Search) -> Found:
        """All of them, where reviews of their group are asked for."""
        of_groups = [each for each in self.alike if not search.gids or each.gid in search.gids]
        found = () if search.restricted else tuple(of_groups)
        return Found(listings=found, total=len(found))

    async def by_stem(self, stem: str) -> Listing | None:
        """The one with this stem."""
        return next((each for each in self.alike if _stem(each) == stem), None)

    async def around(self, listing: Listing, *, before: int, after: int) -> tuple[Listing, ...]:
        """Itself alone."""
        return (listing,)


@pytest.fixture
async def alike(desk: Desk) -> tuple[Listing, ...]:
    """Twelve of one lot wait, and nothing else."""
    first = replace(_reviews(desk)[0], reasons=_reviews(desk)[0].reasons[:1])
    found = tuple(
        replace(first, n=1000 + i, key=f"{(first.key or '')[:-21]}{i:016x}.json") for i in range(12)
    )
    catalog = ManyAlike(desk.parts.catalog._path)  # type: ignore[attr-defined]
    catalog.alike = found
    desk.parts = replace(desk.parts, catalog=catalog)
    desk.app = await asyncio.to_thread(console_over, desk.parts)
    return found


async def _sample(browser: Browser, path: str, action: str) -> int:
    """Decide the drawn sample one by one; gives how many."""
    done = 0
    while stems := re.findall(r'href="/review/([0-9a-f-]+)"', (await browser.get(path)).text):
        fields = {"action": action, "why": "alike", "last": "0"}
        answer = await browser.post(f"/review/{stems[0]}", fields)
        assert answer.status_code == 303
        done += 1
    return done


async def test_many_are_decided_only_after_a_sample(desk: Desk, alike: tuple[Listing, ...]) -> None:
    """Five that nobody chose, one by one and all alike; then what was shown, and only that."""
    first = alike[0]
    path = f"/review/many?group={first.gid}&code={first.reasons[0].code}"
    browser = await desk.browser(Role.REVIEWER)
    many = {
        "group": first.gid,
        "code": first.reasons[0].code,
        "action": "discard",
        "why": "all alike",
        "item": [f"{each.stream}.{each.n}" for each in alike],
    }
    assert (await browser.post("/review/many", many)).status_code == 400
    assert await _office(desk).decisions(0) == ()
    assert await _sample(browser, path, "discard") == SAMPLE
    answer = await browser.get(path)
    assert answer.text.count('name="item"') == len(alike) - SAMPLE
    assert (await browser.post("/review/many", {**many, "action": "keep"})).status_code == 400
    some = [str(each) for each in many["item"]][:-1]
    assert (await browser.post("/review/many", {**many, "item": some})).status_code == 303
    orders = await _office(desk).decisions(0)
    assert {each.outcome for each in orders} == {Outcome.DISCARD}
    assert len({(each.stream, each.n) for each in orders}) == len(orders)
    assert len(orders) >= len(alike) - 1
    assert [line.what for line in await desk.trail()].count("decide several") == 1


async def test_a_sample_of_somebody_else_or_of_long_ago_is_none(
    desk: Desk, alike: tuple[Listing, ...]
) -> None:
    """Whoever decides many has looked at some of them, lately."""
    first = alike[0]
    path = f"/review/many?group={first.gid}&code={first.reasons[0].code}"
    await _sample(await desk.browser(Role.REVIEWER), path, "discard")
    al = await desk.browser(Role.REVIEWER, name="al")
    assert 'name="item"' not in (await al.get(path)).text
    desk.clock.advance(timedelta(days=1, seconds=1).total_seconds())
    jo = await desk.browser(Role.REVIEWER)
    assert 'name="item"' not in (await jo.get(path)).text


async def test_a_sample_that_was_decided_differently_decides_nothing_else(
    desk: Desk, alike: tuple[Listing, ...]
) -> None:
    """Those are decided one by one."""
    first = alike[0]
    path = f"/review/many?group={first.gid}&code={first.reasons[0].code}"
    browser = await desk.browser(Role.REVIEWER)
    stems = re.findall(r'href="/review/([0-9a-f-]+)"', (await browser.get(path)).text)
    await browser.post(f"/review/{stems[0]}", {"action": "keep", "why": "x", "last": "0"})
    await _sample(browser, path, "discard")
    answer = await browser.get(path)
    assert "Decide these messages one by one" in answer.text
    assert 'name="item"' not in answer.text
