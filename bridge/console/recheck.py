"""Whether somebody may still have all of what was prepared for them: asked at each fetch.

Between the two their account may have come to be for fewer groups, and somebody may have marked
a record as sensitive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from bridge.console.bags import Row
from bridge.console.reels import Reel
from bridge.console.site import Visit
from bridge.console.veil import marked_among

AT_ONCE: Final = 500
_ROW: Final = msgspec.json.Decoder(Row)


async def may_still_have(visit: Visit, reel: Reel) -> bool:
    """Whether every record on it is in the visitor's scope now, and none is marked."""
    lines = reel.lines()
    while rows := await asyncio.to_thread(_some, lines):
        if not all(visit.may_see(row.gid) for row in rows) or await marked_among(
            visit, [(row.stream, row.n) for row in rows]
        ):
            return False
    return True


def _some(lines: Iterator[bytes]) -> list[Row]:
    return [_ROW.decode(line) for line in islice(lines, AT_ONCE)]
