"""How far a back-up or a restore is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is being done, and how much of it."""

    what: str
    done: int = 0
    total: int = 0


Show = Callable[[Step], None]
"""Is given how far it is, now and then."""
