"""Letting the recorder into groups: orders taken up, invitations accepted, notices posted.

Every step is a compare-and-set on the register with its act in the same transaction, so a crash
leaves a step either taken, with its act, or still to take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from bridge import keys
from bridge.canonical import act_bytes, rfc3339
from bridge.canonical.json import Json
from bridge.errors import (
    ConnectorError,
    ConnectorRejectedError,
    ConnectorUnavailableError,
    MunimentError,
)
from bridge.groups import ENCRYPTED, apply_step, is_possible, step_trigger
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

NOTICE_PAUSE = 1.0
SAY_SECONDS = 600.0
JOIN_SECONDS = 10.0
JOIN_PAUSE = 30.0
INVITED_PAUSE = 5.0
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Saying:
    """A sentence for a group, and until when it is worth saying (monotonic)."""

    group: Group
    text: str
    key: str
    until: float


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
        self._next_join: dict[tuple[str, str, bool], float] = {}
        self._unsaid: list[_Saying] = []
        self.health = ""

    async def run(self) -> None:
        """Keep the register true until cancelled."""
        while True:
            try:
                await self.round()
                self.health = ""
            except MunimentError as error:
                self.health = str(error)
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
            if not await self._take(step):
                break  # the group moved meanwhile; this step comes first again in the next round
        # Before any join: what a group says from then on must not pass as that of a stranger.
        await self._tell_connectors()
        groups = await self._journal.groups()
        # Side by side: a platform that is slow for one group must not hold up the others.
        await asyncio.gather(*(self._attend(group) for group in groups))
        await self._say_unsaid()

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
        # A listed group that is paused was paused by a person, which a restart does not undo.
        ordered = known.listed and known.state is GroupState.PAUSED
        if is_possible(known.state, step_trigger(StepKind.APPROVE)) and not ordered:
            current = _approved_again(current)
            acts = [self._step_act(current, StepKind.APPROVE, BY_FILE, "listed in the file")]
            await self._move(known, current, acts)
        elif current != known:
            await self._journal.set_group(current, expect=known)

    async def _unlist(self, group: Group) -> None:
        """Taken out of the file: paused, said in the group, and a gap until it is closed."""
        if not is_possible(group.state, step_trigger(StepKind.PAUSE)):
            await self._journal.set_group(replace(group, listed=False), expect=group)
            return
        paused = replace(apply_step(group, StepKind.PAUSE), listed=False)
        act = self._step_act(paused, StepKind.PAUSE, BY_FILE, "taken out of the file")
        await self._move(group, paused, [act])

    async def _move(
        self,
        before: Group | None,
        after: Group,
        acts: Sequence[Placement],
        *,
        office_step: int | None = None,
    ) -> bool:
        """One arrow of the register, with its gap and what is said in the group.

        The gap is written first: a crash between leaves a gap too many, never one too few.
        """
        was = before.state if before is not None else None
        pauses = after.state is GroupState.PAUSED
        resumes = was is GroupState.PAUSED and after.state not in GONE
        if pauses or resumes:
            await self._note_pause(after, ends=resumes)
        done = await self._journal.set_group(
            after, expect=before, acts=acts, office_step=office_step
        )
        await self._tell_connectors()
        if done and pauses:
            self._say(after, "Recording of this group is paused from now on.", "pause")
        if done and resumes:
            self._say(after, "Recording of this group goes on from now.", "resume")
        return done

    async def _take(self, step: GroupStep) -> bool:
        """One order. An impossible one is passed over, with a word in the logging."""
        before = await self._known(step)
        try:
            after = self._stepped(before, step)
        except InvalidTransitionError as error:
            log.warning("step_not_possible", step=step.kind.value, what=str(error))
            await self._journal.skip_office_step(step.number)
            return True
        act = self._step_act(after, step.kind, step.by, step.why, at=rfc3339(step.at))
        return await self._move(before, after, [act], office_step=step.number)

    async def _known(self, step: GroupStep) -> Group | None:
        """The group of an order; one that is proposed or approved first by it is written down."""
        for group in await self._journal.groups():
            if (group.connector, group.group_id) == (step.connector, step.group_id):
                return group
        connector = self._connectors.get(step.connector)
        if connector is None or step.kind not in {StepKind.PROPOSE, StepKind.APPROVE}:
            return None
        group = Group(
            connector=step.connector,
            platform=connector.platform,
            group_id=step.group_id,
            name=step.name,
            state=GroupState.PROPOSED,
        )
        await self._journal.set_group(group, expect=None)
        return group

    def _stepped(self, before: Group | None, step: GroupStep) -> Group:
        if before is None:
            raise InvalidTransitionError(f"{step.kind} is not possible for an unknown group")
        if step.kind is StepKind.PROPOSE and before.state is GroupState.PROPOSED:
            return replace(before, name=step.name or before.name)
        named = replace(before, name=before.name or step.name)
        if step.kind is StepKind.APPROVE:
            return _approved_again(named)
        after = apply_step(named, step.kind)
        refused = before.notice is NoticeState.REFUSED and step.kind is StepKind.RESUME
        return replace(after, notice=NoticeState.DUE) if refused else after

    async def _attend(self, group: Group) -> None:
        if group.state is GroupState.REMOVED and group.presence is Presence.INVITED:
            await self._readmit(group)
        if group.state is GroupState.APPROVED and group.presence is not Presence.JOINED:
            await self._join(group)
        if group.state is GroupState.CLOSED:
            # Every round, since a delivery on its way may have opened another stream.
            await self._journal.close_stream(group, at=self._clock.now())
        if group.notice is not NoticeState.DUE:
            return
        if group.state in {GroupState.ACTIVE, GroupState.NOT_RECORDING}:
            await self._announce(group)
        elif group.state in GONE or group.presence in {Presence.LEFT, Presence.REMOVED}:
            # What was journalled while we recorded must not wait for a notice for ever.
            late = Announcement(upstream_id=None, refusal="recording ended before the notice")
            await self._settle(group, late, text=None)

    async def _readmit(self, group: Group) -> None:
        """Invited again to a group that the file still lists: the approval stands."""
        if (group.connector, group.group_id) in self._listed:
            again = _approved_again(group)
            act = self._step_act(again, StepKind.APPROVE, BY_FILE, "invited again, still listed")
            await self._journal.set_group(again, expect=group, acts=[act])

    async def _join(self, group: Group) -> None:
        connector = self._connectors.get(group.connector)
        now = self._clock.monotonic()
        invited = group.presence is Presence.INVITED
        # An invitation is answered at once, however lately it was tried without one.
        key = (group.connector, group.group_id, invited)
        if connector is None or self._next_join.get(key, 0.0) > now:
            return
        self._next_join[key] = now + (INVITED_PAUSE if invited else JOIN_PAUSE)
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                await connector.join(group.group_id)
        except TimeoutError:
            await self._note(group, "not joined: the platform does not answer")
        except ConnectorRejectedError as error:
            await self._note(group, f"not joined: {error} Invite the recorder.")
        except ConnectorError as error:
            await self._note(group, f"not joined: {error}")

    async def _note(self, group: Group, note: str) -> None:
        if group.note != note:
            await self._journal.set_group(replace(group, note=note), expect=group)

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
        """Post it, again under the same key where the platform asks us to wait or says nothing."""
        until = self._clock.monotonic() + NOTICE_SECONDS
        try:
            async with asyncio.timeout(NOTICE_SECONDS):
                while True:
                    try:
                        return await connector.announce(group.group_id, text, key=key)
                    except ConnectorUnavailableError as error:
                        refusal = str(error)
                        pause = max(error.retry_after or NOTICE_PAUSE, NOTICE_PAUSE)
                    if self._clock.monotonic() + pause > until:
                        break
                    await self._clock.sleep(pause)
        except TimeoutError:
            refusal = f"no success within {NOTICE_SECONDS:.0f} s"
        except ConnectorError as error:
            refusal = str(error)
        return Announcement(upstream_id=None, refusal=refusal)

    async def _note_pause(self, group: Group, *, ends: bool) -> None:
        """The silence of a pause stands as a gap, once when it begins and once when it ends."""
        now = self._clock.now()
        since, until = (None, now) if ends else (now, None)
        loss = Loss(group_id=group.group_id, why="paused", since=since, until=until)
        await self._journal.record_gap(group.connector, loss, at=now)

    def _say(self, group: Group, text: str, what: str) -> None:
        """Have it said in the next rounds: at a start nobody is signed in yet."""
        if group.presence is Presence.JOINED and group.note != ENCRYPTED:
            key = f"muniment-{what}-{self._clock.now():%Y%m%dT%H%M%S%f}"
            until = self._clock.monotonic() + SAY_SECONDS
            self._unsaid.append(_Saying(group=group, text=text, key=key, until=until))

    async def _say_unsaid(self) -> None:
        """Say what waits. What the platform refuses, or does not answer for long, is given up."""
        for saying in tuple(self._unsaid):
            connector = self._connectors.get(saying.group.connector)
            over = connector is None or self._clock.monotonic() > saying.until
            if not over and connector is not None:
                said = await self._post(connector, saying.group, saying.text, key=saying.key)
                over = said.upstream_id is not None
            if over:
                self._unsaid.remove(saying)

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
            folder=keys.act_folder(now),
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
