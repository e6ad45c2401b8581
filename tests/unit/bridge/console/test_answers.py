"""What every answer carries, and what is said when something goes wrong."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Scope

from bridge.console.answers import HEADERS
from bridge.console.app import LARGEST_FORM, application
from bridge.console.pages import TABLE
from bridge.console.site import Handler, Page, Visit, environment
from bridge.errors import JournalUnavailableError
from bridge.protocols.people import Role
from storage.catalog import SqliteCatalog
from tests.unit.bridge.console.desk import Browser, Desk, OpenLedger, console_over
from tests.unit.bridge.console.expected import path_of

SECRET = "what the minister said"


async def fails(_: Visit) -> Response:
    """A page with a fault, whose message holds content."""
    raise ValueError(SECRET)


async def half(_: Visit) -> Response:
    """A download that breaks off."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"begun"
        raise ValueError(SECRET)

    return StreamingResponse(parts(), headers={"content-security-policy": "sandbox"})


async def prints_nothing(visit: Visit) -> Response:
    """A page whose template needs what it is not given."""
    return visit.page("console/account_prove.html", title="x")


async def teapot(_: Visit) -> Response:
    """An error with a header of its own."""
    raise HTTPException(418, headers={"x-own": "1"})


def asked_for(path: str) -> Scope:
    """A GET as a server passes it on."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "headers": [(b"host", b"localhost")],
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }


@pytest.fixture
def over(desk: Desk) -> Callable[[Handler], Browser]:
    """A console whose only page has this handler."""

    def made(handler: Handler) -> Browser:
        page = Page(path="/page", handler=handler, right=None, is_open=True)
        app = application([page], parts=desk.parts, sessions=desk.sessions, pages=environment())
        desk.browsers.append(Browser(app))
        return desk.browsers[-1]

    return made


async def test_every_answer_has_the_headers(desk: Desk) -> None:
    """Pages, redirects, errors and assets alike, signed in or not."""
    browser = await desk.browser(Role.READER)
    for visitor in (desk.visitor(), browser):
        for method, path in (
            ("GET", "/sign-in"),
            ("GET", "/groups"),
            ("GET", "/none"),
            ("PUT", "/groups"),
            ("POST", "/sign-out"),
            ("GET", "/assets/none"),
            ("GET", "/groups/0000000000000000"),
        ):
            answer = await visitor.send(method, path)
            for name, value in HEADERS.items():
                assert answer.headers[name] == value, (method, path, name)
            assert "server" not in answer.headers
    foreign = await browser.send("GET", "/", headers={"host": "evil.example"})
    assert HEADERS.items() <= dict(foreign.headers).items()


async def test_the_policy_allows_nothing_inline(desk: Desk) -> None:
    """And no page needs it to: no handler, style or script stands in the markup."""
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    for asked in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert asked in policy
    browser = await desk.browser(Role.RECORDS_MANAGER)
    for path in ["/none", *(page.path for page in TABLE if page.method == "GET")]:
        answer = await browser.get(path_of(path, desk))
        text = answer.text
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        assert not re.search(r"<[^>]*\s(style|on\w+)\s*=", text), path
        assert "<style" not in text
        assert text.count("<script") == 1
        assert '<script type="module" src="/assets/console.js"></script>' in text


async def test_head_has_the_headers_and_no_body(desk: Desk) -> None:
    """As HTTP asks."""
    browser = await desk.browser(Role.READER)
    got = await browser.get("/groups")
    head = await browser.send("HEAD", "/groups")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


async def test_a_fault_says_nothing_of_what_was_said(
    over: Callable[[Handler], Browser],
) -> None:
    """Neither to the visitor nor in the logging, which names its kind and its line."""
    broken = await asyncio.to_thread(over, fails)
    with structlog.testing.capture_logs() as logs:
        answer = await broken.get("/page?q=private")
    assert answer.status_code == 500
    assert SECRET not in answer.text + json.dumps(logs)
    assert "private" not in json.dumps(logs)
    (entry,) = logs
    assert (entry["event"], entry["page"], entry["error"]) == ("page_broken", "/page", "ValueError")
    assert entry["where"]
    assert HEADERS.items() <= dict(answer.headers).items()


async def test_a_template_that_lacks_something_is_a_fault_not_a_blank(
    over: Callable[[Handler], Browser],
) -> None:
    """Nobody reads a page in which something is missing without a word."""
    assert (await (await asyncio.to_thread(over, prints_nothing)).get("/page")).status_code == 500


async def test_an_answer_that_breaks_off_is_not_ended_as_if_whole(
    over: Callable[[Handler], Browser],
) -> None:
    """The server is left to cut the connection; headers of its own were kept."""
    browser = await asyncio.to_thread(over, half)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return await asyncio.Future()  # the browser waits for the answer

    with structlog.testing.capture_logs() as logs:
        await browser.app(asked_for("/page"), receive, send)
    start, *bodies = sent
    assert (b"content-security-policy", b"sandbox") in start["headers"]
    assert bodies == [{"type": "http.response.body", "body": b"begun", "more_body": True}]
    (entry,) = logs
    assert (entry["event"], entry["error"]) == ("answer_broken", "ValueError")
    assert SECRET not in json.dumps(logs)


async def test_headers_of_an_error_are_kept(over: Callable[[Handler], Browser]) -> None:
    """Whoever raises one may say more."""
    answer = await (await asyncio.to_thread(over, teapot)).get("/page")
    assert (answer.status_code, answer.headers["x-own"]) == (418, "1")


async def test_a_path_that_is_not_there(desk: Desk) -> None:
    """Whoever is signed in keeps the navigation; with another slash it is another path."""
    browser = await desk.browser(Role.READER)
    for path in ("/none", "/groups/", "/GROUPS", "/groups/x/y/z", "/.git/config"):
        answer = await browser.get(path)
        assert answer.status_code == 404, path
        assert "There is no such page" in answer.text
        assert "Sign out" in answer.text


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/x-www-form-urlencoded", b"csrf=" + b"a" * LARGEST_FORM, 413),
        ("application/x-www-form-urlencoded", b"a=b&" * 3000, 400),
        ("application/x-www-form-urlencoded", b"csrf=\xff", 400),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("application/json", b'{"csrf": "x"}', 415),
        ("", b"csrf=x", 415),
    ],
)
async def test_a_form_that_is_none_of_ours(desk: Desk, kind: str, body: bytes, status: int) -> None:
    """Too large, too many fields, or of another kind."""
    browser = await desk.browser(Role.READER)
    answer = await browser.send("POST", "/sign-out", headers={"content-type": kind}, body=body)
    assert answer.status_code == status
    assert (await browser.get("/groups")).status_code == 200


async def test_without_a_journal_or_a_catalog_the_pages_say_so(desk: Desk, tmp_path: Path) -> None:
    """The console starts before the recorder ever ran."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    sentence = "There is no journal here."
    nowhere = SqliteCatalog(tmp_path / "none.db")
    for parts, said in (
        (replace(desk.parts, ledger=OpenLedger(JournalUnavailableError(sentence))), sentence),
        (replace(desk.parts, catalog=nowhere), "muniment catalog rebuild"),
    ):
        bare = Browser(await asyncio.to_thread(console_over, parts))
        bare.cookies = browser.cookies
        answer = await bare.get("/groups")
        assert answer.status_code in {200, 503}
        assert said in answer.text
        assert HEADERS.items() <= dict(answer.headers).items()
        assert (await bare.get("/sign-in")).status_code == 303
        await bare.aclose()
    await nowhere.aclose()


async def test_without_a_trail_nothing_is_shown(desk: Desk) -> None:
    """What cannot be written down is not sent."""
    browser = await desk.browser(Role.READER)
    listing = next(each for each in desk.listings.values() if each.key and each.body)
    await desk.office._run(lambda: desk.office._use().execute("DROP TABLE trail"))
    answer = await browser.get(f"/groups/{listing.gid}/{listing.day}")
    assert answer.status_code == 503
    assert (listing.body or "") not in answer.text
