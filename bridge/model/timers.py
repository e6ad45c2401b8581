"""Disappearing-message timers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A disappearing-message timer: its length in seconds, and the rule it comes from.

    It runs from event time; ``from_receipt`` means that it starts when the message is read, and
    so for us not before we received it.
    """

    seconds: float
    basis: str
    from_receipt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTimer:
    """The timers of a group as they now stand; told at its beginning and at each change.

    ``standing`` ends what was said before too, so that pending entries are planned anew;
    ``default`` runs only for what is said from now on. None: no such timer runs.
    """

    group_id: str
    standing: Timer | None = None
    default: Timer | None = None

    @property
    def shortest(self) -> Timer | None:
        """The one that a message said now disappears by."""
        return shorter(self.standing, self.default)


def shorter(one: Timer | None, other: Timer | None) -> Timer | None:
    """Whichever of two timers ends first; None where neither runs."""
    if one is None or other is None:
        return one or other
    return other if other.seconds < one.seconds else one
