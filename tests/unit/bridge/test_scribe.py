"""Manifest parts and acts: fixed once, numbered on arrival, one leaf each."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from bridge.errors import ObjectStoreUnavailableError
from bridge.model import Digest, GroupState, NoticeState, Outcome
from bridge.protocols import ObjectBody, PlacementKind
from bridge.scribe import FAILURES, PLACED_AT_ONCE, Scribe
from tests.fakes import samples
from tests.fakes.crash import Crash
from tests.unit.bridge.house import House

DAY = "2026/03/01"


@pytest.fixture
async def house(house: House) -> House:
    """One group is being recorded."""
    await house.admit()
    return house


async def _gid(house: House) -> str:
    return (await house.entries())[0].stream.gid


async def _sealed(house: House, *names: str) -> None:
    await house.hear(*(samples.event(name) for name in names))
    await house.triage.step()


async def _rows(house: House) -> list[dict[str, object]]:
    """Rows of all parts, in the order of their numbers."""
    rows: list[dict[str, object]] = []
    for part in house.documents("manifests"):
        found = part["rows"]
        assert isinstance(found, list)
        rows += found
    return rows


async def test_a_part_names_what_was_sealed(house: House) -> None:
    """Rows in the order of numbers, with key, digest and sender for what is kept alone."""
    house.says("$2", Outcome.DISCARD)
    house.says("$3", Outcome.REVIEW)
    await _sealed(house, "$1", "$2", "$3")
    await house.scribe.round()
    gid = await _gid(house)
    (key,) = house.objects("manifests")
    assert key == f"manifests/{gid}/{DAY}/000000.json"
    (part,) = house.documents("manifests")
    assert (part["v"], part["gid"]) == (1, gid)
    assert part["group"] == {"id": samples.GROUP_ID, "name": "Flood cell"}
    rows = await _rows(house)
    entries = await house.entries()
    assert [row["n"] for row in rows] == [0, 1, 2]
    assert [row["outcome"] for row in rows] == ["capture", "discard", "review"]
    for row, entry in zip(rows, entries, strict=True):
        assert entry.record is not None
        kept = row["outcome"] != "discard"
        assert row["leaf"] == entry.seen_leaf
        assert row.get("sha256") == (entry.record.digest.hex if kept else None)
        assert row.get("key") == (entry.record.key if kept else None)
        assert row.get("sender") == ("@ada:example.org" if kept else None)
    assert b"pumps" not in b"".join(house.objects("manifests").values())


async def test_a_restricted_message_has_no_key_in_a_manifest(house: House) -> None:
    """What is sealed and not stored stands in the manifest like a discard."""
    house.classifier.verdicts["$1"] = house.classifier.verdict(Outcome.REVIEW, restricted=True)
    await _sealed(house, "$1")
    await house.scribe.round()
    (row,) = await _rows(house)
    assert row["outcome"] == "review"
    assert not {"sha256", "key", "sender"} & set(row)


async def test_a_part_has_one_leaf(house: House) -> None:
    """The manifest leaf has the digests of the part's key and bytes."""
    await _sealed(house, "$1")
    await house.scribe.round()
    ((key, data),) = house.objects("manifests").items()
    (leaf,) = await house.leaves("manifest")
    assert leaf["p"] == Digest.of(f"v1/demo/{key}".encode()).hex
    assert leaf["o"] == Digest.of(data).hex
    await house.scribe.round(flush=True)
    assert len(await house.leaves("manifest")) == 1


async def test_at_most_one_part_a_minute(house: House) -> None:
    """Rows wait until a minute after the last part of their group's day."""
    await _sealed(house, "$1")
    await house.scribe.round()
    await _sealed(house, "$2")
    for _ in range(59):
        house.later(seconds=1)
        await house.scribe.round()
    assert len(house.objects("manifests")) == 1
    await _sealed(house, "$3")
    house.later(seconds=1)
    await house.scribe.round()
    assert [row["n"] for row in await _rows(house)] == [0, 1, 2]
    assert len(house.objects("manifests")) == 2


