"""Every route, for every role, for nobody, and for forged forms."""

from __future__ import annotations

import pytest

from bridge.console.pages import TABLE
from bridge.protocols.people import Role
from tests.unit.bridge.console.desk import Browser, Desk
from tests.unit.bridge.console.expected import ANYBODY, CONTENT, EVERYBODY, EXPECTED, path_of

ROUTES = sorted({(page.method, page.path) for page in TABLE})
CLOSED = [route for route in ROUTES if EXPECTED.get(route, EVERYBODY) is not ANYBODY]
FORMS = [route for route in CLOSED if route[0] == "POST"]


async def ask(browser: Browser, desk: Desk, route: tuple[str, str]) -> int:
    """The status of a route's answer; a form goes out with its token and nothing else."""
    method, path = route[0], path_of(route[1], desk)
    answer = await (browser.get(path) if method == "GET" else browser.post(path))
    return answer.status_code


def test_every_page_has_its_expectations_and_nothing_else_has() -> None:
    """Whoever adds a page says who may see it, twice and apart from each other."""
    assert set(ROUTES) == set(EXPECTED)
    assert len(ROUTES) == len(TABLE), "two pages of one path and method"


@pytest.mark.parametrize("role", Role)
async def test_a_role_gets_what_it_may_and_nothing_else(desk: Desk, role: Role) -> None:
    """Each route is allowed or denied as written; what is denied stands in the trail."""
    for method, path in CLOSED:
        browser = await desk.browser(role)
        before = len(await desk.trail())
        status = await ask(browser, desk, (method, path))
        denied = [
            (line.who, line.subject)
            for line in (await desk.trail())[before:]
            if line.what == "denied" and not line.allowed
        ]
        if role in (EXPECTED[(method, path)] or ()):
            assert status not in {403, 404, 405, 500}, (method, path)
            assert denied == [], (method, path)
        else:
            assert status == 403, (method, path)
            assert denied == [("jo", f"{method} {path}")]


@pytest.mark.parametrize("route", sorted(CONTENT))
async def test_who_is_for_another_group_sees_nothing_of_this_one(
    desk: Desk, route: tuple[str, str]
) -> None:
    """The page is not there for them, and that they asked stands in the trail."""
    browser = await desk.browser(Role.RECORDS_MANAGER, groups=frozenset({"0" * 16}))
    assert await ask(browser, desk, route) == 404
    assert [line.what for line in await desk.trail() if not line.allowed] == ["denied"]


async def test_nobody_gets_anything_without_a_session(desk: Desk) -> None:
    """A crawl of all routes meets the way to sign in, and no word of what was said."""
    said = {each.body for each in desk.listings.values() if each.body and len(each.body) > 4}
    said |= {each.group_name for each in desk.listings.values() if each.group_name}
    for method, path in ROUTES:
        browser = desk.visitor()
        filled = path_of(path, desk)
        answer = await browser.send(method, filled)
        if (method, path) in CLOSED or path == "/":
            assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        assert not any(word in answer.text for word in said), path
    assert await desk.trail() == ()


@pytest.mark.parametrize("token", ["", "0" * 64, "é", "other's"])
async def test_a_form_without_our_token_does_nothing(desk: Desk, token: str) -> None:
    """Neither without a token, nor with one made up, nor with that of another session."""
    other = await desk.browser(Role.RECORDS_MANAGER, name="al")
    sent = other.token if token == "other's" else token
    for method, path in FORMS:
        allowed = EXPECTED[(method, path)]
        assert allowed
        browser = await desk.browser(min(allowed))
        answer = await browser.post(path_of(path, desk), csrf=sent)
        assert answer.status_code == 403, path
        assert "too old" in answer.text
    assert await desk.trail() == ()


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_form_that_another_site_sends_does_nothing(desk: Desk, site: str) -> None:
    """Not even with the right token, where the browser says where it comes from."""
    for method, path in FORMS:
        allowed = EXPECTED[(method, path)]
        assert allowed
        browser = await desk.browser(min(allowed))
        answer = await browser.post(path_of(path, desk), sec_fetch_site=site)
        assert (method, answer.status_code) == ("POST", 403), path


async def test_a_session_is_no_answer_to_another_method(desk: Desk) -> None:
    """What is not in the table is refused, and the answer says what is."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"):
        for path in {path for _, path in ROUTES}:
            answer = await browser.send(method, path_of(path, desk))
            assert answer.status_code == 405, (method, path)
            methods = {each for each, of in ROUTES if of == path}
            assert methods <= set(answer.headers["allow"].split(", "))


async def test_an_account_with_several_roles_may_what_any_of_them_may(desk: Desk) -> None:
    """But who watches sees no content, whatever else they are."""
    gets = [path for method, path in ROUTES if ("GET", path) in CONTENT and method == "GET"]
    both = await desk.browser(Role.HOLD_AUTHORITY, Role.READER, name="both")
    blind = await desk.browser(Role.AUDITOR, Role.READER, name="blind")
    for path in gets:
        assert (await both.get(path_of(path, desk))).status_code == 200
        assert (await blind.get(path_of(path, desk))).status_code == 403
