"""Groups as the register has them, and their streams."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bridge.model.delivery import Presence
from bridge.model.timers import Timer


class GroupState(StrEnum):
    """Where a group stands in the register; ``status`` and the console use these words."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    ACTIVE = "active"
    NOT_RECORDING = "not_recording"
    PAUSED = "paused"
    REMOVED = "removed"
    CLOSED = "closed"


class NoticeState(StrEnum):
    """Whether the group has been told. Nothing of it is stored while the notice is ``due``."""

    DUE = "due"
    POSTED = "posted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group as the register has it. ``note`` says in words why it is not recording.

    ``listed`` groups are approved by the settings file and by nothing else. ``notices`` counts
    the notices settled so far. ``timer`` is what a message said now disappears by.
    """

    connector: str
    platform: str
    group_id: str
    name: str | None
    state: GroupState
    notice: NoticeState = NoticeState.DUE
    presence: Presence | None = None
    note: str = ""
    capture_all: bool = False
    listed: bool = False
    notices: int = 0
    timer: Timer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The numbered events of one group. ``id`` and ``gid`` are blinded (:mod:`bridge.keys`)."""

    id: str
    gid: str
    connector: str
    platform: str
    group_id: str
    group_name: str | None
    capture_all: bool = False
