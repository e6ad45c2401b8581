"""One loop over the register: orders, invitations and notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from bridge.admission.acts import Acts
from bridge.admission.newcomers import Newcomers
from bridge.admission.notice import Notices
from bridge.admission.pauses import Pauses
from bridge.admission.register import ListedGroup, Register
from bridge.errors import ConnectorError, ConnectorRejectedError, MunimentError
from bridge.model import Group, GroupState, NoticeState, Presence
from bridge.notices import Notice
from bridge.protocols import Announcement, Clock, Connector, Journal, Office
from bridge.sayings import is_told

log = structlog.get_logger(__name__)

ROUND_SECONDS = 0.5
JOIN_SECONDS = 10.0
JOIN_PAUSE = 30.0
INVITED_PAUSE = 5.0

ENDED = frozenset({GroupState.PAUSED, GroupState.CLOSED, GroupState.REMOVED})
"""Where nothing is recorded any more."""

OVER = frozenset({GroupState.CLOSED, GroupState.REMOVED})
"""Where the stream has its end: a group that is approved again begins another one."""


class Admission:
    """Keeps the register true. ``notice`` gives that of a group.

    ``classes`` are the classes of retention that a person may give a group.
    ``received`` is when a connector, by its name, was asked for what it last delivered
    (monotonic), by which an account that is refused is told from a group that refuses.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        office: Office,
        connectors: Mapping[str, Connector],
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        listed: Sequence[ListedGroup],
        notice: Callable[[Group], Notice],
        received: Callable[[str], float | None],
        language: str = "en",
        classes: frozenset[str] = frozenset(),
    ) -> None:
        self._journal = journal
        self._office = office
        self._connectors = connectors
        self._clock = clock
        acts = Acts(clock=clock, random_bytes=random_bytes)
        self._register = Register(
            journal=journal,
            connectors=connectors,
            acts=acts,
            pauses=Pauses(journal=journal, clock=clock, language=language),
            clock=clock,
            listed=listed,
            classes=classes,
        )
        self._newcomers = Newcomers(journal=journal, clock=clock, notice=notice, language=language)
        self._notices = Notices(
            journal=journal,
            connectors=connectors,
            clock=clock,
            acts=acts,
            text=notice,
            received=received,
        )
        self._next_join: dict[tuple[str, str, bool], float] = {}
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
        await self._register.follow_file()

    async def round(self) -> None:
        """Take up orders, then do what each group waits for."""
        for step in await self._office.steps(await self._journal.office_taken()):
            if not await self._register.take(step):
                break  # the group moved meanwhile; this step comes first again in the next round
        # Before any join: what a group says from then on must not pass as that of a stranger.
        await self._register.tell_connectors()
        groups = await self._journal.groups()
        # Side by side: a platform that is slow for one group must not hold up the others.
        await asyncio.gather(*(self._attend(each) for each in groups if not self._at_rest(each)))

    def _at_rest(self, group: Group) -> bool:
        """Recorded and told: so are nearly all groups in nearly every round."""
        if group.state is not GroupState.ACTIVE or group.notice is NoticeState.DUE:
            return False
        current = group.newcomer_at is None and self._notices.is_current(group)
        return current or not is_told(group)

    async def _attend(self, group: Group) -> None:
        back = group.presence in {Presence.INVITED, Presence.JOINED}
        if group.state is GroupState.REMOVED and back and await self._register.readmit(group):
            return
        if group.state is GroupState.APPROVED and group.presence is not Presence.JOINED:
            await self._join(group)
        if group.state in OVER:
            # Every round, since a delivery on its way may have opened another stream.
            await self._journal.close_stream(group, at=self._clock.now())
        if group.notice is not NoticeState.DUE:
            await self._keep_told(group)
            return
        if group.state in {GroupState.ACTIVE, GroupState.NOT_RECORDING}:
            await self._notices.announce(group)
        elif group.state in ENDED or group.presence in {Presence.LEFT, Presence.REMOVED}:
            # What was journalled while we recorded must not wait for a notice for ever.
            late = Announcement(upstream_id=None, refusal="recording ended before the notice")
            await self._notices.settle(group, late, notice=None)

    async def _keep_told(self, group: Group) -> None:
        """The group, and who came into it since, know that it is recorded, and how."""
        if group.state is GroupState.ACTIVE and is_told(group):
            told = await self._notices.keep_current(group)
            if not told:
                await self._newcomers.tell(group)

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
