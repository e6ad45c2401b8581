"""The notice of a group: posted, and settled by its event id or its refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from bridge.admission.acts import Acts
from bridge.canonical.json import Json
from bridge.errors import ConnectorError, ConnectorRejectedError, ConnectorUnavailableError
from bridge.model import Digest, Group, GroupState, NoticeState
from bridge.protocols import Announcement, Clock, Connector, Journal, Saying
from bridge.sayings import WORTH_SAYING

log = structlog.get_logger(__name__)

NOTICE_SECONDS = 10.0
"""Without success in this time the notice counts as refused, and storing begins; it is said later.
"""

NOTICE_PAUSE = 1.0
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
        text: Callable[[Group], str],
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
            await self.settle(group, said, text=None)
            return
        key = _notice_key(group)
        if self._next_try.get(key, 0.0) > self._clock.monotonic():
            return
        text = self._text(group)
        answer: Announcement | None
        try:
            answer = await self._post(connector, group, text, key=key)
        except ConnectorRejectedError as error:
            answer = self._of_the_account(connector, key, error)
        except _NoAnswerError as error:
            answer = Announcement(upstream_id=None, refusal=str(error))
            await self._say_later(group, text, key=key)
        if answer is not None:
            await self.settle(group, answer, text=text)
            self._refused_us.pop(key, None)
            self._next_try.pop(key, None)

    async def settle(self, group: Group, said: Announcement, *, text: str | None) -> None:
        """Journal the outcome with its act."""
        notice = NoticeState.POSTED if said.upstream_id else NoticeState.REFUSED
        details: dict[str, Json] = {
            "text": text,
            "upstream_id": said.upstream_id,
            "refusal": said.refusal,
            "pinned": said.pinned,
        }
        act = self._acts.notice(group, details)
        note = f"notice refused: {said.refusal}" if said.refusal else ""
        await self._journal.settle_notice(group, notice=notice, note=note, act=act)
        log.info("notice", connector=group.connector, state=notice.value)

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


def _notice_key(group: Group) -> str:
    """The same for every try, so that a repeated post is the same message; new after a return."""
    digest = Digest.of(f"{group.connector}\0{group.group_id}\0{group.notices}".encode())
    return f"muniment-notice-{digest.hex[:24]}"
