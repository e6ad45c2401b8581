"""What one answer gives, before it is a batch: it is filled step by step, then handed over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bridge.model import Event, GroupTimer, Loss, Presence, Sighting
from connectors.telegram.place import GroupPlace, Place, with_group


@dataclass(slots=True, kw_only=True)
class Delivery:
    """What one answer gives. ``place`` is where the next one begins.

    ``begun`` are the groups whose state it tells whole; ``arrived`` those that the bot was seen to
    come into, and ``met`` approved ones that nothing is known of yet. ``strays`` are updates that
    nobody can attribute, by their bytes; ``tells_stray``: it tells the loss of such. ``counted``:
    of which foreign groups it tells.
    ``answered``: an answer of the platform led to it.
    """

    place: Place
    events: list[Event] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    timers: dict[str, GroupTimer] = field(default_factory=dict)
    strays: list[bytes] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)
    met: set[str] = field(default_factory=set)
    counted: set[str] = field(default_factory=set)
    unlisted: int = 0
    tells_stray: bool = False
    answered: bool = True

    def keep(self, group_id: str, group: GroupPlace | None) -> None:
        """Where a group now stands; None where we are in it no longer."""
        self.place = with_group(self.place, group_id, group)

    def see(self, group_id: str, group: GroupPlace, at: datetime) -> None:
        """Tell of a group that we are in."""
        self.sightings.append(
            Sighting(
                group_id=group_id,
                presence=Presence.JOINED,
                at=at,
                name=group.name,
                obstacle=group.obstacle,
            )
        )

    def lose(
        self, group_id: str, why: str, *, since: datetime | None = None, until: datetime
    ) -> None:
        """Tell of a loss."""
        self.losses.append(Loss(group_id=group_id, why=why, since=since, until=until))
