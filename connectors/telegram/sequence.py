"""Numbers of updates that never came: somebody else acknowledged them, or they ran out.

The Bot API numbers what it keeps for a bot one by one, and begins anew at random only after a week
without any. So within that time what the offset names comes next, and if a later one does, those
between were kept for us and are gone. Of a bot with buttons or an inline mode some run out within
minutes; a recorder has neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from connectors.telegram.envelope import RawUpdate

NUMBERED_ON = timedelta(days=6)
"""So long after an update the next ones are surely numbered on from it."""

MOST_LEFT_OUT = 100_000
"""More do not wait for a bot: then the numbers began anew."""


def left_out(updates: Sequence[RawUpdate], offset: int | None) -> int:
    """How many numbers were left out between ``offset`` and the first update, if it has one."""
    first = updates[0].update_id if updates else None
    if first is None or offset is None:
        return 0
    return first - offset if 0 < first - offset <= MOST_LEFT_OUT else 0
