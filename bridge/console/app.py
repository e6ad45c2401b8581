"""The console as an ASGI application: one table of pages, one door before all of them."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Final
from urllib.parse import parse_qsl

import structlog
from jinja2 import Environment
from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bridge.console.attempts import Attempts
from bridge.console.gate import Gate
from bridge.console.sessions import Sessions, give_cookies
from bridge.console.site import Page, Parts, Rendering, Visit
from bridge.errors import CatalogError, MunimentError

log = structlog.get_logger(__name__)

LARGEST_FORM: Final = 1 << 20
"""Bytes of a posted form."""

MOST_FIELDS: Final = 2000
RENDERED_AT_ONCE: Final = 2
"""Pages: a recorder in this process needs the other threads of the event loop."""

FORM: Final = "application/x-www-form-urlencoded"

ASSETS: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "govuk-frontend.min.js": "text/javascript; charset=utf-8",
}
ICON: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    b'<path d="M2 1h12v14H2z" fill="#0b0c0c"/><path d="M5 5h6v1H5zm0 3h6v1H5zm0 3h4v1H5z"'
    b' fill="#fff"/></svg>'
)
"""A sheet with lines, for the browser's tab."""

ASTRAY: Final = {
    400: ("This request cannot be read", "Go back, and try again from the page before."),
    404: ("There is no such page", "It may have moved, or its address may be incomplete."),
    405: ("That cannot be done here", "This address takes no request of this kind."),
    413: ("This form is too large", "Send less of it at once."),
    415: ("That is not a form of this console", "Go back, and try again from the page before."),
}
"""Title and sentence of what went astray, by its status."""

_OWN_SITE: Final = frozenset({"same-origin", "none", ""})


def application(
    table: Sequence[Page], *, parts: Parts, sessions: Sessions, pages: Environment
) -> Gate:
    """The console: the pages of ``table``, its assets, and nothing else. Blocks: reads files."""
    door = Door(parts, sessions, pages)
    paths = list(dict.fromkeys(page.path for page in table))
    routes = [
        Route(path, door.opened(by_method), methods=list(by_method))
        for path in paths
        for by_method in [{page.method: page for page in table if page.path == path}]
    ]
    static = files("bridge.console") / "static"
    routes += [
        Route(f"/assets/{name}", _asset((static / name).read_bytes(), kind))
        for name, kind in ASSETS.items()
    ]
    routes.append(Route("/assets/icon.svg", _asset(ICON, "image/svg+xml")))
    app = Starlette(
        routes=routes,
        exception_handlers={HTTPException: door.astray},  # type: ignore[dict-item]
    )
    app.router.redirect_slashes = False
    return Gate(app, hosts=parts.hosts, proxy=parts.trusted_proxy)


class Door:
    """Before every page: session, right, form. After it: cookies, and the page itself."""

    def __init__(self, parts: Parts, sessions: Sessions, pages: Environment) -> None:
        self._parts = parts
        self._sessions = sessions
        self._pages = pages
        self._attempts = Attempts(parts.clock)
        self._rendering = asyncio.Semaphore(RENDERED_AT_ONCE)

    def opened(self, by_method: dict[str, Page]) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of a path."""

        async def endpoint(request: Request) -> Response:
            page = by_method["POST" if request.method == "POST" else "GET"]
            return await self._answered(request, page.path, lambda visit: self._enter(page, visit))

        return endpoint

    async def astray(self, request: Request, error: HTTPException) -> Response:
        """No such path, or not this way."""

        async def say(visit: Visit) -> Response:
            return _astray(visit, error)

        return await self._answered(request, "", say)

    async def _answered(
        self, request: Request, path: str, handler: Callable[[Visit], Awaitable[Response]]
    ) -> Response:
        """An answer, whatever happens. ``path`` is that of the table: no id goes into the log."""
        visit = self._visit(request)
        try:
            try:
                visit = replace(visit, session=await self._sessions.of(request, now=visit.now))
                response = await handler(visit)
            except HTTPException as error:
                response = _astray(visit, error)
            except MunimentError as error:
                log.warning("page_failed", page=path, error=type(error).__name__)
                response = _trouble(visit, error)
            await self._complete(response)
        except Exception as error:  # whatever it is, its message may hold content
            log.error(  # noqa: TRY400
                "page_broken", page=path, error=type(error).__name__, where=_where(error)
            )
            response = visit.page("console/broken.html", title="Something went wrong", status=500)
            await self._complete(response)
        give_cookies(response, visit.cookies)
        return response

    def _visit(self, request: Request) -> Visit:
        return Visit(
            request=request,
            parts=self._parts,
            pages=self._pages,
            sessions=self._sessions,
            attempts=self._attempts,
            session=None,
            now=self._parts.clock.now(),
        )

    async def _complete(self, response: Response) -> None:
        if isinstance(response, Rendering):
            async with self._rendering:
                await response.complete()

    async def _enter(self, page: Page, visit: Visit) -> Response:
        """The page, or why not. A visitor without a session is sent to sign in."""
        if visit.session is None and not page.is_open:
            return RedirectResponse("/sign-in", status_code=303)
        if page.right is not None and page.right not in visit.rights:
            await visit.note("denied", f"{page.method} {page.path}", allowed=False)
            return visit.page("console/denied.html", title="Not for your role", status=403)
        if page.method == "POST":
            form = await _form(visit.request)
            visit = replace(visit, form=form)
            if not self._is_own_form(visit):
                return visit.page("console/refused.html", title="This form is too old", status=403)
        await self._parts.ledger.look()
        return await page.handler(visit)

    def _is_own_form(self, visit: Visit) -> bool:
        site = visit.request.headers.get("sec-fetch-site", "")
        token = visit.posted("csrf")
        is_ours = self._sessions.is_own_form(visit.request, visit.session, token)
        return is_ours and site in _OWN_SITE


def _astray(visit: Visit, error: HTTPException) -> Response:
    title, sentence = ASTRAY.get(error.status_code, ASTRAY[400])
    page = visit.page(
        "console/astray.html", title=title, status=error.status_code, sentence=sentence
    )
    page.headers.update(error.headers or {})
    return page


def _trouble(visit: Visit, error: MunimentError) -> Response:
    """A store or a database that does not answer: the page says so, and why."""
    title = "The index is not there" if isinstance(error, CatalogError) else "Not to be had now"
    return visit.page("console/trouble.html", title=title, status=503, error=error)


def _where(error: BaseException) -> str:
    """The innermost line of ours, by which it can be found without what was said."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/bridge/" in frame.filename]
    return f"{ours[-1].name}:{ours[-1].lineno}" if ours else ""


async def _form(request: Request) -> FormData:
    """The fields of a posted form.

    Raises:
        HTTPException: it is too large, or no form as pages of ours send it.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > LARGEST_FORM:
                raise HTTPException(413)
    except ClientDisconnect:
        raise HTTPException(400) from None
    if kind != FORM and data:
        raise HTTPException(415)
    try:
        text = data.decode("ascii")
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise HTTPException(400) from None
    return FormData([(name, value) for name, value in fields])


def _asset(body: bytes, kind: str) -> Callable[[Request], Awaitable[Response]]:
    """A style sheet or script of ours. Open to everybody: it says nothing of anybody."""

    async def endpoint(_: Request) -> Response:
        return Response(body, media_type=kind, headers={"cache-control": "public, max-age=3600"})

    return endpoint
