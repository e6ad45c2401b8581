"""What one language has to say: the notice with its words, and the sentences after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The notice of one language. ``days`` and ``length`` put numbers into words.

    ``kept_some`` and ``kept_all`` may use ``retention``, ``discard_days`` and ``policy``;
    ``overrides`` has a sentence with ``codes`` for each outcome.
    """

    template: str
    department: str
    group: str
    group_named: str
    contact: str
    contact_owner: str
    retention: str
    retention_open: str
    days: Callable[[int], str]
    kept_some: str
    kept_all: str
    overrides: Mapping[str, str]
    timer: str
    no_timer: str
    length: Callable[[float], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    """What a group is told after its notice, in one language. Times are always UTC."""

    moment: str
    months: tuple[str, ...]
    paused: str
    resumed: str
    interrupted: str
    degraded: str
    recovered: str
    newcomers: str


SECONDS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def parted(seconds: float) -> tuple[int, str]:
    """A length as a whole number of the largest unit that tells it exactly; seconds at least 1."""
    whole = max(round(seconds), 1)
    return next((whole // size, unit) for unit, size in SECONDS if whole % size == 0)
