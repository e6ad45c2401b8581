"""The daily audit names the last line of the console's trail."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from bridge.audits import Audits
from bridge.protocols.people import TrailEntry
from storage.office.people import SqlitePeople
from tests.fakes import samples
from tests.unit.bridge.house import House


async def test_an_audit_names_the_last_line_of_the_trail(tmp_path: Path) -> None:
    """Number and chain value: a trail that is written anew does not fit them."""
    house = House(tmp_path)
    await house.open()
    await house.admit()
    people = await SqlitePeople.open(tmp_path / "office.db")
    for what in ("sign in", "view record"):
        await people.record(TrailEntry(at=house.clock.now(), who="ada", what=what))
    house.later(seconds=1)

    async def last(until: datetime) -> tuple[int, bytes] | None:
        return await people.trail_digest(until=until)

    await house.hear(samples.event("$1"))
    await house.settle()
    await house.publisher.round()
    await Audits(
        journal=house.journal,
        clock=house.clock,
        random_bytes=house.random,
        head=lambda: house.publisher.head,
        trail=last,
    ).round()
    await house.settle()
    (act,) = [act for act in house.documents("acts") if act["kind"] == "audit"]
    (line,) = await people.trail(limit=1)
    assert act["trail"] == {"lines": 2, "chain": line.chain.hex()}
    await people.aclose()
    await house.close()
