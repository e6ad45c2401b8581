"""The notice of a group: posted, settled by its event id or its refusal, and kept current."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog

from bridge.admission.acts import Acts
from bridge.canonical.json import Json
from bridge.errors import ConnectorError, ConnectorRejectedError, ConnectorUnavailableError
from bridge.groups import NOTICE_REFUSED
from bridge.model import Digest, Group, GroupState, NoticeState
from bridge.notices import Notice
from bridge.protocols import Announcement, Clock, Connector, Journal, Saying
from bridge.sayings import WORTH_SAYING

log = structlog.get_logger(__name__)

NOTICE_SECONDS = 10.0
"""Without success in this time the notice counts as refused, and storing begins; it is said later.
"""

NOTICE_PAUSE = 1.0
STEADY_SECONDS = 10.0
"""What the notice says must stand so long before it is said again: changes come in company."""

AGAIN_PAUSE = 60.0
AGAIN_MOST = ((3600.0, 3), (86_400.0, 6))
"""Within so many seconds a group is told again at most so often, whoever keeps renaming it."""

REFUSED_AGAIN = timedelta(days=1)
"""A notice that a group refused is tried again after this time, or for whoever joins meanwhile:
its rights may have changed.
"""

ACCOUNT_PAUSE = 5.0
UNREADABLE_REFUSAL = "nothing is said in a group that cannot be read"


class _NoAnswerError(Exception):
    """The time for the notice is over."""


class Notices:
    """Posts notices, and journals what came of them.

    ``text`` gives that of a group; ``received`` when a connector, by its name, was asked for what
    it last delivered (monotonic).
    """

    def __init__(
        self,
        *,
        journal: Journal,
        connectors: Mapping[str, Connector],
        clock: Clock,
        acts: Acts,
        text: Callable[[Group], Notice],
        received: Callable[[str], float | None],
    ) -> None:
        self._journal = journal
        self._connectors = connectors
        self._clock = clock
        self._acts = acts
        self._text = text
        self._received = received
        self._refused_us: dict[str, float] = {}
        self._next_try: dict[str, float] = {}
        self._first_try: dict[str, datetime] = {}
        self._changed: dict[tuple[str, str], tuple[str, float]] = {}
        self._repeats: dict[tuple[str, str], deque[float]] = {}

    async def announce(self, group: Group) -> None:
        """Post the notice; only once it is settled may anything of the group be stored.

        Crash after the platform took it: it is posted again under the same key, which the
        platform answers with the message it has.
        """
        connector = self._connectors.get(group.connector)
        if connector is None:
            return
        if group.state is GroupState.NOT_RECORDING:
            said = Announcement(upstream_id=None, refusal=UNREADABLE_REFUSAL)
            await self.settle(group, said, notice=None)
            return
        notice = self._text(group)
        key = _notice_key(group, notice)
        if self._next_try.get(key, 0.0) > self._clock.monotonic():
            return
        answer: Announcement | None
        try:
            answer = await self._post(connector, group, notice.text, key=key)
        except ConnectorRejectedError as error:
            answer = self._of_the_account(connector, key, error)
        except _NoAnswerError as error:
            answer = Announcement(upstream_id=None, refusal=str(error))
            await self._say_later(group, notice.text, key=key)
        if answer is not None:
            await self.settle(group, answer, notice=notice, said_at=self._first_try.pop(key, None))
            self._refused_us.pop(key, None)
            self._next_try.pop(key, None)

    async def keep_current(self, group: Group) -> bool:
        """Say it again where the group was told something else, or is due to hear it once more.

        Recording and storing go on meanwhile: the group knows that it is recorded. Crash after the
        platform took it: what it was told is not in the register, and the same is posted under the
        same key. Gives whether the group was told now.
        """
        connector, notice = self._connectors.get(group.connector), self._text(group)
        if connector is None or self.is_current(group):
            return False
        key = _notice_key(group, notice)
        if not self._is_due_again(group, notice, key):
            return False
        try:
            answer = await self._post(connector, group, notice.text, key=key)
        except (ConnectorRejectedError, _NoAnswerError) as error:
            log.warning("notice_waits", connector=connector.name, what=str(error))
            self._next_try[key] = self._clock.monotonic() + AGAIN_PAUSE
            return False
        await self.settle(group, answer, notice=notice, said_at=self._first_try.pop(key, None))
        where = (group.connector, group.group_id)
        self._changed.pop(where, None)
        self._next_try.pop(key, None)
        self._repeats.setdefault(where, deque()).append(self._clock.monotonic())
        return True

    def is_current(self, group: Group) -> bool:
        """Whether the group was told what holds now. It is asked twice a second of each."""
        current = not self._is_outdated(group, self._text(group))
        if current:
            self._changed.pop((group.connector, group.group_id), None)
        return current

    def _is_due_again(self, group: Group, notice: Notice, key: str) -> bool:
        where, now = (group.connector, group.group_id), self._clock.monotonic()
        version, since = self._changed.get(where, ("", now))
        if version != notice.version:
            self._changed[where] = (notice.version, now)
            return False
        if now - since < STEADY_SECONDS or self._next_try.get(key, 0.0) > now:
            return False
        times = self._repeats.get(where, deque())
        while times and now - times[0] >= AGAIN_MOST[-1][0]:
            times.popleft()
        return all(sum(now - at < within for at in times) < most for within, most in AGAIN_MOST)

    def _is_outdated(self, group: Group, notice: Notice) -> bool:
        if group.notice_version is None or group.notice_at is None:
            return group.notice_version is not None
        refused = group.notice is NoticeState.REFUSED
        again = group.newcomer_at is not None
        if refused and (again or self._clock.now() - group.notice_at >= REFUSED_AGAIN):
            return True
        return group.notice_version != notice.version

    async def settle(
        self,
        group: Group,
        said: Announcement,
        *,
        notice: Notice | None,
        said_at: datetime | None = None,
    ) -> None:
        """Journal the outcome with its act, which has the text and what it was made from.

        Who came after ``said_at`` is still to be told: the platform may have had it from then on.
        """
        state = NoticeState.POSTED if said.upstream_id else NoticeState.REFUSED
        details: dict[str, Json] = {
            "upstream_id": said.upstream_id,
            "refusal": said.refusal,
            "pinned": said.pinned,
        }
        if notice is not None:
            details |= _details(notice)
        act = self._acts.notice(group, details)
        note = f"{NOTICE_REFUSED}{said.refusal}" if said.refusal else ""
        version = None if notice is None else notice.version
        await self._journal.settle_notice(
            group, notice=state, note=note, act=act, version=version, said_at=said_at
        )
        log.info("notice", connector=group.connector, state=state.value)

    def _of_the_account(
        self, connector: Connector, key: str, error: ConnectorRejectedError
    ) -> Announcement | None:
        """We were refused, not the notice: that tells nothing of the group while we are shut out.

        Once something was received that was asked for after the refusal, we are not: then the
        group has had its time, and the notice is refused.
        """
        now = self._clock.monotonic()
        if key not in self._refused_us:
            log.warning("notice_waits", connector=connector.name, what=str(error), hint=error.hint)
        since = self._refused_us.setdefault(key, now)
        self._next_try[key] = now + ACCOUNT_PAUSE
        received = self._received(connector.name)
        if now - since < NOTICE_SECONDS or received is None or received <= since:
            return None
        return Announcement(upstream_id=None, refusal=str(error))

    async def _post(
        self, connector: Connector, group: Group, text: str, *, key: str
    ) -> Announcement:
        """Post it, again under the same key where the platform asks us to wait or says nothing.

        Raises:
            ConnectorRejectedError: our account is refused.
            _NoAnswerError: no success in time, and no refusal of the group's either.
        """
        # A try that reports nothing may have come through: the first counts, not the last.
        self._first_try.setdefault(key, self._clock.now())
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
        except ConnectorRejectedError:
            raise
        except ConnectorError as error:
            refusal = str(error)
        raise _NoAnswerError(refusal)

    async def _say_later(self, group: Group, text: str, *, key: str) -> None:
        """One member's slow server must not keep the notice from all the others.

        Before it is settled, under the same key: a crash in between posts it once all the same.
        """
        until = self._clock.now() + WORTH_SAYING
        late = Saying(
            connector=group.connector, group_id=group.group_id, text=text, key=key, until=until
        )
        await self._journal.say([late])


def _details(notice: Notice) -> dict[str, Json]:
    return {
        "text": notice.text,
        "version": notice.version,
        "language": notice.language,
        "policy": notice.policy or None,
        "capture_all": notice.capture_all,
        "timer": notice.timer,
    }


def _notice_key(group: Group, notice: Notice) -> str:
    """The same for every try, so that a repeated post is the same message; new for a new text."""
    said = f"{group.connector}\0{group.group_id}\0{group.notices}\0{notice.version}"
    return f"muniment-notice-{Digest.of(said.encode()).hex[:24]}"
