"""Letting the recorder into groups: orders taken up, invitations accepted, notices posted.

Every step is a compare-and-set on the register with its act in the same transaction, so a crash
leaves a step either taken, with its act, or still to take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from bridge.canonical import act_bytes, rfc3339
from bridge.canonical.json import Json
from bridge.errors import ConnectorError, ConnectorRejectedError, MunimentError
from bridge.groups import apply_step, is_possible, step_trigger
from bridge.lifecycle import InvalidTransitionError
from bridge.model import Digest, Group, GroupState, Loss, NoticeState, Presence
from bridge.protocols import (
    Announcement,
    Clock,
    Connector,
    GroupStep,
    Journal,
    Office,
    Placement,
    PlacementKind,
    StepKind,
)

log = structlog.get_logger(__name__)

ROUND_SECONDS = 0.5
NOTICE_SECONDS = 10.0
"""Without success in this time the notice counts as refused, and storing begins."""

JOIN_PAUSE = 30.0
RECORDED = frozenset({GroupState.APPROVED, GroupState.ACTIVE, GroupState.NOT_RECORDING})
BY_FILE = "settings file"
GONE = frozenset({GroupState.PAUSED, GroupState.CLOSED})
ENCRYPTED_REFUSAL = "encrypted room: no notice in clear text"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedGroup:
    """A group that the settings file approves."""

    connector: str
    platform: str
    group_id: str
    name: str
    capture_all: bool = False
    owner: str | None = None
    purpose: str | None = None


class Admission:
    """One loop over the register. ``notice`` gives the text for a group."""

    def __init__(
        self,
        *,
        journal: Journal,
        office: Office,
        connectors: Mapping[str, Connector],
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        listed: Sequence[ListedGroup],
        notice: Callable[[Group], str],
    ) -> None:
        self._journal = journal
        self._office = office
        self._connectors = connectors
        self._clock = clock
        self._random = random_bytes
        self._listed = {(group.connector, group.group_id): group for group in listed}
        self._notice = notice
        self._next_join: dict[tuple[str, str], float] = {}

    async def run(self) -> None:
        """Keep the register true until cancelled."""
        while True:
            try:
                await self.round()
            except MunimentError as error:
                log.warning("register_not_kept", what=str(error), hint=error.hint)
            await self._clock.sleep(ROUND_SECONDS)

    async def begin(self) -> None:
        """At start: approve what the file lists, pause what it no longer lists."""
        known = {(g.connector, g.group_id): g for g in await self._journal.groups()}
        for key, listed in self._listed.items():
            await self._list(known.get(key), listed)
        for key, group in known.items():
            if group.listed and key not in self._listed and group.state not in GONE:
                await self._unlist(group)
        await self._tell_connectors()

    async def round(self) -> None:
        """Take up orders, then do what each group waits for."""
        for step in await self._office.steps(await self._journal.office_taken()):
            await self._take(step)
        for group in await self._journal.groups():
            await self._attend(group)
        await self._tell_connectors()

    async def _tell_connectors(self) -> None:
        groups = await self._journal.groups()
        for name, connector in self._connectors.items():
            connector.approve(
                frozenset(
                    group.group_id
                    for group in groups
                    if group.connector == name and group.state in RECORDED
                )
            )

    async def _list(self, known: Group | None, listed: ListedGroup) -> None:
        if known is None:
            blank = Group(
                connector=listed.connector,
                platform=listed.platform,
                group_id=listed.group_id,
                name=listed.name,
                state=GroupState.PROPOSED,
            )
            group = replace(
                apply_step(blank, StepKind.APPROVE), capture_all=listed.capture_all, listed=True
            )
            acts = [self._step_act(group, StepKind.APPROVE, BY_FILE, "listed in the file")]
            await self._journal.set_group(group, expect=None, acts=acts)
            return
        current = replace(known, capture_all=listed.capture_all, listed=True)
        if is_possible(known.state, step_trigger(StepKind.APPROVE)):
            current = _approved_again(current)
            acts = [self._step_act(current, StepKind.APPROVE, BY_FILE, "listed in the file")]
            await self._journal.set_group(current, expect=known.state, acts=acts)
            if known.state is GroupState.PAUSED:
                await self._resumed(current)
        elif current != known:
            await self._journal.set_group(current, expect=known.state)

    async def _unlist(self, group: Group) -> None:
        """Taken out of the file: paused, said in the group, and a gap until it is closed."""
        paused = replace(apply_step(group, StepKind.PAUSE), listed=False)
        act = self._step_act(paused, StepKind.PAUSE, BY_FILE, "taken out of the file")
        if await self._journal.set_group(paused, expect=group.state, acts=[act]):
            await self._paused(paused)

    async def _take(self, step: GroupStep) -> None:
        """One order. An impossible one is passed over, with a word in the logging."""
        known = {(g.connector, g.group_id): g for g in await self._journal.groups()}
        before = known.get((step.connector, step.group_id))
        connector = self._connectors.get(step.connector)
        if (
            before is None
            and connector is not None
            and step.kind
            in {
                StepKind.PROPOSE,
                StepKind.APPROVE,
            }
        ):
            before = Group(
                connector=step.connector,
                platform=connector.platform,
                group_id=step.group_id,
                name=step.name,
                state=GroupState.PROPOSED,
            )
            await self._journal.set_group(before, expect=None)
        try:
            after = self._stepped(before, step)
        except InvalidTransitionError as error:
            log.warning("step_not_possible", step=step.kind.value, what=str(error))
            await self._journal.skip_office_step(step.number)
            return
        act = self._step_act(after, step.kind, step.by, step.why, at=rfc3339(step.at))
        expect = before.state if before is not None else None
        done = await self._journal.set_group(
            after, expect=expect, acts=[act], office_step=step.number
        )
        if done and step.kind is StepKind.PAUSE:
            await self._paused(after)
        if done and step.kind is StepKind.RESUME:
            await self._resumed(after)
        if done and step.kind is StepKind.CLOSE:
            await self._journal.close_stream(after, at=self._clock.now())

    def _stepped(self, before: Group | None, step: GroupStep) -> Group:
        if before is None:
            raise InvalidTransitionError(f"{step.kind} is not possible for an unknown group")
        if step.kind is StepKind.PROPOSE and before.state is GroupState.PROPOSED:
            return replace(before, name=step.name or before.name)
        named = replace(before, name=before.name or step.name)
        if step.kind is StepKind.APPROVE:
            return _approved_again(named)
        return apply_step(named, step.kind)

    async def _attend(self, group: Group) -> None:
        if group.state is GroupState.REMOVED and group.presence is Presence.INVITED:
            await self._readmit(group)
        if group.state is GroupState.APPROVED and group.presence is not Presence.JOINED:
            await self._join(group)
        if group.notice is not NoticeState.DUE:
            return
        if group.state in {GroupState.ACTIVE, GroupState.NOT_RECORDING}:
            await self._announce(group)
        elif group.presence in {Presence.LEFT, Presence.REMOVED}:
            # What was journalled while we were a member must not wait for a notice for ever.
            gone = Announcement(upstream_id=None, refusal="the recorder is no longer a member")
            await self._settle(group, gone, text=None)

    async def _readmit(self, group: Group) -> None:
        """Invited again to a group that the file still lists: the approval stands."""
        if (group.connector, group.group_id) in self._listed:
            again = _approved_again(group)
            act = self._step_act(again, StepKind.APPROVE, BY_FILE, "invited again, still listed")
            await self._journal.set_group(again, expect=group.state, acts=[act])

    async def _join(self, group: Group) -> None:
        key = (group.connector, group.group_id)
        connector = self._connectors.get(group.connector)
        now = self._clock.monotonic()
        invited = group.presence is Presence.INVITED
        if connector is None or (self._next_join.get(key, 0.0) > now and not invited):
            return
        self._next_join[key] = now + JOIN_PAUSE
        try:
            await connector.join(group.group_id)
        except ConnectorRejectedError as error:
            await self._note(group, f"not joined: {error} Invite the recorder.")
        except ConnectorError as error:
            await self._note(group, f"not joined: {error}")

    async def _note(self, group: Group, note: str) -> None:
        if group.note != note:
            await self._journal.set_group(replace(group, note=note), expect=group.state)

    async def _announce(self, group: Group) -> None:
        """Post the notice; only then may anything of the group be stored.

        Crash after the platform took it: it is posted again under the same key, which the
        platform answers with the message it has.
        """
        connector = self._connectors.get(group.connector)
        if connector is None:
            return
        if group.state is GroupState.NOT_RECORDING:
            said = Announcement(upstream_id=None, refusal=ENCRYPTED_REFUSAL)
            await self._settle(group, said, text=None)
            return
        text = self._notice(group)
        said = await self._post(connector, group, text, key=_notice_key(group))
        await self._settle(group, said, text=text)

    async def _settle(self, group: Group, said: Announcement, *, text: str | None) -> None:
        notice = NoticeState.POSTED if said.upstream_id else NoticeState.REFUSED
        details: dict[str, Json] = {
            "text": text,
            "upstream_id": said.upstream_id,
            "refusal": said.refusal,
            "pinned": said.pinned,
        }
        act = self._act(group, PlacementKind.NOTICE, "bridge", details)
        note = f"notice refused: {said.refusal}" if said.refusal else ""
        await self._journal.settle_notice(group, notice=notice, note=note, act=act)
        log.info("notice", connector=group.connector, state=notice.value)

    async def _post(
        self, connector: Connector, group: Group, text: str, *, key: str
    ) -> Announcement:
        try:
            async with asyncio.timeout(NOTICE_SECONDS):
                return await connector.announce(group.group_id, text, key=key)
        except TimeoutError:
            refusal = f"no success within {NOTICE_SECONDS:.0f} s"
        except ConnectorError as error:
            refusal = str(error)
        return Announcement(upstream_id=None, refusal=refusal)

    async def _paused(self, group: Group) -> None:
        """Say it in the group, and let the silence that follows stand as a gap."""
        now = self._clock.now()
        loss = Loss(group_id=group.group_id, why="paused", since=now)
        await self._journal.record_gap(group.connector, loss, at=now)
        await self._say(group, "Recording of this group is paused from now on.", f"pause-{now}")

    async def _resumed(self, group: Group) -> None:
        now = self._clock.now()
        loss = Loss(group_id=group.group_id, why="paused", until=now)
        await self._journal.record_gap(group.connector, loss, at=now)
        await self._say(group, "Recording of this group goes on from now.", f"resume-{now}")

    async def _say(self, group: Group, text: str, key: str) -> None:
        connector = self._connectors.get(group.connector)
        if connector is not None and group.presence is Presence.JOINED:
            await self._post(connector, group, text, key=f"muniment-{key}")

    def _step_act(
        self, group: Group, kind: StepKind, by: str, why: str, *, at: str | None = None
    ) -> Placement:
        details: dict[str, Json] = {"step": kind.value, "why": why, "ordered_at": at}
        return self._act(group, PlacementKind.STEP, by, details)

    def _act(
        self, group: Group, kind: PlacementKind, by: str, details: Mapping[str, Json]
    ) -> Placement:
        now = self._clock.now()
        named = {"name": group.name} if group.name else {}
        body = act_bytes(
            salt=self._random(32),
            kind=kind.value,
            at=now,
            by=by,
            details={
                "connector": group.connector,
                "platform": group.platform,
                "group": {"id": group.group_id, **named},
                **details,
            },
        )
        return Placement(
            kind=kind,
            folder=f"acts/{now:%Y/%m/%d}",
            body=body,
            connector=group.connector,
            group_id=group.group_id,
            at=now,
        )


def _approved_again(group: Group) -> Group:
    """The group after an approval; one that the recorder had to leave is told anew."""
    approved = apply_step(group, StepKind.APPROVE)
    if group.state is GroupState.REMOVED:
        return replace(approved, notice=NoticeState.DUE)
    return approved


def _notice_key(group: Group) -> str:
    """The same for every try, so that a repeated post is the same message; new after a return."""
    digest = Digest.of(f"{group.connector}\0{group.group_id}\0{group.notices}".encode())
    return f"muniment-notice-{digest.hex[:24]}"
