"""What the S3 adapter makes of a store's bad days."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from bridge.clock import SystemClock
from bridge.demo.ports import free_ports
from bridge.errors import (
    ObjectConflictError,
    ObjectStoreError,
    ObjectStoreRejectedError,
    ObjectStoreUnavailableError,
    RetentionNotKeptError,
)
from bridge.protocols import ObjectBody
from storage.objects.s3 import S3ObjectStore
from storage.objects.s3_values import LockMode, whole_second
from tests.servers.fault_s3 import Fault, FaultKind, FaultS3, Version, fault_s3
from tests.servers.silent import silent_server

Opener: TypeAlias = Callable[..., S3ObjectStore]

BODY = ObjectBody.of(b'{"v":1}')
NAME = "v1/demo/a/1"


def _once(on: str, status: int, code: str = "", *, lands: bool = False) -> Fault:
    return Fault(kind=FaultKind.STATUS, on=on, times=1, status=status, code=code, lands=lands)


@pytest.fixture
def server() -> Iterator[FaultS3]:
    """A store without versions and locks that does as it is told."""
    with fault_s3(versioned=False, locked=False) as running:
        yield running


@pytest.fixture
async def opener(server: FaultS3) -> AsyncIterator[Opener]:
    """Opens stores on the server, and closes them."""
    async with AsyncExitStack() as stack:

        def one(
            *,
            url: str | None = server.url,
            lock_mode: LockMode = "none",
            ca_file: Path | None = None,
        ) -> S3ObjectStore:
            store = S3ObjectStore(
                bucket="bucket",
                tenant="demo",
                endpoint_url=url,
                addressing="path",
                access_key="key",
                secret_key="not to be shown",
                lock_mode=lock_mode,
                ca_file=ca_file,
                clock=SystemClock(),
                threads=2,
            )
            stack.push_async_callback(store.aclose)
            return store

        yield one


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (_once("PUT", 409, "ConditionalRequestConflict"), ObjectStoreUnavailableError),
        (_once("PUT", 400, "RequestTimeout"), ObjectStoreUnavailableError),
        (_once("PUT", 400, "BadDigest"), ObjectStoreUnavailableError),
        (_once("PUT", 429, "TooManyRequests"), ObjectStoreUnavailableError),
        (_once("PUT", 500, "InternalError"), ObjectStoreUnavailableError),
        (_once("PUT", 503, "SlowDown"), ObjectStoreUnavailableError),
        (_once("PUT", 502), ObjectStoreUnavailableError),
        (Fault(kind=FaultKind.CLOSED, on="PUT", times=1), ObjectStoreUnavailableError),
        (_once("PUT", 301, "PermanentRedirect"), ObjectStoreRejectedError),
        (_once("PUT", 400, "InvalidRequest"), ObjectStoreRejectedError),
        (_once("PUT", 403, "AccessDenied"), ObjectStoreRejectedError),
        (_once("PUT", 403, "InvalidAccessKeyId"), ObjectStoreRejectedError),
        (_once("PUT", 403, "SignatureDoesNotMatch"), ObjectStoreRejectedError),
        (_once("PUT", 404, "NoSuchBucket"), ObjectStoreRejectedError),
        (_once("PUT", 501, "NotImplemented"), ObjectStoreRejectedError),
    ],
    ids=lambda value: value.code or str(value.status) if isinstance(value, Fault) else "",
)
async def test_answers_to_a_put(
    server: FaultS3, opener: Opener, fault: Fault, kind: type[ObjectStoreError]
) -> None:
    """An answer that settles nothing is tried again by the caller; a refusal is the operator's."""
    server.set(fault)
    store = opener()
    with pytest.raises(kind) as failure:
        await store.put("a/1", BODY, retain_until=None)
    said = str(failure.value)
    assert "v1/demo/a/1" in said
    assert f"bucket bucket at {server.url}" in said
    assert "\n" not in said
    assert "not to be shown" not in said
    assert server.count("PUT") == 1
    assert not (await store.put("a/1", BODY, retain_until=None)).existed


async def test_a_skewed_clock_is_named(server: FaultS3, opener: Opener) -> None:
    """When the store refuses our time, the message names the clock."""
    server.set(_once("PUT", 403, "RequestTimeTooSkewed"))
    with pytest.raises(ObjectStoreRejectedError, match="clock") as failure:
        await opener().put("a/1", BODY, retain_until=None)
    assert "clock" in failure.value.hint


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.CLOSED, on="PUT", times=1, lands=True),
        _once("PUT", 500, "InternalError", lands=True),
    ],
)
async def test_a_lost_reply_is_found_again(server: FaultS3, opener: Opener, fault: Fault) -> None:
    """A put that landed and was not confirmed succeeds when it is repeated."""
    server.set(fault)
    store = opener()
    with pytest.raises(ObjectStoreUnavailableError):
        await store.put("a/1", BODY, retain_until=None)
    assert (await store.put("a/1", BODY, retain_until=None)).existed


async def test_a_put_is_not_believed_without_a_look(server: FaultS3, opener: Opener) -> None:
    """A store that says 200 and then shows nothing has not stored."""
    server.set(_once("HEAD", 404))
    with pytest.raises(ObjectStoreUnavailableError, match="is not there"):
        await opener().put("a/1", BODY, retain_until=None)


async def test_a_dropped_retention_is_an_error(server: FaultS3, opener: Opener) -> None:
    """A store that takes lock headers and does not show the lock is found out each time."""
    server.set(Fault(kind=FaultKind.LOCK_DROPPED))
    store = opener(lock_mode="governance")
    until = datetime.now(UTC) + timedelta(hours=1)
    for _ in range(2):
        with pytest.raises(RetentionNotKeptError, match="asked for governance until"):
            await store.put("a/1", BODY, retain_until=until)
    with pytest.raises(RetentionNotKeptError):
        await store.probe()
    assert NAME in server.bucket.objects()


