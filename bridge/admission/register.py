"""The register's steps: what the settings file lists and what people order, taken up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from bridge.admission.acts import Acts
from bridge.admission.pauses import Pauses
from bridge.canonical import rfc3339
from bridge.groups import apply_step, is_due_again, is_held_back, is_possible, step_trigger
from bridge.lifecycle import InvalidTransitionError
from bridge.model import Group, GroupState, NoticeState, Particulars, Presence
from bridge.protocols import Clock, Connector, GroupStep, Journal, Placement, StepKind

log = structlog.get_logger(__name__)

BY_FILE = "settings file"
GONE = frozenset({GroupState.PAUSED, GroupState.CLOSED})
RECORDED = frozenset({GroupState.APPROVED, GroupState.ACTIVE, GroupState.NOT_RECORDING})


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedGroup:
    """A group that the settings file approves, with what the file says of it."""

    connector: str
    platform: str
    group_id: str
    name: str
    capture_all: bool = False
    particulars: Particulars = field(default_factory=Particulars)


class Register:
    """Moves groups by orders. The connectors are told of every move: what they yield follows.

    ``classes`` are the classes of retention that a group may be given.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        connectors: Mapping[str, Connector],
        acts: Acts,
        pauses: Pauses,
        clock: Clock,
        listed: Sequence[ListedGroup],
        classes: frozenset[str],
    ) -> None:
        self._journal = journal
        self._connectors = connectors
        self._acts = acts
        self._pauses = pauses
        self._clock = clock
        self._classes = classes
        self._listed = {(group.connector, group.group_id): group for group in listed}

    async def follow_file(self) -> None:
        """Approve what the file lists, pause what it no longer lists."""
        known = {(g.connector, g.group_id): g for g in await self._journal.groups()}
        for key, listed in self._listed.items():
            await self._list(known.get(key), listed)
        for key, group in known.items():
            if group.listed and key not in self._listed and group.state not in GONE:
                await self._unlist(group)
        await self.tell_connectors()

    async def tell_connectors(self) -> None:
        """Have every connector yield the approved groups and no others."""
        groups = await self._journal.groups()
        for name, connector in self._connectors.items():
            connector.approve(
                frozenset(
                    group.group_id
                    for group in groups
                    if group.connector == name and group.state in RECORDED
                )
            )

    async def take(self, step: GroupStep) -> bool:
        """One order. An impossible one is passed over, with a word in the logging.

        The group, its act and the order's number are one transaction: a crash before it leaves the
        order to be taken again, one after it nothing to do. False: the group moved meanwhile, and
        the order is still to take.
        """
        before = await self._known(step)
        try:
            after = self._stepped(before or self._unknown(step), step)
        except InvalidTransitionError as error:
            log.warning("step_not_possible", step=step.kind.value, what=str(error))
            await self._journal.skip_office_step(step.number)
            return True
        act = self._acts.step(after, step.kind, step.by, step.why, at=rfc3339(step.at))
        return await self._move(before, after, [act], office_step=step.number)

    async def readmit(self, group: Group) -> bool:
        """Back in a group that the file still lists, or invited to it: the approval stands.

        False: the file does not list it, or a person paused it before.
        """
        if (group.connector, group.group_id) not in self._listed or is_held_back(group):
            return False
        again = self._by_the_file(_taken_up(group, StepKind.APPROVE))
        act = self._by_file(again, StepKind.APPROVE, "invited again, still listed")
        await self._journal.set_group(again, expect=group, acts=[act])
        return True

    async def _list(self, known: Group | None, listed: ListedGroup) -> None:
        if known is None:
            blank = Group(
                connector=listed.connector,
                platform=listed.platform,
                group_id=listed.group_id,
                name=listed.name,
                state=GroupState.PROPOSED,
            )
            group = self._by_the_file(_as_listed(apply_step(blank, StepKind.APPROVE), listed))
            acts = [self._by_file(group, StepKind.APPROVE, "listed in the file")]
            await self._journal.set_group(group, expect=None, acts=acts)
            return
        current = _as_listed(known, listed)
        # A listed group that is paused was paused by a person, which a restart does not undo.
        approvable = is_possible(known.state, step_trigger(StepKind.APPROVE))
        if approvable and not is_held_back(known):
            current = self._by_the_file(_taken_up(current, StepKind.APPROVE))
            acts = [self._by_file(current, StepKind.APPROVE, "listed in the file")]
            await self._move(known, current, acts)
        elif current != known and known.state in RECORDED:
            current = self._by_the_file(current)
            acts = [self._by_file(current, StepKind.APPROVE, "listed otherwise in the file")]
            await self._journal.set_group(current, expect=known, acts=acts)
        elif current != known:  # its act comes with the step that takes it up again
            await self._journal.set_group(current, expect=known)

    async def _unlist(self, group: Group) -> None:
        """Taken out of the file: paused, said in the group, and a gap until it is closed."""
        if not is_possible(group.state, step_trigger(StepKind.PAUSE)):
            await self._journal.set_group(replace(group, listed=False), expect=group)
            return
        paused = replace(apply_step(group, StepKind.PAUSE), listed=False)
        act = self._by_file(paused, StepKind.PAUSE, "taken out of the file")
        await self._move(group, paused, [act])

    async def _move(
        self,
        before: Group | None,
        after: Group,
        acts: Sequence[Placement],
        *,
        office_step: int | None = None,
    ) -> bool:
        """One arrow of the register; see :class:`Pauses` for a crash before it."""
        was = before.state if before is not None else None
        entered = after.presence not in {None, Presence.INVITED}  # else there is nothing to miss
        if entered and after.state is GroupState.PAUSED:
            await self._pauses.begin(after)
        elif entered and was is GroupState.PAUSED and after.state not in GONE:
            await self._pauses.end(after)
        done = await self._journal.set_group(
            after, expect=before, acts=acts, office_step=office_step
        )
        await self.tell_connectors()
        return done

    async def _known(self, step: GroupStep) -> Group | None:
        for group in await self._journal.groups():
            if (group.connector, group.group_id) == (step.connector, step.group_id):
                return group
        return None

    def _unknown(self, step: GroupStep) -> Group:
        """A group that its first order writes down.

        Raises:
            InvalidTransitionError: such an order is for groups that are known.
        """
        connector = self._connectors.get(step.connector)
        if connector is None or step.kind not in {StepKind.PROPOSE, StepKind.APPROVE}:
            raise InvalidTransitionError(f"{step.kind} is not possible for an unknown group")
        return Group(
            connector=step.connector,
            platform=connector.platform,
            group_id=step.group_id,
            name=step.name,
            state=GroupState.PROPOSED,
        )

    def _stepped(self, before: Group, step: GroupStep) -> Group:
        if step.kind is StepKind.PROPOSE and before.state is GroupState.PROPOSED:
            named = replace(before, name=step.name or before.name, proposed_by=step.by)
            return self._described(named, step)
        named = replace(before, name=before.name or step.name)
        if step.kind is StepKind.APPROVE:
            return self._approved(self._described(named, step), step)
        if step.kind is StepKind.RESUME:
            return _taken_up(named, step.kind)
        return apply_step(named, step.kind)

    def _described(self, group: Group, step: GroupStep) -> Group:
        """The group with what an order says of it; what it leaves out stays as it stood.

        Raises:
            InvalidTransitionError: it names a class of retention that there is not.
        """
        said = step.particulars
        if said.retention is not None and said.retention not in self._classes:
            raise InvalidTransitionError(f'no class of retention is named "{said.retention}"')
        capture_all = group.capture_all if step.capture_all is None else step.capture_all
        return replace(group, particulars=said.over(group.particulars), capture_all=capture_all)

    def _approved(self, group: Group, step: GroupStep) -> Group:
        """The group approved by a person. What is recorded already stays so, as described now.

        Raises:
            InvalidTransitionError: it is closed.
        """
        signed = replace(group, approved_by=step.by, approved_at=step.at)
        return signed if signed.state in RECORDED else _taken_up(signed, StepKind.APPROVE)

    def _by_the_file(self, group: Group) -> Group:
        return replace(group, approved_by=BY_FILE, approved_at=self._clock.now())

    def _by_file(self, group: Group, kind: StepKind, why: str) -> Placement:
        return self._acts.step(group, kind, BY_FILE, why)


def _taken_up(group: Group, kind: StepKind) -> Group:
    """The group after an approval or a resumption; one that the recorder had to leave is told anew.

    Raises:
        InvalidTransitionError: the step is not possible from the group's state.
    """
    after = apply_step(group, kind)
    return replace(after, notice=NoticeState.DUE) if is_due_again(group) else after


def _as_listed(group: Group, listed: ListedGroup) -> Group:
    """The group as the file has it; what the file leaves out stays as it stood."""
    return replace(
        group,
        capture_all=listed.capture_all,
        listed=True,
        particulars=listed.particulars.over(group.particulars),
    )
