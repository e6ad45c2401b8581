"""The register of groups: where a group may stand and what moves it, as one table.

Only a person approves. What the platform tells (a :class:`Sighting`) may propose a group, set an
approved one to work, or stop it; it never approves, and it never reopens what was closed. A
sighting is a snapshot of the group, so applying it twice changes nothing.

Everything here is pure: the caller writes the group with a compare-and-set on its old state.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from bridge.lifecycle import InvalidTransitionError
from bridge.model import Event, EventKind, Group, GroupState, NoticeState, Presence, Sighting
from bridge.protocols.office import StepKind

UNREADABLE = "cannot be read: "
"""How a note begins that says what the obstacle is."""

UNKNOWN = "why is told again at the next start"
REMOVED = "removed by the group"
LEFT = "the recorder left the group"
WAITING = "waiting for an invitation"
INVITED = "invited: the recorder has not joined yet"
JOINED = "joined: waiting for the state of the group"
UNAPPROVED = "the recorder is in the group without an approval: nothing is kept"
INVITED_AGAIN = "invited again after a removal: approve it again to record it"
REMOVED_PAUSED = "removed while it was paused: approve it again to record it"
NOTICE_REFUSED = "notice refused: "
"""How a note begins that says why the notice is not in the group."""

_MOVED = "moved to "
_GONE = frozenset({Presence.LEFT, Presence.REMOVED})
_CAME = frozenset({"join", "member"})
_PRESENT = _CAME | {"administrator", "creator", "restricted"}
_PENDING: dict[Presence | None, str] = {Presence.INVITED: INVITED, Presence.JOINED: JOINED}


class GroupTrigger(StrEnum):
    """What moves a group in the register."""

    PROPOSE = "propose"
    APPROVE = "approve"
    JOINED = "joined"
    DEAFEN = "deafen"
    HEAR = "hear"
    PAUSE = "pause"
    RESUME = "resume"
    REMOVE = "remove"
    CLOSE = "close"


TRANSITIONS: dict[tuple[GroupState | None, GroupTrigger], GroupState] = {
    (None, GroupTrigger.PROPOSE): GroupState.PROPOSED,
    (None, GroupTrigger.APPROVE): GroupState.APPROVED,
    (GroupState.PROPOSED, GroupTrigger.APPROVE): GroupState.APPROVED,
    (GroupState.PAUSED, GroupTrigger.APPROVE): GroupState.APPROVED,
    (GroupState.REMOVED, GroupTrigger.APPROVE): GroupState.APPROVED,
    (GroupState.APPROVED, GroupTrigger.JOINED): GroupState.ACTIVE,
    (GroupState.APPROVED, GroupTrigger.DEAFEN): GroupState.NOT_RECORDING,
    (GroupState.ACTIVE, GroupTrigger.DEAFEN): GroupState.NOT_RECORDING,
    (GroupState.NOT_RECORDING, GroupTrigger.HEAR): GroupState.ACTIVE,
    (GroupState.APPROVED, GroupTrigger.PAUSE): GroupState.PAUSED,
    (GroupState.ACTIVE, GroupTrigger.PAUSE): GroupState.PAUSED,
    (GroupState.NOT_RECORDING, GroupTrigger.PAUSE): GroupState.PAUSED,
    (GroupState.PAUSED, GroupTrigger.RESUME): GroupState.APPROVED,
    (GroupState.APPROVED, GroupTrigger.REMOVE): GroupState.REMOVED,
    (GroupState.ACTIVE, GroupTrigger.REMOVE): GroupState.REMOVED,
    (GroupState.NOT_RECORDING, GroupTrigger.REMOVE): GroupState.REMOVED,
    (GroupState.PAUSED, GroupTrigger.REMOVE): GroupState.REMOVED,
    (GroupState.PROPOSED, GroupTrigger.CLOSE): GroupState.CLOSED,
    (GroupState.APPROVED, GroupTrigger.CLOSE): GroupState.CLOSED,
    (GroupState.ACTIVE, GroupTrigger.CLOSE): GroupState.CLOSED,
    (GroupState.NOT_RECORDING, GroupTrigger.CLOSE): GroupState.CLOSED,
    (GroupState.PAUSED, GroupTrigger.CLOSE): GroupState.CLOSED,
    (GroupState.REMOVED, GroupTrigger.CLOSE): GroupState.CLOSED,
}
"""Every arrow; None is a group that is not in the register."""

_STEPS: dict[StepKind, GroupTrigger] = {
    StepKind.PROPOSE: GroupTrigger.PROPOSE,
    StepKind.APPROVE: GroupTrigger.APPROVE,
    StepKind.PAUSE: GroupTrigger.PAUSE,
    StepKind.RESUME: GroupTrigger.RESUME,
    StepKind.CLOSE: GroupTrigger.CLOSE,
}


def is_possible(state: GroupState | None, trigger: GroupTrigger) -> bool:
    """Whether the table has this arrow; to be asked before a person's step is taken up."""
    return (state, trigger) in TRANSITIONS


