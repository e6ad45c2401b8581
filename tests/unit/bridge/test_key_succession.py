"""The log's signing key is replaced while it records: named, handed over, followed, refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.anchoring import Anchoring
from bridge.canonical import read_key
from bridge.errors import ObjectStoreUnavailableError
from bridge.keys import log_key
from storage.translog.note import Note
from tests.fakes import samples
from tests.fakes.log import KEY, signing_key
from tests.fakes.published import published
from tests.unit.bridge.house import TENANT, House

NEXT = signing_key(8)
OLD_HASH, NEW_HASH = KEY.verifier.key_hash, NEXT.verifier.key_hash


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A recorder with one group and a published message."""
    made = House(tmp_path)
    await made.open()
    await made.admit()
    await _say(made, "$1")
    await made.publisher.round()
    yield made
    await made.close()


async def _say(house: House, name: str) -> None:
    await house.hear(samples.event(name))
    await house.settle()


async def _with_keys(house: House, *, replacing: bool) -> None:
    """The next process finds the next key beside the old one, or in its place."""
    house.key, house.next_key = (KEY, NEXT) if replacing else (NEXT, None)
    await house.restart()
    await house.publisher.begin()


def _signers(note: bytes) -> list[int]:
    return [one.key_hash for one in Note.parse(note).signatures]


async def _keys_named(house: House) -> list[str]:
    count = await house.journal.leaf_count()
    return [key for leaf in await house.journal.leaves(0, count) if (key := read_key(leaf))]


async def _anchor(house: House) -> None:
    """What is queued is placed and named, as beside every log."""
    await Anchoring(
        journal=house.journal,
        store=house.store,
        clock=house.clock,
        tenant=TENANT,
        retention_days=2555,
        published=lambda: house.publisher.publication,
    ).round()


async def test_the_key_is_named_once_and_hands_over(house: House) -> None:
    """One leaf, one checkpoint of both keys, which is kept as an anchor; then the new one alone."""
    for _ in range(2):
        await _with_keys(house, replacing=True)
        assert await _keys_named(house) == [NEXT.verifier.line]
    await house.publisher.round()
    both = house.place.notes[-1]
    assert _signers(both) == [OLD_HASH, NEW_HASH]
    await _with_keys(house, replacing=True)
    assert await _keys_named(house) == [NEXT.verifier.line]
    await _anchor(house)
    size = house.publisher.head.size if house.publisher.head else 0
    assert house.store.objects[f"anchors/0/{size}.note"].data == both
    await house.publisher.round()
    assert _signers(house.place.notes[-1]) == [NEW_HASH]
    await _with_keys(house, replacing=False)
    await _say(house, "$2")
    await house.publisher.round()
    assert not house.publisher.health
    assert _signers(house.place.notes[-1]) == [NEW_HASH]
    count = await house.journal.leaf_count()
    assert published(house.store, NEXT.verifier) == await house.journal.leaves(0, count)


@pytest.mark.parametrize("happened", [False, True])
async def test_an_answer_that_is_lost_at_the_hand_over(house: House, happened: bool) -> None:  # noqa: FBT001
    """The checkpoint that both sign is the same one after a failure, and becomes an anchor."""
    await _with_keys(house, replacing=True)
    if happened:
        house.place.lost_replies = 1
    else:
        house.place.before = [ObjectStoreUnavailableError("503")]
    await house.publisher.round()
    assert house.publisher.health
    await _with_keys(house, replacing=True)
    assert _signers(house.place.notes[-1]) == [OLD_HASH, NEW_HASH]
    (waiting,) = await house.journal.anchors(limit=9)
    assert waiting.body == house.place.notes[-1]
    assert await _keys_named(house) == [NEXT.verifier.line]


async def test_a_lost_journal_does_not_bring_the_old_key_back(house: House) -> None:
    """Without journal and log.db the store says which key is in force; the old one is refused."""
    await _with_keys(house, replacing=True)
    await house.publisher.round()
    standing = house.place.notes[-1]
    await house.close()
    for file in house.path.parent.glob("journal.db*"):
        file.unlink()
    house.heads.heads.clear()
    house.key, house.next_key = KEY, None
    await house.open()
    await house.publisher.begin()
    assert house.publisher.forked
    assert f"{NEW_HASH:08x}" in house.publisher.health
    assert "signing_key_file" in house.publisher.health
    assert house.store.objects[log_key("0", "checkpoint")].data == standing
    await _with_keys(house, replacing=True)
    assert not house.publisher.health
    assert await _keys_named(house) == [NEXT.verifier.line]
    await _with_keys(house, replacing=False)
    assert not house.publisher.health


async def test_a_setting_that_is_taken_back_too_early(house: House) -> None:
    """A key that is named and not published yet must lie here: the sentence says which setting."""
    await _with_keys(house, replacing=True)
    house.next_key = None
    await house.restart()
    await house.publisher.round()
    assert house.publisher.forked
    assert "next_signing_key_file" in house.publisher.health
    await _with_keys(house, replacing=True)
    await house.publisher.round()
    assert not house.publisher.health
    assert _signers(house.place.notes[-1]) == [OLD_HASH, NEW_HASH]


async def test_nothing_is_signed_past_a_note_that_is_not_kept_yet(house: House) -> None:
    """Also at a stop: whoever has the old key alone finds the way to the new one in the store."""
    await _with_keys(house, replacing=True)
    await house.publisher.round()
    both = house.place.notes[-1]
    await _say(house, "$2")
    await house.publisher.round()
    assert house.place.notes[-1] == both
    await _with_keys(house, replacing=True)
    await house.publisher.round()
    assert house.place.notes[-1] == both
    await _anchor(house)
    await house.publisher.round()
    assert _signers(house.place.notes[-1]) == [NEW_HASH]


async def test_no_witness_is_asked_about_the_hand_over(house: House) -> None:
    """Its note is an anchor as it stands; the next checkpoint covers as much."""
    await _with_keys(house, replacing=True)
    await house.publisher.round()
    assert house.publisher.publication is not None
    assert house.publisher.publication.handing_over
    await _anchor(house)
    await house.publisher.round()
    assert not house.publisher.publication.handing_over
