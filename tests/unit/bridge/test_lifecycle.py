"""The table of entry states, exhaustively."""

from __future__ import annotations

from itertools import product

import pytest

from bridge.lifecycle import (
    INITIAL,
    TRANSITIONS,
    EntryState,
    InvalidTransitionError,
    Trigger,
    next_state,
    seal_trigger,
)
from bridge.model import Outcome
from tests.fakes import samples


@pytest.mark.parametrize(("state", "trigger"), [*product(EntryState, Trigger)])
def test_every_pair_is_in_the_table_or_raises(state: EntryState, trigger: Trigger) -> None:
    """Every state and trigger either has its arrow or is refused, and the table stays as it is."""
    before = dict(TRANSITIONS)
    if (state, trigger) in TRANSITIONS:
        assert next_state(state, trigger) is TRANSITIONS[(state, trigger)]
    else:
        with pytest.raises(InvalidTransitionError, match=f"^{trigger} is not possible from "):
            next_state(state, trigger)
    assert before == TRANSITIONS


def test_an_invalid_move_is_misuse() -> None:
    """A move that the table does not have is our own mistake, not an error to be retried."""
    assert issubclass(InvalidTransitionError, RuntimeError)


def test_every_state_is_reached_from_the_first() -> None:
    """No state of the table is out of reach, and each trigger moves something."""
    reached = {INITIAL}
    while more := {after for (s, _), after in TRANSITIONS.items() if s in reached} - reached:
        reached |= more
    assert reached == set(EntryState)
    assert {trigger for _, trigger in TRANSITIONS} == set(Trigger)


def test_what_is_stored_is_only_ever_stored_again() -> None:
    """What stands in the store moves only to be put under another key; nothing destroyed moves."""
    assert {t for s, t in TRANSITIONS if s is EntryState.STORED} == {Trigger.PROMOTE}
    assert TRANSITIONS[EntryState.STORED, Trigger.PROMOTE] is EntryState.SEALED
    assert set(EntryState) - {state for state, _ in TRANSITIONS} == {EntryState.DESTROYED}


def test_only_sealed_entries_are_stored() -> None:
    """The only way into the store is from sealed."""
    ways = [s for (s, t), after in TRANSITIONS.items() if after is EntryState.STORED]
    assert ways == [EntryState.SEALED]


def test_only_discards_and_restricted_entries_are_destroyed() -> None:
    """Nothing that is kept can be destroyed in the journal."""
    ways = {s for (s, t), after in TRANSITIONS.items() if after is EntryState.DESTROYED}
    assert ways == {EntryState.DISCARDED, EntryState.RESTRICTED}


@pytest.mark.parametrize(
    ("outcome", "restricted", "trigger"),
    [
        (Outcome.CAPTURE, False, Trigger.KEEP),
        (Outcome.REVIEW, False, Trigger.KEEP),
        (Outcome.DISCARD, False, Trigger.DISCARD),
        (Outcome.CAPTURE, True, Trigger.RESTRICT),
        (Outcome.REVIEW, True, Trigger.RESTRICT),
        (Outcome.DISCARD, True, Trigger.RESTRICT),
    ],
)
def test_the_verdict_chooses_the_arrow(
    outcome: Outcome, *, restricted: bool, trigger: Trigger
) -> None:
    """A restriction stands over every outcome; otherwise only a discard is discarded."""
    assert seal_trigger(samples.verdict(outcome, restricted=restricted)) is trigger
    assert (EntryState.JUDGED, trigger) in TRANSITIONS
