"""What is done where an object is not what the log says: it is told, and shown all the same."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from bridge.console.site import Visit

log = structlog.get_logger(__name__)


async def raise_alarm(visit: Visit, stem: str, codes: Sequence[str]) -> None:
    """Say that a record or what belongs to it does not fit: in the log, and in the trail."""
    named = ", ".join(dict.fromkeys(codes))
    log.error("record_unproved", record=stem, codes=named)
    await visit.note("record unproved", stem, details=named)
