"""The search: what is typed, what is found, who may find it, and that it is written down."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from bridge.console.schedule import RetentionClass, Schedule
from bridge.console.veil import HIDDEN, PASSED_OVER
from bridge.model import Group, GroupState, Outcome, Particulars
from bridge.protocols import Label
from bridge.protocols.catalog import ListedMedium, ListedReason, Listing
from bridge.protocols.holds import Hold, HoldScope
from bridge.protocols.people import Role
from storage.catalog import SqliteCatalog
from storage.office.holds import SqliteHolds
from tests.unit.bridge.console.desk import Browser, Desk, console_over
from tests.unit.bridge.console.told import GID, said, say, tell

WORD = "agreed"


def kept(desk: Desk) -> list[Listing]:
    """Events whose text can be searched."""
    return [each for each in desk.listings.values() if each.body and each.at and each.sender_id]


def records(text: str) -> set[str]:
    """The records that a page of results links to."""
    return set(re.findall(r'href="/records/([^"]+)"', text))


async def all_records(browser: Browser, path: str) -> set[str]:
    """The records of every page of results."""
    found: set[str] = set()
    while True:
        answer = await browser.get(path)
        assert answer.status_code == 200
        found |= records(answer.text)
        link = re.search(r'href="(/search\?[^"]+)" rel="next"', answer.text)
        if link is None:
            return found
        path = link[1].replace("&amp;", "&")


async def test_a_bare_search_shows_the_form_and_logs_nothing(desk: Desk) -> None:
    """Nothing was asked."""
    browser = await desk.browser(Role.READER)
    answer = await browser.get("/search")
    assert answer.status_code == 200
    assert 'name="q"' in answer.text
    assert "style=" not in answer.text
    assert await desk.trail() == ()


async def test_a_word_finds_what_says_it_and_the_trail_has_the_search(desk: Desk) -> None:
    """The line stands in the trail, with the canonical parameters and how much was found."""
    browser = await desk.browser(Role.READER)
    answer = await browser.get(f"/search?q={WORD}&person=&group=")
    assert answer.status_code == 200
    number = sum(WORD in (each.body or "").split() for each in kept(desk))
    assert f"{number} found" in answer.text
    (line,) = await desk.trail()
    assert (line.who, line.what, line.subject) == ("jo", "search", f"{number} found")
    assert line.details == f"q={WORD}"


async def test_results_stand_between_what_was_said_before_and_after(desk: Desk) -> None:
    """The neighbours are told apart from what was found."""
    browser = await desk.browser(Role.READER)
    answer = await browser.get(f"/search?q={WORD}")
    assert "Found:</span>" in answer.text
    assert "Before:</span>" in answer.text
    assert "After:</span>" in answer.text


@pytest.mark.parametrize("outcome", [Outcome.CAPTURE, Outcome.REVIEW])
async def test_pages_follow_each_other_with_every_condition_kept(
    desk: Desk, outcome: Outcome
) -> None:
    """All pages together hold each record once and nothing else."""
    browser = await desk.browser(Role.READER)
    wanted = {
        each.key.rpartition("/")[2].removesuffix(".json")
        for each in desk.listings.values()
        if each.key and each.outcome is outcome
    }
    assert await all_records(browser, f"/search?outcome={outcome.value}&q=") == wanted


async def test_every_field_narrows(desk: Desk) -> None:
    """One event is found by all that is known of it, and by nothing else."""
    browser = await desk.browser(Role.READER)
    one = next(each for each in kept(desk) if each.media and each.media[0].sha256)
    assert one.at is not None
    assert one.key is not None
    day = one.at.astimezone(desk.parts.zone).date()
    medium = one.media[0]
    fields = {
        "group": one.gid,
        "person": (one.sender_id or "")[:6],
        "from-day": str(day.day), "from-month": str(day.month), "from-year": str(day.year),
        "to": day.isoformat(),
        "outcome": one.outcome.value,
        "kind": one.kind.value if one.kind else "",
        "code": one.reasons[0].code.lower(),
        "type": medium.sniffed_type or medium.declared_type or "",
        "file": medium.sha256 or "",
    }  # fmt: skip
    stem = one.key.rpartition("/")[2].removesuffix(".json")
    assert stem in await all_records(browser, f"/search?{urlencode(fields)}")
    for name, other in {
        "person": "nobody", "from-year": str(day.year + 1), "code": "NOTHING",
        "type": "chemical/x-none", "file": "0" * 64, "to": "2001-01-01",
    }.items():  # fmt: skip
        changed = {**fields, name: other}
        if name == "from-year":
            changed["to"] = ""
        if name == "to":
            changed.update({"from-day": "", "from-month": "", "from-year": ""})
        answer = await browser.get(f"/search?{urlencode(changed)}")
        assert answer.status_code == 200, name
        assert records(answer.text) == set(), name


async def test_a_day_is_a_day_of_the_zone_that_is_asked(desk: Desk) -> None:
    """Times are shown in it, and the day begins there."""
    browser = await desk.browser(Role.READER)
    one = kept(desk)[0]
    assert one.at is not None
    assert one.key is not None
    stem = one.key.rpartition("/")[2].removesuffix(".json")
    minute = one.at.strftime("%Y-%m-%dT%H:%M")
    exact = urlencode({"from": minute, "to": minute, "tz": "UTC"})
    assert stem in await all_records(browser, f"/search?{exact}")
    there = urlencode({"from": minute, "to": minute, "tz": "Asia/Kathmandu"})
    assert stem not in await all_records(browser, f"/search?{there}")
    answer = await browser.get(f"/search?tz=Asia/Kathmandu&group={one.gid}")
    assert "+0545" in answer.text


@pytest.mark.parametrize("of", ["settings", "register"])
async def test_a_retention_class_is_the_groups_that_have_it(desk: Desk, of: str) -> None:
    """By the settings, or else by its register's word; the rest has the store's own."""
    gids = Counter(each.gid for each in desk.listings.values() if each.key)
    gid = gids.most_common(1)[0][0]
    one = next(each for each in desk.listings.values() if each.gid == gid and each.platform)
    seven = RetentionClass(name="Seven years", days=2555)
    named = {("office", one.group_id): seven.name} if of == "settings" else {}
    schedule = Schedule(classes=(seven,), named=named)
    parts = replace(desk.parts, schedule=schedule, connectors={"office": one.platform})
    if of == "register":
        group = Group(
            connector="office",
            platform=one.platform,
            group_id=one.group_id,
            name="Flood cell",
            state=GroupState.ACTIVE,
            particulars=Particulars(retention=seven.name),
        )
        assert await desk.journal.set_group(group, expect=None)
    app = await asyncio.to_thread(console_over, parts)
    known = await desk.browser(Role.READER)
    browser = Browser(app)
    browser.cookies = known.cookies
    desk.browsers.append(browser)
    mine = await all_records(browser, "/search?retention=Seven+years")
    others = await all_records(browser, "/search?retention=default")
    assert len(mine) == gids[gid]
    assert not mine & others
    assert len(mine | others) == gids.total()


async def test_a_hold_is_found_by_its_number(desk: Desk, tmp_path: Path) -> None:
    """What it covers, together with what else is asked, and never more."""
    kept_of = Counter(each.gid for each in desk.listings.values() if each.key)
    gid, other = (gid for gid, _ in kept_of.most_common(2))
    holds = await SqliteHolds.open(tmp_path / "holds.db")
    for scope in (HoldScope(gids=(gid,)), HoldScope(terms=WORD, gids=(gid,)), HoldScope()):
        await holds.place(
            Hold(authority="A", matter="M", scope=scope, by="jo", at=desk.clock.now(), why="w")
        )
    app = await asyncio.to_thread(console_over, replace(desk.parts, holds=holds))
    known = await desk.browser(Role.READER)
    browser = Browser(app)
    browser.cookies = known.cookies
    desk.browsers.append(browser)
    whole = await all_records(browser, "/search?hold=1")
    assert len(whole) == kept_of[gid]
    assert await all_records(browser, "/search?hold=2") == await all_records(
        browser, f"/search?group={gid}&q={WORD}"
    )
    assert await all_records(browser, f"/search?hold=2&q={WORD}") < whole
    assert await all_records(browser, f"/search?hold=1&group={other}") == set()
    assert len(await all_records(browser, "/search?hold=3")) == kept_of.total()
    assert (await browser.get("/search?hold=4")).status_code == 400
    await holds.aclose()


async def test_who_is_for_one_group_finds_nothing_of_another(desk: Desk) -> None:
    """Not by leaving the group out, not by naming it, and not in what stands beside."""
    gids = sorted({each.gid for each in desk.listings.values() if each.key})
    browser = await desk.browser(Role.READER, groups=frozenset({gids[0]}))
    mine = {
        each.key.rpartition("/")[2].removesuffix(".json")
        for each in desk.listings.values()
        if each.key and each.gid == gids[0]
    }
    assert await all_records(browser, "/search?q=") == mine
    answer = await browser.get(f"/search?group={gids[1]}")
    assert answer.status_code == 400
    assert "is not known" in answer.text
    assert [line.what for line in await desk.trail() if not line.allowed] == ["denied"]
    nobody = await desk.browser(Role.READER, name="al", groups=frozenset({"0" * 16}))
    assert await all_records(nobody, "/search?q=") == set()


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("q=%22flood", "quotation mark"),
        ("q=a*", "at least two letters"),
        ("q=(flood", "closing one"),
        ("q=NOT+flood", "look for"),
        ("q=" + "x" * 1001, "1001 characters"),
        ("group=nowhere", "not known"),
        ("from=2026-02-30", "no date"),
        ("from-day=31&from-month=x&from-year=2026", "no date"),
        ("to=0000-01-01", "no date"),
        ("from=2026-03-02&to=2026-03-01", "ends before"),
        ("tz=Mars/Olympus", "time zone"),
        ("tz=../../etc/passwd", "time zone"),
        ("kind=shout", "not known"),
        ("outcome=maybe", "not known"),
        ("code=%3Cb%3E", "capital letters"),
        ("type=a%20b/c/d", "type of attachment"),
        ("retention=Forever", "not known"),
        ("hold=one", "in digits"),
        ("hold=77", "Hold 77 is not known"),
        ("file=abc", "64 characters"),
        ("person=" + "y" * 501, "too long"),
        ("q=flood&before=1e9", "page of results"),
        ("q=flood&before=99999999999999999999", "page of results"),
    ],
)
async def test_bad_input_is_told_and_kept(desk: Desk, query: str, says: str) -> None:
    """The same page says what is wrong, and shows again what was typed."""
    browser = await desk.browser(Role.READER)
    answer = await browser.get(f"/search?{query}")
    assert answer.status_code == 400
    assert "There is a problem" in answer.text
    assert says in answer.text
    assert "<title>Error: Search" in answer.text
    assert records(answer.text) == set()
    typed = parse_qs(query).get("q", [""])[0]
    assert typed.replace('"', "&#34;") in answer.text
    assert await desk.trail() == () or not (await desk.trail())[0].allowed


OTHERS = ("code", "type", "tz", "from", "to-day", "file", "hold", "group", "retention", "before")
HOSTILE = [
    "\0", "a\0b", "_*", "__", "'; DROP TABLE listing; --", "body:x", "NEAR(a b)", "^a", "a + b",
    "{a b} : c", "\u202eabc", "\U0001f600",
    "<script>alert(1)</script>", "%", "a" * 999, "(" * 20 + "a" + ")" * 20, '""', '"" *', "-",
    "ab_*",
    "rowid:1", "\\", "OR", "\ufffd", "ab*cd", '"ab"*', "é*", "日本", "ﬁ",
]  # fmt: skip


async def test_nothing_that_is_typed_breaks_the_page(desk: Desk) -> None:
    """Every field takes anything: an answer or words about it, and no markup."""
    browser = await desk.browser(Role.READER)
    for text in HOSTILE:
        asked = [{"q": text}, {"person": text, "marking": text}, dict.fromkeys(OTHERS, text)]
        for fields in asked:
            answer = await browser.get(f"/search?{urlencode(fields)}")
            assert answer.status_code in {200, 400}, (text, fields)
            assert "<script>alert" not in answer.text


async def test_far_times_are_no_error(desk: Desk) -> None:
    """The calendar ends, the search does not."""
    browser = await desk.browser(Role.READER)
    for query in ("from=0001-01-01&tz=Asia/Tokyo", "to=9999-12-31", "from=9999-12-31T23:59"):
        assert (await browser.get(f"/search?{query}")).status_code == 200


async def test_who_may_export_is_led_to_the_download_of_the_same_search(desk: Desk) -> None:
    """The link has every condition and no page; others do not see it."""
    path = f"/search?kind=message&q={WORD}&from-day=1&from-month=1&from-year=2020"
    manager = await desk.browser(Role.RECORDS_MANAGER, name="manager")
    answer = await manager.get(path)
    (link,) = re.findall(r'href="(/downloads\?[^"]+)"', answer.text)
    assert parse_qs(urlsplit(link.replace("&amp;", "&")).query) == {
        "q": [WORD], "from": ["2020-01-01"], "kind": ["message"],
    }  # fmt: skip
    reader = await desk.browser(Role.READER, name="reader")
    assert "/downloads?" not in (await reader.get(path)).text


@pytest.mark.parametrize("field", ["q=divorce", "code=DECISION", "type=image", "marking=AGREED"])
async def test_what_is_marked_as_sensitive_is_found_by_nothing_that_it_says(
    desk: Desk, tmp_path: Path, field: str
) -> None:
    """Nor counted, but for those who review what it is; the page says that it was passed over."""
    medium = ListedMedium(i=0, declared_type="image/png", name="us.png")
    reasons = (
        ListedReason(code="DECISION", rule="r"),
        ListedReason(code="MARKING", rule="r", end=6),
    )
    hidden = replace(said(2, "Agreed: the divorce."), media=(medium,), reasons=reasons)
    await tell(desk, tmp_path, [replace(said(1, "Cheers."), reasons=()), hidden])
    await say(desk, [hidden], Label.PERSONAL)
    browser = await desk.browser(Role.READER)
    sensitive = await desk.browser(Role.SENSITIVITY_REVIEWER, name="sam")
    answer = (await browser.get(f"/search?{field}")).text
    assert "0 found" in answer
    assert HIDDEN not in answer
    assert PASSED_OVER in answer
    answer = (await sensitive.get(f"/search?{field}")).text
    assert "1 found" in answer
    assert "the divorce" in answer
    assert PASSED_OVER not in answer


async def test_what_is_marked_as_sensitive_stands_where_it_was_said(
    desk: Desk, tmp_path: Path
) -> None:
    """A search by group or person shows that something is there, and so do its neighbours."""
    bodies = ("Cheers.", "About my divorce.", "Agreed.")
    listings = [said(n, body) for n, body in enumerate(bodies, 1)]
    await tell(desk, tmp_path, listings)
    await say(desk, listings[1:2], Label.PERSONAL)
    browser = await desk.browser(Role.READER)
    sensitive = await desk.browser(Role.SENSITIVITY_REVIEWER, name="sam")
    for field, veiled, linked in ((f"group={GID}", 3, 2), ("q=cheers", 1, 1), ("q=agreed", 1, 1)):
        answer = (await browser.get(f"/search?{field}")).text
        assert "my divorce." not in answer
        assert answer.count(HIDDEN) == veiled
        assert len(records(answer)) == linked
        answer = (await sensitive.get(f"/search?{field}")).text
        assert "my divorce." in answer
        assert HIDDEN not in answer


async def test_without_a_catalog_the_page_says_how_to_make_one(desk: Desk, tmp_path: Path) -> None:
    """It is no fault of who searches."""
    catalog = SqliteCatalog(tmp_path / "none.db")
    app = await asyncio.to_thread(console_over, replace(desk.parts, catalog=catalog))
    known = await desk.browser(Role.READER)
    browser = Browser(app)
    browser.cookies = known.cookies
    desk.browsers.append(browser)
    answer = await browser.get("/search?q=flood")
    await catalog.aclose()
    assert answer.status_code == 503
    assert "catalog rebuild" in answer.text
