"""What benchmarks read from a journal, while `muniment run` writes it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from bridge.app import entries_of, read_settings
from bridge.model import EventKind


class _Durable(msgspec.Struct):
    at: float
    ids: list[str]


def probe_of(config: Path) -> Path:
    """Where :mod:`benchmarks.slow_run` notes what was durable when."""
    return config.parent / "probe.jsonl"


async def journalled_bodies(config: Path) -> list[tuple[str, float]]:
    """The body of every message in the journal, and its delay.

    The delay is in seconds, from the server's timestamp to the commit that made it durable; for
    a run without a probe to its receipt.
    """
    settings = await asyncio.to_thread(read_settings, config)
    durable = await asyncio.to_thread(_durable, probe_of(config))
    found: list[tuple[str, float]] = []
    for entry in await entries_of(settings):
        event = entry.event
        if event.kind is EventKind.MESSAGE and event.body is not None and event.sent_at is not None:
            at = durable.get(event.upstream_id, event.observed_at.timestamp())
            found.append((event.body, at - event.sent_at.timestamp()))
    return found


def _durable(probe: Path) -> dict[str, float]:
    """When each event was first durable, by its id."""
    durable: dict[str, float] = {}
    if probe.exists():
        for line in probe.read_bytes().splitlines():
            batch = msgspec.json.decode(line, type=_Durable)
            for upstream_id in batch.ids:
                durable.setdefault(upstream_id, batch.at)
    return durable
