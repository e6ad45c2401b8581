"""Fixing a record's bytes, and the proof that it is stored."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge import keys
from bridge.errors import RetentionNotKeptError
from bridge.lifecycle import EntryState
from bridge.model import Digest, EventKind, Outcome, Relation, RelationType
from bridge.protocols import Entry
from bridge.seal import Retention, fixed_date
from tests.fakes import samples
from tests.fakes.connector import OfferedFile
from tests.unit.bridge.house import RETENTION, House

PLAN = samples.attachment("plan.pdf", size=8)
DATA = b"%PDF-1.7"
NOW = samples.NOW


@pytest.fixture
async def house(house: House) -> House:
    """One group is being recorded, and the platform holds one file."""
    await house.admit()
    house.connector.files[PLAN.url] = OfferedFile(chunks=(DATA,))
    return house


async def _record(house: House, upstream_id: str = "$1") -> tuple[Entry, dict[str, object]]:
    (entry,) = [e for e in await house.entries() if e.event.upstream_id == upstream_id][:1]
    assert entry.record is not None
    assert Digest.of(entry.record.body) == entry.record.digest
    document: dict[str, object] = json.loads(entry.record.body)
    return entry, document


async def test_a_record_says_what_the_journal_knows(house: House) -> None:
    """Stream, number, group, target and roster come from the journal, the rest from the event."""
    await house.hear(
        samples.event("$roster", kind=EventKind.ROSTER),
        samples.event("$0"),
        samples.event(
            "$1", relates_to=Relation(type=RelationType.REPLY, upstream_id="$0"), timer=0.5
        ),
    )
    await house.triage.step()
    entry, record = await _record(house)
    assert record["stream"] == entry.stream.id
    assert (record["n"], record["roster"], record["platform"]) == (2, 0, "matrix")
    assert record["group"] == {"id": samples.GROUP_ID, "name": "Flood cell"}
    assert record["relates_to"] == {"type": "reply", "upstream_id": "$0", "n": 1}
    assert record["capture"] == {"method": "live", "connector": "matrix", "version": "1.2.3"}
    assert record["timer"] == {"seconds": 0.5, "basis": "sample"}
    assert "media" not in record


async def test_every_record_has_a_salt_of_its_own(house: House) -> None:
    """Two events of the same words are two digests, with 32 random bytes each."""
    await house.hear(samples.event("$1"), samples.event("$2"))
    await house.triage.step()
    salts = {str((await _record(house, name))[1]["salt"]) for name in ("$1", "$2")}
    assert {len(salt) for salt in salts} == {43}
    assert len(salts) == 2


async def test_a_target_that_is_not_there_has_no_number(house: House) -> None:
    """What an event refers to is named by its id even if we never had it."""
    relation = Relation(type=RelationType.REPLY, upstream_id="$never")
    await house.hear(samples.event("$1", relates_to=relation))
    await house.triage.step()
    _, record = await _record(house)
    assert record["relates_to"] == {"type": "reply", "upstream_id": "$never"}
    assert "roster" not in record


async def test_the_key_is_that_of_the_format(house: House) -> None:
    """A record is filed under its own time, or that of its receipt where it is not credible."""
    early = datetime(1970, 1, 1, tzinfo=UTC)
    await house.hear(samples.event("$1", sent_at=early), samples.event("$2"))
    await house.triage.step()
    for name in ("$1", "$2"):
        entry, _ = await _record(house, name)
        assert entry.record is not None
        expected = keys.RecordName(
            platform="matrix",
            gid=keys.group_gid(samples.BLIND_KEY, "matrix", samples.GROUP_ID),
            filed_at=NOW,
            n=entry.n,
            id16=keys.identity(samples.BLIND_KEY, entry.stream.id, name, None)[:8].hex(),
        )
        assert entry.record.key == expected.record("records")


async def test_media_in_time_stand_in_the_record(house: House) -> None:
    """An attachment that came before the seal is named with object, digest, size and type."""
    await house.hear(samples.event("$1", attachments=[PLAN]))
    await house.downloads.step()
    await house.triage.step()
    entry, record = await _record(house)
    assert entry.record is not None
    assert record["media"] == [
        {
            "object": f"media/{keys.stem_of(entry.record.key)}/0",
            "sha256": Digest.of(DATA).hex,
            "size": 8,
            "declared_type": "application/pdf",
            "sniffed_type": "text/plain",
            "name": "plan.pdf",
        }
    ]


@pytest.mark.parametrize(("timer", "half"), [(None, 30.0), (20.0, 5.0), (2.0, 0.5)])
async def test_a_seal_waits_for_media_at_most_half_the_time(
    house: House, timer: float | None, half: float
) -> None:
    """Until half the time to safe_by it waits; then the record says what had not come."""
    await house.hear(samples.event("$1", attachments=[PLAN], timer=timer))
    await house.triage.step()
    house.later(seconds=half - 0.001)
    assert not await house.triage.step()
    assert (await house.states())["$1"] is EntryState.JUDGED
    house.later(seconds=0.001)
    assert await house.triage.step()
    _, record = await _record(house)
    assert record["media"] == [{"size": 8, "declared_type": "application/pdf", "name": "plan.pdf"}]


async def test_late_media_are_an_entry_of_their_own(house: House) -> None:
    """What comes after the seal is stored with a record that names its message."""
    await house.hear(samples.event("$1", attachments=[PLAN]))
    await house.triage.step()
    house.later(seconds=31)
    await house.triage.step()
    sealed = (await house.entries())[0].record
    await house.settle()
    first, late = await house.entries()
    assert first.record == sealed
    assert late.record is not None
    record = json.loads(late.record.body)
    assert (record["kind"], record["n"]) == ("media", 1)
    assert record["upstream"] == {"id": "$1", "revision": "media-0"}
    assert record["relates_to"] == {"type": "media", "upstream_id": "$1", "n": 0}
    (named,) = record["media"]
    key = keys.media_key(late.record.key, named["object"])
    assert house.store.objects[key].data == DATA
    assert set((await house.states()).values()) == {EntryState.STORED}
    assert house.spool.files == {}


async def test_a_seal_that_a_medium_overtakes_is_made_again(house: House) -> None:
    """A file that comes between the sealing and its commit still stands in the record."""
    await house.hear(samples.event("$1", attachments=[PLAN]))
    await house.triage.step()
    house.later(seconds=31)
    (entry,) = await house.journal.claim(EntryState.JUDGED, now=house.clock.now(), limit=1)
    without = await house.sealer.sealing(entry)
    await house.downloads.step()
    await house.journal.seal([without])
    assert (await house.states())["$1"] is EntryState.JUDGED
    assert await house.leaves("seen") == []
    await house.triage.step()
    _, record = await _record(house)
    assert "sha256" in str(record["media"])


async def test_what_json_cannot_carry_is_kept_as_unparsed(house: House) -> None:
    """A lone surrogate leaves the raw bytes, and the media are still named by their digests."""
    event = samples.event("$1", attachments=[replace(PLAN, name="\ud800.pdf")], body="\udfff")
    await house.hear(event)
    await house.settle()
    entry, record = await _record(house)
    assert entry.state is EntryState.STORED
    assert record["kind"] == "unparsed"
    assert not {"body", "sender", "relates_to"} & set(record)
    (key,) = [key for key in house.store.objects if "/media/" in key]
    assert entry.record is not None
    media = json.loads(entry.record.body)["media"]
    assert keys.media_key(entry.record.key, media[0]["object"]) == key
    assert media[0] == {
        "object": media[0]["object"],
        "sha256": Digest.of(DATA).hex,
        "size": 8,
        "sniffed_type": "text/plain",
    }


async def test_only_judged_entries_are_sealed_and_only_sealed_ones_kept(house: House) -> None:
    """Asking for another order is our own mistake."""
    (entry,) = await house.hear(samples.event("$1"))
    with pytest.raises(RuntimeError, match="only judged"):
        await house.sealer.sealing(entry)
    with pytest.raises(RuntimeError, match="only sealed"):
        await house.keeper.keep(entry)


@pytest.mark.parametrize(
    ("outcome", "length"),
    [(Outcome.CAPTURE, RETENTION.records), (Outcome.REVIEW, RETENTION.review)],
)
async def test_retention_counts_from_the_receipt(
    house: House, outcome: Outcome, length: timedelta | None
) -> None:
    """Record and media get the date of their area, which a later try does not move."""
    assert length is not None
    house.says("$1", outcome)
    await house.hear(samples.event("$1", attachments=[PLAN]))
    await house.downloads.step()
    await house.triage.step()
    house.store.lost_replies = 2
    for _ in range(3):
        house.later(hours=5)
        await house.writer.step()
    assert (await house.states())["$1"] is EntryState.STORED
    dates = {held.retain_until for held in house.store.objects.values()}
    assert dates == {NOW + length}
    (leaf,) = await house.leaves("stored")
    assert leaf["ret"] == (NOW + length).strftime("%Y-%m-%dT%H:%M:%S.000Z")


async def test_a_retention_that_the_store_does_not_keep_is_no_receipt(house: House) -> None:
    """Without the retention the entry stays sealed, and health says why."""
    house.store.keeps_locks = False
    await house.hear(samples.event("$1"))
    await house.triage.step()
    await house.writer.step()
    assert (await house.states())["$1"] is EntryState.SEALED
    assert "asked until" in house.writer.health
    (entry,) = await house.entries()
    with pytest.raises(RetentionNotKeptError):
        await house.keeper.keep(entry)


def test_a_date_that_has_passed_becomes_the_end_of_tomorrow() -> None:
    """No lock is asked for the past, and tries of one day ask for the same date."""
    assert fixed_date(NOW + timedelta(hours=2), now=NOW) == NOW + timedelta(hours=2)
    tomorrow = datetime(2026, 3, 3, tzinfo=UTC)
    for hours in (1, 0, -1, -100_000):
        assert fixed_date(NOW + timedelta(hours=hours), now=NOW) == tomorrow
    assert fixed_date(NOW, now=NOW + timedelta(hours=14, minutes=59)) == tomorrow


def test_no_retention_asks_for_none() -> None:
    """An area without a length has no date."""
    none = Retention(records=None, review=timedelta(days=30))
    assert none.until("records", received_at=NOW, now=NOW) is None
    assert none.until("review", received_at=NOW, now=NOW) == NOW + timedelta(days=30)
