"""Signing in at the department's identity provider, and coming back from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import structlog
from starlette.responses import RedirectResponse, Response

from bridge.console.oidc import (
    NOT_AGAIN,
    NOT_VALID,
    REFUSED,
    Person,
    Provider,
    Refusal,
    proves_again,
)
from bridge.console.rights import clash_of
from bridge.console.sessions import VISITOR
from bridge.console.site import Visit
from bridge.console.tickets import Ticket, issue, opened
from bridge.protocols.people import Account

log = structlog.get_logger(__name__)

SIGN_IN: Final = "sign in"
PROVE: Final = "prove"
TAKEN: Final = "Your name is that of another account here. Ask whoever runs this console."
DISABLED: Final = "Your account is disabled here."
STARTS_FROM: Final = 30
"""Ways to the provider from one address within a minute."""


async def start(
    visit: Visit, provider: Provider, *, proving: bool = False, following: str = "/"
) -> Response:
    """Send the browser to the provider."""
    if not visit.attempts.begin(f"provider {visit.caller.network}", most=STARTS_FROM):
        return _refused(visit, Refusal("Wait a minute and try again.", "often"), status=429)
    ticket = issue(
        visit.sessions.secret,
        visit.sessions.visitor(visit.request, visit.cookies),
        purpose=PROVE if proving else SIGN_IN,
        following=following,
        at=visit.now,
        salt=visit.sessions.random_bytes(16),
    )
    url = await provider.start(
        redirect_uri=_back(visit),
        state=ticket.sealed,
        nonce=ticket.nonce,
        verifier=ticket.verifier,
        again=proving,
    )
    return RedirectResponse(url, status_code=303)


async def finish(visit: Visit, provider: Provider) -> Response:
    """What the provider's answer comes to: a session, a proof, or a sentence."""
    query = visit.request.query_params
    ticket = opened(
        visit.sessions.secret,
        visit.request.cookies.get(VISITOR, ""),
        query["state"],
        now=visit.now,
    )
    if ticket is None:
        return _refused(visit, Refusal("This sign-in took too long. Begin again.", "state"))
    if not visit.attempts.begin(f"provided {visit.caller.network}", most=STARTS_FROM):
        return _refused(visit, Refusal("Wait a minute and try again.", "often"), status=429)
    found = await _answered(visit, provider, ticket)
    if ticket.purpose == PROVE:
        return await _proved(visit, found, ticket)
    return await _signed_in(visit, found)


async def _answered(visit: Visit, provider: Provider, ticket: Ticket) -> Person | Refusal:
    """Whom the answer in the address is about."""
    query = visit.request.query_params
    if query.get("iss", provider.issuer).rstrip("/") != provider.issuer.rstrip("/"):
        return Refusal(NOT_VALID, "issuer")
    if "code" not in query:
        return Refusal(REFUSED, "error")
    return await provider.finish(
        code=query["code"],
        redirect_uri=_back(visit),
        nonce=ticket.nonce,
        verifier=ticket.verifier,
        now=visit.now,
    )


async def _signed_in(visit: Visit, found: Person | Refusal) -> Response:
    account = found if isinstance(found, Refusal) else await _account(visit, found)
    if isinstance(account, Refusal):
        name = found.name if isinstance(found, Person) else ""
        details = f"{visit.caller.address} {account.cause}"
        await visit.note(SIGN_IN, allowed=False, who=name, details=details)
        return _refused(visit, account)
    details = f"{visit.caller.address} {account.subject}"
    await visit.note(SIGN_IN, who=account.name, details=details)
    response = RedirectResponse("/", status_code=303)
    await visit.sessions.begin(response, account, now=visit.now, instead_of=visit.session)
    return response


async def _account(visit: Visit, person: Person) -> Account | Refusal:
    """The person's account, made at the first sign-in; its roles are what the provider says now.

    Its name stays the one of the first time, so that nobody becomes somebody else in the trail.
    """
    if clash := clash_of(person.roles):
        sentence = (
            f"Nobody may be {clash[0]} and {clash[1]} at once. Ask whoever runs this console."
        )
        return Refusal(sentence.replace("_", " "), "clash")
    office = visit.parts.office
    known = await office.account_of(person.subject)
    if known is None:
        fresh = Account(
            name=person.name, roles=person.roles, groups=person.groups, subject=person.subject
        )
        is_new = await office.create_account(fresh, at=visit.now)
        return fresh if is_new else Refusal(TAKEN, "taken")
    if known.disabled:
        return Refusal(DISABLED, "disabled")
    account = replace(known, roles=person.roles, groups=person.groups)
    if account != known:
        await office.change_account(account)
    return account


async def _proved(visit: Visit, found: Person | Refusal, ticket: Ticket) -> Response:
    """Whoever is signed in proved it again, if it is the same person, asked just now."""
    session = visit.session
    account = None if session is None else await visit.parts.office.account(session.name)
    if session is None or account is None:
        return RedirectResponse("/sign-in", status_code=303)
    if isinstance(found, Person) and not proves_again(found, account.subject, now=visit.now):
        found = Refusal(NOT_AGAIN, "not_again")
    is_right = isinstance(found, Person)
    await visit.note(PROVE, allowed=is_right, details=visit.caller.address)
    if isinstance(found, Refusal):
        return _refused(visit, found)
    response = RedirectResponse(inside(ticket.following), status_code=303)
    await visit.sessions.renew(response, account, session, now=visit.now)
    return response


def _refused(visit: Visit, refusal: Refusal, *, status: int = 403) -> Response:
    log.warning("sign_in_refused", cause=refusal.cause)
    return visit.page(
        "console/account_refused.html",
        title="You are not signed in" if visit.session is None else "That was not confirmed",
        status=status,
        sentence=refusal.sentence,
    )


def _back(visit: Visit) -> str:
    """Where the provider sends the browser; it is registered there."""
    caller = visit.caller
    return f"{visit.parts.address or f'{caller.scheme}://{caller.place}'}/sign-in"


def inside(path: str) -> str:
    """A path of this console, whatever was asked for."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours else "/"
