"""The states of an entry, as one table. Everything that affects them lives here.

An entry is *received* in the transaction that also moves the connector's cursor. The classifier
*judges* it. Its record is *sealed* once its media have come or may be waited for no longer: what
is kept goes to *sealed* and, by a PUT, to *stored*; what is not goes to *discarded*, from where a
later message may still promote it, until Forget *destroys* it. What is stored for review and
becomes a capture is promoted too: the same bytes are sealed under another key. A message marked
SECRET or above is *restricted*: sealed and logged, but put nowhere until a named role releases it.

A failed attempt is a counter, not a state; *overdue* is computed from ``safe_by`` and the clock.
``docs/lifecycle.md`` and the CHECK in the journal's schema are drawn from this table by a test.
"""

from __future__ import annotations

from enum import StrEnum

from bridge.model import Outcome, Verdict


class EntryState(StrEnum):
    """Where an entry stands."""

    RECEIVED = "received"
    JUDGED = "judged"
    SEALED = "sealed"
    STORED = "stored"
    DISCARDED = "discarded"
    RESTRICTED = "restricted"
    DESTROYED = "destroyed"


class Trigger(StrEnum):
    """What moves an entry."""

    JUDGE = "judge"
    KEEP = "keep"
    DISCARD = "discard"
    RESTRICT = "restrict"
    STORE = "store"
    PROMOTE = "promote"
    RELEASE = "release"
    DESTROY = "destroy"


TRANSITIONS: dict[tuple[EntryState, Trigger], EntryState] = {
    (EntryState.RECEIVED, Trigger.JUDGE): EntryState.JUDGED,
    (EntryState.JUDGED, Trigger.KEEP): EntryState.SEALED,
    (EntryState.JUDGED, Trigger.DISCARD): EntryState.DISCARDED,
    (EntryState.JUDGED, Trigger.RESTRICT): EntryState.RESTRICTED,
    (EntryState.SEALED, Trigger.STORE): EntryState.STORED,
    (EntryState.DISCARDED, Trigger.PROMOTE): EntryState.SEALED,
    (EntryState.STORED, Trigger.PROMOTE): EntryState.SEALED,
    (EntryState.DISCARDED, Trigger.DESTROY): EntryState.DESTROYED,
    (EntryState.RESTRICTED, Trigger.RELEASE): EntryState.SEALED,
    (EntryState.RESTRICTED, Trigger.DESTROY): EntryState.DESTROYED,
}

INITIAL = EntryState.RECEIVED


class InvalidTransitionError(RuntimeError):
    """Our own code asked for a move the table does not have. Nothing changed."""


def next_state(state: EntryState, trigger: Trigger) -> EntryState:
    """Where ``trigger`` takes an entry in ``state``.

    Raises:
        InvalidTransitionError: the table has no such arrow.
    """
    try:
        return TRANSITIONS[(state, trigger)]
    except KeyError:
        raise InvalidTransitionError(f"{trigger} is not possible from {state}") from None


def seal_trigger(verdict: Verdict) -> Trigger:
    """The arrow a judged entry takes when its record is sealed."""
    if verdict.restricted:
        return Trigger.RESTRICT
    return Trigger.DISCARD if verdict.outcome is Outcome.DISCARD else Trigger.KEEP
