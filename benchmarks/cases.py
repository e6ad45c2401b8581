"""The rows of the loss table, and how each is measured."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from benchmarks.senders import Sending, Speaker, bodies, send
from benchmarks.subjects import UNLOADED, Kept, Load, Subject

_LOOK_SECONDS = 0.25
_KILLED_AFTER = 3


class Way(StrEnum):
    """What happens to the recorder while the messages are sent."""

    LIVE = "live"
    DOWN = "down"
    KILLED = "killed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A row of the table.

    ``together``: all subjects listen at once to the same messages, which compares delays under
    the same conditions; otherwise one after the other. ``wanted_rate`` is what makes the row hard.
    """

    key: str
    title: str
    sending: Sending
    way: Way = Way.LIVE
    load: Load = UNLOADED
    together: bool = False
    wanted_rate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one subject kept of one case, by stage, and its delays in seconds.

    ``twice`` is how often the last stage has a message again.
    """

    case: str
    subject: str
    sent: int
    rate: float
    kept: dict[str, int]
    delays: dict[str, tuple[float, float]]
    twice: int = 0


Trouble = Callable[[], Awaitable[None]]
"""What is done meanwhile to those who listen live."""


async def no_trouble() -> None:
    """Nothing is done."""


FULL = (
    Case(
        key="a", title="live at 35/s", sending=Sending(count=200, rate=35), load=Load(probed=True)
    ),
    Case(key="b", title="sent while down", sending=Sending(count=100), way=Way.DOWN),
    Case(
        key="c", title="burst, 40 senders", sending=Sending(count=400, parallel=40), wanted_rate=80
    ),
    Case(
        key="d",
        title="at 30/s, each slowed by 50 ms",
        sending=Sending(count=200, rate=30),
        load=Load(slow=0.05),
    ),
    Case(
        key="e",
        title="pending, kill -9 after 3, restart",
        sending=Sending(count=8),
        way=Way.KILLED,
        load=Load(slow=0.3),
    ),
    Case(
        key="f",
        title="sent while down, bot asks for 1000",
        sending=Sending(count=300),
        way=Way.DOWN,
        load=Load(timeline=1000),
    ),
    Case(
        key="g",
        title="live at 35/s, both at once",
        sending=Sending(count=200, rate=35),
        load=Load(probed=True),
        together=True,
    ),
)
"""The table."""

_SHORTER = {"a": 40, "b": 15, "c": 80, "d": 40, "e": 8, "f": 120}

SHORT = tuple(
    replace(case, sending=replace(case.sending, count=_SHORTER[case.key]), wanted_rate=0.0)
    for case in FULL
    if case.key in _SHORTER
)
"""The same rows in a fraction of the time; (f) still exceeds the server's 100 per timeline."""


async def measure(
    case: Case,
    subjects: Sequence[Subject],
    people: Sequence[Speaker],
    room: str,
    *,
    quiet: float,
    meanwhile: Trouble = no_trouble,
) -> list[Result]:
    """Send, and wait until everything is kept or nothing new came for ``quiet`` seconds.

    ``meanwhile`` runs beside the sending of a live case and is waited for.
    """
    texts = bodies(f"row {case.key}", case.sending.count)
    async with contextlib.AsyncExitStack() as stack:
        for subject in subjects:
            await subject.prepare(room)
            stack.push_async_callback(subject.stop)
        rate = await _perform(
            case, subjects, lambda: send(people, room, texts, case.sending), meanwhile
        )
        results: list[Result] = []
        for subject in subjects:
            await _settle(subject, len(texts), quiet)
            results.append(_result(case, subject, await subject.stages(), texts, rate))
        return results


def _result(
    case: Case, subject: Subject, stages: dict[str, list[Kept]], texts: Sequence[str], rate: float
) -> Result:
    wanted = frozenset(texts)
    *_, last = stages.values()
    return Result(
        case=case.key,
        subject=subject.label,
        sent=len(texts),
        rate=rate,
        kept={
            stage: len(wanted.intersection(one.body for one in kept))
            for stage, kept in stages.items()
        },
        delays={stage: _percentiles(kept, wanted) for stage, kept in stages.items()},
        twice=_twice(last, wanted),
    )


async def _perform(
    case: Case,
    subjects: Sequence[Subject],
    sending: Callable[[], Awaitable[float]],
    meanwhile: Trouble,
) -> float:
    if case.way is Way.LIVE:
        for subject in subjects:
            await subject.start(case.load)
        rate, _ = await asyncio.gather(sending(), meanwhile())
        return rate
    # They must have been there once: what is sent before the join is nobody's to record.
    healthy = replace(case.load, slow=0.0)
    for subject in subjects:
        await subject.start(healthy)
        await subject.stop()
    rate = await sending()
    for subject in subjects:
        if case.way is Way.KILLED:
            await _killed(subject, case.load)
        await subject.start(healthy)
    return rate


async def _killed(subject: Subject, load: Load) -> None:
    """Let it begin, and kill it when it has finished three messages."""
    await subject.start(load, wait=False)
    async with asyncio.timeout(300):
        # Another process: nothing here can be told of its progress.
        while await subject.finished() < _KILLED_AFTER:
            await asyncio.sleep(0.01)
    await subject.kill()


async def _settle(subject: Subject, count: int, quiet: float) -> None:
    clock = asyncio.get_running_loop().time
    seen, changed = await subject.finished(), clock()
    while seen < count and clock() < changed + quiet:
        await asyncio.sleep(_LOOK_SECONDS)
        now = await subject.finished()
        if now != seen:
            seen, changed = now, clock()


def _twice(kept: Sequence[Kept], wanted: frozenset[str]) -> int:
    """Messages beyond the first with each body."""
    counts = Counter(one.body for one in kept if one.body in wanted)
    return counts.total() - len(counts)


def _percentiles(kept: Sequence[Kept], wanted: frozenset[str]) -> tuple[float, float]:
    """The median and the 95th percentile."""
    delays = sorted(one.delay for one in kept if one.body in wanted)
    if not delays:
        return (0.0, 0.0)
    last = len(delays) - 1
    return (delays[round(last * 0.5)], delays[round(last * 0.95)])
