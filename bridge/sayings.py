"""Sentences for groups, on their way to the journal's outbox: who may be told, and how long."""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge import keys
from bridge.groups import UNREADABLE
from bridge.model import Group, GroupState, Presence
from bridge.protocols import Saying

WORTH_SAYING = timedelta(days=1)
"""How long a sentence that names its times is worth saying."""


def is_told(group: Group) -> bool:
    """Whether the recorder speaks in a group: it is a member, and can read what is said there.

    Without keys our sentence would be the only one in clear text in an encrypted group.
    """
    unreadable = group.state is GroupState.NOT_RECORDING or group.note.startswith(UNREADABLE)
    return group.presence is Presence.JOINED and not unreadable


def saying(
    group: Group, text: str, *, what: str, at: datetime, until: datetime | None = None
) -> Saying:
    """A sentence about what happened to a group at ``at``; the same twice is one saying."""
    return Saying(
        connector=group.connector,
        group_id=group.group_id,
        text=text,
        key=keys.saying_key(group.connector, group.group_id, what, at),
        until=until or at + WORTH_SAYING,
    )
