"""How long a browser stays who it is, and by what it is known."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from starlette.responses import Response

from bridge.console.sessions import COOKIE, VISITOR
from bridge.protocols.people import Account, Role
from tests.unit.bridge.console.desk import Desk

MINUTES = 60.0


async def test_a_session_lasts_while_it_is_used(desk: Desk) -> None:
    """Fourteen minutes without a request do not end it, and each request begins them anew."""
    browser = await desk.browser(Role.READER)
    for _ in range(5):
        desk.clock.advance(14 * MINUTES)
        assert (await browser.get("/groups")).status_code == 200


async def test_a_session_that_nobody_used_is_over(desk: Desk) -> None:
    """After a quarter of an hour it is forgotten, and does not come back."""
    browser = await desk.browser(Role.READER)
    desk.clock.advance(15 * MINUTES + 1)
    assert (await browser.get("/groups")).headers["location"] == "/sign-in"
    desk.clock.set_wall(desk.archive.now)
    assert (await browser.get("/groups")).headers["location"] == "/sign-in"


async def test_no_session_lasts_longer_than_half_a_day(desk: Desk) -> None:
    """However much it is used."""
    browser = await desk.browser(Role.READER)
    for _ in range(12 * 6):
        assert (await browser.get("/groups")).status_code == 200
        desk.clock.advance(10 * MINUTES)
    assert (await browser.get("/groups")).status_code == 200
    desk.clock.advance(1)
    assert (await browser.get("/groups")).headers["location"] == "/sign-in"


async def test_the_cookie_is_for_this_host_alone_and_no_script_reads_it(desk: Desk) -> None:
    """Its name asks browsers to hold it to that; the office keeps its digest only."""
    account = Account(name="jo", roles=frozenset({Role.READER}))
    response = Response()
    session = await desk.sessions.begin(response, account, now=desk.clock.now())
    kept, dropped = response.headers.getlist("set-cookie")
    name, _, rest = kept.partition("=")
    value, *attributes = rest.split("; ")
    assert name == COOKIE
    assert name.startswith("__Host-")
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=lax", "Secure"}
    assert len(bytes.fromhex(value)) == 32
    assert session.digest == hashlib.sha256(value.encode()).digest()
    assert dropped.startswith(f'{VISITOR}=""; expires=')
    assert value not in repr(session)
    assert session.csrf not in repr(session)


async def test_signing_in_ends_the_session_that_the_browser_had(desk: Desk) -> None:
    """Nobody goes on under a cookie that somebody else may know."""
    browser = await desk.browser(Role.READER)
    old = browser.cookies[COOKIE]
    before = await desk.office.session(hashlib.sha256(old.encode()).digest())
    assert before is not None
    account = Account(name="jo", roles=frozenset({Role.READER}))
    fresh = await desk.sessions.begin(Response(), account, now=desk.clock.now(), instead_of=before)
    assert fresh.digest != before.digest
    assert await desk.office.session(before.digest) is None


@pytest.mark.parametrize("change", ["disabled", "roles", "groups"])
async def test_what_changes_of_an_account_counts_at_once(desk: Desk, change: str) -> None:
    """Whoever is signed in does not keep what was taken from them."""
    browser = await desk.browser(Role.READER)
    listing = next(each for each in desk.listings.values() if each.key is not None)
    page = f"/groups/{listing.gid}/{listing.day}"
    assert (await browser.get(page)).status_code == 200
    account = await desk.office.account("jo")
    assert account is not None
    changed = {
        "disabled": replace(account, disabled=True),
        "roles": replace(account, roles=frozenset({Role.OPERATOR})),
        "groups": replace(account, groups=frozenset({"0" * 16})),
    }[change]
    assert await desk.office.change_account(changed)
    answer = await browser.get(page)
    assert answer.status_code == {"disabled": 303, "roles": 403, "groups": 404}[change]
    if change == "disabled":
        await desk.office.change_account(account)
        assert (await browser.get(page)).status_code == 303, "the session is gone for good"


async def test_a_cookie_that_nobody_gave_is_no_session(desk: Desk) -> None:
    """Whatever it holds."""
    for value in ("", "0" * 64, "a" * 5000, '"', "\x7f", "%c3%a9"):
        browser = desk.visitor()
        browser.cookies[COOKIE] = value
        answer = await browser.get("/groups")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


async def test_signing_out_ends_it_here_and_in_the_browser(desk: Desk) -> None:
    """The old cookie opens nothing any more."""
    browser = await desk.browser(Role.READER)
    cookie = browser.cookies[COOKIE]
    answer = await browser.post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert COOKIE not in browser.cookies
    browser.cookies[COOKIE] = cookie
    assert (await browser.get("/groups")).headers["location"] == "/sign-in"
    assert [line.what for line in await desk.trail()] == ["sign out"]
