"""What people order of messages marked SECRET or above, and what must come of it."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from bridge.lifecycle import EntryState
from bridge.model import Outcome
from bridge.protocols import DecisionOrder
from tests.fakes.journal.core import AT_WORK
from tests.simulation.plan import Ruling

if TYPE_CHECKING:
    from tests.fakes.journal.rows import EntryRow
    from tests.simulation.world import World

Event = tuple[str, int]


def order(world: World, ruling: Ruling) -> None:
    """Somebody decides on all that is restricted of a message now: itself, and its late files."""
    for row in world.journal._rows.values():
        if (
            row.state is EntryState.RESTRICTED
            and row.event is not None
            and row.event.upstream_id == f"${ruling.said}"
        ):
            world.inbox.decisions.append(
                DecisionOrder(
                    number=len(world.inbox.decisions) + 1,
                    stream=row.stream.id,
                    n=row.n,
                    outcome=ruling.outcome,
                    by="Sam",
                    at=world.clock.now(),
                    why="looked at in the group",
                )
            )


def uncarried(world: World) -> int:
    """Orders that could be carried out, and are not yet."""
    journal = world.journal
    waiting = [
        each
        for each in journal._decisions.values()
        if each.state == "waiting" and journal._rows[each.decision.seq].state not in AT_WORK
    ]
    return len(world.inbox.decisions) - journal._orders_taken + len(waiting)


def check(world: World) -> None:
    """The first order on each holds; without one it stays where it is; each has its one leaf."""
    ruled: dict[Event, Outcome] = {}
    for each in world.inbox.decisions:
        ruled.setdefault((each.stream, each.n), each.outcome)
    told = Counter(
        leaf["ref"]
        for leaf in map(json.loads, (each.body for each in world.journal.log))
        if leaf["k"] == "decision" and leaf["by"] == "person"
    )
    rows = _manifest_rows(world)
    for row in world.journal._rows.values():
        outcome = ruled.get((row.stream.id, row.n))
        _in_its_place(world, row, outcome)
        said = told.pop(row.seen_leaf, 0)
        if outcome is None or world.journal._told(row):
            assert said == (outcome is not None), f"{row.seq} has {said} leaves of a decision"
        if outcome is Outcome.DISCARD and world.journal._told(row):
            line = rows[row.stream.id, row.n]
            assert line["outcome"] == "discard", f"the manifest is wrong on {row.seq}"
            assert "key" not in line
    assert not told, "a decision on nothing"


def _in_its_place(world: World, row: EntryRow, outcome: Outcome | None) -> None:
    if outcome is None:
        apart = row.verdict is not None and row.verdict.restricted
        assert apart == (row.state is EntryState.RESTRICTED), f"{row.seq} is {row.state}"
    elif outcome is Outcome.CAPTURE:
        waits = row.state is EntryState.SEALED and not world.journal._told(row)
        assert waits or row.state is EntryState.STORED, (
            f"{row.seq} was released, and is {row.state}"
        )
        assert row.record is not None
        assert row.record.key.startswith("records/")
    else:
        assert row.state is EntryState.DESTROYED, f"{row.seq} was not destroyed"


def _manifest_rows(world: World) -> dict[Event, dict[str, object]]:
    newest: dict[Event, dict[str, object]] = {}
    for key in sorted(world.store.objects):
        if key.startswith("manifests/") and key not in world.store.planted:
            for line in json.loads(world.store.objects[key].data)["rows"]:
                newest[line["s"], line["n"]] = line
    return newest
