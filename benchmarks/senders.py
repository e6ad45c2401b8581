"""People who send as fast as they are told to."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Speaker(Protocol):
    """Somebody who can write to a group, on whatever platform."""

    async def text(self, room: str, body: str, /) -> object:
        """Send a text; returns when the platform has taken it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How many messages are sent, and how: at ``rate`` a second, or by ``parallel`` at once."""

    count: int
    rate: float | None = None
    parallel: int = 8


def bodies(tag: str, count: int) -> list[str]:
    """Messages that differ, each of which is a decision."""
    return [f"Decision {number} on {tag}: approve option B, go ahead" for number in range(count)]


async def send(people: Sequence[Speaker], room: str, texts: Sequence[str], how: Sending) -> float:
    """Send all ``texts``; returns the rate reached, in messages a second."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    waiting = iter(enumerate(texts))
    speakers = itertools.cycle(people)

    async def worker() -> None:
        for number, text in waiting:
            if how.rate is not None:
                await asyncio.sleep(max(0.0, begun + number / how.rate - clock()))
            await next(speakers).text(room, text)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(how.parallel):
            tasks.create_task(worker())
    return len(texts) / (clock() - begun)
