"""Back-ups of journal.db and log.db, put back in every combination."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path

import pytest

from bridge import keys
from bridge.lifecycle import EntryState
from bridge.model import Digest, Outcome
from bridge.protocols import Head
from tests.fakes import samples
from tests.fakes.published import one_history, published
from tests.unit.bridge.house import House
from tests.unit.bridge.published import published_as_journalled
from tests.unit.bridge.reconcile.scene import back_up, lose_journal, reconciler_of, restore

STATES = ("kept", "restored", "lost")
CASES = [
    pytest.param(journal, heads, away, id=f"journal {journal}, log.db {heads}{', away' * away}")
    for journal, heads, away in product(STATES, STATES, (False, True))
]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A recorder that has published a conversation."""
    made = House(tmp_path)
    await made.open()
    await made.admit()
    await _say(made, "$1", "$2")
    await made.publisher.round()
    yield made
    await made.close()


async def _say(house: House, *names: str) -> None:
    house.says(names[0], Outcome.DISCARD)
    await house.hear(*(samples.event(name) for name in names))
    await house.settle()


async def _live_on(house: House) -> tuple[list[Head], Path]:
    """A back-up is made, and the recorder goes on after it; a seal is under way when it ends."""
    copy = await back_up(house)
    heads = list(house.heads.heads)
    await _say(house, "$3", "$4", "$5")
    await house.publisher.round()
    return heads, copy


async def _put_back(house: House, journal: str, heads: str, old: tuple[list[Head], Path]) -> None:
    house.connector.acknowledged = 0  # the platform delivers again what was acknowledged since
    if heads == "restored":
        house.heads.heads = old[0]
    if heads == "lost":
        house.heads.heads = []
    if journal == "restored":
        await restore(house, old[1])
    elif journal == "lost":
        await lose_journal(house)
        await house.admit()
    else:
        await house.restart()


async def _start(house: House, *, away: bool) -> None:
    """The start of a process, and a first minute in which the store may be away."""
    house.store.down = away
    reconciler = reconciler_of(house)
    if not away:
        await reconciler.glance()
    await house.publisher.begin()
    house.says("$6", Outcome.DISCARD)
    await house.hear(*(samples.event(name) for name in ("$6", "$7")))
    while await house.triage.step():
        pass
    if away:
        assert not house.publisher.looked.is_set()
        house.store.down = False
        await reconciler.glance()
        house.later(minutes=2)
    await house.publisher.round()
    assert house.publisher.looked.is_set()
    house.later(minutes=2)
    await house.settle()
    await house.publisher.round()


async def _indices_fit(house: House) -> None:
    """Every index that anybody names is the one it means."""
    leaves = await house.leaves()
    for entry in await house.entries():
        assert entry.seen_leaf is not None
        assert entry.record is not None
        seen = leaves[entry.seen_leaf]
        assert (seen["k"], seen["s"], seen["n"]) == ("seen", entry.stream.id, entry.n)
        assert seen["d"] == entry.record.digest.hex
        if entry.state is EntryState.SEALED:  # sealed anew while the store was away
            assert house.store.objects[entry.record.key].data != entry.record.body
    for leaf in leaves:
        if leaf["k"] == "stored":
            ref = leaf["ref"]
            assert isinstance(ref, int)
            assert leaves[ref]["d"] == leaf["o"]
    rows: list[tuple[int | None, str]] = [
        (row[0], row[1])
        for table, kind in (("gap", "'gap'"), ("placement", "kind"))
        for row in await house.journal._reader.execute_fetchall(f"SELECT leaf, {kind} FROM {table}")  # noqa: S608
    ]
    assert rows
    assert all(index is not None and leaves[index]["k"] == kind for index, kind in rows)


async def _manifests_fit(house: House) -> None:
    leaves = await house.leaves()
    for document in house.documents("manifests"):
        listed = document["rows"]
        assert isinstance(listed, list)
        for row in listed:
            seen = leaves[row["leaf"]]
            assert (seen["k"], seen["s"], seen["n"]) == ("seen", row["s"], row["n"])


async def _each_document_once(house: House) -> None:
    """Every act and every manifest part has one leaf, and every such leaf has its object."""
    named = Counter(
        (leaf["p"], leaf["o"])
        for leaf in await house.leaves()
        if leaf["k"] in {"manifest", "open", "close"}
    )
    held = house.objects("manifests") | house.objects("acts")
    assert named == {
        (Digest.of(keys.absolute("demo", key).encode()).hex, Digest.of(data).hex): 1
        for key, data in held.items()
    }


@pytest.mark.parametrize(("journal", "heads", "away"), CASES)
async def test_the_log_goes_on_from_what_the_store_shows(
    house: House,
    journal: str,
    heads: str,
    away: bool,  # noqa: FBT001
) -> None:
    """Whatever was put back, what was published stays, and all that is written comes behind it."""
    old = await _live_on(house)
    before = published(house.store)
    await _put_back(house, journal, heads, old)
    await _start(house, away=away)
    await published_as_journalled(house)
    after = published(house.store)
    assert after[: len(before)] == before
    assert len(after) > len(before)
    await _indices_fit(house)
    await _manifests_fit(house)
    await _each_document_once(house)
    one_history(house.heads, house.place)


@pytest.mark.parametrize(("journal", "heads"), list(product(STATES, STATES)))
async def test_numbers_are_given_once_while_the_store_answers(
    house: House, journal: str, heads: str
) -> None:
    """No stream's number is sealed twice, also of what only the log remembers."""
    copy = await back_up(house)
    old = list(house.heads.heads), copy
    await house.hear(samples.event("$3"), samples.event("$4"))
    house.says("$3", Outcome.DISCARD)
    house.says("$4", Outcome.DISCARD)
    while await house.triage.step():
        pass
    await house.publisher.round()  # sealed and published, and nothing of it in the store
    await _put_back(house, journal, heads, old)
    await _start(house, away=False)
    seen = Counter((leaf["s"], leaf["n"]) for leaf in await house.leaves("seen"))
    assert set(seen.values()) == {1}
    await published_as_journalled(house)


async def test_a_seal_that_was_under_way_names_the_moved_leaf(house: House) -> None:
    """A receipt made before rows moved is written with the index that its seen leaf has now."""
    old = await _live_on(house)
    await _put_back(house, "restored", "kept", old)
    house.store.down = True
    await house.publisher.begin()
    await house.hear(samples.event("$8"))
    while await house.triage.step():
        pass
    entry = (await house.journal.claim(EntryState.SEALED, now=house.clock.now(), limit=9))[-1]
    proof = samples.proof(entry)
    house.store.down = False
    await house.publisher.round()
    await house.journal.store([proof])
    moved = await house.journal.entry(entry.seq)
    assert moved is not None
    assert moved.seen_leaf != entry.seen_leaf
    stored = (await house.leaves("stored"))[-1]
    assert stored["ref"] == moved.seen_leaf
    assert json.loads(proof.stored.body)["ref"] == entry.seen_leaf
    await house.scribe.round(flush=True)
    await _indices_fit(house)


async def test_rows_never_move_once_documents_name_them(house: House) -> None:
    """Leaves of somebody else that come up later are a fork, whatever they extend."""
    other = list(house.heads.heads)
    copy = await back_up(house)
    await house.publisher.begin()
    standing = published(house.store)
    await _say(house, "$3")
    await house.publisher.round()
    assert len(published(house.store)) > len(standing)
    # The same process now meets a journal of before, as no process ever should.
    house.heads.heads = other
    await restore(house, copy)
    house.publisher.looked.set()
    await house.publisher.round()
    assert house.publisher.forked
