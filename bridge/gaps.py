"""Which time gaps cover: those of one event cover none, and two that are halves are one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bridge.model import Loss

OF_ONE_EVENT = frozenset(
    {
        "media_not_obtained",
        "not_rescued",
        "paid_media_preview",
        "redacted_before_delivery",
        "undecryptable",
    }
)
"""Causes of gaps that are of one event, which is journalled: nothing else is lost by them."""


def in_time(gaps: Iterable[Loss]) -> list[Loss]:
    """The gaps of one group that cover time, in the order in which they were recorded.

    One that only ends is the other half of the last one of its cause that only began; without
    such a one it may have begun at any time before. One without any time covers none.
    """
    found: list[Loss] = []
    for gap in gaps:
        if gap.why in OF_ONE_EVENT or (gap.since is None and gap.until is None):
            continue
        begun = None
        if gap.since is None:
            begun = next((i for i in reversed(range(len(found))) if _began(found[i], gap)), None)
        if begun is None:
            found.append(gap)
        else:
            found[begun] = replace(found[begun], until=gap.until)
    return found


def _began(one: Loss, end: Loss) -> bool:
    return one.why == end.why and one.until is None
