"""What texts came to, remembered for a while: each is met again as a neighbour of the next ones.

A text is known by a digest of it, so that nothing of what was said stays behind.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Generic, TypeVar

_T = TypeVar("_T")

REMEMBERED = 512
"""Texts, at most; then all are forgotten at once."""


class Memory(Generic[_T]):
    """What one kind of work found in texts. It MUST find the same in the same text."""

    def __init__(self) -> None:
        self._known: dict[bytes, _T] = {}

    def of(self, body: str, work: Callable[[str], _T]) -> _T:
        """What ``work`` finds in ``body``."""
        key = blake2b(body.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        known = self._known.get(key)
        if known is not None:
            return known
        found = work(body)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[key] = found
        return found
