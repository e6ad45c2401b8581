"""A long outage of the store: who is stored in time, by the order in which messages are taken.

    python -m benchmarks.outage [--items N] [--seed N] [--json FILE]

Virtual time, one seed, the same messages, workers and outage for every order. Ours is the
writer of the product, with its pauses; the others are as good as they can be made: they never
pause, and in the last row but one somebody even tells them when the store is away and back.
Exits 1 if ours stores more messages late than earliest deadline first with a late lane does.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks import disciplines, virtual_writer
from benchmarks.workload import Item, Outcome, Workload, beyond_help

FULL = Workload()


def scaled(items: int, *, seed: int = FULL.seed) -> Workload:
    """The same rates with fewer messages: run and outage are shorter in proportion."""
    share = items / FULL.items
    return replace(
        FULL,
        items=items,
        length=round(FULL.length * share),
        outage=round(FULL.outage * share),
        seed=seed,
    )


def compare(workload: Workload, items: tuple[Item, ...]) -> tuple[Outcome, ...]:
    """The references, the last of them once more as one that is told, and ours."""
    references = [disciplines.run(each, workload, items) for each in disciplines.REFERENCES]
    told = disciplines.run(disciplines.LATE_LANE, workload, items, told=True)
    ours = virtual_writer.run(workload, items)
    return (*references, replace(told, name="the same, told when the store is away and back"), ours)


def passes(outcomes: Sequence[Outcome]) -> bool:
    """Ours has no more late messages than the third."""
    return outcomes[-1].late <= outcomes[2].late


def report(workload: Workload, items: tuple[Item, ...], outcomes: Sequence[Outcome]) -> str:
    """The workload in words and the table, in Markdown."""
    return "\n".join([*_told(workload, items), "", *_table(outcomes)])


def _told(workload: Workload, items: tuple[Item, ...]) -> Iterator[str]:
    away, back = workload.away
    shares = ", ".join(f"{_length(timer)} {share:.0%}" for timer, share in workload.mix)
    yield (
        f"{workload.items} messages in {workload.length / 60_000:.0f} min, at random; "
        f"{workload.workers} puts at a time of {workload.mean_put / 1000:.2f} s in the mean "
        f"(log-normal, sigma {workload.spread}): load {workload.load:.0%}. The store is silent "
        f"from minute {away / 60_000:.0f} to {back / 60_000:.0f}; a put in that time fails after "
        f"{workload.fails_after / 1000:.0f} s. Timers: {shares}. Seed {workload.seed}."
    )
    yield ""
    yield (
        f"{beyond_help(workload, items)} messages came and disappeared while the store was away: "
        "late in any order."
    )


def _length(timer: int | None) -> str:
    if timer is None:
        return "none"
    for unit, size in (("h", 3_600_000), ("min", 60_000)):
        if timer >= size:
            return f"{timer // size} {unit}"
    return f"{timer // 1000} s"


def _table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield "| order | late | latest by | last stored at |"
    yield "|---|---|---|---|"
    for each in outcomes:
        latest, ends = each.latest / 60_000, each.ends / 60_000
        yield f"| {each.name} | {each.late} | {latest:.1f} min | {ends:.1f} min |"


def main() -> int:
    """Run every order and print; 1 if ours is worse."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--items", type=int, default=FULL.items)
    options.add_argument("--seed", type=int, default=FULL.seed)
    options.add_argument("--json", type=Path, metavar="FILE")
    chosen = options.parse_args()
    workload = scaled(chosen.items, seed=chosen.seed)
    items = workload.draw()
    outcomes = compare(workload, items)
    print(report(workload, items, outcomes))
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(each) for each in outcomes]))
    return 0 if passes(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
