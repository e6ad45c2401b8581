"""The rows of the loss table on Telegram: those of the Matrix table that exist for a bot, and more.

The server's timestamps are whole seconds, so no row compares delays.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from benchmarks import cases
from benchmarks.cases import Case
from benchmarks.senders import Sending
from benchmarks.subjects import Load, Subject
from tests.servers.bot_api import Fault, FaultKind, RemoteBotApi


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A case while it is measured; ``bots`` are the accounts of ``subjects``."""

    case: Case
    api: RemoteBotApi
    subjects: Sequence[Subject]
    bots: Sequence[int]


Trouble = Callable[[Scene], Awaitable[None]]
"""What happens to all while the messages of a case are sent."""

_SEED = 20260301
_SHARED = "abcde"
_CUT_EVERY = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A case, and the trouble in it."""

    case: Case
    trouble: Trouble | None = None


async def killed(scene: Scene) -> None:
    """SIGKILL all at moments drawn from a seed, one to four seconds apart, and start them again."""
    moments = random.Random(_SEED)
    left = _duration(scene.case)
    while left > (pause := moments.uniform(1.0, 4.0)):
        await asyncio.sleep(pause)
        left -= pause
        for subject in scene.subjects:
            await subject.kill()
            await subject.start(scene.case.load, wait=False)


async def outage(scene: Scene) -> None:
    """Refuse every method: 429, then 502, then no answer at all; each a fifth of the time."""
    faults = (
        Fault(kind=FaultKind.FLOOD, retry_after=2),
        Fault(kind=FaultKind.STATUS, status=502),
        Fault(kind=FaultKind.SILENT),
    )
    share = _duration(scene.case) / (len(faults) + 2)
    await asyncio.sleep(share)
    for fault in faults:
        await asyncio.to_thread(scene.api.set, fault)
        await asyncio.sleep(share)
        await asyncio.to_thread(scene.api.lift)


async def cut_answers(scene: Scene) -> None:
    """Cut answers to getUpdates in the middle: what they held has to come again."""
    left = _duration(scene.case)
    while left > _CUT_EVERY:
        await asyncio.sleep(_CUT_EVERY)
        left -= _CUT_EVERY
        for bot in scene.bots:
            fault = Fault(kind=FaultKind.TRUNCATED, method="getUpdates", bot=bot, times=1)
            await asyncio.to_thread(scene.api.set, fault)
    await asyncio.to_thread(scene.api.lift)


def _duration(case: Case) -> float:
    """Seconds that sending takes."""
    rate = case.sending.rate
    if rate is None:
        raise ValueError(f"row {case.key} has no rate")
    return case.sending.count / rate


_TROUBLED = (
    Row(
        case=Case(
            key="f",
            title="at 25/s, each slowed by 50 ms, kill -9 again and again",
            sending=Sending(count=400, rate=25),
            load=Load(slow=0.05),
        ),
        trouble=killed,
    ),
    Row(
        case=Case(
            key="g",
            title="at 15/s, while the API answers 429, 502, and not at all",
            sending=Sending(count=300, rate=15),
        ),
        trouble=outage,
    ),
    Row(
        case=Case(
            key="h",
            title="at 20/s, answers cut in the middle and delivered again",
            sending=Sending(count=200, rate=20),
        ),
        trouble=cut_answers,
    ),
)

FULL = (*(Row(case=case) for case in cases.FULL if case.key in _SHARED), *_TROUBLED)
"""The table."""

_SHORTER = {"f": 120, "g": 90, "h": 60}

SHORT = (
    *(Row(case=case) for case in cases.SHORT if case.key in _SHARED),
    *(
        replace(
            row,
            case=replace(row.case, sending=replace(row.case.sending, count=_SHORTER[row.case.key])),
        )
        for row in _TROUBLED
    ),
)
"""The same rows in a fraction of the time."""
