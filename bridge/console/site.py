"""What every page is made of: who asks, what they may, and the answer with its headers.

A page is a row in a table: path, right, handler. Whatever is not in the table does not exist, and
whatever asks for a right that the visitor's roles do not give is denied and stands in the trail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Protocol, TypeAlias
from zoneinfo import ZoneInfo

from jinja2 import (
    Environment,
    PackageLoader,
    PrefixLoader,
    Undefined,
    UndefinedError,
    select_autoescape,
)
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bridge.classify import Policy
from bridge.console import text
from bridge.console.attempts import Attempts
from bridge.console.callers import KEY, Caller
from bridge.console.exports import Exports
from bridge.console.marks import KnownMarks
from bridge.console.oidc import Provider
from bridge.console.rights import Right, rights_of
from bridge.console.schedule import Schedule
from bridge.console.sessions import Sessions
from bridge.console.standing import Recorder
from bridge.console.zones import within
from bridge.protocols import Clock, Journal, ObjectStore, Office
from bridge.protocols.catalog import Catalog
from bridge.protocols.holds import Holds
from bridge.protocols.people import People, Session, TrailEntry
from bridge.protocols.proof import Proofs


class Missing(Undefined):
    """A value that a template was not given: it may be asked for, as macros do, but not printed."""

    __slots__ = ()

    def __str__(self) -> str:
        """Refuse: a template that prints it is wrong."""
        raise UndefinedError(self._undefined_message)


def _any_group(_connector: str, _group_id: str) -> str | None:
    return None


class Ledger(Protocol):
    """The journal of a recorder that may not have run yet."""

    async def look(self) -> None:
        """Open it if it is there now, and again if another file stands in its place.

        Raises nothing of ours: what is wrong is raised by :attr:`journal`.
        """

    @property
    def journal(self) -> Journal:
        """The journal, to be read.

        Raises:
            JournalError: it is not there, or cannot be read.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the console stands on; all of it is made elsewhere and passed in.

    ``provider``: where people sign in; None: here, by accounts of the office. ``address``: the
    URL under which browsers reach the console, where it is not the one they name. ``proofs``:
    None: nothing is proved. ``policy``: the one in force, for the meaning of codes. ``connectors``
    are the accounts of the recorder with their platforms; ``unfit_group`` says, by connector and
    id, why no group there can have such an id.
    """

    catalog: Catalog
    ledger: Ledger
    store: ObjectStore
    office: People
    clock: Clock
    blind_key: bytes
    zone: ZoneInfo
    department: str
    tenant: str
    hosts: frozenset[str]
    trusted_proxy: str | None = None
    provider: Provider | None = None
    address: str | None = None
    proofs: Proofs | None = None
    policy: Policy | None = None
    exports: Exports = field(default_factory=Exports)
    recorder: Recorder | None = None
    orders: Office | None = None
    marks: KnownMarks = field(default_factory=KnownMarks)
    holds: Holds | None = None
    schedule: Schedule = field(default_factory=Schedule)
    connectors: Mapping[str, str] = field(default_factory=dict)
    unfit_group: Callable[[str, str], str | None] = _any_group

    @property
    def journal(self) -> Journal:
        """The journal, to be read.

        Raises:
            JournalError: the recorder never ran here, or its journal cannot be read.
        """
        return self.ledger.journal

    @property
    def retention(self) -> tuple[str, ...]:
        """The names of the classes of retention that the settings have."""
        return tuple(each.name for each in self.schedule.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of somebody who may make it. ``form`` holds a POST's fields, checked for CSRF."""

    request: Request
    parts: Parts
    pages: Environment
    sessions: Sessions
    attempts: Attempts
    session: Session | None
    now: datetime
    form: FormData = field(default_factory=FormData)
    cookies: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def caller(self) -> Caller:
        """Where the request comes from."""
        caller = self.request.scope[KEY]
        if not isinstance(caller, Caller):
            raise TypeError("a request came round the gate")
        return caller

    @property
    def csrf(self) -> str:
        """The token that MUST stand in every form of this answer, in the field ``csrf``."""
        if self.session is not None:
            return self.session.csrf
        return self.sessions.visitor_token(self.request, self.cookies)

    def posted(self, name: str) -> str:
        """A posted field as text; empty where there is none."""
        value = self.form.get(name, "")
        return value if isinstance(value, str) else ""

    @property
    def rights(self) -> frozenset[Right]:
        """What the visitor may do."""
        return rights_of(self.session.roles) if self.session else frozenset()

    def may_see(self, gid: str) -> bool:
        """Whether the content of this group is in the visitor's scope."""
        session = self.session
        return session is not None and Right.CONTENT in self.rights and self.in_scope(gid)

    def in_scope(self, gid: str) -> bool:
        """Whether the visitor's account is for this group, whatever it may do there."""
        session = self.session
        return session is not None and (not session.groups or gid in session.groups)

    async def note(
        self,
        what: str,
        subject: str = "",
        *,
        details: str = "",
        allowed: bool = True,
        who: str | None = None,
    ) -> None:
        """Write into the audit trail. MUST be awaited before content is sent."""
        if who is None:
            who = self.session.name if self.session else ""
        await self.parts.office.record(
            TrailEntry(
                at=self.now, who=who, what=what, subject=subject, details=details, allowed=allowed
            )
        )

    def page(
        self, template: str, *, title: str, status: int = 200, **values: object
    ) -> HTMLResponse:
        """A page. ``title`` is what it is about, before the console's name.

        It is rendered after the handler returned, in a thread: everything that it shows MUST
        stand in ``values``, and nothing there may do I/O.
        """
        known = {"title": title, "visit": self, "path": self.request.url.path, **values}
        return Rendering(partial(_rendered, self.pages, template, known), status=status)


