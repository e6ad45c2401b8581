"""What every journal tells of what it holds, without opening any content."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge import keys
from bridge.model import Digest, Outcome
from bridge.protocols import KeptObject, Placement, PlacementKind
from tests.contracts.journal.subjects import DISCARD, LATER, Subject
from tests.fakes.samples import (
    CONNECTOR,
    GROUP_ID,
    NOW,
    batch,
    event,
    loss,
    placed_leaf,
    placement,
    proof,
    verdict,
)

DAY = "2026/03/01"


async def _placed(subject: Subject, made: Placement) -> Placement:
    await subject.journal.queue(made)
    found = (await subject.journal.placements(limit=99))[-1]
    numbered = await subject.journal.number(found)
    await subject.journal.place(numbered, leaf=placed_leaf(numbered, number=numbered.number or 0))
    return numbered


async def test_kept_are_records_with_a_receipt(subject: Subject) -> None:
    """Key, digest and number of what is stored, in order; nothing that only waits for it."""
    await subject.sealed(of=event("$sealed"))
    await subject.sealed(DISCARD, of=event("$discard"))
    entries = [await subject.stored(of=event(f"${i}")) for i in range(3)]
    records = [entry.record for entry in entries]
    expected = [
        KeptObject(seq=entry.seq, key=record.key, digest=record.digest)
        for entry, record in zip(entries, records, strict=True)
        if record is not None
    ]
    kept = subject.journal.kept
    assert list(await kept(after=0, limit=9)) == expected
    assert list(await kept(after=0, limit=2)) == expected[:2]
    assert list(await kept(after=entries[1].seq, limit=9)) == expected[2:]
    assert await kept(after=entries[2].seq, limit=9) == ()


async def test_kept_names_the_newest_copy(subject: Subject) -> None:
    """Of a review that was promoted, the copy counts once its receipt is here."""
    entry = await subject.sealed(verdict(Outcome.REVIEW))
    await subject.journal.store([proof(entry)])
    (first,) = await subject.journal.kept(after=0, limit=9)
    assert first.key.startswith("review/")
    await subject.promote(entry)
    assert await subject.journal.kept(after=0, limit=9) == ()
    await subject.journal.store([proof(await subject.entry(entry.seq))])
    (copy,) = await subject.journal.kept(after=0, limit=9)
    assert (copy.seq, copy.digest) == (first.seq, first.digest)
    assert copy.key.startswith("records/")


async def test_kept_documents_are_those_that_were_placed(subject: Subject) -> None:
    """Key and digest of parts and acts, by their ids; a number alone is no place."""
    folder = f"manifests/{'a' * 16}/{DAY}"
    part = await _placed(subject, placement(PlacementKind.MANIFEST, folder=folder, body=b"part"))
    act = await _placed(subject, placement(body=b"act"))
    await subject.journal.queue(placement(body=b"waits"))
    (waiting,) = await subject.journal.placements(limit=9)
    await subject.journal.number(waiting)
    expected = (
        KeptObject(seq=part.id, key=f"{folder}/000000.json", digest=Digest.of(b"part")),
        KeptObject(seq=act.id, key=f"acts/{DAY}/000000000000.json", digest=Digest.of(b"act")),
    )
    assert await subject.journal.kept_documents(after=0, limit=9) == expected
    assert await subject.journal.kept_documents(after=0, limit=1) == expected[:1]
    assert await subject.journal.kept_documents(after=part.id, limit=9) == expected[1:]


async def test_its_own_keys_are_known(subject: Subject) -> None:
    """Records in either area, their media, and documents with the number they were given."""
    stored = await subject.stored(of=event("$1"))
    sealed = await subject.sealed(of=event("$2"))
    assert stored.record is not None
    assert sealed.record is not None
    rest = stored.record.key.removeprefix("records/")
    stem = keys.stem_of(rest)
    folder = rest.rpartition("/")[0]
    act, *_ = await subject.journal.placements(limit=9)
    act_key = f"acts/{DAY}/000000000000.json"
    assert await subject.journal.knows([act_key]) == frozenset()
    await subject.journal.number(act)
    ours = {
        stored.record.key,
        f"review/{rest}",
        sealed.record.key,
        f"records/{folder}/media/{stem}/0",
        f"review/{folder}/media/{stem}/11",
        act_key,
    }
    assert await subject.journal.knows(sorted(ours)) == ours
    await subject.restart()
    assert await subject.journal.knows([*ours, "acts/x"]) == ours


async def test_other_keys_are_not(subject: Subject) -> None:
    """Another number, identity, day, group, area or folder, and whatever is no key of ours."""
    entry = await subject.stored()
    assert entry.record is not None
    await _placed(subject, placement())
    key = entry.record.key
    area, platform, gid, *day, name = key.split("/")
    n = f"-{entry.n:012d}-"
    others = [
        key.replace(n, "-000000000099-"),
        key.replace(name[-21:-5], "f" * 16),
        key.replace(DAY, "2026/03/02"),
        key.replace(gid, "0" * 16),
        key.replace(f"/{platform}/", "/other/"),
        key.replace(area, "probe"),
        key.removesuffix(".json"),
        f"{area}/{platform}/{gid}/{'/'.join(day)}/media/{'0' * 9}{n}{'f' * 16}/0",
        f"{area}/{platform}/{gid}/{'/'.join(day)}/media/{keys.stem_of(key)}/x",
        "acts/2026/03/02/000000000000.json",
        f"acts/{DAY}/000000000001.json",
        f"acts/{DAY}/0.json",
        f"acts/{DAY}/000000.json",
        f"manifests/{gid}/{DAY}/000000.json",
        "",
        "/",
        "log/0/checkpoint",
        "\ud800",
        f"records/\ud800/{gid}/{DAY}/{name}",
        f"records/{platform}/\ud800/{DAY}/{name}",
        f"acts/\ud800/{DAY}/000000000000.json",
        key.replace(n, "-\u0660" + "0" * 11 + "-"),
    ]
    assert await subject.journal.knows(others) == frozenset()
    assert await subject.journal.knows([]) == frozenset()


async def test_what_was_ever_journalled_is_seen(subject: Subject) -> None:
    """Destroyed, in a closed stream, or just received; of this group and connector alone."""
    await subject.admit("!other")
    await subject.sealed(DISCARD, of=event("$gone"))
    await subject.journal.forget(discarded_before=LATER, limit=9)
    await subject.journal.close_stream(await subject.group(), at=NOW)
    await subject.received(event("$now"), event("$else", group_id="!other"))
    asked = ["$gone", "$now", "$else", "$never", "\ud800"]
    seen = subject.journal.has_seen
    assert await seen(CONNECTOR, GROUP_ID, asked) == {"$gone", "$now"}
    assert await seen(CONNECTOR, "!other", asked) == {"$else"}
    assert await seen("nobody", GROUP_ID, asked) == frozenset()
    assert await seen(CONNECTOR, GROUP_ID, []) == frozenset()


async def test_a_later_revision_alone_is_not_the_event(subject: Subject) -> None:
    """An entry that was derived of an event does not stand for the event itself."""
    await subject.received(event("$1", revision="rescued"))
    assert await subject.journal.has_seen(CONNECTOR, GROUP_ID, ["$1"]) == frozenset()


async def test_gaps_are_told_oldest_first(subject: Subject) -> None:
    """As they were recorded, over all streams of the group, with their details."""
    await subject.admit("!other")
    hour = timedelta(hours=1)
    first = loss("down", since=NOW - hour, until=NOW, detail="a \ud800 b")
    second = loss("paused", since=None, until=None)
    await subject.journal.append(batch(losses=[first, loss("x", group_id="!other")]))
    await subject.journal.close_stream(await subject.group(), at=NOW)
    await subject.journal.record_gap(CONNECTOR, second, at=NOW)
    assert await subject.journal.gaps(CONNECTOR, GROUP_ID) == (first, second)
    assert [each.why for each in await subject.journal.gaps(CONNECTOR, "!other")] == ["x"]
    assert await subject.journal.gaps("nobody", GROUP_ID) == ()


@pytest.mark.parametrize("micros", [0, 1, 999])
async def test_times_of_gaps_are_milliseconds(subject: Subject, micros: int) -> None:
    """The journal keeps times to the millisecond."""
    told = loss(since=NOW - timedelta(microseconds=1000 - micros), until=None)
    await subject.journal.record_gap(CONNECTOR, told, at=NOW)
    (found,) = await subject.journal.gaps(CONNECTOR, GROUP_ID)
    assert found.since in {NOW - timedelta(milliseconds=1), NOW}