async def test_groups_and_days_have_parts_of_their_own(house: House) -> None:
    """A part is of one group and one day of the records' keys; none waits for another."""
    await house.admit(samples.group("!other:example.org", name=None))
    before = samples.NOW - timedelta(days=1)
    await house.hear(
        samples.event("$1"),
        samples.event("$2", sent_at=before),
        samples.event("$3", group_id="!other:example.org"),
    )
    await house.triage.step()
    await house.scribe.round()
    gids = {e.event.upstream_id: e.stream.gid for e in await house.entries()}
    assert set(house.objects("manifests")) == {
        f"manifests/{gids['$1']}/{DAY}/000000.json",
        f"manifests/{gids['$1']}/2026/02/28/000000.json",
        f"manifests/{gids['$3']}/{DAY}/000000.json",
    }
    groups = [part["group"] for part in house.documents("manifests")]
    assert {"id": "!other:example.org"} in groups


async def test_a_flush_writes_what_waits(house: House) -> None:
    """On a stop the minute is not waited for."""
    await _sealed(house, "$1")
    await house.scribe.round()
    await _sealed(house, "$2")
    await house.scribe.round()
    assert len(house.objects("manifests")) == 1
    await house.scribe.round(flush=True)
    assert [row["n"] for row in await _rows(house)] == [0, 1]


async def test_a_decision_gives_a_newer_row(house: House) -> None:
    """A promoted message stands in a later part, with its key and the numbers it leaned on."""
    house.says("$1", Outcome.DISCARD)
    house.says("$2", Outcome.CAPTURE, "$1", "$never")
    await _sealed(house, "$1")
    await house.scribe.round()
    await _sealed(house, "$2")
    house.later(minutes=1)
    await house.scribe.round()
    first, again, answer = await _rows(house)
    assert (first["n"], first["outcome"], "key" in first) == (0, "discard", False)
    assert (again["n"], again["outcome"], "key" in again) == (0, "capture", True)
    assert again["leaf"] == first["leaf"]
    assert again["context"] == [1]
    assert (answer["n"], answer["context"]) == (1, [0])


async def test_a_number_taken_by_other_bytes_is_passed_over(house: House) -> None:
    """A foreign document under the next number stays; ours takes the following one."""
    await _sealed(house, "$1")
    folder = f"manifests/{await _gid(house)}/{DAY}"
    for number in (0, 1):
        key = f"{folder}/{number:06d}.json"
        await house.store.put(key, ObjectBody.of(b"foreign"), retain_until=None)
    await house.scribe.round()
    assert house.store.objects[f"{folder}/000000.json"].data == b"foreign"
    (leaf,) = await house.leaves("manifest")
    assert leaf["p"] == Digest.of(f"v1/demo/{folder}/000002.json".encode()).hex
    await _sealed(house, "$2")
    await house.scribe.round(flush=True)
    assert max(house.objects("manifests")) == f"{folder}/000003.json"


async def test_a_part_keeps_behind_the_earlier_ones(house: House) -> None:
    """A part whose number was taken while it waited has a lower one than what was fixed later."""
    house.says("$1", Outcome.DISCARD)
    house.says("$2", Outcome.CAPTURE, "$1")
    await _sealed(house, "$1")
    house.store.down = True
    await house.scribe.round()
    house.store.down = False
    first = f"manifests/{await _gid(house)}/{DAY}/000000.json"
    await house.store.put(first, ObjectBody.of(b'{"rows":[]}'), retain_until=None)
    await _sealed(house, "$2")
    house.later(minutes=1)
    await house.scribe.round()
    outcomes = [(row["n"], row["outcome"]) for row in await _rows(house)]
    assert outcomes == [(0, "discard"), (0, "capture"), (1, "capture")]


