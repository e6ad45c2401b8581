"""Signing in and out, and proving again who one is before what cannot be taken back."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from bridge.console.pages import provided
from bridge.console.passwords import is_right
from bridge.console.sessions import PROOF
from bridge.console.site import Page, Visit
from bridge.protocols.people import Account

WRONG: Final = "The name or the password is not right."
SLOW: Final = "There were too many attempts. Wait a minute and try again."
FAR: Final = "Accounts of this console sign in on its own machine only."
ELSEWHERE: Final = "Here one signs in with the department's account."
TRIES: Final = 5
"""Passwords for one name within a minute; past that even the right one is refused."""

TRIES_FROM: Final = 20
"""The same from one address, whatever the names."""

LONGEST_NAME: Final = 200
LONGEST_PASSWORD: Final = 1000


async def home(visit: Visit) -> Response:
    """The first page of whoever signed in; the way to sign in for all others."""
    if visit.session is None:
        return RedirectResponse("/sign-in", status_code=303)
    return RedirectResponse("/overview", status_code=303)


async def ask(visit: Visit) -> Response:
    """The form; or the way to the identity provider, or back from it."""
    if visit.parts.provider is not None and "state" in visit.request.query_params:
        return await provided.finish(visit, visit.parts.provider)
    if visit.session is not None:
        return RedirectResponse("/", status_code=303)
    if visit.parts.provider is not None and visit.request.query_params.get("with") == "provider":
        return await provided.start(visit, visit.parts.provider)
    return await _form(visit, "", "", status=200)


async def sign_in(visit: Visit) -> Response:
    """Take name and password. Right or wrong, it stands in the trail."""
    if visit.parts.provider is not None:
        return await _form(visit, "", ELSEWHERE, status=403)
    if not visit.caller.is_local:
        return await _form(visit, "", FAR, status=403)
    name = visit.posted("username").strip()
    if not _may_try(visit, name):
        return await _form(visit, name, SLOW, status=429)
    account = await visit.parts.office.account(name)
    right = await _is_right(visit, account)
    await visit.note("sign in", allowed=right, who=_printable(name), details=visit.caller.address)
    if account is None or not right:
        return await _form(visit, name, WRONG, status=401)
    _succeeded(visit, name)
    response = RedirectResponse("/", status_code=303)
    await visit.sessions.begin(response, account, now=visit.now, instead_of=visit.session)
    return response


async def _form(visit: Visit, name: str, wrong: str, *, status: int) -> Response:
    provider = visit.parts.provider
    nobody = provider is None and not await visit.parts.office.accounts()
    return visit.page(
        "console/account_sign_in.html",
        title="Sign in",
        status=status,
        name=name,
        wrong=wrong,
        nobody=nobody,
        elsewhere=provider is not None,
    )


def _may_try(visit: Visit, name: str) -> bool:
    """Whether neither the name nor the address was tried too often; counts this attempt."""
    return visit.attempts.begin(
        f"from {visit.caller.network}", most=TRIES_FROM
    ) and visit.attempts.begin(f"name {name[:LONGEST_NAME]}", most=TRIES)


async def _is_right(visit: Visit, account: Account | None) -> bool:
    """Whether the account's password was posted; takes as long where there is no such account."""
    kept = account.password if account is not None and not account.disabled else None
    password = visit.posted("password")
    if len(password) > LONGEST_PASSWORD:
        return False
    async with visit.attempts.hashing:
        return await asyncio.to_thread(is_right, password, kept)


def _succeeded(visit: Visit, name: str) -> None:
    visit.attempts.succeeded(f"name {name}", source=f"from {visit.caller.network}")


def _printable(name: str) -> str:
    """A name as the trail takes it: what somebody typed, and may be anything."""
    return "".join(c if c.isprintable() else "?" for c in name[:LONGEST_NAME])


async def sign_out(visit: Visit) -> Response:
    """End the session."""
    response = RedirectResponse("/sign-in", status_code=303)
    if visit.session is not None:
        await visit.note("sign out")
        await visit.sessions.end(visit.session, response)
    return response


def has_proved(visit: Visit) -> bool:
    """Whether the visitor proved lately who they are: asked before an export or a release."""
    return visit.session is not None and visit.now - visit.session.proved_at <= PROOF


def proof_first(visit: Visit, *, back: str = "") -> Response | None:
    """The way to prove who one is, where that was too long ago; None: go on.

    ``back``: the page to go on with; without it the one that was asked for, which MUST be a GET.
    """
    if has_proved(visit):
        return None
    asked = visit.request.url
    following = back or (f"{asked.path}?{asked.query}" if asked.query else asked.path)
    return RedirectResponse(f"/prove?{urlencode({'next': following})}", status_code=303)


async def ask_proof(visit: Visit) -> Response:
    """The form that asks for the password once more. ``next`` is where to go on."""
    following = provided.inside(visit.request.query_params.get("next", "/"))
    if visit.parts.provider is not None and visit.request.query_params.get("with") == "provider":
        return await provided.start(visit, visit.parts.provider, proving=True, following=following)
    return _proof_form(visit, following, "", status=200)


def _proof_form(visit: Visit, following: str, wrong: str, *, status: int) -> Response:
    query = urlencode({"with": "provider", "next": following})
    return visit.page(
        "console/account_prove.html",
        title="Confirm who you are",
        status=status,
        following=following,
        wrong=wrong,
        elsewhere=f"/prove?{query}" if visit.parts.provider is not None else "",
    )


async def prove(visit: Visit) -> Response:
    """Take the password again."""
    following = provided.inside(visit.posted("next"))
    if visit.session is None:
        return RedirectResponse("/sign-in", status_code=303)
    name = visit.session.name
    if not _may_try(visit, name):
        return _proof_form(visit, following, SLOW, status=429)
    account = await visit.parts.office.account(name)
    right = await _is_right(visit, account)
    await visit.note("prove", allowed=right, details=visit.caller.address)
    if account is None or not right:
        return _proof_form(visit, following, "The password is not right.", status=401)
    _succeeded(visit, name)
    response = RedirectResponse(following, status_code=303)
    await visit.sessions.renew(response, account, visit.session, now=visit.now)
    return response


PAGES = (
    Page(path="/", handler=home, right=None, is_open=True),
    Page(path="/sign-in", handler=ask, right=None, is_open=True),
    Page(path="/sign-in", handler=sign_in, right=None, is_open=True, method="POST"),
    Page(path="/sign-out", handler=sign_out, right=None, method="POST"),
    Page(path="/prove", handler=ask_proof, right=None),
    Page(path="/prove", handler=prove, right=None, method="POST"),
)