async def test_a_store_that_drops_metadata_is_asked_for_the_bytes(
    server: FaultS3, opener: Opener
) -> None:
    """Without a kept digest the bytes themselves decide."""
    server.set(Fault(kind=FaultKind.METADATA_DROPPED))
    store = opener()
    assert not (await store.put("a/1", BODY, retain_until=None)).existed
    assert (await store.put("a/1", BODY, retain_until=None)).existed
    with pytest.raises(ObjectConflictError) as refusal:
        await store.put("a/1", ObjectBody.of(b"other"), retain_until=None)
    assert refusal.value.found == BODY.digest.hex
    info = await store.head("a/1")
    assert info is not None
    assert info.digest is None


async def test_a_kept_digest_of_another_size_is_not_believed(
    server: FaultS3, opener: Opener
) -> None:
    """Where the size gives the kept digest the lie, the bytes decide."""
    left = (("x-amz-meta-sha256", BODY.digest.hex),)
    now = datetime.now(UTC)
    server.bucket.add(NAME, Version(id="null", data=b"cut", modified_at=now, metadata=left))
    with pytest.raises(ObjectConflictError) as refusal:
        await opener().put("a/1", BODY, retain_until=None)
    assert refusal.value.found == ObjectBody.of(b"cut").digest.hex


async def test_a_store_that_overwrites_fails_the_probe(server: FaultS3, opener: Opener) -> None:
    """A store without versions that ignores If-None-Match is refused by the probe."""
    server.set(Fault(kind=FaultKind.CONDITION_IGNORED))
    with pytest.raises(ObjectStoreRejectedError, match="overwrites"):
        await opener().probe()


async def test_a_store_without_versioning_calls_is_unversioned(
    server: FaultS3, opener: Opener
) -> None:
    """A store that does not know the question about versions has none."""
    server.set(_once("GetBucketVersioning", 501, "NotImplemented"))
    await opener().put("a/1", BODY, retain_until=None)


async def test_a_failed_question_about_versions_is_asked_again(
    server: FaultS3, opener: Opener
) -> None:
    """What the bucket is, is not guessed from a failure."""
    server.set(_once("GetBucketVersioning", 503, "SlowDown"))
    store = opener()
    with pytest.raises(ObjectStoreUnavailableError):
        await store.head("a/1")
    assert await store.head("a/1") is None


async def _every_call(store: S3ObjectStore) -> list[ObjectStoreError]:
    errors: list[ObjectStoreError] = []

    async def listing() -> None:
        async for _ in store.list("a/"):
            pass

    for call in (
        store.put("a/1", BODY, retain_until=None),
        store.head("a/1"),
        store.get("a/1"),
        listing(),
        store.probe(),
    ):
        with pytest.raises(ObjectStoreError) as failure:
            await call
        errors.append(failure.value)
    return errors


async def test_a_store_that_does_not_answer_is_unavailable(opener: Opener) -> None:
    """Nobody at the other end: every call says so, and names the server."""
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    for error in await _every_call(opener(url=url)):
        assert isinstance(error, ObjectStoreUnavailableError)
        assert url in str(error)


@pytest.mark.parametrize("url", ["no url", "http://[::1", "ftp//x"])
async def test_an_address_that_is_none_is_refused(opener: Opener, url: str) -> None:
    """A wrong endpoint_url is the operator's to mend, on every call."""
    for error in await _every_call(opener(url=url)):
        assert isinstance(error, ObjectStoreRejectedError)


async def test_a_missing_ca_file_is_named(opener: Opener, tmp_path: Path) -> None:
    """A certificate file that is not there is named before anything is sent."""
    store = opener(url="https://127.0.0.1:1", ca_file=tmp_path / "missing.pem")
    for error in await _every_call(store):
        assert isinstance(error, ObjectStoreRejectedError)
        assert "missing.pem" in str(error)


async def test_a_password_in_the_address_is_not_shown(opener: Opener) -> None:
    """Messages name the server without what stands before it."""
    url = f"http://user:hidden@127.0.0.1:{free_ports(1)[0]}"
    for error in await _every_call(opener(url=url)):
        assert "hidden" not in str(error)


def test_no_retention_loses_a_fraction() -> None:
    """A retention is asked for in whole seconds, never fewer than were wanted."""
    whole = datetime(2030, 1, 1, tzinfo=UTC)
    assert whole_second(whole) == whole
    assert whole_second(whole + timedelta(microseconds=1)) == whole + timedelta(seconds=1)


async def test_a_store_that_hangs_does_not_hold_up_a_close() -> None:
    """A close gives up the request that nobody answers, and no request follows it."""
    with silent_server() as silent:
        store = S3ObjectStore(
            bucket="bucket",
            tenant="demo",
            endpoint_url=silent.url,
            addressing="path",
            access_key="key",
            secret_key="not to be shown",
            lock_mode="none",
            clock=SystemClock(),
            threads=1,
        )
        asked = asyncio.create_task(store.head("a/1"))
        never_begun = asyncio.create_task(store.head("a/2"))
        await asyncio.to_thread(silent.asked.wait)
        await store.aclose()  # with the request still hanging: nobody has answered it
        assert not asked.done()
        await asyncio.gather(never_begun, return_exceptions=True)
        assert never_begun.cancelled()
    with pytest.raises(ObjectStoreUnavailableError):  # the server is gone, and its connection
        await asked
