"""Passwords of the console's own accounts, by argon2id; an unknown name takes as long."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12
"""Characters. Length is what counts; nothing else is asked."""

_HASHER = PasswordHasher()


@cache
def _nobodys() -> str:
    """What is kept of a password that nobody has; made once, when it is first asked for."""
    return _HASHER.hash("nobody has this password")


def hashed(password: str) -> str:
    """What is kept of a password. Takes some 50 ms on purpose: call it in a thread."""
    return _HASHER.hash(password)


def is_right(password: str, kept: str | None) -> bool:
    """Whether ``password`` is the one ``kept`` was made of. Blocks: call it in a thread.

    Without ``kept`` the answer is no, after the same work: the time tells nobody which names exist.
    """
    try:
        _HASHER.verify(kept or _nobodys(), password)
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None
