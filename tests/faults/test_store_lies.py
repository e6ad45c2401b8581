"""A store that shows other bytes, other checksums, other locks or other times than it should."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.errors import (
    ObjectConflictError,
    ObjectStoreRejectedError,
    ObjectStoreUnavailableError,
    RetentionNotKeptError,
)
from bridge.model import Digest
from tests.faults.stores import BODY, CALLS, DATA, UNTIL, Subject, status_fault
from tests.servers.fault_s3 import FOREIGN, Fault, FaultKind


async def test_a_repeating_proxy_is_no_foreigner(at: Subject) -> None:
    """A 412 caused by our own bytes is a success."""
    at.server.set(Fault(kind=FaultKind.TWICE, on="PUT", times=1))
    assert (await at.put()).existed
    assert len(at.versions) == 1


async def test_foreign_bytes_are_a_conflict(at: Subject) -> None:
    """A 412 by somebody else's bytes is a conflict now and later, and nothing is changed."""
    at.server.set(Fault(kind=FaultKind.FOREIGN, on="PUT", times=1))
    for _ in range(2):
        with pytest.raises(ObjectConflictError) as refusal:
            await at.put()
        assert refusal.value.found == Digest.of(FOREIGN).hex
        assert "Nothing was overwritten" in refusal.value.hint
    (only,) = at.versions
    assert only.data == FOREIGN


async def test_a_412_about_nothing_settles_nothing(at: Subject) -> None:
    """A store that says that something stands, and shows nothing, is not believed."""
    at.server.set(replace(status_fault(412, "PreconditionFailed"), on="PUT"))
    with pytest.raises(ObjectStoreUnavailableError, match="not there"):
        await at.put()
    at.server.lift()
    assert not (await at.put()).existed


async def test_flipped_bytes_are_never_taken_for_ours(at: Subject) -> None:
    """Bytes that changed on their way to the disk are told by the store's own checksum."""
    at.server.set(Fault(kind=FaultKind.STORED_FLIPPED))
    with pytest.raises(ObjectStoreUnavailableError, match="checksum of other bytes"):
        await at.put()
    at.server.lift()
    with pytest.raises(ObjectConflictError) as refusal:
        await at.put()
    stands = at.server.bucket.objects()[at.name]
    assert refusal.value.found == Digest.of(stands).hex != BODY.digest.hex
    assert len(at.versions) == 1


async def test_of_a_wrong_checksum_the_bytes_decide(at: Subject) -> None:
    """A store that shows a checksum of other bytes is asked for the bytes themselves."""
    at.server.set(Fault(kind=FaultKind.CHECKSUM_WRONG))
    with pytest.raises(ObjectStoreUnavailableError, match="checksum of other bytes"):
        await at.put()
    assert (await at.put()).existed
    at.server.set(Fault(kind=FaultKind.GIVEN_FLIPPED))
    with pytest.raises(ObjectStoreUnavailableError, match="not those whose checksum"):
        await at.put()


async def test_bytes_that_change_on_their_way_back_are_not_given_out(at: Subject) -> None:
    """What does not have the checksum that the store shows is neither returned nor copied."""
    await at.put()
    body = await at.store.body(at.key)
    assert body is not None
    at.server.set(Fault(kind=FaultKind.GIVEN_FLIPPED))
    with pytest.raises(ObjectStoreUnavailableError):
        await at.store.get(at.key)
    with pytest.raises(ObjectStoreUnavailableError):
        await at.store.put(at.beside, body, retain_until=UNTIL)
    at.server.lift()
    assert await at.store.get(at.key) == DATA
    assert not (await at.store.put(at.beside, body, retain_until=UNTIL)).existed


@pytest.mark.parametrize("kind", [FaultKind.GIVEN_FLIPPED, FaultKind.STORED_FLIPPED])
async def test_a_store_that_turns_bits_fails_the_probe(at: Subject, kind: FaultKind) -> None:
    """Doctor's probe compares the bytes."""
    at.server.set(Fault(kind=FaultKind.METADATA_DROPPED))
    at.server.set(Fault(kind=kind))
    with pytest.raises((ObjectStoreUnavailableError, ObjectConflictError)):
        await at.store.probe()


@pytest.mark.parametrize("kind", [FaultKind.LOCK_DROPPED, FaultKind.LOCK_SHORTENED])
async def test_a_lock_that_is_not_kept_is_found_each_time(
    locking: Subject, kind: FaultKind
) -> None:
    """No receipt without the retention; once the store keeps locks, the object gets its own."""
    locking.server.set(Fault(kind=kind))
    for _ in range(2):
        with pytest.raises(RetentionNotKeptError, match="asked for governance until") as failure:
            await locking.put()
        assert "Object Lock" in failure.value.hint
    with pytest.raises(RetentionNotKeptError):
        await locking.store.probe()
    locking.server.lift()
    receipt = await locking.put()
    assert (receipt.existed, receipt.retain_until) == (True, UNTIL)
    (only,) = locking.versions
    assert (only.lock_mode, only.retain_until) == ("GOVERNANCE", UNTIL)


@pytest.mark.parametrize("seconds", [1200, -1200])
async def test_a_clock_twenty_minutes_off_is_named(at: Subject, seconds: float) -> None:
    """A store that refuses our time is named with the clock; once both agree, all is well."""
    at.server.set(Fault(kind=FaultKind.CLOCK, seconds=seconds))
    for call in CALLS.values():
        with pytest.raises(ObjectStoreRejectedError) as failure:
            await call(at)
        assert failure.value.retryable
        assert "clock" in failure.value.hint
    at.server.lift()
    assert not (await at.put()).existed


async def test_a_clock_a_little_off_changes_nothing(at: Subject) -> None:
    """Up to a quarter of an hour the store believes us, and its dates decide nothing here."""
    at.server.set(Fault(kind=FaultKind.CLOCK, seconds=-600))
    assert not (await at.put()).existed
    assert (await at.put()).existed
    info = await at.store.head(at.key)
    assert info is not None
    assert info.modified_at < datetime.now(UTC) - timedelta(minutes=9)
