"""A store that is down, silent, slow or busy, or does what it does not say."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import (
    ObjectStoreUnavailableError,
)
from tests.faults.stores import CALLS, DATA, UNTIL, Subject, status_fault, store_on
from tests.servers.certificate import loopback_certificate
from tests.servers.fault_s3 import Fault, FaultKind, fault_s3

SETTLES_NOTHING = [
    Fault(kind=FaultKind.DOWN),
    Fault(kind=FaultKind.CLOSED),
    Fault(kind=FaultKind.SILENT),
    Fault(kind=FaultKind.SLOW),
    status_fault(500, "InternalError"),
    status_fault(502, ""),
    status_fault(503, "SlowDown", retry_after=60),
    status_fault(429, "TooManyRequests", retry_after=60),
    status_fault(400, "RequestTimeout"),
    status_fault(409, "ConditionalRequestConflict"),
    status_fault(409, "OperationAborted"),
]
LANDS = [
    replace(fault, lands=True)
    for fault in SETTLES_NOTHING
    if fault.kind in {FaultKind.CLOSED, FaultKind.SILENT, FaultKind.STATUS}
]


def _named(value: object) -> str:
    if not isinstance(value, Fault):
        return ""
    status = f" {value.status} {value.code}" if value.kind is FaultKind.STATUS else ""
    return f"{value.kind}{status}{' lands' if value.lands else ''}"


@pytest.mark.parametrize("on", ["PUT", ""], ids=["puts", "everything"])
@pytest.mark.parametrize("fault", SETTLES_NOTHING + LANDS, ids=_named)
async def test_an_unheard_put_is_settled_by_the_repeat(at: Subject, fault: Fault, on: str) -> None:
    """Until it is over nothing is claimed; then the same put succeeds, and stands once."""
    at.server.set(replace(fault, on=on))
    with pytest.raises(ObjectStoreUnavailableError) as failure:
        await at.put()
    assert failure.value.retryable
    assert "again by itself" in failure.value.hint
    landed = bool(at.versions)
    assert landed is (fault.lands and (on == "PUT" or not at.server.bucket.versioned))
    at.server.lift()
    receipt = await at.put()
    # What a slow server was still reading may land with the repeat, or just before it.
    assert receipt.existed is landed or fault.kind is FaultKind.SLOW
    assert receipt.retain_until == (UNTIL if at.server.bucket.locked else None)
    (only,) = at.versions
    assert only.data == DATA


@pytest.mark.parametrize("fault", LANDS, ids=_named)
async def test_a_put_that_lands_each_time_is_found_meanwhile(at: Subject, fault: Fault) -> None:
    """A store that does every put and never says so is found out where one can look first."""
    at.server.set(replace(fault, on="PUT"))
    with pytest.raises(ObjectStoreUnavailableError):
        await at.put()
    if at.server.bucket.versioned:
        assert (await at.put()).existed
    else:
        with pytest.raises(ObjectStoreUnavailableError):
            await at.put()
    assert len(at.versions) == 1


@pytest.mark.parametrize("kind", [FaultKind.SLOW, FaultKind.SILENT])
@pytest.mark.parametrize("call", CALLS)
async def test_no_call_outlasts_its_time(at: Subject, call: str, kind: FaultKind) -> None:
    """One byte a second, or none: every call fails by itself, and its one thread is free again."""
    at.server.set(Fault(kind=kind))
    with pytest.raises(ObjectStoreUnavailableError, match="silent or too slow; given up"):
        await CALLS[call](at)
    at.server.lift()
    await CALLS[call](at)


async def test_an_object_that_trickles_is_not_copied(at: Subject) -> None:
    """A put whose body stands in a store that has become slow fails within one time for both."""
    await at.put()
    body = await at.store.body(at.key)
    assert body is not None
    at.server.set(Fault(kind=FaultKind.SLOW, on="GET", prefix=at.name))
    with pytest.raises(ObjectStoreUnavailableError, match="silent or too slow"):
        await at.store.put(at.beside, body, retain_until=UNTIL)
    assert at.server.bucket.versions(f"{at.name}.copy") == ()


async def test_a_caller_that_goes_away_leaves_no_thread_behind(at: Subject) -> None:
    """The thread of a cancelled call comes free, though nobody answers it and nobody waits."""
    before = len(at.server.asked)
    at.server.set(Fault(kind=FaultKind.SILENT, times=1))
    put = asyncio.create_task(at.put())
    while len(at.server.asked) == before:  # noqa: ASYNC110 - the server's thread sets no event
        await asyncio.sleep(0)
    put.cancel()
    assert not (await at.put()).existed
    assert put.cancelled()


async def test_over_tls_it_is_the_same(tmp_path: Path) -> None:
    """What stores are reached by in earnest is under the same time."""
    context, ca_file = await asyncio.to_thread(loopback_certificate, tmp_path)
    with fault_s3(tls=context) as server:
        at = Subject(server=server, store=store_on(server, ca_file=ca_file), key="records/1")
        assert not (await at.put()).existed
        for kind in (FaultKind.SLOW, FaultKind.SILENT):
            server.set(Fault(kind=kind))
            for call in ("put of much", "get"):
                with pytest.raises(ObjectStoreUnavailableError, match="silent or too slow"):
                    await CALLS[call](at)
            server.lift()
            assert await at.store.get(at.key) == DATA
        await CALLS["put of much"](at)
        await at.store.aclose()