class Rendering(HTMLResponse):
    """A page still to be rendered; it MUST be completed before it is sent."""

    def __init__(self, render: Callable[[], str], *, status: int) -> None:
        super().__init__(status_code=status)
        self._render = render

    async def complete(self) -> None:
        """Render it in a thread: a long one must not keep a recorder in this process waiting."""
        self.body = (await asyncio.to_thread(self._render)).encode()
        self.headers["content-length"] = str(len(self.body))


def _rendered(pages: Environment, template: str, values: Mapping[str, object]) -> str:
    return pages.get_template(template).render(values)


Handler: TypeAlias = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A row of the table of pages.

    ``right`` None: for everybody who is signed in; with ``is_open`` for everybody.
    """

    path: str
    handler: Handler
    right: Right | None
    method: str = "GET"
    is_open: bool = False


NAVIGATION = (
    ("/overview", "Overview", Right.OVERVIEW),
    ("/groups", "Groups", Right.OVERVIEW),
    ("/search", "Search", Right.CONTENT),
    ("/review", "Review", Right.REVIEW),
    ("/holds", "Holds", Right.HOLD),
    ("/retention", "Retention", Right.RETENTION),
    ("/downloads", "Downloads", Right.EXPORT),
    ("/audit", "Audit trail", Right.TRAIL),
)
"""Where the line under the header leads: path, name, and who sees it."""


def navigation(visit: Visit) -> list[dict[str, str | bool]]:
    """The places that this visitor may go to, as the component takes them."""
    here = visit.request.url.path
    return [
        {"href": path, "text": name, "active": here == path or here.startswith(path + "/")}
        for path, name, right in NAVIGATION
        if right in visit.rights
    ]


def moment(at: datetime | None, visit: Visit) -> str:
    """A time as people read it, with its zone; empty where there is none."""
    if at is None:
        return ""
    return within(at, visit.parts.zone).strftime("%-d %B %Y, %H:%M:%S %Z")


def environment() -> Environment:
    """Templates that escape everything and refuse to print what is not given to them. Blocks."""
    pages = Environment(
        loader=PrefixLoader(
            {
                "console": PackageLoader("bridge.console"),
                "govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja"),
            }
        ),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=Missing,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.globals["navigation"] = navigation
    pages.filters.update(
        {"shown": text.shown, "line": text.line, "lasting": text.lasting, "moment": moment}
    )
    return pages
