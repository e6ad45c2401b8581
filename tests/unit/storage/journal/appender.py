"""A process that starts children which append until they are killed. Run with the journal's path.

For each line on its standard input, a generation, it forks a child and prints ``pid <pid>``; the
child prints ``<generation> <batch>`` once that batch is durable; when the child is dead, ``dead``.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from itertools import count
from pathlib import Path

from bridge.model import Event
from tests.fakes.samples import batch, event, group
from tests.unit.storage.journal.files import opened

GROUPS = ("!one", "!two")
EVENTS = 3
"""New events in each batch."""


def events(generation: int, number: int) -> tuple[Event, ...]:
    """The events of one batch: three new ones over two groups."""
    return tuple(
        event(f"${generation}/{number}/{i}", group_id=GROUPS[i % 2], body="x" * 200)
        for i in range(EVENTS)
    )


async def _append(path: Path, generation: int) -> None:
    journal = await opened(path, seed=generation)
    for group_id in GROUPS:
        await journal.set_group(group(group_id), expect=None)
    numbers = count()
    chance = random.Random(generation)

    async def producer() -> None:
        for number in numbers:
            repeats = events(generation, max(number - chance.randrange(1, 9), 0))
            new = events(generation, number)
            cursor = f"{generation}/{number}".encode()
            await journal.append(batch(*new, *repeats, cursor=cursor))
            os.write(1, f"{generation} {number}\n".encode())

    await asyncio.gather(producer(), producer(), producer())


def main() -> None:
    """Fork one child for each line, before any thread was ever started here."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(_append(Path(sys.argv[1]), int(line)))
        os.write(1, f"pid {child}\n".encode())
        os.waitpid(child, 0)
        os.write(1, b"dead\n")


if __name__ == "__main__":
    main()
