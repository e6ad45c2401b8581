"""What benchmarks read from a journal, while `muniment run` writes it."""

from __future__ import annotations

from pathlib import Path


async def journalled_bodies(config: Path) -> list[tuple[str, float]]:
    """The body of every message in the journal, and its delay.

    The delay is in seconds, from the server's timestamp to the commit that made it durable.
    MUST take no lock that `muniment run` could wait for.
    """
    raise NotImplementedError(f"no reader for the journal of {config} yet")
