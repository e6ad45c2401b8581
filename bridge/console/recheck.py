"""Whether somebody may still have all of what was prepared for them: asked at each fetch.

Between the two their account may have come to be for fewer groups, and somebody may have marked
a record as sensitive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from bridge.console.bags import Row
from bridge.console.marks import Marks
from bridge.console.reels import Reel
from bridge.console.site import Visit
from bridge.console.veil import marks_for

AT_ONCE: Final = 500
_ROW: Final = msgspec.json.Decoder(Row)


async def may_still_have(visit: Visit, reel: Reel) -> bool:
    """Whether every record on it is in the visitor's scope now, and none is marked."""
    marks = await marks_for(visit)
    lines = reel.lines()
    while rows := await asyncio.to_thread(_some, lines):
        if not all(visit.may_see(row.gid) for row in rows):
            return False
        if marks.places and await _is_marked(visit, marks, rows):
            return False
    return True


async def _is_marked(visit: Visit, marks: Marks, rows: Sequence[Row]) -> bool:
    """Whether one of them is marked, or is listed as a part of what is."""
    numbers: dict[str, list[int]] = {}
    for row in rows:
        if (row.stream, row.n) in marks.places:
            return True
        numbers.setdefault(row.stream, []).append(row.n)
    for stream, some in numbers.items():
        if any(map(marks.on, await visit.parts.catalog.numbered(stream, some))):
            return True
    return False


def _some(lines: Iterator[bytes]) -> list[Row]:
    return [_ROW.decode(line) for line in islice(lines, AT_ONCE)]
