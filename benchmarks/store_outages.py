"""The loss table under outages of the store: everything is journalled, stored in the end, not late.

    python -m benchmarks.store_outages --synapse .synapse/bin/python [--only KEYS]

One Synapse, one `muniment run`, one S3 server with Object Lock that goes wrong in one way after
another while messages are sent into rooms with timers. Then it is well again, and has the rest of
the timers' time. Exits 1 if a row is not as its title and its expectation say.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.holding import Holding, held
from benchmarks.scene import Scene, on_s3
from bridge.demo.recorder import GroupStatus
from tests.servers.fault_s3 import Fault, FaultKind

TIMERS_MS = (60_000, 120_000)
"""Retention of the rooms of a row, in turn."""

_PUT = "PutObject"
_RECORDS = "v1/demo/records/"
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A row: what the store does wrong. ``unstored``: records that no waiting can store.

    ``why`` says so to the reader.
    """

    key: str
    title: str
    faults: tuple[Fault, ...] = field(repr=False)
    unstored: int = 0
    why: str = ""


FULL = (
    Outage(key="down", title="connections refused", faults=(Fault(kind=FaultKind.DOWN),)),
    Outage(key="silent", title="never answers", faults=(Fault(kind=FaultKind.SILENT),)),
    Outage(key="slow", title="1 byte a second", faults=(Fault(kind=FaultKind.SLOW, rate=1.0),)),
    Outage(
        key="503",
        title="503 before anything is done",
        faults=(Fault(kind=FaultKind.STATUS, status=503, code="ServiceUnavailable"),),
    ),
    Outage(
        key="500",
        title="500 after the object was made",
        faults=(Fault(kind=FaultKind.STATUS, on=_PUT, status=500, lands=True),),
    ),
    Outage(
        key="closed",
        title="connection closed after the object was made",
        faults=(Fault(kind=FaultKind.CLOSED, on=_PUT, lands=True),),
    ),
    Outage(
        key="409",
        title="409 on each PUT",
        faults=(
            Fault(kind=FaultKind.STATUS, on=_PUT, status=409, code="ConditionalRequestConflict"),
        ),
    ),
    Outage(
        key="own-412",
        title="412 for our own object",
        faults=(Fault(kind=FaultKind.TWICE, on=_PUT),),
    ),
    Outage(
        key="foreign-412",
        title="somebody else takes the name of a manifest part",
        faults=(Fault(kind=FaultKind.FOREIGN, on=_PUT, prefix="v1/demo/manifests/", times=1),),
    ),
    Outage(
        key="foreign-record",
        title="somebody else takes the name of a record",
        faults=(Fault(kind=FaultKind.FOREIGN, on=_PUT, prefix=_RECORDS, times=1),),
        unstored=1,
        why="its name holds other bytes for ever; it stays in the journal, with an alarm",
    ),
    Outage(
        key="checksum",
        title="shows a wrong checksum",
        faults=(Fault(kind=FaultKind.CHECKSUM_WRONG),),
    ),
    Outage(
        key="clock",
        title="its clock is 20 minutes ahead",
        faults=(Fault(kind=FaultKind.CLOCK, seconds=1200.0),),
    ),
    Outage(
        key="429",
        title="429 on every request",
        faults=(Fault(kind=FaultKind.STATUS, status=429, code="SlowDown", retry_after=2),),
    ),
    Outage(
        key="lock",
        title="drops the lock",
        faults=(Fault(kind=FaultKind.LOCK_DROPPED, on=_PUT),),
    ),
)
"""The table. What may leave records behind that are tried again and again stands last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Messages of a row, and seconds of its outage, in which all of them are sent."""

    messages: int = 100
    seconds: float = 12.0
    patience: float = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of an outage. ``settling``: seconds from its end until all was stored.

    ``said``: the alarm of the time, as the operator read it.
    """

    outage: Outage
    holding: Holding
    before: int
    late: int
    settling: float
    said: str

    @property
    def kept(self) -> bool:
        """Whether it came as it ought to."""
        holding = self.holding
        return (
            holding.journalled == holding.asked
            and holding.stored == holding.asked - self.outage.unstored
            and not self.late
            and not holding.skipped
        )


async def table(
    *,
    python: Path,
    folder: Path,
    outages: Sequence[Outage],
    pace: Pace,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """Measure each outage. ``python`` has Synapse; ``folder`` MUST NOT exist."""
    retentions = TIMERS_MS * len(outages)
    async with on_s3(python=python, folder=folder, retentions_ms=retentions) as scene:
        await scene.recorder.start()
        rows = []
        for number, outage in enumerate(outages):
            at = number * len(TIMERS_MS)
            row = await _row(scene, scene.rooms[at : at + len(TIMERS_MS)], outage, pace)
            rows.append(row)
            progress(line_of(row))
        return rows


async def _row(scene: Scene, rooms: Sequence[str], outage: Outage, pace: Pace) -> Row:
    begun = time.monotonic()
    for fault in outage.faults:
        await asyncio.to_thread(scene.s3.set, fault)
    event_ids = await _sent(scene, rooms, outage, pace)
    await asyncio.sleep(max(0.0, begun + pace.seconds - time.monotonic()))
    before = await held(scene, event_ids)
    said = (await scene.recorder.status()).alarms
    await asyncio.to_thread(scene.s3.lift)
    ended = time.monotonic()
    holding = await held(scene, event_ids)
    while holding.stored < holding.asked - outage.unstored:
        if time.monotonic() > ended + pace.patience:
            break
        await asyncio.sleep(_LOOK_SECONDS)
        holding = await held(scene, event_ids)
    return Row(
        outage=outage,
        holding=holding,
        before=before.stored,
        late=sum(group.late for group in await _groups(scene, rooms)),
        settling=time.monotonic() - ended,
        said=said[0] if said else "",
    )


async def _sent(scene: Scene, rooms: Sequence[str], outage: Outage, pace: Pace) -> list[str]:
    """Steadily, so that some come at every moment of the outage; gives the event ids."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    every = pace.seconds * 0.8 / pace.messages
    event_ids = []
    for number in range(pace.messages):
        await asyncio.sleep(max(0.0, begun + number * every - clock()))
        person = scene.people[number % len(scene.people)]
        text = f"Decision {number} while {outage.key}: approve option B, go ahead"
        event_ids.append(await person.text(rooms[number % len(rooms)], text))
    return event_ids


