from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.canonical import Leaf
from bridge.errors import ObjectStoreUnavailableError
from bridge.keys import log_key
from bridge.model import Digest, Outcome
from bridge.protocols import Anchor
from bridge.publisher import Publisher
from tests.fakes import samples
from tests.fakes.log import KEY, FakeCheckpointStore, signing_key, tiled_log
from tests.fakes.published import one_history, published
from tests.unit.bridge.house import House, stopped, until
from tests.unit.bridge.published import published_as_journalled
from tests.unit.bridge.reconcile.scene import add, compared

CHECKPOINT = log_key("0", "checkpoint")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A recorder with one group."""
    made = House(tmp_path)
    await made.open()
    await made.admit()
    yield made
    await made.close()


async def _say(house: House, *names: str) -> None:
    """Messages, from the platform to the store."""
    await house.hear(*(samples.event(name) for name in names))
    await house.settle()


async def test_every_leaf_is_published_in_its_order(house: House) -> None:
    """What the journal has is what anybody reads of the store, byte for byte."""
    await _say(house, "$1", "$2")
    await house.publisher.round()
    await published_as_journalled(house)
    await _say(house, "$3")
    await house.publisher.round()
    await published_as_journalled(house)


async def test_a_comparison_finds_nothing_strange_in_the_log(house: House) -> None:
    """The log and the anchors beside it are no objects that nobody knows."""
    await _say(house, "$1")
    await house.publisher.round()
    add(house, "anchors/0/1.note")
    report = await compared(house)
    assert report.fits
    assert not report.findings


async def test_there_is_no_checkpoint_without_news(house: House) -> None:
    """A round that finds nothing new signs nothing."""
    await house.publisher.round()
    assert house.heads.heads == []
    assert house.publisher.looked.is_set()
    await _say(house, "$1")
    await house.publisher.round()
    await house.publisher.round()
    assert len(house.heads.heads) == len(house.place.notes) == 1


async def test_one_checkpoint_in_its_time(house: House) -> None:
    """The loop publishes, sleeps for as long as is set, and publishes what came meanwhile."""
    await _say(house, "$1")
    running = house.start(house.publisher.run)
    await until(lambda: len(house.clock.slept) >= 3)
    await stopped(running)
    assert set(house.clock.slept) == {10}
    assert len(house.place.notes) == 1


async def test_many_leaves_go_out_in_portions(house: House) -> None:
    """A journal from before there was a log is published from its first leaf on, in portions."""
    leaves = [Leaf.late(at=samples.NOW, ref=0, late_ms=i).body for i in range(40_000)]
    await house.journal.graft(0, leaves)
    await house.publisher.round()
    assert [head.size for head in house.heads.heads] == [16_384, 32_768, 40_000]
    assert published(house.store) == tuple(leaves)


async def test_what_is_published_is_told(house: House) -> None:
    """Of a head is told how far it holds anything but anchors, in the next process too."""
    await _say(house, "$1")
    await house.publisher.round()
    first = house.publisher.publication
    assert first is not None
    assert first.content_size == first.head.size
    body = b"a timestamp"
    key = f"anchors/0/{first.head.size}.tsr"
    anchor = Anchor(key=key, size=first.head.size, body=body, at=samples.NOW)
    await house.journal.queue_anchor(anchor)
    leaf = Leaf.anchor(
        at=samples.NOW, size=first.head.size, key=f"v1/demo/{key}", digest=Digest.of(body)
    )
    await house.journal.anchored(key, leaf=leaf)
    await house.publisher.round()
    for _ in range(2):
        second = house.publisher.publication
        assert second is not None
        assert (second.head.size, second.content_size) == (first.head.size + 1, first.head.size)
        await house.restart()
        await house.publisher.begin()


async def test_a_store_that_is_away_stops_nothing(house: House) -> None:
    """Without the store the start goes on, health says why, and the log follows."""
    await _say(house, "$1")
    house.store.down = True
    await house.publisher.begin()
    await house.publisher.round()
    assert not house.publisher.looked.is_set()
    assert "does not answer" in house.publisher.health
    assert house.publisher.trouble == "not published"
    house.store.down = False
    await house.publisher.round()
    await published_as_journalled(house)


async def test_a_store_that_hangs_holds_up_no_start(house: House) -> None:
    """The look at the start ends with its time, and is made again."""
    await _say(house, "$1")
    await house.publisher.round()
    await house.restart()
    publisher = Publisher(
        record_log=house.log,
        journal=house.journal,
        clock=house.clock,
        checkpoint_seconds=10,
        start_seconds=0.0,
    )
    await publisher.begin()
    assert "too long" in publisher.health
    assert not publisher.looked.is_set()
    await publisher.round()
    assert publisher.looked.is_set()
    assert not publisher.health


@pytest.mark.parametrize("lost", [False, True])
async def test_a_checkpoint_whose_answer_was_lost_is_the_same_one(house: House, lost: bool) -> None:  # noqa: FBT001
    """Whether a failed publication happened or not, the next round goes on from its head."""
    await _say(house, "$1")
    if lost:
        house.place.lost_replies = 1
    else:
        house.place.before = [ObjectStoreUnavailableError("503")]
    await house.publisher.round()
    assert "503" in house.publisher.health or "no reply" in house.publisher.health
    await _say(house, "$2")
    await house.publisher.round()
    await published_as_journalled(house)
    assert len(house.heads.heads) == 2


async def test_log_db_that_cannot_be_written(house: House) -> None:
    """Without log.db nothing is signed; with it the log follows."""
    await _say(house, "$1")
    house.heads.unavailable = True
    await house.publisher.round()
    assert "disk is full" in house.publisher.health
    assert CHECKPOINT not in house.store.objects
    house.heads.unavailable = False
    await house.publisher.round()
    await published_as_journalled(house)


async def test_a_checkpoint_of_another_key(house: House) -> None:
    """A checkpoint that our key did not sign is left alone, and nothing is signed beside it."""
    await _say(house, "$1")
    other = tiled_log(
        house.store, FakeCheckpointStore(), house.place, house.clock, key=signing_key(8)
    )
    await other.open()
    await other.extend([b'{"k":"key"}'])
    standing = house.store.objects[CHECKPOINT].data
    await house.publisher.begin()
    assert house.publisher.forked
    assert not house.publisher.looked.is_set()
    assert house.heads.heads == []
    assert house.store.objects[CHECKPOINT].data == standing


async def test_two_writers_on_one_log_db(house: House) -> None:
    """Of two processes with one log.db the one that is second stops for good, and says so."""
    await _say(house, "$1")
    await house.publisher.round()
    other = tiled_log(house.store, house.heads, house.place, house.clock)
    await other.open()
    await other.extend([b'{"k":"late"}'])
    await _say(house, "$2")
    for _ in range(2):
        await house.publisher.round()
        assert house.publisher.forked
    one_history(house.heads, house.place)
    assert published(house.store)[-1] == b'{"k":"late"}'


async def test_two_writers_on_one_store(house: House) -> None:
    """Of two processes with a log.db each, one wins and the other stops."""
    await _say(house, "$1")
    await house.publisher.round()
    heads = FakeCheckpointStore()
    other = tiled_log(house.store, heads, house.place, house.clock)
    await other.open()
    await _say(house, "$2")
    await house.publisher.round()
    with pytest.raises(Exception, match="not the one that was published last"):
        await other.extend([b'{"k":"late"}'])
    with pytest.raises(Exception, match="not the one that was published last"):
        await other.open()
    assert len(heads.heads) == 1
    await published_as_journalled(house)


async def test_two_writers_at_the_very_same_time(house: House) -> None:
    """Of sixteen writers that go on from one head at once, one is published."""
    await _say(house, "$1")
    await house.publisher.round()
    others = [
        tiled_log(house.store, FakeCheckpointStore(), house.place, house.clock) for _ in range(16)
    ]
    await asyncio.gather(*(other.open() for other in others))
    leaves = [[b'{"k":"late","ms":%d}' % i] * (i + 1) for i in range(16)]
    done = await asyncio.gather(
        *(log.extend(more) for log, more in zip(others, leaves, strict=True)),
        return_exceptions=True,
    )
    assert sum(not isinstance(each, BaseException) for each in done) == 1
    assert len(house.place.notes) == 2
    held = house.store.objects[CHECKPOINT].data
    winner = next(each for each in done if not isinstance(each, BaseException))
    assert winner.note == held


async def test_a_partial_tile_that_a_lost_journal_left(house: House) -> None:
    """What nobody signed over is in the way of one size only."""
    await _say(house, "$1")
    await house.publisher.round()
    await _say(house, "$2")
    add(house, f"log/0/tile/entries/000.p/{await house.journal.leaf_count()}")
    await house.publisher.round()
    assert house.publisher.forked
    await _say(house, "$3")
    await house.publisher.round()
    await published_as_journalled(house)


async def test_a_full_bundle_of_somebody_else(house: House) -> None:
    """Under the name of a full bundle nobody else's can be got by: this log ends here."""
    add(house, "log/0/tile/entries/000")
    await house.journal.graft(0, [b'{"k":"late","ref":0}'] * 300)
    for _ in range(2):
        await house.publisher.round()
        assert house.publisher.forked
    assert house.heads.heads == []