async def test_a_part_that_fails_holds_the_later_ones_alone(house: House) -> None:
    """Until it is placed no other part of its folder is put, and every other document is."""
    await _sealed(house, "$1")
    folder = f"manifests/{await _gid(house)}/{DAY}"
    foreign = ObjectBody.of(b'{"rows":[]}')
    for number in range(1000):
        await house.store.put(f"{folder}/{number:06d}.json", foreign, retain_until=None)
    await house.scribe.round()
    await _sealed(house, "$2")
    await house.hear(samples.event("$3", sent_at=samples.NOW - timedelta(days=1)))
    await house.triage.step()
    other = f"manifests/{await _gid(house)}/2026/02/28"
    for number in range(1000, 2000):
        await house.store.put(f"{folder}/{number:06d}.json", foreign, retain_until=None)
    await house.scribe.round(flush=True)
    assert [row["n"] for row in await _rows(house)] == [2]
    assert list(house.objects(other)) == [f"{other}/000000.json"]
    await house.scribe.round()
    assert [row["n"] for row in await _rows(house)] == [2, 0, 1]
    assert max(house.objects(folder)) == f"{folder}/002001.json"


async def test_acts_share_one_series(house: House) -> None:
    """Acts of all kinds and groups take the next free number of one series."""
    for body in (b'{"kind":"a"}', b'{"kind":"b"}'):
        await house.journal.queue(samples.placement(PlacementKind.STEP, body=body))
    await _sealed(house, "$1")
    await house.scribe.round()
    keys = [f"acts/{DAY}/{number:012d}.json" for number in range(3)]
    assert sorted(house.objects("acts")) == keys
    assert [json.loads(house.store.objects[key].data)["kind"] for key in keys] == ["a", "b", "open"]
    later = f"acts/2026/03/02/{3:012d}.json"
    await house.journal.queue(
        samples.placement(PlacementKind.STEP, folder="acts/2026/03/02", body=b'{"kind":"c"}')
    )
    await house.scribe.round()
    assert later in house.store.objects


async def test_the_open_act_has_its_leaf_with_the_stream(house: House) -> None:
    """A stream's open act is placed and its leaf names the blinded stream."""
    await _sealed(house, "$1")
    await house.scribe.round()
    (act,) = house.documents("acts")
    (leaf,) = await house.leaves("open")
    stream = (await house.entries())[0].stream
    assert (act["kind"], act["stream"], act["gid"]) == ("open", stream.id, stream.gid)
    assert leaf["s"] == stream.id
    assert "total" not in leaf


async def test_nothing_is_placed_before_the_notice_is_settled(house: House) -> None:
    """Parts and acts of a group that was not told wait; only the step that approves it does not."""
    await house.move(GroupState.ACTIVE, notice=NoticeState.DUE)
    await house.journal.queue(samples.placement(PlacementKind.STEP))
    await _sealed(house, "$1")
    await house.scribe.round(flush=True)
    assert [document["kind"] for document in house.documents("acts")] == ["step"]
    assert house.objects("manifests") == {}
    await house.move(GroupState.ACTIVE, notice=NoticeState.POSTED)
    await house.scribe.round()
    assert len(house.objects("manifests")) == 1
    assert len(house.objects("acts")) == 2


@pytest.mark.parametrize("happened", [False, True])
async def test_a_put_that_fails_takes_no_second_number(house: House, *, happened: bool) -> None:
    """Failed, or failed but happened: the next round places the same bytes under one number."""
    await _sealed(house, "$1")
    if happened:
        house.store.lost_replies = 1
    else:
        house.store.before = [ObjectStoreUnavailableError("503")]
    await house.scribe.round()
    assert house.scribe.health
    await house.scribe.round()
    assert house.scribe.health == ""
    assert len(house.objects("manifests")) == 1
    assert len(house.objects("acts")) == 1
    assert len(await house.leaves("manifest")) == 1


@pytest.mark.parametrize(
    "point",
    [
        "before queue",
        "after queue",
        "before number",
        "after number",
        "before put manifests",
        "after put manifests",
        "before place",
        "after place",
    ],
)
async def test_a_crash_leaves_each_row_in_one_part(house: House, point: str) -> None:
    """Wherever the process dies, the next one ends with one part, one number and one leaf."""
    await _sealed(house, "$1", "$2")
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.scribe.round()
    await house.restart()
    house.later(hours=30)
    await house.scribe.round()
    await house.scribe.round(flush=True)
    assert [row["n"] for row in await _rows(house)] == [0, 1]
    assert len(house.objects("manifests")) == len(await house.leaves("manifest")) == 1
    assert len(house.objects("acts")) == len(await house.leaves("open")) == 1