async def _groups(scene: Scene, rooms: Sequence[str]) -> list[GroupStatus]:
    return [group for group in (await scene.recorder.status()).groups if group.id in rooms]


HEAD = (
    "| the store | sent | journalled | stored meanwhile | stored | late | seconds to catch up |\n"
    "|---|---|---|---|---|---|---|"
)


def line_of(row: Row) -> str:
    """One line of the table."""
    holding = row.holding
    why = f" ({row.outage.why})" if row.outage.why else ""
    missed = "" if row.kept else " **not as it ought to be**"
    return (
        f"| {row.outage.title}{missed} | {holding.asked} | {holding.journalled} | {row.before} |"
        f" {holding.stored}{why} | {row.late} | {row.settling:.0f} |"
    )


def main() -> None:
    """Read the arguments, measure, print; 1 if a row is not as it ought to be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--synapse", type=Path, required=True, help="python with Synapse")
    parser.add_argument("--only", default="", help="rows to measure, e.g. down,500")
    parser.add_argument("--verbose", action="store_true", help="also what the recorder said")
    chosen = parser.parse_args()
    only = set(filter(None, chosen.only.split(",")))
    outages = [outage for outage in FULL if not only or outage.key in only]
    with tempfile.TemporaryDirectory(prefix="muniment-outages-") as name:
        rows = asyncio.run(
            table(
                python=chosen.synapse.absolute(),
                folder=Path(name) / "recorder",
                outages=outages,
                pace=Pace(),
            )
        )
    timers = " and ".join(f"{length // 1000} s" for length in TIMERS_MS)
    print(f"Outages of {Pace().seconds:.0f} s, rooms with timers of {timers}:\n")
    print("\n".join((HEAD, *map(line_of, rows))))
    if chosen.verbose:
        print("\n".join(f"{row.outage.key}: {row.said}" for row in rows))
    raise SystemExit(0 if all(row.kept for row in rows) else 1)


if __name__ == "__main__":
    main()
