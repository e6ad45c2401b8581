"""Everything with a receipt stands in the store, or is put there again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge import keys
from bridge.errors import ObjectStoreUnavailableError
from bridge.model import ObjectInfo, Outcome
from bridge.protocols import DownloadState, RequestKind
from bridge.reconcile import Advance, Found
from bridge.reconcile.holdings import FAILURES
from tests.fakes import samples
from tests.fakes.connector import OfferedFile
from tests.unit.bridge.house import House
from tests.unit.bridge.reconcile.scene import (
    WithoutDigests,
    compared,
    counts,
    finding,
    key_of,
    overwrite,
    reconciler_of,
)

PLAN = samples.attachment("plan.pdf", size=8)
DATA = b"%PDF-1.7"


@pytest.fixture
async def house(house: House) -> House:
    """Two records, one of them for review and with an attachment, stand in the store."""
    await house.admit()
    house.connector.files[PLAN.url] = OfferedFile(chunks=(DATA,))
    house.says("$2", Outcome.REVIEW)
    await house.hear(samples.event("$1"), samples.event("$2", attachments=[PLAN]))
    await house.downloads.step()
    await house.settle()
    return house


async def test_what_fits_is_not_touched(house: House) -> None:
    """Journal and store hold the same: nothing is found, and nothing is put."""
    before = list(house.store.attempts)
    report = await compared(house)
    assert (report.fits, report.complete, report.findings) == (True, True, [])
    assert report.checked == {"records": 2, "media": 1, "documents": 2, "objects": 5}
    assert house.store.attempts == before


@pytest.mark.parametrize("area", ["records", "review", "manifests", "acts"])
async def test_what_is_missing_is_put_again(house: House, area: str) -> None:
    """The same bytes under the same key with the same lock, and no leaf of it."""
    key = key_of(house, area)
    lost, leaves = house.store.objects.pop(key), await house.leaves()
    house.later(days=3)
    report = await compared(house)
    assert counts(report) == {Found.RESTORED: 1}
    assert finding(report, Found.RESTORED).examples == [key]
    assert not report.fits
    put = house.store.objects[key]
    assert (put.data, put.retain_until) == (lost.data, lost.retain_until)
    assert await house.leaves() == leaves
    assert (await compared(house)).fits


@pytest.mark.parametrize("area", ["records", "review", "manifests", "acts"])
@pytest.mark.parametrize("kept", [True, False])
async def test_what_was_changed_is_named_and_left(
    house: House, monkeypatch: pytest.MonkeyPatch, area: str, *, kept: bool
) -> None:
    """Other bytes are a finding, whether or not the store keeps digests, and are not replaced."""
    key = key_of(house, area)
    overwrite(house, key, b"other")
    if not kept:
        monkeypatch.setattr(house.store, "head", WithoutDigests(house))
    report = await compared(house)
    assert counts(report) == {Found.CHANGED: 1}
    assert finding(report, Found.CHANGED).examples == [key]
    assert house.store.objects[key].data == b"other"


async def test_a_missing_medium_is_named(house: House) -> None:
    """Its file went once it was stored: there is nothing to put again."""
    (key,) = [key for key in house.store.objects if "/media/" in key]
    del house.store.objects[key]
    report = await compared(house)
    assert counts(report) == {Found.MISSING_MEDIUM: 1}
    assert finding(report, Found.MISSING_MEDIUM).examples == [key]


async def test_a_record_comes_back_without_its_medium(house: House) -> None:
    """What can be put again is put, and what cannot is named."""
    record = key_of(house, "review")
    for key in [key for key in house.store.objects if key.startswith("review/")]:
        del house.store.objects[key]
    report = await compared(house)
    assert counts(report) == {Found.RESTORED: 1, Found.MISSING_MEDIUM: 1}
    assert finding(report, Found.RESTORED).examples == [record]


async def test_a_medium_is_copied_from_the_other_area(house: House) -> None:
    """Of a promoted record the attachment stands twice; one mends the other."""
    (entry,) = [e for e in await house.entries() if e.event.upstream_id == "$2"]
    assert entry.record is not None
    (media,) = await house.journal.media(entry.seq)
    assert media.state is DownloadState.STORED
    (first,) = [key for key in house.store.objects if "/media/" in key]
    verdict = house.classifier.verdict(Outcome.CAPTURE)
    key = entry.record.key.replace("review/", "records/", 1)
    assert entry.seen_leaf is not None
    assert await house.journal.promote(
        entry.seq,
        verdict,
        key=key,
        safe_by=house.clock.now(),
        leaf=replace(samples.sealing(replace(entry, verdict=verdict)).leaf, kind="decision"),
    )
    await house.settle()
    second = first.replace("review/", "records/", 1)
    del house.store.objects[second]
    report = await compared(house)
    assert counts(report) == {Found.RESTORED: 1}
    assert house.store.objects[second].data == DATA


async def test_what_has_outlived_its_retention_stays_away(house: House) -> None:
    """Nothing that was disposed of in order comes back."""
    key = key_of(house, "review")
    for each in [each for each in house.store.objects if each.startswith("review/")]:
        del house.store.objects[each]
    house.later(days=31)
    report = await compared(house)
    assert counts(report) == {Found.PAST_RETENTION: 2}
    assert report.fits
    assert key not in house.store.objects


async def test_documents_outlive_their_retention_too(house: House) -> None:
    """A manifest part or an act is not put again after its time."""
    del house.store.objects[key_of(house, "acts")]
    house.later(days=2556)
    assert counts(await compared(house)) == {Found.PAST_RETENTION: 1}


async def test_what_nobody_can_read_is_lost(house: House) -> None:
    """A damaged row costs its own object, and no other."""
    key = key_of(house, "records")
    del house.store.objects[key]
    # White-box: the bytes of one row change on the disk.
    await house.journal._writer.execute(
        "UPDATE entry SET payload_sealed = x'00' WHERE key = ?", (key,)
    )
    await house.journal._writer.commit()
    report = await compared(house)
    assert counts(report) == {Found.LOST: 1}
    assert report.checked["records"] == 2


async def test_a_store_that_stumbles_is_asked_again(house: House) -> None:
    """One request that fails is no finding."""
    key = key_of(house, "records")
    del house.store.objects[key]
    house.store.before = [ObjectStoreUnavailableError("slow down")]
    assert counts(await compared(house)) == {Found.RESTORED: 1}


async def test_a_store_that_is_down_ends_the_comparison(house: House) -> None:
    """After a few objects nothing more is asked; the report says that it is not whole."""
    await house.hear(*(samples.event(f"$more-{i}") for i in range(20)))
    await house.settle()
    house.store.down = True
    report = await compared(house)
    assert not report.complete
    assert "does not answer" in report.trouble
    assert counts(report)[Found.UNCHECKED] >= FAILURES
    assert report.checked["records"] < 22


async def test_verification_stands_back_under_load(house: House) -> None:
    """While the recorder has too much to do, the store is not asked."""
    asked = iter([True] * 5 + [False] * 1000)
    began = house.clock.now()
    report = await reconciler_of(house, wait=lambda: next(asked)).compare(
        RequestKind.RECONCILE, Advance()
    )
    assert report.fits
    assert house.clock.now() - began >= timedelta(seconds=5)


async def test_a_comparison_that_stands_back_says_so(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever watches sees that it waits, and when it goes on."""
    advance = Advance()
    shown: list[bool] = []
    head = house.store.head

    async def asked_while(key: str) -> ObjectInfo | None:
        shown.append(advance.resting)
        return await head(key)

    def wait() -> bool:
        shown.append(advance.resting)
        return house.clock.now() < until

    monkeypatch.setattr(house.store, "head", asked_while)
    until = house.clock.now() + timedelta(seconds=3)
    await reconciler_of(house, wait=wait).compare(RequestKind.RECONCILE, advance)
    assert shown[0] is False
    assert True in shown
    assert shown[-1] is advance.resting is False


async def test_a_receipt_on_its_way_is_said(house: House) -> None:
    """A record that was put before the process died is ours, and the writer settles it."""
    await house.hear(samples.event("$3"))
    await house.triage.step()
    (entry,) = [e for e in await house.entries() if e.event.upstream_id == "$3"]
    await house.keeper.keep(entry)
    report = await compared(house)
    assert counts(report) == {Found.RECEIPT_PENDING: 1}
    assert report.fits
    assert json.loads(house.store.objects[key_of(house, keys.RECORDS, 1)].data)["n"] == 2
    await house.settle()
    assert (await compared(house)).findings == []
