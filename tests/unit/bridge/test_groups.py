"""The register's table, exhaustively, and what sightings and steps make of a group."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from bridge import groups
from bridge.groups import (
    TRANSITIONS,
    GroupTrigger,
    apply_sighting,
    apply_step,
    first_sighting,
    is_possible,
    next_group_state,
    step_trigger,
)
from bridge.lifecycle import InvalidTransitionError
from bridge.model import Group, GroupState, NoticeState, Presence, Sighting
from bridge.protocols.office import StepKind

OBSTACLE = "encrypted"
NOTE = f"{groups.UNREADABLE}{OBSTACLE}"

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
STATES: tuple[GroupState | None, ...] = (None, *GroupState)


def group(
    state: GroupState = GroupState.APPROVED,
    presence: Presence | None = None,
    note: str = "",
) -> Group:
    """A group of the register."""
    return Group(
        connector="matrix",
        platform="matrix",
        group_id="!room:example.org",
        name="Flood cell",
        state=state,
        presence=presence,
        note=note,
    )


def sighting(
    presence: Presence = Presence.JOINED,
    *,
    obstacle: str | None = "",
    successor: str | None = None,
    name: str | None = None,
    by: str | None = None,
) -> Sighting:
    """What the platform tells of that group."""
    return Sighting(
        group_id="!room:example.org",
        presence=presence,
        at=NOW,
        name=name,
        by=by,
        obstacle=obstacle,
        successor=successor,
    )


SIGHTINGS = tuple(
    sighting(presence, obstacle=obstacle, successor=successor, name=name, by="@ada:example.org")
    for presence, obstacle, successor, name in product(
        Presence, ("", OBSTACLE, None), (None, "!next:example.org"), (None, "Renamed")
    )
)


@pytest.mark.parametrize(("state", "trigger"), [*product(STATES, GroupTrigger)])
def test_every_pair_is_in_the_table_or_raises(
    state: GroupState | None, trigger: GroupTrigger
) -> None:
    """Every state and trigger either has its arrow or is refused."""
    if (state, trigger) in TRANSITIONS:
        assert is_possible(state, trigger)
        assert next_group_state(state, trigger) is TRANSITIONS[(state, trigger)]
    else:
        assert not is_possible(state, trigger)
        with pytest.raises(InvalidTransitionError, match=f"^{trigger} is not possible from "):
            next_group_state(state, trigger)


def test_closed_is_the_end() -> None:
    """No arrow leaves a closed group, and every other state can be closed."""
    assert not [trigger for (state, trigger) in TRANSITIONS if state is GroupState.CLOSED]
    closable = {state for (state, trigger) in TRANSITIONS if trigger is GroupTrigger.CLOSE}
    assert closable == set(GroupState) - {GroupState.CLOSED}


def test_only_a_person_approves() -> None:
    """The arrows that a platform can pull never lead to approved."""
    told = {GroupTrigger.JOINED, GroupTrigger.DEAFEN, GroupTrigger.HEAR, GroupTrigger.REMOVE}
    assert GroupState.APPROVED not in {
        after for (_, trigger), after in TRANSITIONS.items() if trigger in told
    }


@pytest.mark.parametrize("kind", StepKind)
def test_every_step_has_its_arrow(kind: StepKind) -> None:
    """Each step a person may order is a trigger of the table."""
    assert step_trigger(kind).value == kind.value
    assert any(trigger is step_trigger(kind) for _, trigger in TRANSITIONS)


@pytest.mark.parametrize("seen", SIGHTINGS)
def test_a_sighting_twice_is_a_sighting_once(seen: Sighting) -> None:
    """Applying a sighting again changes nothing more, whatever the group was before."""
    for state, presence in product(GroupState, (None, *Presence)):
        once = apply_sighting(group(state, presence), seen)
        assert apply_sighting(once, seen) == once


@pytest.mark.parametrize("seen", SIGHTINGS)
def test_a_sighting_never_leaves_the_table(seen: Sighting) -> None:
    """A sighting keeps the state or follows one arrow, and never approves."""
    for state, presence in product(GroupState, (None, *Presence)):
        after = apply_sighting(group(state, presence), seen).state
        arrows = {end for (start, _), end in TRANSITIONS.items() if start is state}
        assert after is state or (after in arrows and after is not GroupState.APPROVED)


@pytest.mark.parametrize("seen", SIGHTINGS)
def test_a_group_that_is_not_active_says_why(seen: Sighting) -> None:
    """After any sighting, an approved group that does not record carries a reason in words."""
    after = apply_sighting(group(GroupState.APPROVED), seen)
    assert after.state is GroupState.ACTIVE or after.note


def test_joining_sets_an_approved_group_to_work() -> None:
    """An approved group becomes active when the recorder is in it, not when it is invited."""
    invited = apply_sighting(group(), sighting(Presence.INVITED, by="@ada:example.org"))
    assert (invited.state, invited.note) == (GroupState.APPROVED, groups.INVITED)
    joined = apply_sighting(invited, sighting(name="New name"))
    assert (joined.state, joined.note, joined.name) == (GroupState.ACTIVE, "", "New name")


def test_an_encrypted_room_is_not_recording() -> None:
    """A group that cannot be read, or no more, is not recording and says why."""
    for state in (GroupState.APPROVED, GroupState.ACTIVE):
        after = apply_sighting(group(state), sighting(obstacle=OBSTACLE))
        assert (after.state, after.note) == (GroupState.NOT_RECORDING, NOTE)
        again = apply_sighting(after, sighting())
        assert (again.state, again.note) == (GroupState.ACTIVE, "")


@pytest.mark.parametrize(
    ("presence", "note"), [(Presence.REMOVED, groups.REMOVED), (Presence.LEFT, groups.LEFT)]
)
def test_being_put_out_removes_the_group(presence: Presence, note: str) -> None:
    """A recorder that is no longer a member stops, with the reason."""
    for state in (GroupState.ACTIVE, GroupState.NOT_RECORDING):
        after = apply_sighting(group(state, Presence.JOINED), sighting(presence))
        assert (after.state, after.note) == (GroupState.REMOVED, note)


def test_an_old_removal_does_not_undo_a_new_approval() -> None:
    """A removal told again after a person approved the group anew leaves the approval."""
    removed = apply_sighting(group(GroupState.ACTIVE, Presence.JOINED), sighting(Presence.REMOVED))
    approved = apply_step(removed, StepKind.APPROVE)
    assert (approved.state, approved.note) == (GroupState.APPROVED, groups.WAITING)
    assert apply_sighting(approved, sighting(Presence.REMOVED)) == approved
    assert apply_sighting(approved, sighting()).state is GroupState.ACTIVE


def test_a_withdrawn_invitation_leaves_the_approval() -> None:
    """An approved group that was never joined stays approved when the invitation goes."""
    after = apply_sighting(group(presence=Presence.INVITED), sighting(Presence.LEFT))
    assert after.state is GroupState.APPROVED


def test_a_removal_needs_a_new_approval() -> None:
    """A recorder that is invited or let in again after a removal waits for a person."""
    for presence in (Presence.INVITED, Presence.JOINED):
        after = apply_sighting(group(GroupState.REMOVED, Presence.REMOVED), sighting(presence))
        assert (after.state, after.note) == (GroupState.REMOVED, groups.INVITED_AGAIN)


def test_an_invitation_to_a_group_at_work_means_a_removal_went_by() -> None:
    """Who is invited is not a member, so an active group is removed."""
    seen = sighting(Presence.INVITED)
    assert apply_sighting(group(GroupState.ACTIVE), seen).state is GroupState.REMOVED


@pytest.mark.parametrize("presence", [Presence.REMOVED, Presence.LEFT, Presence.INVITED])
def test_being_put_out_of_a_paused_group_removes_it(presence: Presence) -> None:
    """A pause does not hide a removal, and the note of it stays until a person approves."""
    seen = sighting(presence)
    after = apply_sighting(group(GroupState.PAUSED, Presence.JOINED), seen)
    assert (after.state, after.note) == (GroupState.REMOVED, groups.REMOVED_PAUSED)
    back = apply_sighting(apply_sighting(after, sighting(Presence.INVITED)), sighting())
    assert (back.state, back.note) == (GroupState.REMOVED, groups.REMOVED_PAUSED)
    assert groups.REMOVED_PAUSED not in apply_step(back, StepKind.APPROVE).note


@pytest.mark.parametrize("before", [None, Presence.INVITED])
def test_a_group_that_was_paused_before_the_join_cannot_be_left(before: Presence | None) -> None:
    """An invitation that comes or goes while an approval is paused is no removal."""
    for presence in (Presence.INVITED, Presence.LEFT):
        seen = apply_sighting(group(GroupState.PAUSED, before), sighting(presence))
        assert seen.state is GroupState.PAUSED


def test_a_successor_is_named_for_good() -> None:
    """A group that moved on says where to, and goes on saying it."""
    seen = sighting(successor="!next:example.org")
    moved = apply_sighting(group(GroupState.ACTIVE, Presence.JOINED), seen)
    assert moved.state is GroupState.ACTIVE
    assert "!next:example.org" in moved.note
    assert apply_sighting(moved, sighting(name="Renamed")).note == moved.note


@pytest.mark.parametrize("presence", [Presence.INVITED, Presence.JOINED])
def test_an_unknown_group_is_proposed(presence: Presence) -> None:
    """An invitation, or being put into a group, proposes it and does no more."""
    seen = sighting(presence, name="Flood cell", by="@ada:example.org", obstacle="")
    found = first_sighting(seen, connector="matrix", platform="matrix")
    assert found is not None
    assert (found.state, found.presence, found.name) == (
        GroupState.PROPOSED,
        presence,
        "Flood cell",
    )
    assert found.note
    assert apply_sighting(found, seen) == found


@pytest.mark.parametrize("presence", [Presence.LEFT, Presence.REMOVED])
def test_a_group_that_is_gone_is_not_proposed(presence: Presence) -> None:
    """A group the recorder is not in any more makes no proposal."""
    assert first_sighting(sighting(presence), connector="m", platform="matrix") is None


def test_approval_of_a_joined_group_waits_for_its_state() -> None:
    """A group the recorder is in works only once its full state shows that it can be read."""
    proposed = group(GroupState.PROPOSED, Presence.JOINED, groups.UNAPPROVED)
    approved = apply_step(proposed, StepKind.APPROVE)
    assert (approved.state, approved.note) == (GroupState.APPROVED, groups.JOINED)
    assert apply_sighting(approved, sighting(obstacle=None)) == approved
    active = apply_sighting(approved, sighting())
    assert (active.state, active.note) == (GroupState.ACTIVE, "")
    paused = apply_step(active, StepKind.PAUSE)
    assert paused.state is GroupState.PAUSED
    assert apply_step(paused, StepKind.RESUME) == approved
    deaf = apply_sighting(approved, sighting(obstacle=OBSTACLE))
    assert (deaf.state, deaf.note) == (GroupState.NOT_RECORDING, NOTE)


@pytest.mark.parametrize("state", [GroupState.PROPOSED, GroupState.PAUSED])
def test_a_part_of_the_state_does_not_unlearn_encryption(state: GroupState) -> None:
    """What leaves encryption open keeps the note of it, and the approval after it is deaf."""
    known = apply_sighting(group(state), sighting(obstacle=OBSTACLE))
    after = apply_sighting(known, sighting(obstacle=None, name="Renamed"))
    assert (after.name, after.note) == ("Renamed", NOTE)
    assert apply_step(after, StepKind.APPROVE).state is GroupState.NOT_RECORDING


def test_a_part_of_the_state_does_not_let_it_hear() -> None:
    """A group that is not recording stays so, with its reason, whatever note came between."""
    unknown = f"{groups.UNREADABLE}{groups.UNKNOWN}"
    for note, wanted in ((NOTE, NOTE), ("notice refused: no right", unknown)):
        deaf = group(GroupState.NOT_RECORDING, Presence.JOINED, note)
        after = apply_sighting(deaf, sighting(obstacle=None))
        assert (after.state, after.note) == (GroupState.NOT_RECORDING, wanted)
    active = group(GroupState.ACTIVE, Presence.JOINED)
    assert apply_sighting(active, sighting(obstacle=None)) == active


def test_a_group_that_can_be_read_again_is_told() -> None:
    """The notice that came to nothing is due again; one that stands is not repeated."""
    for before, after in (
        (NoticeState.REFUSED, NoticeState.DUE),
        (NoticeState.POSTED, NoticeState.POSTED),
    ):
        deaf = replace(group(GroupState.NOT_RECORDING, Presence.JOINED, NOTE), notice=before)
        hears = apply_sighting(deaf, sighting())
        assert (hears.state, hears.notice) == (GroupState.ACTIVE, after)


def test_a_pause_does_not_make_an_encrypted_room_readable() -> None:
    """An encrypted room that is paused and resumed is still not recording."""
    deaf = group(GroupState.NOT_RECORDING, Presence.JOINED, NOTE)
    assert apply_step(apply_step(deaf, StepKind.PAUSE), StepKind.RESUME) == deaf


@pytest.mark.parametrize(("state", "kind"), [*product(GroupState, StepKind)])
def test_an_impossible_step_changes_nothing(state: GroupState, kind: StepKind) -> None:
    """A step either follows its arrow or is refused and leaves the group as it was."""
    before = group(state)
    kept = replace(before)
    if is_possible(state, step_trigger(kind)):
        assert apply_step(before, kind).state is TRANSITIONS[(state, step_trigger(kind))]
    else:
        with pytest.raises(InvalidTransitionError):
            apply_step(before, kind)
    assert before == kept
