"""Groups as the register has them, and their streams."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
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
class Particulars:
    """What is on record of a group besides where it stands: why it may be recorded, and how.

    ``owner`` answers for it; ``retention`` names a class of the settings, None is the usual one;
    ``dpia`` is the reference of the data protection impact assessment.
    """

    owner: str | None = None
    purpose: str | None = None
    retention: str | None = None
    dpia: str | None = None
    device_type: str | None = None

    def over(self, standing: Particulars) -> Particulars:
        """These, and what stands already where these say nothing."""
        return Particulars(
            owner=self.owner or standing.owner,
            purpose=self.purpose or standing.purpose,
            retention=self.retention or standing.retention,
            dpia=self.dpia or standing.dpia,
            device_type=self.device_type or standing.device_type,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group as the register has it. ``note`` says in words why it is not recording.

    ``listed`` groups are approved by the settings file and by nothing else. ``notices`` counts
    the notices settled so far. ``timer`` is what a message said now disappears by.
    ``proposed_by`` is who proposed it, or invited the recorder, as the platform names them.
    ``notice_version`` is that of the last notice settled; None: of none, and empty where the same
    is to be said again. ``newcomer_at``: when the first member came who was not told yet;
    ``newcomers_told_at``: when such members were told last.
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
    particulars: Particulars = Particulars()
    proposed_by: str | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None
    notice_version: str | None = None
    notice_at: datetime | None = None
    newcomer_at: datetime | None = None
    newcomers_told_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The numbered events of one group. ``id`` and ``gid`` are blinded (:mod:`bridge.keys`).

    ``capture_all`` and ``retention``, the name of a class, are what the register says now.
    """

    id: str
    gid: str
    connector: str
    platform: str
    group_id: str
    group_name: str | None
    capture_all: bool = False
    retention: str | None = None
