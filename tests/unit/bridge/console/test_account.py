"""Signing in here, proving it again, and what stands in the trail of both."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest

from bridge.console.attempts import MOST_NAMES, WITHIN, Attempts
from bridge.console.pages.account import TRIES, TRIES_FROM
from bridge.console.passwords import hashed, is_right
from bridge.console.sessions import COOKIE, VISITOR
from bridge.protocols.people import Account, Role
from tests.fakes.clock import FakeClock
from tests.unit.bridge.console.desk import Browser, Desk, console_over

PASSWORD = "correct horse battery"
KEPT = hashed(PASSWORD)


async def account(desk: Desk, name: str = "jo", *, disabled: bool = False) -> None:
    """An account that signs in here."""
    roles = frozenset({Role.RECORDS_MANAGER})
    made = Account(name=name, roles=roles, password=KEPT, disabled=disabled)
    assert await desk.office.create_account(made, at=desk.clock.now())


async def sign_in(browser: Browser, name: str, password: str) -> httpx.Response:
    """Fill in the form."""
    await browser.get("/sign-in")
    return await browser.post("/sign-in", {"username": name, "password": password})


async def test_a_person_signs_in_with_name_and_password(desk: Desk) -> None:
    """And is known from then on; that stands in the trail, with the address."""
    await account(desk)
    browser = desk.visitor()
    answer = await sign_in(browser, " jo ", PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert set(browser.cookies) == {COOKIE}
    page = await browser.get("/groups")
    assert page.status_code == 200
    assert "Sign out" in page.text
    assert (await browser.get("/sign-in")).headers["location"] == "/"
    (line,) = await desk.trail()
    assert (line.who, line.what, line.allowed, line.details) == ("jo", "sign in", True, "127.0.0.1")


async def test_a_wrong_password_and_an_unknown_name_look_the_same(desk: Desk) -> None:
    """Nobody learns which names exist; each attempt stands in the trail."""
    await account(desk)
    await account(desk, "al", disabled=True)
    texts = set()
    for name, password in (("jo", "wrong"), ("nobody", PASSWORD), ("al", PASSWORD), ("", "")):
        browser = desk.visitor()
        answer = await sign_in(browser, name, password)
        assert answer.status_code == 401
        assert COOKIE not in browser.cookies
        texts.add(answer.text.replace(browser.token, "").replace(f'value="{name}"', ""))
    assert len({text.replace('value=""', "") for text in texts}) <= 2
    assert [(line.who, line.allowed) for line in await desk.trail()] == [
        ("jo", False),
        ("nobody", False),
        ("al", False),
        ("", False),
    ]


async def test_a_name_that_is_tried_too_often_waits_a_minute(desk: Desk) -> None:
    """Even with the right password; what is refused so does not fill the trail."""
    await account(desk)
    browser = desk.visitor()
    for _ in range(TRIES):
        assert (await sign_in(browser, "jo", "wrong")).status_code == 401
    assert (await sign_in(browser, "jo", PASSWORD)).status_code == 429
    assert len(await desk.trail()) == TRIES
    desk.clock.advance(WITHIN)
    assert (await sign_in(browser, "jo", PASSWORD)).status_code == 303


async def test_many_attempts_at_once_do_not_slip_through(desk: Desk) -> None:
    """They are counted when they begin, not when they fail."""
    await account(desk)
    browser = desk.visitor()
    await browser.get("/sign-in")
    fields = {"username": "jo", "password": "wrong"}
    answers = await asyncio.gather(*(browser.post("/sign-in", fields) for _ in range(12)))
    assert [answer.status_code for answer in answers].count(401) == TRIES


async def test_an_address_that_tries_many_names_waits_too(desk: Desk) -> None:
    """Whoever signs in rightly does not use up the attempts of others there."""
    await account(desk)
    browser = desk.visitor()
    token = desk.sessions  # the same form serves for all
    assert token is not None
    for _ in range(3):
        assert (await sign_in(desk.visitor(), "jo", PASSWORD)).status_code == 303
    await browser.get("/sign-in")
    fields = [{"username": f"name{i}", "password": "x" * 2000} for i in range(TRIES_FROM + 1)]
    statuses = [(await browser.post("/sign-in", each)).status_code for each in fields]
    assert statuses == [401] * TRIES_FROM + [429]


async def test_the_form_of_another_browser_is_refused(desk: Desk) -> None:
    """Nobody is signed in by a page that somebody else prepared."""
    await account(desk)
    mine, theirs = desk.visitor(), desk.visitor()
    await mine.get("/sign-in")
    await theirs.get("/sign-in")
    fields = {"username": "jo", "password": PASSWORD}
    assert (await mine.post("/sign-in", fields, csrf=theirs.token)).status_code == 403
    mine.cookies.pop(VISITOR)
    assert (await mine.post("/sign-in", fields)).status_code == 403
    assert await desk.trail() == ()


async def test_hostile_names_do_no_harm(desk: Desk) -> None:
    """What somebody types as a name is shown as text and cut in the trail."""
    name = "<script>\u202e\x00" + "x" * 5000
    answer = await sign_in(desk.visitor(), name, "wrong")
    assert answer.status_code == 401
    assert "<script>" not in answer.text.replace('<script type="module"', "")
    (line,) = await desk.trail()
    assert line.who.startswith("<script>??x")
    assert len(line.who) == 200


async def test_without_an_account_the_page_says_how_to_make_one(desk: Desk) -> None:
    """And no longer once there is one."""
    assert "muniment console create-user" in (await desk.visitor().get("/sign-in")).text
    await account(desk)
    assert "create-user" not in (await desk.visitor().get("/sign-in")).text


async def test_local_accounts_do_not_sign_in_from_afar(desk: Desk) -> None:
    """Neither past the proxy nor through it."""
    await account(desk)
    app = await asyncio.to_thread(console_over, replace(desk.parts, trusted_proxy="127.0.0.1"))
    browser = Browser(app)
    for address, status in (("203.0.113.9", 403), ("127.0.0.1", 303)):
        told = {"x_forwarded_for": address}
        await browser.get("/sign-in", **told)
        fields = {"username": "jo", "password": PASSWORD}
        answer = await browser.post("/sign-in", fields, csrf=browser.token, **told)
        assert answer.status_code == status
    await browser.aclose()


async def test_a_proof_is_asked_for_anew_after_ten_minutes(desk: Desk) -> None:
    """With it the session goes on under another cookie and token, and ends when it would have."""
    await account(desk)
    browser = desk.visitor()
    await sign_in(browser, "jo", PASSWORD)
    await browser.get("/prove?next=/groups")
    cookie, token = browser.cookies[COOKIE], browser.token
    wrong = await browser.post("/prove", {"password": "wrong", "next": "/groups"})
    assert wrong.status_code == 401
    assert browser.cookies[COOKIE] == cookie
    right = await browser.post("/prove", {"password": PASSWORD, "next": "/groups?a=b"})
    assert (right.status_code, right.headers["location"]) == (303, "/groups?a=b")
    assert browser.cookies[COOKIE] != cookie
    await browser.get("/prove")
    assert browser.token != token
    thief = desk.visitor()
    thief.cookies[COOKIE] = cookie
    assert (await thief.get("/groups")).status_code == 303
    found = [(line.what, line.allowed) for line in await desk.trail()]
    assert found == [("sign in", True), ("prove", False), ("prove", True)]


async def test_guessing_a_proof_is_slowed_down(desk: Desk) -> None:
    """A browser left open is no way to the password."""
    await account(desk)
    browser = await desk.browser(Role.RECORDS_MANAGER)
    for _ in range(TRIES):
        assert (await browser.post("/prove", {"password": "wrong"})).status_code == 401
    assert (await browser.post("/prove", {"password": PASSWORD})).status_code == 429


@pytest.mark.parametrize(
    "following", ["//evil.example", "/\\evil.example", "https://evil.example", "", "/\nx", "x"]
)
async def test_a_proof_leads_to_no_other_site(desk: Desk, following: str) -> None:
    """Whatever the address asked for."""
    await account(desk)
    browser = await desk.browser(Role.RECORDS_MANAGER)
    answer = await browser.post("/prove", {"password": PASSWORD, "next": following})
    assert answer.headers["location"] == "/"


def test_a_password_is_kept_as_an_argon2id_hash() -> None:
    """Two hashes of one password differ; what is no hash is never right."""
    assert KEPT.startswith("$argon2id$")
    assert hashed(PASSWORD) != KEPT
    assert is_right(PASSWORD, KEPT)
    assert not is_right(PASSWORD + " ", KEPT)
    assert not is_right(PASSWORD, None)
    assert not is_right(PASSWORD, "no hash")
    assert not is_right("nobody has this password", None)


def test_attempts_take_no_more_memory_than_they_may() -> None:
    """A flood of names makes everybody wait, and is forgotten with its minute."""
    clock = FakeClock()
    attempts = Attempts(clock)
    assert all(attempts.begin(f"{i}", most=1) for i in range(MOST_NAMES))
    assert not attempts.begin("another", most=1)
    clock.advance(WITHIN)
    assert attempts.begin("another", most=1)
    assert not attempts.begin("another", most=1)
    attempts.succeeded("another", source="nobody")
    assert attempts.begin("another", most=1)
