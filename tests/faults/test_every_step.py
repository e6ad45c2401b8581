"""The process dies before or after each effect, and the next one finishes the work."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from bridge.errors import MunimentError
from bridge.lifecycle import EntryState
from bridge.model import Digest, Outcome, Relation, RelationType
from tests.fakes import samples
from tests.fakes.connector import OfferedFile
from tests.fakes.crash import Crash, Failure
from tests.unit.bridge.house import House
from tests.unit.bridge.published import published_as_journalled

QUESTION, BANTER, PICTURE, ANSWER, DOUBTED = "$question", "$banter", "$picture", "$answer", "$doubt"
PLAN = samples.attachment("plan.pdf", size=8)

EFFECTS = (
    "append",
    "judge",
    "seal",
    "promote",
    "put media",
    "put records",
    "put review",
    "store",
    "downloaded",
    "media_stored",
    "remove",
    "queue",
    "put manifests",
    "put acts",
    "place",
    "put log",
    "swap",
    "publish",
    "shown",
)
POINTS = [f"{side} {effect}" for effect in EFFECTS for side in ("before", "after")]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A recorder whose platform holds a small conversation."""
    made = House(tmp_path)
    await made.open()
    await made.admit()
    made.says(QUESTION, Outcome.DISCARD)
    made.says(BANTER, Outcome.DISCARD)
    made.says(ANSWER, Outcome.CAPTURE, QUESTION)
    made.says(DOUBTED, Outcome.REVIEW)
    made.connector.files[PLAN.url] = OfferedFile(chunks=(b"%PDF", b"-1.7"))
    made.connector.deliver(samples.event(QUESTION), samples.event(BANTER))
    made.connector.deliver(
        samples.event(PICTURE, attachments=[PLAN]),
        samples.event(ANSWER, relates_to=Relation(type=RelationType.REPLY, upstream_id=QUESTION)),
        samples.event(DOUBTED),
    )
    yield made
    await made.close()


async def _live(house: House) -> None:
    await house.listen()
    await house.settle()
    await house.publisher.round()


async def _nothing_is_amiss(house: House) -> None:
    """One object per kept record, its leaves once each, gapless numbers, nothing else stored."""
    states = await house.states()
    assert states == {
        QUESTION: EntryState.STORED,
        BANTER: EntryState.DISCARDED,
        PICTURE: EntryState.STORED,
        ANSWER: EntryState.STORED,
        DOUBTED: EntryState.STORED,
    }
    entries = {entry.event.upstream_id: entry for entry in await house.entries()}
    assert sorted(entry.n for entry in entries.values()) == [0, 1, 2, 3, 4]
    kept = {name: entry.record for name, entry in entries.items() if name != BANTER}
    stored = house.objects("records") | house.objects("review")
    assert stored == {each.key: each.body for each in kept.values() if each}
    await _each_leaf_stands_once(house)
    media = {key: held.data for key, held in house.store.objects.items() if "/media/" in key}
    record = kept[PICTURE]
    assert record is not None
    picture = json.loads(record.body)
    (named,) = picture["media"]
    assert [Digest.of(data).hex for data in media.values()] == [named["sha256"]]
    assert all(key.endswith(named["object"]) for key in media)
    assert house.spool.files == {}
    assert house.spool.unfinished in {0, 1}  # a writer of the process that died
    assert house.connector.acknowledged == 2
    await published_as_journalled(house)


async def _each_leaf_stands_once(house: House) -> None:
    leaves = await house.leaves()
    seen = {index: leaf for index, leaf in enumerate(leaves) if leaf["k"] == "seen"}
    entries = await house.entries()
    assert sorted(str(leaf["n"]) for leaf in seen.values()) == ["0", "1", "2", "3", "4"]
    digests = {entry.record.digest.hex for entry in entries if entry.record}
    assert {leaf["d"] for leaf in seen.values()} == digests
    assert {entry.seen_leaf for entry in entries} == set(seen)
    receipts = Counter(leaf["ref"] for leaf in leaves if leaf["k"] == "stored")
    kept = {e.seen_leaf for e in entries if e.state is EntryState.STORED}
    assert receipts == dict.fromkeys(kept, 1)
    assert [leaf["c"] for leaf in leaves if leaf["k"] == "decision"] == ["capture"]
    placed = Counter(leaf["p"] for leaf in leaves if leaf["k"] in {"manifest", "open"})
    keys = [f"v1/demo/{k}" for area in ("manifests", "acts") for k in house.objects(area)]
    assert placed == {Digest.of(key.encode()).hex: 1 for key in keys}


async def test_a_life_without_a_crash_reaches_every_point(house: House) -> None:
    """The conversation passes each point at which the other tests let the process die."""
    crash = Crash()
    house.die_at(crash)
    await _live(house)
    await _nothing_is_amiss(house)
    assert set(POINTS) <= set(crash.reached)


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("point", POINTS)
async def test_the_next_process_finishes_the_work(house: House, point: str, nth: int) -> None:
    """Whatever point the process dies at, the next one leaves each record and leaf once."""
    crash = Crash(point, nth)
    house.die_at(crash)
    try:
        await _live(house)
    except asyncio.CancelledError:
        assert crash.happened
    await house.restart()
    house.die_at(Crash())
    await _live(house)
    await _nothing_is_amiss(house)


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("point", POINTS)
async def test_what_fails_or_happened_unheard_is_done_again(
    house: House, point: str, nth: int
) -> None:
    """An effect that fails, or happens and says so to nobody, ends as one object and one leaf."""
    failure = Failure(point, nth)
    house.die_at(failure)
    for _ in range(4):
        with suppress(MunimentError):  # a loop says so and goes on
            await _live(house)
        house.later(minutes=2)
    await house.downloads.sweep()
    assert failure.happened or failure.reached[point] < nth
    await _nothing_is_amiss(house)
