"""Who may do what: one table. Pure. What no role of an account gives is denied."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from bridge.protocols.people import Role


class Right(StrEnum):
    """What a page or a deed asks for."""

    OVERVIEW = "overview"
    """Numbers without content: groups, counts, delays, alarms."""

    CONTENT = "content"
    """Read what was said in the groups of one's scope: days, records, search, media."""

    REVIEW = "review"
    """Decide on what waits for a person."""

    SENSITIVE = "sensitive"
    """Read and decide what is marked personal, party or escalated."""

    EXPORT = "export"
    """Download a selection."""

    HOLD = "hold"
    """Place a legal hold."""

    RELEASE = "release"
    """Release a hold that somebody else placed."""

    RETENTION = "retention"
    """See retention classes and what falls due."""

    TRAIL = "trail"
    """Read the audit trail, which holds no content."""

    REGISTER = "register"
    """Propose, approve, pause and close groups."""


_LOOKING: Final = frozenset({Right.OVERVIEW, Right.CONTENT})

RIGHTS: Final[dict[Role, frozenset[Right]]] = {
    Role.OWNER: _LOOKING | {Right.REGISTER, Right.RETENTION},
    Role.OPERATOR: frozenset({Right.OVERVIEW}),
    Role.REVIEWER: _LOOKING | {Right.REVIEW},
    Role.RECORDS_MANAGER: _LOOKING
    | {Right.REVIEW, Right.EXPORT, Right.HOLD, Right.RETENTION, Right.REGISTER, Right.TRAIL},
    Role.FOI_OFFICER: _LOOKING | {Right.EXPORT, Right.HOLD},
    Role.HOLD_AUTHORITY: frozenset({Right.OVERVIEW, Right.HOLD, Right.RELEASE}),
    Role.DISPOSAL_APPROVER: frozenset({Right.OVERVIEW, Right.RETENTION}),
    Role.SENSITIVITY_REVIEWER: _LOOKING | {Right.REVIEW, Right.SENSITIVE},
    Role.AUDITOR: frozenset({Right.OVERVIEW, Right.TRAIL, Right.RETENTION}),
    Role.READER: _LOOKING,
}


_CONTENT: Final = frozenset({Right.CONTENT, Right.REVIEW, Right.SENSITIVE, Right.EXPORT})
BLIND: Final = frozenset({Role.OPERATOR, Role.AUDITOR})
"""Roles whose holders see no content, whatever other roles they have."""


def rights_of(roles: Iterable[Role]) -> frozenset[Right]:
    """What these roles may do together. A role that sees no content takes it from all others."""
    held = frozenset(roles)
    together = frozenset[Right]().union(*(RIGHTS[role] for role in held))
    return together - _CONTENT if held & BLIND else together


def clash_of(roles: Iterable[Role]) -> tuple[Role, Role] | None:
    """Two of these roles that nobody holds at once: who watches, and who works with content."""
    held = frozenset(roles)
    blind = sorted(held & BLIND)
    seeing = sorted(role for role in held if RIGHTS[role] & _CONTENT)
    return (blind[0], seeing[0]) if blind and seeing else None