async def test_tiles_that_are_gone(house: House) -> None:
    """Where the store lost the log's edge, nothing more is signed."""
    await _say(house, "$1")
    await house.publisher.round()
    for key in [key for key in house.store.objects if key.startswith("log/0/tile")]:
        del house.store.objects[key]
    await house.restart()
    await house.publisher.begin()
    assert house.publisher.forked
    assert "missing" in house.publisher.health


async def test_a_bucket_that_was_emptied(house: House) -> None:
    """A store without what was signed before gets no second log."""
    await _say(house, "$1")
    await house.publisher.round()
    house.store.objects.clear()
    await house.restart()
    await house.publisher.begin()
    assert house.publisher.forked
    assert house.store.objects == {}


async def test_a_bundle_that_was_changed(house: House) -> None:
    """A bundle whose bytes are not those of the tree ends as a refusal, never as a leaf."""
    await _say(house, "$1")
    await house.publisher.round()
    (key,) = [key for key in house.store.objects if key.startswith("log/0/tile/entries")]
    held = house.store.objects[key]
    house.store.objects[key] = replace(held, data=held.data[:-2] + b"x}")
    await house.restart()
    await house.publisher.begin()
    assert house.publisher.forked


async def test_the_outcomes_of_a_published_key_are_left_to_verify(house: House) -> None:
    """The publisher reads its own leaves back, whatever their kind."""
    house.says("$1", Outcome.DISCARD)
    await _say(house, "$1")
    await house.publisher.round()
    await house.restart()
    await house.publisher.begin()
    assert house.publisher.head is not None
    assert await house.log.leaves(0, house.log.size) == published(house.store, KEY.verifier)
