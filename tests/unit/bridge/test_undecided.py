"""What nobody decided is captured before its copy under review may expire."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge import keys
from bridge.lifecycle import EntryState
from bridge.model import Digest, EventKind, Outcome
from bridge.protocols import Decryption
from bridge.undecided import BEFORE, ROUND_SECONDS, Undecided
from tests.contracts.journal.encrypted import clear, shut
from tests.fakes import samples
from tests.fakes.connector import OfferedFile
from tests.fakes.crash import Crash
from tests.unit.bridge.house import RETENTION, House, stopped, until

REVIEW = timedelta(days=30)
DATA = b"%PDF-1.7"
PLAN = samples.attachment("plan.pdf", size=len(DATA))
NOW = samples.NOW


@pytest.fixture
async def house(house: House) -> House:
    """One group is being recorded, and a message with a file is stored for review."""
    await house.admit()
    house.connector.files[PLAN.url] = OfferedFile(chunks=(DATA,))
    house.says("$1", Outcome.REVIEW)
    await house.hear(samples.event("$1", attachments=[PLAN], timer=90.0))
    await house.settle()
    return house


def _undecided(house: House, *, review: timedelta | None = REVIEW, limit: int = 200) -> Undecided:
    return Undecided(
        journal=house.journal, clock=house.clock, holds=house.holds, review=review, limit=limit
    )


async def test_it_waits_until_a_week_before_the_end(house: House) -> None:
    """A review is left to people until 7 days before its retention ends."""
    house.later(days=23)
    await _undecided(house).round()
    assert (await house.states())["$1"] is EntryState.STORED
    house.later(seconds=1)
    await _undecided(house).round()
    assert (await house.states())["$1"] is EntryState.SEALED
    assert timedelta(days=23) == REVIEW - BEFORE


async def test_it_becomes_a_capture_by_policy(house: House) -> None:
    """Verdict, decision leaf, a second stored leaf and a newer manifest row say so."""
    (before,) = await house.entries()
    house.later(days=24)
    await _undecided(house).round()
    await house.settle()
    (entry,) = await house.entries()
    assert entry.state is EntryState.STORED
    assert entry.verdict is not None
    assert entry.verdict.outcome is Outcome.CAPTURE
    assert entry.verdict.reasons[0].code == "UNDECIDED"
    assert entry.record is not None
    assert before.record is not None
    assert entry.record.key == before.record.key.replace("review/", "records/")
    (decision,) = await house.leaves("decision")
    assert (decision["by"], decision["c"], decision["ref"]) == (
        "policy",
        "capture",
        entry.seen_leaf,
    )
    stored = await house.leaves("stored")
    assert [leaf["ref"] for leaf in stored] == [entry.seen_leaf] * 2
    assert stored[1]["p"] == Digest.of(f"v1/demo/{entry.record.key}".encode()).hex
    assert await house.leaves("late") == []
    parts = house.objects("manifests")
    rows = [row for key in sorted(parts) for row in json.loads(parts[key])["rows"]]
    assert [(row["outcome"], row["key"]) for row in rows] == [
        ("review", before.record.key),
        ("capture", entry.record.key),
    ]


async def test_what_it_leaned_on_is_kept_with_it(house: House) -> None:
    """The question goes on the record with the answer that nobody decided; one act of each."""
    house.says("$question", Outcome.DISCARD)
    house.says("$answer", Outcome.REVIEW, "$question", "$nobody-knows")
    await house.hear(samples.event("$question"), samples.event("$answer"))
    await house.settle()
    house.later(days=24)
    await _undecided(house).round()
    await house.settle()
    states = await house.states()
    assert (states["$question"], states["$answer"]) == (EntryState.STORED, EntryState.STORED)
    verdicts = {e.event.upstream_id: e.verdict for e in await house.entries()}
    question = verdicts["$question"]
    assert question is not None
    assert (question.reasons[0].code, question.context) == ("CONTEXT", ("$answer",))


async def test_a_crash_leaves_neither_without_the_other(house: House) -> None:
    """Its question is kept first: what died in between is still undecided."""
    house.says("$question", Outcome.DISCARD)
    house.says("$answer", Outcome.REVIEW, "$question")
    await house.hear(samples.event("$question"), samples.event("$answer"))
    await house.settle()
    house.later(days=24)
    house.die_at(Crash("after promote", 2))
    with pytest.raises(asyncio.CancelledError):
        await _decide_and_store(house)
    await house.restart()
    await _undecided(house).round()
    await house.settle()
    assert set((await house.states()).values()) == {EntryState.STORED}
    assert len(await house.leaves("decision")) == 3


async def test_the_copy_has_its_media(house: House) -> None:
    """Record and media stand in both areas with the same bytes, each with its area's date."""
    (entry,) = await house.entries()
    assert entry.record is not None
    assert house.spool.files == {}
    house.later(days=24)
    await _undecided(house).round()
    await house.settle()
    named = json.loads(entry.record.body)["media"][0]["object"]
    held = house.store.objects
    for area, length in (("review", RETENTION.review), ("records", RETENTION.records)):
        assert length is not None
        record = entry.record.key.replace("review/", f"{area}/")
        medium = keys.media_key(record, named)
        assert (held[record].data, held[medium].data) == (entry.record.body, DATA)
        assert held[record].retain_until == held[medium].retain_until == NOW + length


