"""What a connector delivers at once, and what the platform tells of groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from bridge.model.events import Event
from bridge.model.timers import GroupTimer

Cursor = NewType("Cursor", bytes)
"""A connector's place in its platform. Opaque to everyone but that connector."""


class Presence(StrEnum):
    """Where the recorder stands towards a group, as the platform says."""

    INVITED = "invited"
    JOINED = "joined"
    LEFT = "left"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A loss the connector can name: what could not be had, and between which times."""

    group_id: str
    why: str
    since: datetime | None = None
    until: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What the platform told us about a group itself. Applying it twice changes nothing.

    ``obstacle``: why we cannot read what is said there, in words that end without a stop; empty
    where we can. It is None where this does not show it: only a part of the state was seen.
    """

    group_id: str
    presence: Presence
    at: datetime
    name: str | None = None
    by: str | None = None
    obstacle: str | None = None
    successor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One delivery. All it holds, and its cursor, are committed together or not at all.

    ``cursor`` is None only for events the bridge derives itself. ``unlisted`` counts events of
    groups that are not approved; nothing else of them is kept. ``to_device`` are messages to our
    device alone, whole and in order: the platform forgets them once the cursor is past them.
    ``answered`` is False where no answer of the platform led to it: it was not heard by this.
    """

    connector: str
    platform: str
    cursor: Cursor | None
    events: tuple[Event, ...] = ()
    losses: tuple[Loss, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    timers: tuple[GroupTimer, ...] = ()
    to_device: tuple[bytes, ...] = field(default=(), repr=False)
    unlisted: int = 0
    answered: bool = True
