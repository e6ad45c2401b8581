"""Who uses the console, what they are doing now, and the trail of what they did."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Role(StrEnum):
    """What somebody is to the records; an account has one or more."""

    OWNER = "owner"
    OPERATOR = "operator"
    REVIEWER = "reviewer"
    RECORDS_MANAGER = "records_manager"
    FOI_OFFICER = "foi_officer"
    HOLD_AUTHORITY = "hold_authority"
    DISPOSAL_APPROVER = "disposal_approver"
    SENSITIVITY_REVIEWER = "sensitivity_reviewer"
    AUDITOR = "auditor"
    READER = "reader"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody. ``groups``: the gids whose content they may see; empty means all.

    ``password``: an argon2id hash, None of those who sign in elsewhere; ``subject``: who they are
    there, which stays when their name changes, None of those who sign in here.
    """

    name: str
    roles: frozenset[Role]
    groups: frozenset[str] = frozenset()
    password: str | None = field(default=None, repr=False)
    disabled: bool = False
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in browser. ``digest`` is that of its cookie, which nobody keeps.

    ``csrf`` stands in every form. ``proved_at``: when its person last proved who they are.
    """

    digest: bytes = field(repr=False)
    name: str
    roles: frozenset[Role]
    groups: frozenset[str]
    csrf: str = field(repr=False)
    began_at: datetime
    seen_at: datetime
    proved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEntry:
    """A line of the audit trail: no content, only what was asked for and by whom.

    ``what`` is a verb of the console (``view record``, ``search``, ``sign in``, ...), ``subject``
    what it was about (a stem, a gid, a hold's number), ``details`` the rest as text. ``allowed``
    is False for what was denied. ``number`` and ``chain`` are given by the office: ``chain`` is
    the SHA-256 over the one before and this line, so that none can be taken out unseen.
    """

    number: int = 0
    at: datetime
    who: str
    what: str
    subject: str = ""
    details: str = ""
    allowed: bool = True
    chain: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFilter:
    """Which lines of the trail are asked for; what is empty leaves none out.

    Times are ``since`` <= at < ``until``.
    """

    who: str = ""
    what: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None
    denied: bool = False


class People(Protocol):
    """A part of :class:`bridge.protocols.Office`: accounts, sessions, the trail.

    Every verb that writes is one transaction, durable on return.
    """

    async def create_account(self, account: Account, *, at: datetime) -> bool:
        """Add an account. False: the name or the subject is taken; nothing was changed."""

    async def change_account(self, account: Account) -> bool:
        """Put what is given in place of the account of this name, whose subject stays.

        MUST count from the next request on of whoever is signed in. False: there is none.
        """

    async def account(self, name: str) -> Account | None:
        """The account of this name."""

    async def account_of(self, subject: str) -> Account | None:
        """The account of who signs in elsewhere as this subject."""

    async def accounts(self) -> tuple[Account, ...]:
        """All of them, by name."""

    async def begin_session(self, session: Session) -> None:
        """Remember a session."""

    async def session(self, digest: bytes) -> Session | None:
        """The session of a cookie. Whether it is over is for the caller to say."""

    async def touch_session(
        self, digest: bytes, *, seen_at: datetime, proved_at: datetime | None = None
    ) -> None:
        """It was used; with ``proved_at``, its person proved who they are."""

    async def end_session(self, digest: bytes) -> None:
        """Forget it."""

    async def end_sessions(self, *, seen_before: datetime) -> int:
        """Forget those not used since; gives how many."""

    async def record(self, entry: TrailEntry) -> int:
        """Append a line to the trail. Durable on return; gives its number.

        MUST be called, and succeed, before content is sent.
        """

    async def trail(
        self, *, before: int | None = None, limit: int, who: str | None = None
    ) -> tuple[TrailEntry, ...]:
        """Lines of the trail, newest first."""

    async def trail_matching(
        self, asked: TrailFilter, *, before: int | None = None, limit: int
    ) -> tuple[TrailEntry, ...]:
        """Lines of the trail that fit, newest first."""

    async def trail_after(self, number: int, *, limit: int) -> tuple[TrailEntry, ...]:
        """Lines of the trail above a number, oldest first."""

    async def trail_digest(self, *, until: datetime) -> tuple[int, bytes] | None:
        """Number and chain of the last line before ``until``; None where there is none."""

    async def broken_trail(self) -> int | None:
        """The number of the first line whose chain does not fit; None where all do."""
