"""The demonstration's look at the console: it names what is wrong, and waits while it gets on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.demo.desk import new_desk
from bridge.demo.findings import Said
from bridge.demo.inspection import VERIFIED, Inspection
from bridge.demo.script import DECISION, SCRIPT, Expected

DIGEST = "ab" * 32
DAY = "/groups/0123456789abcdef/2026-03-02"
SOUGHT = next(line for line in SCRIPT if line.label == DECISION)
GONE = next(
    line for line in SCRIPT if line.expected is Expected.DISCARDED and line.room == SOUGHT.room
)
SAID = tuple(Said(line=line, room_id=line.room, event_id=f"${n}") for n, line in enumerate(SCRIPT))
MARKED = SOUGHT.text.replace("agreed", '<mark class="muniment-reason">agreed</mark>')


@dataclass(slots=True, kw_only=True)
class Pages:
    """A console of few pages, with the same marks as the real one, and faults to switch on."""

    passwords: dict[str, str] = field(default_factory=dict)
    refused: str = ""
    text: str = MARKED
    verification: str = f"{VERIFIED} The stored object was verified"
    digest: str = DIGEST
    day: str = MARKED
    unlisted_looks: int = 0
    busy_looks: int = 0
    listed: int = 0
    blind_status: int = 403
    searches: int = 0

    def app(self) -> web.Application:
        """The console."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/sign-in", self.form),
                web.post("/sign-in", self.sign_in),
                web.get("/search", self.search),
                web.get("/records/one", self.record),
                web.get(DAY, self.one_day),
            ]
        )
        return app

    async def form(self, _: web.Request) -> web.Response:
        """Gives the token that the form must send back."""
        return page('<input type="hidden" name="csrf" value="0f">')

    async def sign_in(self, request: web.Request) -> web.Response:
        """Sets a cookie that only goes where it is safe."""
        form = await request.post()
        name = str(form["username"])
        is_right = self.passwords[name] == form["password"] and form["csrf"] == "0f"
        if name == self.refused or not is_right:
            return page("The name or the password is not right.", status=401)
        response = web.Response(status=303, headers={"location": "/"})
        response.set_cookie("__Host-muniment", name, path="/", secure=True, httponly=True)
        return response

    async def search(self, request: web.Request) -> web.Response:
        """Lists, at first nothing."""
        if request.cookies["__Host-muniment"] == "authority":
            return page("Not for your role", status=self.blind_status)
        if "outcome" in request.query:
            self.listed += 1
            return page(f'<h2 id="results">{self.listed} found</h2>')
        self.searches += 1
        if self.searches <= self.busy_looks:
            return page("The catalog is not there.", status=503)
        if self.searches <= self.unlisted_looks:
            return page('<h2 id="results">0 found</h2>')
        return page(
            '<h2 id="results">1 found</h2><article class="before">Before</article>'
            f'<article class="a muniment-message--here"><bdi>{self.text}</bdi>'
            f'<a href="/records/one">Record</a><a href="{DAY}?n=7#n7">Its day</a></article>'
        )

    async def record(self, _: web.Request) -> web.Response:
        """A record and what is said of its proof."""
        return page(
            f"<bdi>{self.text}</bdi>"
            f'<section class="a" id="verification"><p>{self.verification}</p></section>'
            f"<dd>{self.digest}</dd>"
        )

    async def one_day(self, request: web.Request) -> web.Response:
        """A day."""
        assert request.query["n"] == "7"
        return page(self.day)


def page(body: str, *, status: int = 200) -> web.Response:
    """An answer."""
    return web.Response(text=f"<main>{body}</main>", content_type="text/html", status=status)


@pytest.fixture
def pages() -> Pages:
    """A console without a fault."""
    return Pages()


@pytest.fixture
async def inspection(pages: Pages) -> AsyncIterator[Inspection]:
    """A look at it that is done with waiting at once."""
    async with TestServer(pages.app()) as server:
        desk = new_desk(str(server.make_url("")).rstrip("/"))
        pages.passwords = {clerk.name: clerk.password for clerk in desk.clerks}
        yield Inspection(
            desk=desk,
            sought=next(said for said in SAID if said.line is SOUGHT),
            sha256=DIGEST,
            said=SAID,
            alive=lambda: True,
            patience=0,
            pause=0,
        )


async def test_nothing_is_wrong_with_a_console_in_order(inspection: Inspection) -> None:
    """Both sign in over plain HTTP on loopback; a text is known though reasons are marked in it."""
    assert await inspection.finding() == ""


@pytest.mark.parametrize(
    ("fault", "value", "finding"),
    [
        ("refused", "manager", "manager cannot sign in"),
        ("refused", "authority", "authority cannot sign in"),
        ("unlisted_looks", 99, "1 found in all"),
        ("busy_looks", 99, "The catalog is not there."),
        ("text", "Something else", "does not find"),
        ("verification", "Not in the log yet", "is not proved: Not in the log yet"),
        ("verification", "Not proved", "is not proved: Not proved"),
        ("digest", "0", f"does not show '{DIGEST}'"),
        ("day", "Nothing is listed for this day.", f"does not show {SOUGHT.text!r}"),
        ("day", MARKED + GONE.text, "shows what was discarded"),
        ("blind_status", 200, "/search answers 200"),
    ],
)
async def test_each_fault_is_named(
    pages: Pages, inspection: Inspection, fault: str, value: str | int, finding: str
) -> None:
    """Whoever reads the finding knows which page is not as it should be."""
    setattr(pages, fault, value)
    assert finding in await inspection.finding()


async def test_a_catalog_that_gets_on_is_waited_for(pages: Pages, inspection: Inspection) -> None:
    """As long as it lists more, however many looks that takes."""
    pages.unlisted_looks, pages.busy_looks = 9, 1
    patient = replace(inspection, patience=60)
    assert await patient.finding() == ""
    assert pages.searches == 10


async def test_nothing_is_waited_for_once_the_recorder_ended(
    pages: Pages, inspection: Inspection
) -> None:
    """What it did not list it will not list."""
    pages.unlisted_looks = 9
    over = replace(inspection, patience=60, alive=lambda: False)
    assert "does not find" in await over.finding()
    assert pages.searches == 1


async def test_a_console_that_is_gone_is_a_finding(inspection: Inspection) -> None:
    """And no exception."""
    gone = replace(inspection, desk=new_desk("http://127.0.0.1:1"))
    assert "the console does not answer" in await gone.finding()
