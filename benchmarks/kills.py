"""SIGKILL during load, over and over: nothing acknowledged is missing, and nothing is there twice.

    python -m benchmarks.kills --synapse .synapse/bin/python [--kills N] [--seed N]

A real Synapse, an S3 server with Object Lock, `muniment run`, and senders at a steady rate who
never pause. The process is killed at moments drawn from a seed and started again at once. In the
end every message that Synapse took from its sender must be in the journal once and in the bucket
once, one version per key. Exits 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.holding import Holding, held
from benchmarks.scene import Scene, on_s3
from bridge.errors import ConnectorUnavailableError

_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How often the process is killed and when, in seconds after its start; what is sent."""

    kills: int = 60
    shortest: float = 0.2
    longest: float = 6.0
    seed: int = 20260301
    rooms: int = 4
    rate: float = 8.0
    patience: float = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What came of it. ``settling``: seconds from the last message until all was stored."""

    plan: Plan
    holding: Holding
    seconds: float
    settling: float


class _Senders:
    """Send at a steady rate until stopped; ``taken`` are the event ids Synapse gave."""

    def __init__(self, scene: Scene, rate: float) -> None:
        self._scene = scene
        self._rate = rate
        self._stop = asyncio.Event()
        self.taken: list[str] = []

    def stop(self) -> None:
        self._stop.set()

    async def run(self) -> None:
        clock = asyncio.get_running_loop().time
        begun = clock()
        async with asyncio.TaskGroup() as sending:
            for number in itertools.count():
                await asyncio.sleep(max(0.0, begun + number / self._rate - clock()))
                if self._stop.is_set():
                    return
                sending.create_task(self._one(number))

    async def _one(self, number: int) -> None:
        scene = self._scene
        person = scene.people[number % len(scene.people)]
        room = scene.rooms[number % len(scene.rooms)]
        text = f"Decision {number}: approve option B, go ahead"
        self.taken.append(await person.text(room, text))


async def measure(
    scene: Scene, plan: Plan, *, progress: Callable[[str], None] = lambda _: None
) -> Figures:
    """Kill and start again under load, then let the recorder finish.

    Raises:
        ConnectorUnavailableError: it ended by itself.
    """
    begun = time.monotonic()
    await scene.recorder.start()
    senders = _Senders(scene, plan.rate)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(senders.run())
        await _kill(scene, plan, progress)
        senders.stop()
    ended = time.monotonic()
    holding = await _settled(scene, senders.taken, ended + plan.patience)
    now = time.monotonic()
    return Figures(plan=plan, holding=holding, seconds=now - begun, settling=now - ended)


async def _kill(scene: Scene, plan: Plan, progress: Callable[[str], None]) -> None:
    moments = random.Random(plan.seed)
    for number in range(plan.kills):
        await asyncio.sleep(moments.uniform(plan.shortest, plan.longest))
        if not scene.recorder.alive:
            said = await scene.recorder.last_words()
            raise ConnectorUnavailableError(f"`muniment run` ended by itself: {said}")
        await scene.recorder.kill()
        await scene.recorder.spawn()
        progress(f"killed {number + 1} of {plan.kills}")


async def _settled(scene: Scene, event_ids: list[str], until: float) -> Holding:
    """The holding once all is stored, or when there is no time left."""
    while True:
        holding = await held(scene, event_ids)
        if holding.complete or time.monotonic() > until:
            return holding
        await asyncio.sleep(_LOOK_SECONDS)


def told(figures: Figures) -> str:
    """The figures as lines of a page."""
    plan, holding = figures.plan, figures.holding
    counts = (
        holding.asked,
        holding.journalled,
        holding.stored,
        holding.twice,
        holding.skipped,
    )
    came = "All stored" if holding.complete else "**Not complete**"
    return (
        f"{plan.kills} SIGKILLs at random moments, {plan.shortest} to {plan.longest:.0f} s"
        f" after each start (seed {plan.seed}), while messages came at {plan.rate:.0f}/s in"
        f" {plan.rooms} rooms; {figures.seconds:.0f} s in all.\n\n"
        "| acknowledged to senders | journalled | stored | there twice | numbers missing |\n"
        "|---|---|---|---|---|\n"
        f"| {' | '.join(map(str, counts))} |\n\n"
        f"{came} {figures.settling:.0f} s after the last message."
    )


async def run(
    *,
    python: Path,
    folder: Path,
    plan: Plan,
    progress: Callable[[str], None] = lambda _: None,
) -> Figures:
    """The whole of it. ``python`` has Synapse; ``folder`` MUST NOT exist."""
    async with on_s3(python=python, folder=folder, retentions_ms=[None] * plan.rooms) as scene:
        return await measure(scene, plan, progress=progress)


def main() -> None:
    """Read the arguments, measure, print; 1 if a message is missing or there twice."""
    usual = Plan()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--synapse", type=Path, required=True, help="python with Synapse")
    parser.add_argument("--kills", type=int, default=usual.kills)
    parser.add_argument("--seed", type=int, default=usual.seed)
    chosen = parser.parse_args()
    plan = Plan(kills=chosen.kills, seed=chosen.seed)
    with tempfile.TemporaryDirectory(prefix="muniment-kills-") as name:
        figures = asyncio.run(
            run(python=chosen.synapse.absolute(), folder=Path(name) / "recorder", plan=plan)
        )
    print(told(figures))
    raise SystemExit(0 if figures.holding.complete else 1)


if __name__ == "__main__":
    main()