async def test_parts_and_acts_keep_the_longest_retention(house: House) -> None:
    """The date counts from when the document was fixed, at every try."""
    await _sealed(house, "$1")
    house.store.lost_replies = 1
    await house.scribe.round()
    house.later(hours=5)
    await house.scribe.round()
    dates = {held.retain_until for held in house.store.objects.values()}
    assert dates == {samples.NOW + timedelta(days=2555)}


async def test_without_retention_none_is_asked(house: House) -> None:
    """A deployment that sets no retention gets none."""
    scribe = Scribe(
        journal=house.journal,
        store=house.store,
        clock=house.clock,
        tenant="demo",
        retention_days=None,
    )
    await _sealed(house, "$1")
    await scribe.round()
    assert {held.retain_until for held in house.store.objects.values()} == {None}


async def test_a_series_without_a_free_number_holds_nobody_else(house: House) -> None:
    """If no number is free within many tries, others are placed in the same round."""
    taken = ObjectBody.of(b"foreign")
    await _sealed(house, "$1")
    folder = f"manifests/{await _gid(house)}/{DAY}"
    for number in range(1000):
        await house.store.put(f"{folder}/{number:06d}.json", taken, retain_until=None)
    await house.journal.queue(samples.placement(PlacementKind.STEP))
    await house.scribe.round(flush=True)
    assert await house.leaves("manifest") == []
    assert len(await house.leaves("step")) == len(await house.leaves("open")) == 1
    assert "other bytes" in house.scribe.health
    await house.scribe.round()
    assert f"{folder}/001000.json" in house.store.objects
    assert house.scribe.health == ""


async def test_a_document_keeps_its_number_when_its_put_was_not_heard(house: House) -> None:
    """An act that was fixed earlier and may go only now takes another number."""
    await house.admit(samples.group("!due", notice=NoticeState.DUE))
    early = samples.placement(PlacementKind.NOTICE, group_id="!due", body=b'{"kind":"early"}')
    await house.journal.queue(early)
    await house.journal.queue(samples.placement(PlacementKind.STEP))
    house.store.lost_replies = 1
    await house.scribe.round()
    await house.restart()
    await house.journal.settle_notice(
        samples.group("!due", notice=NoticeState.DUE),
        notice=NoticeState.POSTED,
        note="",
        act=samples.placement(PlacementKind.NOTICE, group_id="!due", body=b'{"kind":"told"}'),
    )
    await house.scribe.round()
    kinds = [act["kind"] for act in house.documents("acts")]
    assert kinds == ["step", "early", "told"]
    assert len(await house.leaves()) == 3


async def test_one_failing_put_does_not_hold_the_others(house: House) -> None:
    """What fails comes behind the others, in this round and in the next ones, until it goes."""
    for i in range(4):
        await house.journal.queue(samples.placement(body=b'{"i":%d}' % i))
    house.store.before = [ObjectStoreUnavailableError("503")]
    await house.scribe.round()
    assert [act["i"] for act in house.documents("acts")] == [1, 2, 3]
    assert house.scribe.health == "503"
    await house.journal.queue(samples.placement(body=b'{"i":4}'))
    await house.scribe.round()
    assert [act["i"] for act in house.documents("acts")] == [0, 1, 2, 3, 4]
    assert house.store.attempts[-2:] == [f"acts/{DAY}/{4:012d}.json", f"acts/{DAY}/{0:012d}.json"]
    assert house.scribe.health == ""


async def test_a_store_that_is_down_is_not_asked_for_every_document(house: House) -> None:
    """After a few failures in a row the round is over; each document gets its turn."""
    for i in range(60):
        await house.journal.queue(samples.placement(body=b'{"i":%d}' % i))
    house.store.down = True
    await house.scribe.round(flush=True)
    assert len(house.store.attempts) == FAILURES
    for _ in range(19):
        await house.scribe.round()
    assert len(set(house.store.attempts)) == len(house.store.attempts) == 20 * FAILURES
    house.store.down = False
    await house.scribe.round(flush=True)
    assert len(await house.leaves("step")) == 60
    assert len(house.objects("acts")) == 60