def next_group_state(state: GroupState | None, trigger: GroupTrigger) -> GroupState:
    """Where ``trigger`` takes a group in ``state`` (None: not in the register).

    Raises:
        InvalidTransitionError: the table has no such arrow. Nothing changed.
    """
    try:
        return TRANSITIONS[(state, trigger)]
    except KeyError:
        where = state or "an unknown group"
        raise InvalidTransitionError(f"{trigger} is not possible from {where}") from None


def step_trigger(kind: StepKind) -> GroupTrigger:
    """The arrow of a step that a person ordered."""
    return _STEPS[kind]


def apply_step(group: Group, kind: StepKind) -> Group:
    """The group after a person's step.

    Approval of a group the recorder is in already does not set it to work: whether it can be
    read, only the connector's next sighting from its full state can say. A known obstacle does
    not wait for that.

    Raises:
        InvalidTransitionError: the step is not possible from the group's state.
    """
    state = next_group_state(group.state, step_trigger(kind))
    # Obstacles and successors are facts about the group, not about the step: they stay.
    note = group.note if group.note.startswith((UNREADABLE, _MOVED)) else ""
    if state is not GroupState.APPROVED:
        return replace(group, state=state, note=note)
    if group.presence is Presence.JOINED and note.startswith(UNREADABLE):
        return replace(group, state=next_group_state(state, GroupTrigger.DEAFEN), note=note)
    return replace(group, state=state, note=note or _PENDING.get(group.presence, WAITING))


def first_sighting(sighting: Sighting, *, connector: str, platform: str) -> Group | None:
    """The proposal that a sighting of an unknown group makes.

    None where the recorder is gone from the group already: there is nothing to approve.
    """
    if sighting.presence in _GONE:
        return None
    blank = Group(
        connector=connector,
        platform=platform,
        group_id=sighting.group_id,
        name=sighting.name,
        state=next_group_state(None, GroupTrigger.PROPOSE),
        proposed_by=sighting.by,
    )
    return apply_sighting(blank, sighting)


def apply_sighting(group: Group, sighting: Sighting) -> Group:
    """The group after what the platform told of it. Applying it twice MUST change nothing more."""
    name = group.name if sighting.name is None else sighting.name
    if _is_old_news(group, sighting):
        return replace(group, name=name)
    trigger = _sighting_trigger(group, sighting)
    state = group.state
    if trigger is not None and is_possible(state, trigger):
        state = next_group_state(state, trigger)
    return replace(
        group,
        state=state,
        presence=sighting.presence,
        name=name,
        note=_note(group, sighting, state),
        notice=_notice(group, state),
    )


def is_held_back(group: Group) -> bool:
    """Whether a person paused a group that the settings file lists: only a person lets it go on.

    A removal ends the stream, not the pause.
    """
    removed = group.state is GroupState.REMOVED and group.note == REMOVED_PAUSED
    return group.listed and (group.state is GroupState.PAUSED or removed)


