"""What the probe says of a store that does not enforce what it accepts, each way on command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bridge.errors import ObjectStoreUnavailableError
from bridge.protocols.probe import Enforcement, Result
from storage.objects.s3_pace import Patience
from tests.contracts.probing import examined, probing, verdicts
from tests.servers.buckets import Place
from tests.servers.fault_s3 import Fault, FaultKind, FaultS3, fault_s3

YES, NO = Enforcement.ENFORCED, Enforcement.NOT_ENFORCED
UNKNOWN = Enforcement.CANNOT_TELL


@pytest.fixture
def faulty() -> Iterator[FaultS3]:
    """A server of the test's own, with a bucket that locks."""
    with fault_s3() as server:
        yield server


def _place(server: FaultS3) -> Place:
    return Place(
        endpoint_url=server.url, access_key="writer", secret_key="w", bucket="bucket", locked=True
    )


@pytest.mark.parametrize(
    ("kind", "retention", "broken"),
    [
        (FaultKind.LOCK_DROPPED, NO, "lock_kept"),
        (FaultKind.LOCK_SHORTENED, NO, "lock_kept"),
        (FaultKind.LOCK_IDLE, NO, "delete_version"),
        (FaultKind.CONDITION_IGNORED, YES, "conditional_put"),
        (FaultKind.CHECKSUM_IDLE, YES, "wrong_sha256"),
    ],
)
async def test_each_way_of_not_enforcing(
    faulty: FaultS3, kind: FaultKind, retention: Enforcement, broken: str
) -> None:
    """Locks dropped, locked for less, or shown and idle; conditions and checksums ignored."""
    faulty.set(Fault(kind=kind))
    found = await examined(_place(faulty))
    assert found.retention is retention
    assert verdicts(found)[broken] is NO


async def test_a_store_that_refuses_each_delete(faulty: FaultS3) -> None:
    """A store that says 403 to every delete enforces nothing by it."""
    faulty.set(Fault(kind=FaultKind.STATUS, on="DELETE", status=403, code="AccessDenied"))
    found = await examined(_place(faulty), other=replace(_place(faulty), access_key="other"))
    assert found.retention is UNKNOWN


async def test_an_identity_that_may_more(faulty: FaultS3) -> None:
    """The writer may not delete, the other may: the refusal of a locked version is the lock's."""
    denied = Fault(
        kind=FaultKind.STATUS, on="DELETE", access_key="writer", status=403, code="AccessDenied"
    )
    faulty.set(denied)
    other = replace(_place(faulty), access_key="other")
    assert (await examined(_place(faulty))).retention is UNKNOWN
    assert (await examined(_place(faulty), other=other)).retention is YES
    faulty.lift()
    faulty.set(denied)
    faulty.set(Fault(kind=FaultKind.LOCK_IDLE, on="DELETE"))
    assert (await examined(_place(faulty))).retention is UNKNOWN
    assert (await examined(_place(faulty), other=other)).retention is NO


async def test_a_store_that_refuses_everything(faulty: FaultS3) -> None:
    """Nothing can be told of its locks, and nothing could be stored."""
    faulty.set(Fault(kind=FaultKind.STATUS, status=403, code="AccessDenied"))
    found = await examined(_place(faulty))
    assert (found.retention, found.failed) == (UNKNOWN, True)


async def test_a_clock_that_is_off(faulty: FaultS3) -> None:
    """The store's clock is compared, and locks are tried by it."""
    faulty.set(Fault(kind=FaultKind.CLOCK, seconds=600))
    found = await examined(_place(faulty))
    assert found.retention is YES
    (clock,) = found.of(Result.FAIL)
    assert (clock.check, clock.verdict) == ("clock", NO)
    assert "+600 s" in clock.fact or "+599 s" in clock.fact or "+601 s" in clock.fact


async def test_a_silent_store(faulty: FaultS3) -> None:
    """It is given up after the time of a request, and nothing is said of it."""
    faulty.set(Fault(kind=FaultKind.SILENT))
    async with probing(_place(faulty), patience=Patience(seconds=0.2)) as probe:
        with pytest.raises(ObjectStoreUnavailableError, match="silent"):
            await probe.examine()
