"""What may be ordered of a group in the register, by whom, and what was ordered of it before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bridge.console.queue import orders_of
from bridge.console.rights import Right
from bridge.console.site import Visit
from bridge.groups import is_possible, step_trigger
from bridge.model import Group, GroupState
from bridge.protocols import GroupStep, StepKind

MOST_SHOWN: Final = 50
"""Orders of one group that its page shows, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A step as the page offers it. ``proved``: it asks once more who one is."""

    kind: StepKind
    words: str
    hint: str
    proved: bool = False


DEEDS: Final = (
    Deed(
        kind=StepKind.APPROVE,
        words="Approve",
        hint="The recorder joins, posts its notice and records from then on.",
        proved=True,
    ),
    Deed(
        kind=StepKind.PAUSE,
        words="Pause recording",
        hint="Nothing is kept until it is resumed. The group is told, and a gap stands.",
    ),
    Deed(
        kind=StepKind.RESUME,
        words="Resume recording",
        hint="Recording is taken up again, and the group is told.",
    ),
    Deed(
        kind=StepKind.CLOSE,
        words="Close for good",
        hint="The stream ends with its total. A closed group is not opened again.",
        proved=True,
    ),
)
_APPROVED_FROM: Final = frozenset({GroupState.PROPOSED, GroupState.REMOVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A step that somebody ordered, and whether the recorder took it up."""

    step: GroupStep
    taken: bool


def deeds_for(visit: Visit, gid: str, known: Group | None) -> tuple[Deed, ...]:
    """What the visitor may order for a group now."""
    may = Right.REGISTER in visit.rights and visit.in_scope(gid)
    if known is None or not may or visit.parts.orders is None:
        return ()
    return tuple(deed for deed in DEEDS if _is_offered(known, deed.kind))


def is_own(visit: Visit, known: Group | None) -> bool:
    """Whether the visitor proposed the group, and so leaves its approval to somebody else."""
    session = visit.session
    return session is not None and known is not None and known.proposed_by == session.name


async def ordered_of(visit: Visit, known: Group) -> Sequence[Ordered]:
    """What was ordered of a group, the newest first, for who keeps the register or the trail."""
    if visit.parts.orders is None or not {Right.REGISTER, Right.TRAIL} & visit.rights:
        return ()
    taken = await visit.parts.journal.office_taken()
    found = [
        Ordered(step=step, taken=step.number <= taken)
        for step in await orders_of(visit).steps(0)
        if (step.connector, step.group_id) == (known.connector, known.group_id)
    ]
    return found[: -MOST_SHOWN - 1 : -1]


async def waiting_proposals(visit: Visit) -> Sequence[GroupStep]:
    """Proposals that the recorder has not taken up yet, for who keeps the register."""
    if visit.parts.orders is None or Right.REGISTER not in visit.rights:
        return ()
    taken = await visit.parts.journal.office_taken()
    steps = await orders_of(visit).steps(taken)
    return tuple(step for step in steps if step.kind is StepKind.PROPOSE)


def _is_offered(group: Group, kind: StepKind) -> bool:
    if kind is StepKind.APPROVE:
        return group.state in _APPROVED_FROM
    return is_possible(group.state, step_trigger(kind))
