"""A console over a whole archive, and browsers that visit it without a network."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode

import httpx
from starlette.responses import Response

from bridge.console.gate import Gate
from bridge.console.rights import rights_of
from bridge.console.serving import console
from bridge.console.sessions import Sessions
from bridge.console.site import Parts
from bridge.errors import JournalError
from bridge.protocols import Journal
from bridge.protocols.catalog import Listing
from bridge.protocols.people import Account, Role, TrailEntry
from storage.office.people import SqlitePeople
from tests.archive import Archive
from tests.fakes.clock import FakeClock
from tests.fakes.journal import MemoryJournal


class OpenLedger:
    """Implements :class:`bridge.console.site.Ledger` with a journal, or with why there is none."""

    def __init__(self, journal: Journal | JournalError) -> None:
        self.found = journal
        self.looked = 0

    async def look(self) -> None:
        """Count how often it was looked for."""
        self.looked += 1

    @property
    def journal(self) -> Journal:
        """The journal."""
        if isinstance(self.found, JournalError):
            raise self.found
        return self.found


_TOKEN = re.compile(r'name="csrf" value="([0-9a-f]+)"')
Fields = Mapping[str, str | Sequence[str]]


class Browser:
    """Keeps cookies as a browser does on https, and sends forms with the token of their page."""

    def __init__(self, app: Gate, *, host: str = "127.0.0.1:8080") -> None:
        self.app = app
        self.cookies: dict[str, str] = {}
        self.token = ""
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url=f"http://{host}")

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask for a page; redirects are not followed. ``_`` in names of headers means ``-``."""
        return await self.send("GET", path, headers=headers)

    async def post(
        self, path: str, fields: Fields | None = None, *, csrf: str | None = None, **headers: str
    ) -> httpx.Response:
        """Send a form. ``csrf`` None: with the token that the last page had, as a browser does."""
        posted = {"csrf": self.token if csrf is None else csrf, **(fields or {})}
        body = urlencode(posted, doseq=True)
        form = {"content-type": "application/x-www-form-urlencoded", **headers}
        return await self.send("POST", path, headers=form, body=body.encode())

    async def send(
        self, method: str, path: str, *, headers: Mapping[str, str] = {}, body: bytes = b""
    ) -> httpx.Response:
        """Send anything."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            named["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self._client.request(method, path, headers=named, content=body or None)
        for cookie in answer.headers.get_list("set-cookie"):
            name, _, rest = cookie.partition("=")
            value, _, attributes = rest.partition(";")
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        if found := _TOKEN.search(answer.text):
            self.token = found[1]
        return answer

    async def aclose(self) -> None:
        """Close it."""
        await self._client.aclose()


@dataclass(slots=True, kw_only=True)
class Desk:
    """A console and all it stands on. The clock stands a minute after the end of the archive.

    ``listings`` are those that hold, by their ``(stream, n)``. The journal's register is empty
    unless a test fills it; ``parts.blind_key`` is the archive's, so that gids agree.
    """

    archive: Archive
    root: Path
    app: Gate
    parts: Parts
    clock: FakeClock
    office: SqlitePeople
    journal: MemoryJournal
    listings: dict[tuple[str, int], Listing]
    sessions: Sessions
    browsers: list[Browser] = field(default_factory=list)

    def visitor(self, *, host: str = "127.0.0.1:8080") -> Browser:
        """Somebody who is not signed in."""
        self.browsers.append(Browser(self.app, host=host))
        return self.browsers[-1]

    async def browser(
        self, *roles: Role, name: str = "jo", groups: frozenset[str] = frozenset()
    ) -> Browser:
        """Somebody signed in with these roles, who proved just now who they are."""
        standing = await self.office.account(name) or Account(name=name, roles=frozenset(roles))
        account = replace(standing, roles=frozenset(roles), groups=groups)
        if not await self.office.create_account(account, at=self.clock.now()):
            await self.office.change_account(account)
        response = Response()
        session = await self.sessions.begin(response, account, now=self.clock.now())
        browser = self.visitor()
        cookie, _, _ = response.headers["set-cookie"].partition(";")
        named, _, value = cookie.partition("=")
        browser.cookies[named] = value
        browser.token = session.csrf
        return browser

    async def trail(self) -> tuple[TrailEntry, ...]:
        """The audit trail, oldest line first."""
        return tuple(reversed(await self.office.trail(limit=10_000)))

    def path_of(self, key: str) -> Path:
        """The file of an object; ``key`` is below ``v1/<tenant>/``."""
        return self.root / "v1" / self.archive.tenant / key

    def replace(self, key: str, body: bytes | None) -> None:
        """Put other bytes under a key, or none, as somebody with the disk in his hands would.

        Blocks: call it in a thread. Files MUST NOT be written in place: other tests share them.
        """
        path = self.path_of(key)
        path.unlink()
        if body is not None:
            path.write_bytes(body)

    async def aclose(self) -> None:
        """Close every browser."""
        for browser in self.browsers:
            await browser.aclose()


def console_over(parts: Parts) -> Gate:
    """A console over other parts. Blocks: before any event loop, or in a thread."""
    return console(parts, random_bytes=os.urandom)


async def desk_of(
    parts: Parts,
    *,
    archive: Archive,
    root: Path,
    clock: FakeClock,
    office: SqlitePeople,
    journal: MemoryJournal,
    listings: dict[tuple[str, int], Listing],
) -> Desk:
    """The desk of these parts."""
    return Desk(
        archive=archive,
        root=root,
        app=await asyncio.to_thread(console, parts, random_bytes=os.urandom),
        parts=parts,
        clock=clock,
        office=office,
        journal=journal,
        listings=listings,
        sessions=Sessions(office=office, random_bytes=os.urandom, secret=bytes(32)),
    )


def roles_with(right: str) -> frozenset[Role]:
    """The roles that give a right, as the console's table says."""
    return frozenset(role for role in Role if right in rights_of([role]))