async def test_a_flush_places_all_that_waits(house: House) -> None:
    """A round takes a share; on a stop nothing is left behind."""
    for i in range(120):
        await house.journal.queue(samples.placement(body=b'{"i":%d}' % i))
    await house.scribe.round()
    assert len(house.objects("acts")) == PLACED_AT_ONCE
    await house.scribe.round(flush=True)
    assert len(house.objects("acts")) == 120


async def test_a_place_is_drained_in_parts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """When its time is over all rows of a group's day go, a bounded number in each part."""
    monkeypatch.setattr("bridge.scribe.ROWS_AT_ONCE", 3)
    await house.admit(samples.group("!quiet:example.org"))
    await house.hear(*(samples.event(f"${i}") for i in range(7)))
    await house.hear(samples.event("$quiet", group_id="!quiet:example.org"))
    await house.triage.step()
    await house.scribe.round()
    sizes = {
        key.partition("/")[2]: len(json.loads(part)["rows"])
        for key, part in house.objects("manifests").items()
    }
    quiet = (await house.entries())[7].stream.gid
    assert sizes == {
        f"{await _gid(house)}/{DAY}/000000.json": 3,
        f"{await _gid(house)}/{DAY}/000001.json": 3,
        f"{await _gid(house)}/{DAY}/000002.json": 1,
        f"{quiet}/{DAY}/000000.json": 1,
    }
    bodies = list(house.objects("manifests"))
    assert bodies.index(f"manifests/{quiet}/{DAY}/000000.json") == 1


async def test_a_busy_group_starves_nobody(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round writes a share of a great backlog, and the rest without waiting a minute."""
    monkeypatch.setattr("bridge.scribe.ROWS_AT_ONCE", 2)
    monkeypatch.setattr("bridge.scribe.PARTS_AT_ONCE", 2)
    await house.journal.queue(samples.placement(PlacementKind.STEP))
    await _sealed(house, *(f"${i}" for i in range(9)))
    await house.scribe.round()
    assert len(await house.leaves("step")) == 1
    assert len(await _rows(house)) == 4
    await house.scribe.round()
    await house.scribe.round()
    assert [row["n"] for row in await _rows(house)] == list(range(9))


async def test_waiting_rows_are_not_opened_each_second(house: House) -> None:
    """Until its minute is over a place costs no reading of its rows."""
    await _sealed(house, "$1")
    await house.scribe.round()
    await _sealed(house, "$2")
    house.die_at(Crash())
    for _ in range(59):
        house.later(seconds=1)
        await house.scribe.round()
    assert house.journal.crash.reached["manifest_due"] == 0
    house.later(seconds=1)
    await house.scribe.round()
    assert house.journal.crash.reached["manifest_due"] == 1


async def test_a_context_that_does_not_open_has_no_number(house: House) -> None:
    """A damaged message costs the row of the one that leaned on it no more than its number."""
    await _sealed(house, "$0")
    house.says("$1", Outcome.CAPTURE, "$0")
    await _sealed(house, "$1")
    await house.journal._writer.execute(
        "UPDATE entry SET payload_sealed = zeroblob(99) WHERE n = 0"
    )
    await house.scribe.round()
    assert [(row["n"], row.get("context", [])) for row in await _rows(house)] == [(1, [])]


async def test_a_damaged_document_costs_its_neighbours_nothing(house: House) -> None:
    """A document that does not open is passed by and counted; the others are placed."""
    for i in range(2):
        await house.journal.queue(samples.placement(body=b'{"i":%d}' % i))
    await house.journal._writer.execute(
        "UPDATE placement SET body_sealed = zeroblob(99) WHERE id = 1"
    )
    await house.scribe.round()
    assert [act["i"] for act in house.documents("acts")] == [1]
    assert house.journal.damaged == 1


async def test_a_journal_that_fails_is_asked_again(house: House) -> None:
    """Rows that could not be read or named wait; the next round writes them."""
    await _sealed(house, "$1")
    await house.journal._writer.execute("PRAGMA query_only = ON")
    await house.scribe.round()
    assert house.scribe.health
    await house.journal._writer.execute("PRAGMA query_only = OFF")
    await house.scribe.round()
    assert house.scribe.health == ""
    assert len(await _rows(house)) == 1
