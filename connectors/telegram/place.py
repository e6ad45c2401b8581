"""The connector's cursor: where it stands in the updates, as JSON. Opaque to everyone else."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from bridge.model import Cursor

MOST_POLLS = 500
"""Polls whose group is remembered: the Bot API tells of votes without naming it."""

_MS = timedelta(milliseconds=1)


class GroupPlace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A group that is recorded, as it stood where the next delivery begins.

    ``chat`` is its number now, where it is another than the one it was approved under. ``status``
    is the bot's; ``hears``: all that is said reaches it though it is no administrator. ``timer``
    is that of auto-deletion in seconds. ``roster_at`` is the time of the last roster
    (milliseconds); ``stale``: members changed since.
    """

    chat: str = ""
    name: str | None = None
    status: str = ""
    hears: bool = False
    obstacle: str | None = None
    timer: int = 0
    last_message: int = 0
    roster_at: int = 0
    stale: bool = False


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where we stand.

    ``offset`` and ``posts`` are what may be acknowledged (:class:`connectors.telegram.ports.Mark`).
    ``heard`` is when the platform was last known to answer, in milliseconds, as are ``newest``,
    when the last update with a number came, and the time in ``waiting`` since when we have been in
    a group that nobody approved. ``moved`` leads from the number of a supergroup to the group it
    was before; ``polls`` from a poll to its message. ``turns`` counts deliveries that would else
    end where they began.
    """

    offset: int | None = None
    posts: str = ""
    heard: int = 0
    newest: int = 0
    groups: dict[str, GroupPlace] = {}
    moved: dict[str, str] = {}
    polls: dict[str, str] = {}
    waiting: dict[str, int] = {}
    turns: int = 0


_decoder = msgspec.json.Decoder(Place)


def read_place(cursor: Cursor | None) -> Place:
    """The place a cursor names; without one, the beginning."""
    return Place() if cursor is None else _decoder.decode(cursor)


def write_place(place: Place) -> Cursor:
    """The cursor for a place."""
    return Cursor(msgspec.json.encode(place))


def milliseconds(at: datetime) -> int:
    """A time as the cursor has it."""
    return (at - datetime.fromtimestamp(0, at.tzinfo)) // _MS


def group_of(place: Place, chat: str, approved: frozenset[str]) -> str:
    """The group that a chat is: a supergroup stays the group that it was approved as."""
    before = place.moved.get(chat, chat)
    return chat if before not in approved and chat in approved else before


def chat_of(place: Place, group_id: str) -> str:
    """The number by which the Bot API knows a group now."""
    known = place.groups.get(group_id)
    if known is not None and known.chat:
        return known.chat
    return next((new for new, old in place.moved.items() if old == group_id), group_id)


def with_group(place: Place, group_id: str, group: GroupPlace | None) -> Place:
    """The place with a group as given, or without it."""
    groups = {known: each for known, each in place.groups.items() if known != group_id}
    if group is not None:
        groups[group_id] = group
    return msgspec.structs.replace(place, groups=groups)


def with_poll(place: Place, poll: str, message: str) -> Place:
    """The place that remembers whose poll it is; the one longest not heard of is forgotten."""
    polls = {known: each for known, each in place.polls.items() if known != poll}
    polls[poll] = message
    for oldest in tuple(polls)[: max(len(polls) - MOST_POLLS, 0)]:
        del polls[oldest]
    return msgspec.structs.replace(place, polls=polls)
