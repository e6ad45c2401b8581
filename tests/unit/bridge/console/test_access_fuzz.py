"""Whatever is asked, the answer is never a fault of ours."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.console.app import FORM
from bridge.console.pages import TABLE
from bridge.protocols.people import Role
from tests.unit.bridge.console.desk import Browser, Desk
from tests.unit.bridge.console.expected import samples

PATHS = sorted({page.path for page in TABLE})
NAMES = ("q", "group", "from", "to", "page", "before", "next", "state", "code", "with", "zone", "n")
NASTY = (
    "",
    "0",
    "-1",
    "9" * 30,
    "1e999",
    "NaN",
    "\x00",
    "'",
    '"(',
    "a OR",
    "*",
    "../../etc/passwd",
    "2026-02-30",
    "2026-03-02",
    "0000-00-00",
    "99999-01-01",
    "Mars/Olympus",
    "\u202e",
    "\ud7ff\U0010ffff",
    "{{7*7}}",
    "%",
    "%00",
    "a" * 3000,
)
words = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"])))
fields = st.dictionaries(st.one_of(st.sampled_from(NAMES), words), words, max_size=4)


def filled(path: str, values: list[str]) -> str:
    """A path of the table with anything in place of its parameters."""
    left = iter(values)
    return re.sub(r"\{\w+(?::\w+)?\}", lambda _: quote(next(left, "x"), safe=""), path)


def query(given_: dict[str, str]) -> str:
    """An address's question."""
    return "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in given_.items()
    )


@st.composite
def requests(draw: st.DrawFn, known: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    """Method, path and form of a request to a route, or near one."""
    path = draw(st.sampled_from(PATHS))
    names = re.findall(r"\{(\w+)", path)
    values = [draw(st.one_of(st.just(known[name]), words)) for name in names]
    asked = draw(fields)
    method = draw(st.sampled_from(["GET", "POST", "HEAD"]))
    return method, f"{filled(path, values)}?{query(asked)}", draw(fields)


async def test_no_request_breaks_a_page(desk: Desk) -> None:
    """Queries, forms and paths of any kind, by somebody who may do everything that one may."""
    known = samples(desk)
    everything = [role for role in Role if role not in {Role.OPERATOR, Role.AUDITOR}]
    browser = await desk.browser(*everything)
    loop = asyncio.get_running_loop()

    async def ask(method: str, path: str, form: dict[str, str]) -> int:
        headers = {"content-type": FORM}
        body = f"csrf={browser.token}&{query(form)}".encode() if method == "POST" else b""
        answer = await browser.send(method, path, headers=headers, body=body)
        if "/sign-out" in path or answer.headers.get("location") == "/sign-in":
            fresh: Browser = await desk.browser(*everything)
            browser.cookies, browser.token = fresh.cookies, fresh.token
        return answer.status_code

    @settings(
        max_examples=150,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(requests(known))
    def try_one(request: tuple[str, str, dict[str, str]]) -> None:
        status = asyncio.run_coroutine_threadsafe(ask(*request), loop).result(30)
        assert status < 500, request

    await asyncio.to_thread(try_one)


async def test_no_path_breaks_the_console(desk: Desk) -> None:
    """Paths that are in no table, and headers that nobody sends."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    for nasty in NASTY:
        answer = await browser.get(f"/{quote(nasty, safe='')}")
        assert answer.status_code in {303, 404}, nasty
    for headers in (
        {"cookie": "a=b; __Host-muniment=x; ;;="},
        {"content-length": "-1"},
        {"accept": "\x7f" * 100},
        {"range": "bytes=0-0,5-,x"},
        {"if-none-match": "*"},
        {"accept-language": "xx;q=9"},
    ):
        assert (await browser.send("GET", "/groups", headers=headers)).status_code in {200, 303}
