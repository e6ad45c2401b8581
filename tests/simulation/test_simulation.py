"""The whole recorder in virtual time, under faults, in any order its callbacks can run in."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from bridge.model import EventKind, Outcome
from tests.fakes import samples
from tests.fakes.journal.rows import EntryRow, ShutRow
from tests.simulation.__main__ import again, attempt
from tests.simulation.drawn import plans
from tests.simulation.loop import SUPPORTED, WHY_NOT, DeadlockError, SimLoop
from tests.simulation.plan import (
    GROUPS,
    Fault,
    FaultKind,
    Key,
    KeyFate,
    Medium,
    MediumFate,
    Plan,
    Utter,
    seeded,
)
from tests.simulation.server import Item
from tests.simulation.world import World, run

pytestmark = pytest.mark.skipif(not SUPPORTED, reason=WHY_NOT)

ROOT = Path(__file__).parents[2]
AT_ONCE = 50
QUIET = 24
"""A seed whose run stores records with media and writes manifests."""


@pytest.mark.parametrize("first", range(0, 1000, AT_ONCE))
def test_nothing_is_lost_whatever_goes_wrong(first: int) -> None:
    """Each seed's faults end, and then every promise of the recorder holds."""
    found = [wrong for seed in range(first, first + AT_ONCE) if (wrong := attempt(seed))]
    assert not found, "\n".join(found)


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(plan=plans())
def test_nothing_is_lost_under_any_plan(plan: Plan) -> None:
    """The same, for plans that Hypothesis draws and makes small where one fails."""
    run(plan)


@pytest.mark.parametrize("seed", range(8))
def test_a_store_that_comes_back_in_time_finds_the_messages(seed: int) -> None:
    """However long it was away, no try is put off past the moment a message disappears."""
    said = tuple(
        Utter(at=1.5 + i / 3, group=i % GROUPS, outcome=Outcome.CAPTURE, timer=timer)
        for i, timer in enumerate((60.0, 75.0, 90.0, 100.0, 120.0))
    )
    outage = Fault(at=1.2, kind=FaultKind.STORE_DOWN, seconds=57.0 + 2 * seed)
    run(Plan(seed=seed, said=said, faults=(outage,)))


@pytest.mark.parametrize("seed", [1, 20, 300])
def test_a_seed_gives_the_same_run_each_time(seed: int) -> None:
    """Two runs of one plan take the same steps, put the same objects, write the same leaves."""
    assert run(seeded(seed)) == run(seeded(seed))


