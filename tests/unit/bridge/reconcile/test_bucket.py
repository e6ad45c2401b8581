"""What stands in the store is this journal's, an earlier journal's, or nobody's."""

from __future__ import annotations

import json

import pytest

from bridge import keys
from bridge.reconcile import Found
from tests.fakes import samples
from tests.unit.bridge.house import House
from tests.unit.bridge.reconcile.scene import add, compared, counts, finding, key_of

GID = keys.group_gid(samples.BLIND_KEY, "matrix", samples.GROUP_ID)
STEM = "090000000-000000000009-0123456789abcdef"
FOLDER = f"matrix/{GID}/2026/03/01"


@pytest.fixture
async def house(house: House) -> House:
    """One record stands in the store."""
    await house.admit()
    await house.hear(samples.event("$1"))
    await house.settle()
    return house


STRANGE = (
    "records/notes.txt",
    "records/Ünterlagen/\udcff.json",
    f"records/{FOLDER}/{STEM}.json",
    f"records/{FOLDER}/media/{STEM}/0",
    f"review/{FOLDER}/{STEM}.json",
    f"manifests/{GID}/2026/03/01/000009.json",
    f"manifests/{GID}/2026/03/01/9.json",
    "acts/2026/03/01/000000000009.json",
)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[" * 100_000, b"\xff", b'{"v":1,"kind":7,"rows":[],"stream":"x","n":9}']
)
async def test_what_is_not_of_the_format_is_nobodys(house: House, data: bytes) -> None:
    """Any name and any bytes are named as foreign, and nothing follows from them."""
    for key in STRANGE:
        add(house, key, data)
    streams = len(await house.leaves("open"))
    report = await compared(house)
    assert counts(report) == {Found.FOREIGN: len(STRANGE)}
    assert not report.fits
    assert "\udcff" not in "".join(finding(report, Found.FOREIGN).examples)
    assert len(await house.leaves("open")) == streams


async def test_a_record_of_another_group_is_nobodys(house: House) -> None:
    """A document that names a group whose blinding does not fit its key proves nothing."""
    document = {
        "v": 1,
        "stream": "00112233445566aa",
        "n": 9,
        "platform": "matrix",
        "group": {"id": "!other:example.org"},
    }
    add(house, f"records/{FOLDER}/{STEM}.json", json.dumps(document).encode())
    assert counts(await compared(house)) == {Found.FOREIGN: 1}


async def test_an_open_act_has_to_prove_its_stream(house: House) -> None:
    """An act whose stream does not come from its key opens nothing."""
    act = {
        "v": 1,
        "kind": "open",
        "at": "2026-03-01T09:00:00.000Z",
        "stream": "00112233445566aa",
        "stream_key": "ICEiIyQl",
        "gid": GID,
        "platform": "matrix",
        "group": {"id": samples.GROUP_ID},
    }
    number = int(keys.stem_of(key_of(house, "acts")))
    assert number == 0
    await house.journal.set_group(samples.group("!2:example.org"), expect=None)
    add(house, "acts/2026/02/28/000000000000.json", json.dumps(act).encode())
    report = await compared(house)
    assert counts(report) == {Found.EARLIER: 1}
    assert await house.gaps() == []


async def test_what_is_put_meanwhile_is_ours(house: House) -> None:
    """The journal knows a key before the object is put, and is asked after the listing."""
    await house.hear(samples.event("$2"))
    await house.triage.step()
    (entry,) = [e for e in await house.entries() if e.event.upstream_id == "$2"]
    assert entry.record is not None
    add(house, entry.record.key, entry.record.body)
    assert counts(await compared(house)) == {Found.RECEIPT_PENDING: 1}


async def test_only_the_first_are_named(house: House) -> None:
    """Thousands of strangers are counted, a few are named."""
    for i in range(1200):
        add(house, f"records/x/{i:04d}.json")
    found = finding(await compared(house), Found.FOREIGN)
    assert found.count == 1200
    assert len(found.examples) == 10
    assert found.examples[0] == "records/x/0000.json"
