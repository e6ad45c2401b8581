"""How long things are kept, as the settings say it: classes of retention, and time for reviews."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionClass:
    """A class. ``days`` None: what is in it is kept without an end."""

    name: str
    days: int | None
    authority: str = ""


USUAL = RetentionClass(name="", days=None)
"""Of a console that knows no settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The classes, and which groups are in each, by connector and group id.

    ``usual``: of groups that name none. ``review``: how long a review is left to people, up to
    the moment at which nobody's decision becomes one by policy.
    """

    usual: RetentionClass = USUAL
    classes: tuple[RetentionClass, ...] = ()
    named: Mapping[tuple[str, str], str] = field(default_factory=dict)
    review: timedelta | None = None

    @property
    def all(self) -> tuple[RetentionClass, ...]:
        """Every class, the usual one first."""
        return (self.usual, *self.classes)

    def of(self, connector: str, group_id: str, given: str | None = None) -> RetentionClass:
        """The class of a group: what the settings say, or else the register's word, ``given``.

        What is stored, what a notice promises and what the console shows MUST all be asked here. A
        class that is no more keeps as long as the longest one: nothing goes too early.
        """
        name = self.named.get((connector, group_id), given)
        if name is None:
            return self.usual
        gone = RetentionClass(name=name, days=self._longest())
        return next((each for each in self.classes if each.name == name), gone)

    def _longest(self) -> int | None:
        return max((each.days for each in self.all if each.days is not None), default=None)
