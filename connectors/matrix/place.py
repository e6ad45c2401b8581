"""The connector's cursor: where it stands in the homeserver, as JSON. Opaque to everyone else."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from bridge.model import Cursor
from connectors.matrix.timers import Length

OTHERS = ""
"""The slice of everything that is no approved group: invitations, mostly."""


class Backfill(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A hole between two tokens, filled forwards page by page. Survives a restart.

    Where it begins at an event (``after``), ``since`` is empty until that has been looked up.
    ``last``: the stay it belongs to has ended since, so that no approval is needed to fill it.
    ``disappearing`` is the room's timer where it begins; None where nobody knows. ``plain``: the
    room is known to be unencrypted there.
    """

    group_id: str
    until: str
    since: str = ""
    after: str = ""
    last: bool = False
    disappearing: Length | None = None
    plain: bool = False


class Rescue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order: ask for the content of an event that was redacted before we read it.

    ``at`` is when it was ordered, in milliseconds, as ``sent`` is the event's own time. ``timer``
    is the disappearing timer that ran for it; ``last`` as for a hole. ``exposed``: it came in the
    clear into an encrypted room.
    """

    group_id: str
    event_id: str
    at: int
    sent: int | None = None
    timer: Length = Length()
    last: bool = False
    exposed: bool = False


Order = TypeVar("Order", Backfill, Rescue)


class Slice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of the stream asked for on its own, while one response cannot be split."""

    since: str | None = None
    turn: int = 0


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where we stand.

    ``since`` is the sync token. ``recorded`` are the groups we are in and journal, with the time
    of their last roster (milliseconds); ``stale`` those whose members changed since. ``begun``
    were found joined already: whether before ``since`` or after, the next response shows.
    ``disappearing`` are the timers of rooms where the next delivery begins, which is not where
    their state is loaded after a restart. ``plain`` are rooms known to be unencrypted there.
    """

    since: str | None = None
    recorded: dict[str, int] = {}
    stale: tuple[str, ...] = ()
    begun: tuple[str, ...] = ()
    backfills: tuple[Backfill, ...] = ()
    rescues: tuple[Rescue, ...] = ()
    disappearing: dict[str, Length] = {}
    plain: tuple[str, ...] = ()
    slices: dict[str, Slice] = {}


def heard(place: Place, *group_ids: str) -> Place:
    """The place once a response has told of these groups."""
    begun = tuple(g for g in place.begun if g not in group_ids)
    return msgspec.structs.replace(place, begun=begun)


def last(order: Order) -> Order:
    """The order, of a stay that has ended since."""
    return msgspec.structs.replace(order, last=True)


_decoder = msgspec.json.Decoder(Place)


def read_place(cursor: Cursor | None) -> Place:
    """The place a cursor names; without one, the beginning."""
    return Place() if cursor is None else _decoder.decode(cursor)


def write_place(place: Place) -> Cursor:
    """The cursor for a place."""
    return Cursor(msgspec.json.encode(place))
