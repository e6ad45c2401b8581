"""`muniment run` with a classifier that takes longer: ``--slow-classifier SECONDS`` for each.

Everything else is the program as it is. Used by :mod:`benchmarks.loss`.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path


async def start_bridge(config: Path, slow_classifier: float) -> int:
    """Run the bridge of ``config`` until SIGTERM; each classification takes that much longer.

    MUST behave as `muniment run --config` does otherwise. Returns the exit code.
    """
    raise NotImplementedError(f"the composition root takes no classifier yet: {config}")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--slow-classifier", type=float, required=True)
    settings = parser.parse_args()
    raise SystemExit(asyncio.run(start_bridge(settings.config, settings.slow_classifier)))


if __name__ == "__main__":
    main()
