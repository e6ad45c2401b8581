"""Members who came after the notice are told of it: shortly, and not for each of them.

The journal marks the group in the transaction that brings the event of their coming. Whether
anybody read anything is asked of nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from bridge.model import Group, NoticeState
from bridge.notices import Notice, newcomers_text
from bridge.protocols import Clock, Journal
from bridge.sayings import WORTH_SAYING, saying

TOGETHER = timedelta(seconds=10)
"""Who comes within this time is told with the first."""

BETWEEN = timedelta(hours=1)
"""A group is not told more often; who comes meanwhile is told at the end of it."""


class Newcomers:
    """``notice`` gives that of a group, for whom to ask."""

    def __init__(
        self, *, journal: Journal, clock: Clock, notice: Callable[[Group], Notice], language: str
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._notice = notice
        self._language = language

    async def tell(self, group: Group) -> None:
        """Have newcomers told, if there are any and it is time.

        Where the notice was refused there is none to point to: it is tried again instead, see
        :class:`bridge.admission.notice.Notices`.

        Crash between the two writes: the mark stands, and the same sentence is written again under
        its key, which changes nothing.
        """
        if group.newcomer_at is None or group.notice_at is None:
            return
        if group.notice is NoticeState.REFUSED:
            return
        now = self._clock.now()
        told = group.newcomers_told_at
        # A clock that was set makes nobody wait for ever: only what is near counts.
        if abs(now - group.newcomer_at) < TOGETHER:
            return
        if told is not None and abs(now - told) < BETWEEN:
            return
        contact = self._notice(group).contact
        text = newcomers_text(group.notice_at, contact, language=self._language)
        at = group.newcomer_at if told is None else max(group.newcomer_at, told)
        said = saying(group, text, what="newcomers", at=at, until=now + WORTH_SAYING)
        await self._journal.say([said])
        after = replace(group, newcomer_at=None, newcomers_told_at=now)
        await self._journal.set_group(after, expect=group)