async def test_it_counts_as_stored_all_the_while(house: House) -> None:
    """While the copy is on its way the message is still in the store."""
    house.later(days=24)
    await _undecided(house).round()
    (tally,) = (await house.journal.tally(now=house.clock.now())).groups
    assert (tally.captured, tally.review, tally.stored) == (1, 0, 1)
    await house.settle()
    (tally,) = (await house.journal.tally(now=house.clock.now())).groups
    assert (tally.captured, tally.review, tally.stored, tally.late) == (1, 0, 1, 0)


async def test_what_is_restricted_or_captured_stays_out(house: House) -> None:
    """Restricted messages are not stored; captures are decided."""
    house.classifier.verdicts["$secret"] = house.classifier.verdict(Outcome.REVIEW, restricted=True)
    house.says("$kept", Outcome.CAPTURE)
    await house.hear(samples.event("$secret"), samples.event("$kept"))
    await house.settle()
    house.later(days=1000)
    await _undecided(house).round()
    await house.settle()
    assert len(await house.leaves("decision")) == 1
    assert (await house.states())["$secret"] is EntryState.RESTRICTED


async def test_a_round_decides_all(house: House) -> None:
    """More than fits into one reading is decided in one round, once each."""
    house.classifier.default = house.classifier.verdict(Outcome.REVIEW)
    await house.hear(*(samples.event(f"$more{i}") for i in range(6)))
    await house.settle()
    house.later(days=24)
    await _undecided(house, limit=2).round()
    await _undecided(house, limit=2).round()
    assert len(await house.leaves("decision")) == 7


@pytest.mark.parametrize(
    ("review", "days", "decided"), [(None, 10_000, 0), (timedelta(days=3), 0, 1)]
)
async def test_the_length_is_that_of_the_settings(
    house: House, review: timedelta | None, days: int, decided: int
) -> None:
    """Without a length nothing is decided; one under a week leaves no time for people."""
    house.later(days=days, seconds=1)
    await _undecided(house, review=review).round()
    assert len(await house.leaves("decision")) == decided


@pytest.mark.parametrize(
    "point",
    ["before promote", "after promote", "before put media", "after put media", "before store"],
)
async def test_a_crash_leaves_one_copy(house: House, point: str) -> None:
    """Wherever it dies, the next process ends with one decision and one copy."""
    house.later(days=24)
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await _decide_and_store(house)
    await house.restart()
    await _undecided(house).round()
    await house.settle()
    assert (await house.states())["$1"] is EntryState.STORED
    assert len(await house.leaves("decision")) == 1
    assert len(await house.leaves("stored")) == 2
    assert len(house.objects("records")) == len(house.objects("review")) == 1
    assert sum("/media/" in key for key in house.store.objects) == 2


async def _decide_and_store(house: House) -> None:
    await _undecided(house).round()
    await house.writer.step()


@pytest.mark.parametrize("lost", [True, False])
async def test_a_medium_that_is_gone_is_named(house: House, *, lost: bool) -> None:
    """A medium removed or changed in the store keeps the record waiting, and health says so."""
    (key,) = [key for key in house.store.objects if "/media/" in key]
    if lost:
        del house.store.objects[key]
    else:
        house.store.objects[key] = replace(house.store.objects[key], data=b"other")
    house.later(days=24)
    await _undecided(house).round()
    await house.writer.step()
    assert (await house.states())["$1"] is EntryState.SEALED
    assert "is not in the store as it was put" in house.writer.health


async def test_the_loop_goes_on_when_the_journal_fails(house: House) -> None:
    """A round that fails is made again, at start and then every few minutes."""
    house.later(days=24)
    await house.journal._writer.execute("PRAGMA query_only = ON")
    undecided = _undecided(house)
    running = house.start(undecided.run)
    await until(lambda: len(house.clock.slept) == 2)
    assert undecided.health
    assert set(house.clock.slept) == {ROUND_SECONDS}
    await house.journal._writer.execute("PRAGMA query_only = OFF")
    await until(lambda: not undecided.health)
    await stopped(running)
    assert (await house.states())["$1"] is EntryState.SEALED


async def test_a_ciphertext_that_was_opened_expires(house: House) -> None:
    """Once a late key brought its content, only the record of that goes on to ``records/``."""
    house.says("$2", Outcome.REVIEW)
    await house.hear(shut("$2"), shut("$3", session="never"))
    house.later(seconds=31)
    await house.settle()
    content = clear(shut("$2"))
    seqs = {entry.event.upstream_id: entry.seq for entry in await house.entries()}
    assert await house.journal.decrypted([Decryption(seq=seqs["$2"], event=content)]) == ()
    await house.settle()
    house.later(days=24)
    await _undecided(house).round()
    await house.settle()
    areas = {
        (entry.event.upstream_id, entry.event.kind): entry.record.key.partition("/")[0]
        for entry in await house.entries()
        if entry.record is not None
    }
    assert areas == {
        ("$1", EventKind.MESSAGE): "records",
        ("$2", EventKind.ENCRYPTED): "review",
        ("$2", EventKind.MESSAGE): "records",
        ("$3", EventKind.ENCRYPTED): "records",
    }