def is_due_again(group: Group) -> bool:
    """Whether a group that is taken up again is told anew: nobody may be there who was told."""
    return group.state is GroupState.REMOVED or group.presence in _GONE


def settled_group(
    group: Group,
    *,
    notice: NoticeState,
    note: str,
    version: str | None,
    at: datetime,
    newcomer_at: datetime | None = None,
) -> Group:
    """The group after a notice was posted or refused at ``at``. Who was there then is told.

    ``newcomer_at``: when the first member came who was not.
    """
    stands = "" if group.note.startswith(NOTICE_REFUSED) else group.note
    return replace(
        group,
        notice=notice,
        note=stands or note,
        notices=group.notices + 1,
        notice_version=version,
        notice_at=at,
        newcomer_at=newcomer_at,
    )


def is_arrival(event: Event) -> bool:
    """Whether an event says that somebody came into the group, who was not in it before."""
    if event.kind is not EventKind.MEMBERSHIP:
        return False
    facts = dict(event.upstream)
    now, before = facts.get("membership"), facts.get("membership_before")
    if now in _CAME:
        return before not in _PRESENT
    return now in _PRESENT and before is not None and before not in _PRESENT


def _notice(group: Group, state: GroupState) -> NoticeState:
    """A notice that came to nothing before is due where recording begins, or goes on."""
    begins = state is GroupState.ACTIVE and group.state is not GroupState.ACTIVE
    return NoticeState.DUE if begins and group.notice is NoticeState.REFUSED else group.notice


def _is_old_news(group: Group, sighting: Sighting) -> bool:
    """Whether the recorder was known to be gone.

    A removal that is told again, after a person approved the group anew, must not undo that.
    """
    return sighting.presence in _GONE and group.presence in _GONE


def _sighting_trigger(group: Group, sighting: Sighting) -> GroupTrigger | None:
    state = group.state
    match sighting.presence:
        case Presence.REMOVED:
            return GroupTrigger.REMOVE
        case Presence.LEFT | Presence.INVITED:
            # Whoever is invited is not a member: a removal went by unseen. Where the recorder was
            # not in the group yet, an invitation came or was withdrawn: what was ordered stands.
            early = state is GroupState.PAUSED and group.presence is not Presence.JOINED
            return None if early or state is GroupState.APPROVED else GroupTrigger.REMOVE
        case Presence.JOINED:
            if sighting.obstacle is None:
                return None
            if sighting.obstacle:
                return GroupTrigger.DEAFEN
            return GroupTrigger.JOINED if state is GroupState.APPROVED else GroupTrigger.HEAR


def _note(group: Group, sighting: Sighting, state: GroupState) -> str:
    """Why the group is not recording, in words; empty where it is."""
    paused = group.state is GroupState.PAUSED or group.note == REMOVED_PAUSED
    if state is GroupState.REMOVED and paused:
        return REMOVED_PAUSED
    if sighting.presence is Presence.REMOVED:
        return REMOVED
    if sighting.presence is Presence.LEFT:
        return LEFT
    if state is GroupState.REMOVED:
        return INVITED_AGAIN
    if sighting.obstacle:
        return f"{UNREADABLE}{sighting.obstacle}"
    if sighting.obstacle is None and group.note.startswith(UNREADABLE):
        return group.note
    if sighting.obstacle is None and state is GroupState.NOT_RECORDING:
        return f"{UNREADABLE}{UNKNOWN}"
    if sighting.successor is not None:
        return f"{_MOVED}{sighting.successor}: that group needs an approval of its own"
    if group.note.startswith(_MOVED):
        return group.note  # a group that moved on never comes back
    if state is GroupState.PROPOSED and sighting.presence is Presence.JOINED:
        return UNAPPROVED
    if state is GroupState.PROPOSED:
        return f"invited by {sighting.by}" if sighting.by else "invited"
    if state is GroupState.APPROVED:
        return _PENDING[sighting.presence]
    return ""
