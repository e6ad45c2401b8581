"""The table of rights against what the design and the reference ask of it."""

from __future__ import annotations

from itertools import combinations

import pytest

from bridge.console.rights import BLIND, RIGHTS, Right, clash_of, rights_of
from bridge.protocols.people import Role
from tests.unit.bridge.console.expected import READING

WORKING = {Right.CONTENT, Right.REVIEW, Right.SENSITIVE, Right.EXPORT}
"""Rights with which one meets content."""


def test_every_role_has_rights_and_every_right_a_role() -> None:
    """Nothing is in the table for nobody."""
    assert set(RIGHTS) == set(Role)
    assert all(RIGHTS.values())
    assert set().union(*RIGHTS.values()) == set(Right)


def test_content_is_for_those_who_read_it() -> None:
    """And whoever may work with it may read it."""
    assert {role for role in Role if Right.CONTENT in RIGHTS[role]} == READING
    for role in set(Role) - READING:
        assert not RIGHTS[role] & WORKING


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.AUDITOR])
def test_who_watches_sees_no_content_whatever_else_they_are(role: Role) -> None:
    """One such role takes content from all others together."""
    assert not rights_of(Role) & WORKING
    for other in Role:
        assert not rights_of({role, other}) & WORKING
        assert rights_of({role, other}) >= RIGHTS[role]


def test_who_cannot_be_one_person() -> None:
    """Whoever watches and whoever works with content are two."""
    for pair in combinations(Role, 2):
        clashes = bool(BLIND & set(pair)) and bool(READING & set(pair))
        assert (clash_of(pair) is not None) == clashes, pair
    assert clash_of({Role.AUDITOR, Role.READER}) == (Role.AUDITOR, Role.READER)
    assert clash_of({Role.OPERATOR, Role.AUDITOR}) is None


def test_nobody_but_a_hold_authority_releases() -> None:
    """Who places holds for a living does not lift them."""
    assert {role for role in Role if Right.RELEASE in RIGHTS[role]} == {Role.HOLD_AUTHORITY}
    assert Right.RELEASE not in RIGHTS[Role.RECORDS_MANAGER]


def test_the_trail_is_for_who_audits_and_who_answers_for_the_records() -> None:
    """Others do not see what their colleagues looked for."""
    assert {role for role in Role if Right.TRAIL in RIGHTS[role]} == {
        Role.AUDITOR,
        Role.RECORDS_MANAGER,
    }


def test_no_role_is_no_right() -> None:
    """An account without roles may nothing."""
    assert rights_of([]) == frozenset()
