"""What one response gives, before it is a batch: it is filled step by step, then handed over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bridge.model import Event, GroupTimer, Loss, Sighting
from connectors.matrix.device_news import DeviceNews
from connectors.matrix.place import Place


@dataclass(slots=True, kw_only=True)
class Delivery:
    """What one response gives. ``place`` is where the next one begins.

    ``told`` and ``counted``: of which groups it tells; they count once it is known to be kept, as
    do ``timers``, each with the number of changes that led to it.
    ``to_device`` and ``devices`` are those of a sync: every one brings them, of whatever slice.
    ``answered``: an answer of the homeserver led to it.
    ``began``: the group that it begins to record, found joined already.
    """

    place: Place
    events: list[Event] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    timers: dict[str, tuple[int, GroupTimer]] = field(default_factory=dict)
    unlisted: int = 0
    to_device: tuple[bytes, ...] = field(default=(), repr=False)
    devices: DeviceNews | None = None
    told: dict[str, Sighting] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)
    answered: bool = True
    began: str = ""

    def lose(self, group_id: str, why: str, until: datetime) -> None:
        """Tell of a loss."""
        self.losses.append(Loss(group_id=group_id, why=why, until=until))
