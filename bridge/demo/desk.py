"""Who signs in at the console of a demonstration: two people, for nobody releases a hold alone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from bridge.protocols.people import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Clerk:
    """An account of the console. ``does`` says what for, in a few words."""

    name: str
    role: Role
    does: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where the console answers, and the accounts that were made for it."""

    url: str
    manager: Clerk
    authority: Clerk

    @property
    def clerks(self) -> tuple[Clerk, ...]:
        """Everybody who may sign in."""
        return self.manager, self.authority


def new_desk(url: str) -> Desk:
    """The two, with passwords that nobody had before and that can be typed."""
    return Desk(
        url=url,
        manager=Clerk(
            name="manager",
            role=Role.RECORDS_MANAGER,
            does="finds, reads, decides, proves, places holds",
            password=_password(),
        ),
        authority=Clerk(
            name="authority",
            role=Role.HOLD_AUTHORITY,
            does="releases holds that others placed; reads nothing",
            password=_password(),
        ),
    )


def _password() -> str:
    return "-".join(secrets.token_hex(2) for _ in range(4))
