"""Many seeds, one after the other: ``make simulate SEEDS=100000 FIRST=0 JOBS=2``."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.loop import SUPPORTED, WHY_NOT
from tests.simulation.plan import seeded
from tests.simulation.world import run

AT_ONCE = 100


def attempt(seed: int) -> str | None:
    """What is wrong with a seed, or None. Broad on purpose: any failure is a finding."""
    try:
        run(seeded(seed))
    except Exception as error:
        return f"seed {seed}: {type(error).__name__}: {error}\n{again(seed)}"
    return None


def again(seed: int) -> str:
    """How to see it again."""
    return f"rerun: make simulate SEEDS=1 FIRST={seed}"


def attempt_all(seeds: range) -> list[str]:
    """What is wrong with any of these."""
    return [wrong for seed in seeds if (wrong := attempt(seed)) is not None]


def main() -> int:
    """Run the seeds that were asked for; 1 if any of them found something."""
    parser = argparse.ArgumentParser(prog="tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    if not SUPPORTED:
        sys.stderr.write(f"{WHY_NOT}\n")
        return 2
    began = time.monotonic()
    end = asked.first + asked.seeds
    parts = [range(i, min(i + AT_ONCE, end)) for i in range(asked.first, end, AT_ONCE)]
    found = 0
    with ProcessPoolExecutor(max_workers=asked.jobs) as pool:
        for part, wrongs in zip(parts, pool.map(attempt_all, parts), strict=True):
            found += len(wrongs)
            for wrong in wrongs:
                sys.stdout.write(f"{wrong}\n")
                sys.stdout.flush()
            sys.stderr.write(f"\r{part.stop - asked.first} of {asked.seeds}, {found} failed")
    sys.stdout.write(f"\n{asked.seeds} seeds, {found} failed, {time.monotonic() - began:.0f} s\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
