"""Who a browser is: the cookie, the session behind it, and the token that stands in every form.

The cookie holds 32 random bytes and the office their digest, so that whoever reads the office
cannot sign in with what he finds. Before anybody signed in a browser has a cookie of its own, by
which the form of ``/sign-in`` knows its own answers.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from bridge.protocols.people import Account, People, Session

COOKIE: Final = "__Host-muniment"
VISITOR: Final = "__Host-muniment-visitor"
IDLE = timedelta(minutes=15)
LONGEST = timedelta(hours=12)
PROOF = timedelta(minutes=10)
"""How long after signing in, or proving it again, a step-up is not asked for."""

_TOUCHED_EVERY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Begins, finds and ends sessions. ``secret`` makes the tokens of those not signed in."""

    office: People
    random_bytes: Callable[[int], bytes]
    secret: bytes

    async def begin(
        self,
        response: Response,
        account: Account,
        *,
        now: datetime,
        instead_of: Session | None = None,
    ) -> Session:
        """A new session for an account; its cookie goes out with ``response``.

        ``instead_of``: the one that this browser had, which ends. Sessions that are over are
        swept away by the way.
        """
        session = await self._begin(response, account, began_at=now, now=now)
        if instead_of is not None:
            await self.office.end_session(instead_of.digest)
        await self.office.end_sessions(seen_before=now - IDLE)
        _drop(response, VISITOR)
        return session

    async def renew(
        self, response: Response, account: Account, session: Session, *, now: datetime
    ) -> None:
        """Its person proved again who they are: the session goes on under another cookie."""
        await self._begin(response, account, began_at=session.began_at, now=now)
        await self.office.end_session(session.digest)

    async def _begin(
        self, response: Response, account: Account, *, began_at: datetime, now: datetime
    ) -> Session:
        cookie = self.random_bytes(32).hex()
        session = Session(
            digest=_digest(cookie),
            name=account.name,
            roles=account.roles,
            groups=account.groups,
            csrf=self.random_bytes(32).hex(),
            began_at=began_at,
            seen_at=now,
            proved_at=now,
        )
        await self.office.begin_session(session)
        _set(response, COOKIE, cookie)
        return session

    async def of(self, request: Request, *, now: datetime) -> Session | None:
        """The live session of a request, with what its account may do now.

        One that is over, or whose account is gone or disabled, is forgotten.
        """
        cookie = request.cookies.get(COOKIE)
        session = None if cookie is None else await self.office.session(_digest(cookie))
        if session is None:
            return None
        account = await self.office.account(session.name)
        is_over = now - session.seen_at > IDLE or now - session.began_at > LONGEST
        if is_over or account is None or account.disabled:
            await self.office.end_session(session.digest)
            return None
        if now - session.seen_at > _TOUCHED_EVERY:
            await self.office.touch_session(session.digest, seen_at=now)
        return replace(session, roles=account.roles, groups=account.groups)

    async def end(self, session: Session, response: Response) -> None:
        """Sign out: the session is forgotten, here and in the browser."""
        await self.office.end_session(session.digest)
        _drop(response, COOKIE)

    def visitor(self, request: Request, cookies: MutableMapping[str, str]) -> str:
        """The cookie of a browser that is not signed in, made into ``cookies`` where missing."""
        cookie = request.cookies.get(VISITOR) or cookies.get(VISITOR)
        if cookie is None:
            cookie = cookies[VISITOR] = self.random_bytes(32).hex()
        return cookie

    def visitor_token(self, request: Request, cookies: MutableMapping[str, str]) -> str:
        """The form token of a browser that is not signed in."""
        return self._token(self.visitor(request, cookies))

    def is_own_form(self, request: Request, session: Session | None, token: str) -> bool:
        """Whether a posted token is the one that we put into this browser's form."""
        if session is not None:
            return hmac.compare_digest(session.csrf.encode(), token.encode())
        cookie = request.cookies.get(VISITOR)
        return cookie is not None and hmac.compare_digest(
            self._token(cookie).encode(), token.encode()
        )

    def _token(self, cookie: str) -> str:
        return hmac.digest(self.secret, cookie.encode(), "sha256").hex()


def give_cookies(response: Response, cookies: dict[str, str]) -> None:
    """Send out cookies that were made on the way."""
    for name, value in cookies.items():
        _set(response, name, value)


def _set(response: Response, name: str, value: str) -> None:
    response.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="lax")


def _drop(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
