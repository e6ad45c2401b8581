"""Real recorder parts and a real S3 adapter under each outage: all is stored once it is over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.lifecycle import EntryState
from bridge.model import Digest, Outcome
from bridge.scribe import Scribe
from bridge.seal import Keeper, Retention
from bridge.writer import Writer
from tests.fakes import samples
from tests.fakes.connector import OfferedFile
from tests.faults.stores import Running, status_fault
from tests.servers.fault_s3 import FOREIGN, Bucket, Fault, FaultKind, FaultS3, Version
from tests.unit.bridge.house import TENANT, House

PLAN = samples.attachment("plan.pdf", size=8)
# The server's clock is the machine's, the recorder's is that of the samples.
LONG = Retention(records=timedelta(days=36500), review=timedelta(days=36500))
BASE = f"v1/{TENANT}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """A recorder that has captured and sealed a few messages, none stored, and its store."""

    house: House
    server: FaultS3

    @property
    def bucket(self) -> Bucket:
        """Where it stores."""
        return self.server.bucket

    async def try_for_a_while(self) -> None:
        """The loops run into whatever is wrong, some minutes long."""
        for _ in range(2):
            while await self.house.writer.step():
                pass
            await self.house.scribe.round(flush=True)
            self.house.later(minutes=2)

    async def until_stored(self) -> None:
        """The loops run on after the outage; what was put off comes up again in time."""
        for _ in range(3):
            await self.house.settle()
            self.house.later(minutes=2)


@pytest.fixture
async def recorder(tmp_path: Path, on_locked: Running) -> AsyncIterator[Recorder]:
    """A capture with an attachment, one more, and a doubtful one, on a bucket that locks."""
    server, house = on_locked.server, House(tmp_path)
    await asyncio.to_thread(server.wait_idle)  # what an earlier test left on its way
    server.bucket.clear()
    await house.open()
    house.keeper = Keeper(
        journal=house.journal,
        store=on_locked.store,
        spool=house.spool,
        clock=house.clock,
        tenant=TENANT,
        retention=lambda _stream: LONG,
    )
    house.writer = Writer(journal=house.journal, keeper=house.keeper, clock=house.clock, workers=1)
    house.scribe = Scribe(
        journal=house.journal,
        store=on_locked.store,
        clock=house.clock,
        tenant=TENANT,
        retention_days=36500,
    )
    house.connector.files[PLAN.url] = OfferedFile(chunks=(b"%PDF", b"-1.7"))
    await house.admit()
    house.says("$doubt", Outcome.REVIEW)
    await house.hear(
        samples.event("$file", attachments=[PLAN]), samples.event("$doubt"), samples.event("$last")
    )
    while await house.downloads.step() or await house.triage.step():
        pass
    yield Recorder(house=house, server=server)
    server.lift()
    await house.close()


def _outages() -> Iterator[Fault]:
    yield Fault(kind=FaultKind.DOWN)
    yield Fault(kind=FaultKind.SILENT)
    yield Fault(kind=FaultKind.SLOW)
    yield Fault(kind=FaultKind.CLOCK, seconds=1200)
    yield Fault(kind=FaultKind.LOCK_DROPPED)
    yield Fault(kind=FaultKind.LOCK_SHORTENED)
    yield Fault(kind=FaultKind.CHECKSUM_WRONG)
    yield Fault(kind=FaultKind.TWICE)
    for lands in (False, True):
        yield Fault(kind=FaultKind.CLOSED, on="PUT", lands=lands)
        yield Fault(kind=FaultKind.SILENT, on="PUT", lands=lands)
        yield replace(status_fault(500, "InternalError"), on="PUT", lands=lands)
        yield replace(status_fault(503, "SlowDown", 60), on="PUT", lands=lands)
        yield replace(status_fault(409, "ConditionalRequestConflict"), on="PUT", lands=lands)


def _named(fault: Fault) -> str:
    status = f" {fault.status}" if fault.kind is FaultKind.STATUS else ""
    return f"{fault.kind}{status}{' lands' if fault.lands else ''} {fault.on}".strip()


@pytest.mark.parametrize("outage", list(_outages()), ids=_named)
async def test_after_an_outage_each_thing_stands_once(recorder: Recorder, outage: Fault) -> None:
    """Nothing is called stored that is not there as it should be; afterwards all is, once."""
    recorder.server.set(outage)
    await recorder.try_for_a_while()
    await _what_is_called_stored_is(recorder)
    recorder.server.lift()
    await recorder.until_stored()
    await _everything_stands_once(recorder)


@pytest.mark.parametrize("nth", range(4))
@pytest.mark.parametrize("on", ["PutObject", "HeadObject", "ListObjectVersions"])
async def test_each_request_may_be_the_one_that_fails(
    recorder: Recorder, on: str, nth: int
) -> None:
    """Whichever request of a put goes unheard, the next try ends with one object."""
    recorder.server.set(Fault(kind=FaultKind.CLOSED, on=on, after=nth, times=1, lands=True))
    await recorder.try_for_a_while()
    await recorder.until_stored()
    await _everything_stands_once(recorder)


async def test_foreign_bytes_under_a_record_hold_up_only_that(recorder: Recorder) -> None:
    """A record whose key was taken is not called stored, stays to be tried, and alarms."""
    recorder.server.set(Fault(kind=FaultKind.FOREIGN, on="PUT", prefix=f"{BASE}review/", times=1))
    await recorder.until_stored()
    states = await recorder.house.states()
    assert Counter(states.values()) == {EntryState.STORED: 2, EntryState.SEALED: 1}
    assert states["$doubt"] is EntryState.SEALED
    assert "holds other bytes" in recorder.house.writer.health
    (taken,) = recorder.bucket.names(f"{BASE}review/")
    assert [each.data for each in recorder.bucket.versions(taken)] == [FOREIGN]


async def test_a_number_that_somebody_took_is_passed_by(recorder: Recorder) -> None:
    """Parts and acts whose number is taken by other bytes take the following one, once."""
    for area in ("manifests", "acts"):
        recorder.server.set(
            Fault(kind=FaultKind.FOREIGN, on="PUT", prefix=f"{BASE}{area}/", times=1)
        )
    await recorder.until_stored()
    foreign = [name for name, data in recorder.bucket.objects().items() if data == FOREIGN]
    assert sorted(name.split("/")[2] for name in foreign) == ["acts", "manifests"]
    await _everything_stands_once(recorder)


async def test_flipped_bytes_are_not_called_stored(recorder: Recorder) -> None:
    """What the disk turned into something else holds up its record, and the log never names it."""
    recorder.server.set(
        Fault(kind=FaultKind.STORED_FLIPPED, on="PUT", prefix=f"{BASE}review/", times=1)
    )
    await recorder.until_stored()
    assert (await recorder.house.states())["$doubt"] is EntryState.SEALED
    await _what_is_called_stored_is(recorder)


async def _what_is_called_stored_is(recorder: Recorder) -> None:
    for entry in await recorder.house.entries():
        if entry.state is EntryState.STORED:
            assert entry.record is not None
            only = _only(recorder, BASE + entry.record.key)
            assert only.data == entry.record.body
            assert only.retain_until == entry.event.observed_at + timedelta(days=36500)


def _only(recorder: Recorder, name: str) -> Version:
    (only,) = recorder.bucket.versions(name)
    return only


async def _everything_stands_once(recorder: Recorder) -> None:
    """One version of each, locked, with the journal's bytes; one leaf for each; nothing else."""
    entries = await recorder.house.entries()
    assert {entry.state for entry in entries} == {EntryState.STORED}
    await _what_is_called_stored_is(recorder)
    named = {BASE + entry.record.key for entry in entries if entry.record}
    media = {name for name in recorder.bucket.names() if "/media/" in name}
    assert [_only(recorder, name).data for name in media] == [b"%PDF-1.7"]
    placed = await recorder.house.leaves("manifest") + await recorder.house.leaves("open")
    documents = {
        name
        for name in recorder.bucket.names()
        if name.split("/")[2] in {"manifests", "acts"} and _only(recorder, name).data != FOREIGN
    }
    assert sorted(str(leaf["p"]) for leaf in placed) == sorted(
        Digest.of(name.encode()).hex for name in documents
    )
    ours = {name for name, data in recorder.bucket.objects(BASE).items() if data != FOREIGN}
    assert ours == named | media | documents
    assert all(_only(recorder, name).retain_until is not None for name in ours)
    refs = Counter(leaf["ref"] for leaf in await recorder.house.leaves("stored"))
    assert refs == dict.fromkeys((entry.seen_leaf for entry in entries), 1)
    assert recorder.house.writer.health == recorder.house.scribe.health == ""