def test_a_seed_gives_the_same_run_in_every_process() -> None:
    """Neither the hashes of strings nor the addresses of tasks decide anything."""
    code = (
        "from tests.simulation.plan import seeded\n"
        "from tests.simulation.world import run\n"
        "print([run(seeded(seed)).fingerprint for seed in range(5)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert done.stdout.strip() == str([run(seeded(seed)).fingerprint for seed in range(5)])


def test_another_seed_gives_another_order() -> None:
    """The same plan runs through another schedule for each seed."""
    plan = seeded(5)
    assert len({run(replace(plan, seed=seed)).fingerprint for seed in range(3)}) == 3


def test_a_failure_names_its_seed() -> None:
    """Whoever reads a failure can run it again."""
    assert again(4711) == "rerun: make simulate SEEDS=1 FIRST=4711"


def _lose_a_record(world: World) -> None:
    del world.store.objects[next(key for key in world.store.objects if key.startswith("records/"))]


def _lose_a_medium(world: World) -> None:
    del world.store.objects[next(key for key in world.store.objects if "/media/" in key)]


def _lose_a_manifest(world: World) -> None:
    del world.store.objects[
        next(key for key in world.store.objects if key.startswith("manifests/"))
    ]


def _change_a_record(world: World) -> None:
    key = next(key for key in world.store.objects if key.startswith("records/"))
    world.store.objects[key] = replace(world.store.objects[key], data=b"{}")


def _leave_an_object(world: World) -> None:
    held = next(iter(world.store.objects.values()))
    world.store.objects["acts/2026/03/01/000000009999.json"] = replace(held, data=b"{}")


def _say_it_twice(world: World) -> None:
    world.journal.log.append(next(x for x in world.journal.log if x.kind == "stored"))


def _lose_an_event(world: World) -> None:
    lost = samples.event("$lost", group_id=world.groups[0])
    world.platform.timeline.append(Item(event=lost))


def _be_late(world: World) -> None:
    row = next(row for row in world.journal._rows.values() if row.stored_at is not None)
    row.expires_at = row.received_at.replace(year=2027)
    row.late_ms = 1


def _forget_a_file(world: World) -> None:
    world.spool.files["left"] = b""


def _lose_a_bundle(world: World) -> None:
    bundles = [key for key in world.store.objects if key.startswith("log/0/tile/entries/")]
    del world.store.objects[bundles[-1]]  # those before it are partial ones of earlier sizes


def _roll_the_log_back(world: World) -> None:
    held = world.store.objects["log/0/checkpoint"]
    world.store.objects["log/0/checkpoint"] = replace(held, data=world.place.notes[0])


def _sign_two_histories(world: World) -> None:
    first = world.heads.signed[0]
    world.heads.signed.append(replace(first, note=b"another"))


@pytest.mark.parametrize(
    "meddle",
    [
        _lose_a_bundle,
        _roll_the_log_back,
        _sign_two_histories,
        _lose_a_record,
        _lose_a_medium,
        _lose_a_manifest,
        _change_a_record,
        _leave_an_object,
        _say_it_twice,
        _lose_an_event,
        _be_late,
        _forget_a_file,
    ],
)
def test_every_promise_is_looked_at(meddle: Callable[[World], None]) -> None:
    """A world in which one promise was broken does not pass."""
    plan = replace(seeded(QUIET), faults=(), acts=())
    run(plan)
    with pytest.raises(AssertionError):
        run(plan, meddle=meddle)


ENCRYPTED = Plan(
    seed=1,
    groups=1,
    said=tuple(
        Utter(at=1.5 + i / 2, group=0, outcome=Outcome.CAPTURE, key=i) for i in range(len(KeyFate))
    ),
    keys=tuple(Key(fate=fate, after=40.0 * (fate is KeyFate.AFTER)) for fate in KeyFate),
)
"""One message for each way in which a key comes; the one that comes after comes late."""


def _opened_row(world: World, fate: KeyFate, *, late: bool = False) -> EntryRow:
    name = f"${list(KeyFate).index(fate)}"
    (row,) = [
        each
        for each in world.journal._rows.values()
        if each.event is not None
        and each.event.upstream_id == name
        and bool(each.event.revision) == late
    ]
    return row


def _forget_a_key(world: World) -> None:
    world.keys.given.pop()


def _leave_it_shut(world: World) -> None:
    _opened_row(world, KeyFate.AFTER).shut = ShutRow()


def _lose_content(world: World) -> None:
    _opened_row(world, KeyFate.WITH).kind = EventKind.ENCRYPTED


def _open_it_twice(world: World) -> None:
    _opened_row(world, KeyFate.AFTER).kind = EventKind.MESSAGE


def _open_without_a_key(world: World) -> None:
    _opened_row(world, KeyFate.NEVER).kind = EventKind.MESSAGE


def _mix_them_up(world: World) -> None:
    clear = world.senders.clear
    clear["$0"], clear["$1"] = clear["$1"], clear["$0"]


def _forget_that_it_is_shut(world: World) -> None:
    _opened_row(world, KeyFate.NEVER).shut = None


def _content_of_nothing(world: World) -> None:
    row = _opened_row(world, KeyFate.AFTER, late=True)
    assert row.event is not None
    row.event = replace(row.event, relates_to=None)


@pytest.mark.parametrize(
    "meddle",
    [
        _forget_a_key,
        _leave_it_shut,
        _lose_content,
        _open_it_twice,
        _open_without_a_key,
        _mix_them_up,
        _forget_that_it_is_shut,
        _content_of_nothing,
    ],
)
def test_every_promise_of_what_is_encrypted_is_looked_at(meddle: Callable[[World], None]) -> None:
    """A world in which a key or what it opens went wrong does not pass."""
    run(ENCRYPTED)
    with pytest.raises(AssertionError):
        run(ENCRYPTED, meddle=meddle)


def test_a_file_that_is_needed_must_stay() -> None:
    """A discard may still be promoted, with its attachment: a world without that does not pass."""
    said = Utter(at=1.5, group=0, outcome=Outcome.DISCARD, media=(Medium(fate=MediumFate.THERE),))
    plan = Plan(seed=1, said=(said,), groups=1)
    run(plan)
    with pytest.raises(AssertionError, match="not there"):
        run(plan, meddle=lambda world: world.spool.files.clear())


def test_a_deadlock_names_who_waits() -> None:
    """Where nothing is ready and no timer runs, the run fails at once."""
    loop = SimLoop("deadlock")

    async def wait_for_ever() -> None:
        asyncio.current_task(loop).set_name("patience")  # type: ignore[union-attr]
        await loop.create_future()

    task = loop.create_task(wait_for_ever())
    with pytest.raises(DeadlockError, match="patience"):
        loop.run_until_complete(task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
