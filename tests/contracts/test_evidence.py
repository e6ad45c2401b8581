"""What ``verify`` reads: a folder, buckets with and without versions, and the one in memory."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.errors import ObjectStoreError, ObjectStoreUnavailableError
from bridge.model import Digest
from bridge.protocols import ObjectBody
from bridge.protocols.evidence import Evidence, StoredVersion
from storage.objects import LocalObjectStore
from storage.objects.evidence_local import LocalEvidence
from storage.objects.evidence_s3 import S3Evidence
from storage.objects.s3_client import S3Connection
from storage.objects.s3_pace import USUAL
from tests.archive.memory import MemoryEvidence, Version
from tests.servers.buckets import (
    CEPH_MARKS,
    REGION,
    Place,
    ceph_places,
    fault_places,
    moto_places,
    place_of,
)

__all__ = ["ceph_places", "fault_places", "moto_places"]

KINDS = [
    "memory",
    "folder",
    "moto-plain",
    "moto-locked",
    "fault-plain",
    "fault-locked",
    pytest.param("ceph-plain", marks=CEPH_MARKS),
    pytest.param("ceph-locked", marks=CEPH_MARKS),
]
LOCKED = ["moto-locked", "fault-locked", pytest.param("ceph-locked", marks=CEPH_MARKS)]
UNTIL = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
BODIES = {
    "acts/2026/03/02/000000000000.json": b"one",
    "log/0/tile/0/000": b"x" * 32,
    "log/0/tile/0/000.p/5": b"y" * 160,
    "log/0/tile/0/x001/000": b"",
    "records/a/1.json": b"z" * 3_000_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A reader, and hands that write where it reads."""

    evidence: Evidence
    put: Callable[[str, bytes], None]
    place: Place | None = None
    base: str = ""


def _memory() -> Subject:
    objects: dict[str, list[Version]] = {}

    def put(key: str, body: bytes) -> None:
        version = Version(body=body, modified_at=datetime.now(UTC), retain_until=UNTIL)
        objects.setdefault(key, []).append(version)

    return Subject(evidence=MemoryEvidence(objects, locked=True), put=put)


def _folder(root: Path) -> Subject:
    (root / ".incoming").mkdir(parents=True)  # as the recorder's start leaves it

    def put(key: str, body: bytes) -> None:
        async def go() -> None:
            store = LocalObjectStore(root, "t")
            await store.put(key, ObjectBody.of(body), retain_until=None)
            await store.aclose()

        asyncio.run(go())

    return Subject(evidence=LocalEvidence(root, "t"), put=put)


def _bucket(place: Place) -> Subject:
    tenant = f"t{uuid.uuid4().hex}"
    connection = S3Connection(
        bucket=place.bucket,
        endpoint_url=place.endpoint_url,
        region=REGION,
        addressing="path",
        access_key=place.access_key,
        secret_key=place.secret_key,
        ca_file=None,
        http_proxy=None,
        threads=4,
        patience=USUAL,
    )
    evidence = S3Evidence(connection, prefix="/deep/er/", tenant=tenant, monotonic=time.monotonic)

    def put(key: str, body: bytes) -> None:
        async def go() -> None:
            store = place.store(tenant=tenant, prefix="/deep/er/")
            until = UNTIL if place.locked else None
            await store.put(key, ObjectBody.of(body), retain_until=until)
            await store.aclose()

        asyncio.run(go())

    return Subject(evidence=evidence, put=put, place=place, base=f"deep/er/v1/{tenant}/")


def _subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    kind: str = request.param
    if kind == "memory":
        return _memory()
    if kind == "folder":
        return _folder(tmp_path)
    return _bucket(place_of(request, kind))


@pytest.fixture(params=KINDS)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """Every reader there is."""
    made = _subject(request, tmp_path)
    yield made
    made.evidence.close()


@pytest.fixture(params=LOCKED)
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """A bucket with versions and locks."""
    made = _subject(request, tmp_path)
    yield made
    made.evidence.close()


def _one(evidence: Evidence, key: str) -> StoredVersion:
    return next(found for found in evidence.walk(key) if found.key == key)


def test_everything_is_walked_in_the_order_of_keys(subject: Subject) -> None:
    """Each object once, with its size and the store's time, sorted as whole keys are."""
    for key, body in BODIES.items():
        subject.put(key, body)
    found = list(subject.evidence.walk())
    assert [each.key for each in found] == sorted(BODIES)
    assert [each.size for each in found] == [len(BODIES[each.key]) for each in found]
    assert all(each.latest and not each.deleted for each in found)
    now = datetime.now(UTC)
    assert all(abs(each.modified_at - now) < timedelta(minutes=5) for each in found)


def test_a_walk_keeps_to_its_prefix(subject: Subject) -> None:
    """Also where the prefix ends within a name."""
    for key, body in BODIES.items():
        subject.put(key, body)
    walked = [each.key for each in subject.evidence.walk("log/0/tile/0/000")]
    assert walked == ["log/0/tile/0/000", "log/0/tile/0/000.p/5"]
    assert list(subject.evidence.walk("log/1/")) == []


def test_an_empty_store_is_empty(subject: Subject) -> None:
    """Nothing was ever put: nothing is found, and that is no error."""
    assert list(subject.evidence.walk()) == []
    assert subject.evidence.read("log/0/checkpoint") is None


def test_bytes_are_read_as_they_stand(subject: Subject) -> None:
    """By a version that was found, and by a key."""
    for key, body in BODIES.items():
        subject.put(key, body)
        with subject.evidence.open(_one(subject.evidence, key)) as source:
            assert source.read() == body
        assert subject.evidence.read(key) == body


def test_large_objects_are_read_in_pieces(subject: Subject) -> None:
    """A buffer can be filled again and again."""
    key, body = "records/a/1.json", BODIES["records/a/1.json"]
    subject.put(key, body)
    buffer, read = bytearray(1 << 20), bytearray()
    with subject.evidence.open(_one(subject.evidence, key)) as source:
        while count := source.readinto(buffer):  # type: ignore[attr-defined]
            read += buffer[:count]
    assert Digest.of(bytes(read)) == Digest.of(body)


def test_what_is_gone_since_is_an_error(subject: Subject) -> None:
    """Of the store's kind, and of no other."""
    gone = StoredVersion(key="records/none", modified_at=datetime.now(UTC))
    with pytest.raises(ObjectStoreError), subject.evidence.open(gone) as source:
        source.read()


def test_only_what_a_store_keeps_is_shown(subject: Subject) -> None:
    """A folder and a plain bucket show no retention; a locked bucket shows the one asked for."""
    subject.put("records/a/1.json", b"kept")
    found = _one(subject.evidence, "records/a/1.json")
    kept = subject.evidence.retention(found)
    if isinstance(subject.evidence, MemoryEvidence) or (subject.place and subject.place.locked):
        assert kept is not None
        assert (kept.until, kept.mode) == (UNTIL, "governance")
    else:
        assert kept is None


def test_whether_a_store_can_keep_anything_is_known(subject: Subject) -> None:
    """A folder cannot, nor a bucket without Object Lock."""
    can = isinstance(subject.evidence, MemoryEvidence) or bool(
        subject.place and subject.place.locked
    )
    assert subject.evidence.keeps_retentions is can


def test_a_retention_is_shown_after_the_bytes_were_read(bucket: Subject) -> None:
    """What the GET said of it is not asked for again, and is the same."""
    bucket.put("records/a/1.json", b"kept")
    found = _one(bucket.evidence, "records/a/1.json")
    with bucket.evidence.open(found) as source:
        source.read()
    first, second = bucket.evidence.retention(found), bucket.evidence.retention(found)
    assert first == second
    assert first is not None


def test_versions_and_markers_are_all_walked(bucket: Subject) -> None:
    """The newest first, each with its own bytes."""
    bucket.put("records/a/1.json", b"first")
    assert bucket.place is not None
    client, name = bucket.place.client(), f"{bucket.base}records/a/1.json"
    client.put_object(Bucket=bucket.place.bucket, Key=name, Body=b"second")
    client.delete_object(Bucket=bucket.place.bucket, Key=name)
    client.close()
    found = list(bucket.evidence.walk())
    assert [(each.deleted, each.latest) for each in found] == [
        (True, True),
        (False, False),
        (False, False),
    ]
    bodies = []
    for each in found[1:]:
        with bucket.evidence.open(each) as source:
            bodies.append(source.read())
    assert bodies == [b"second", b"first"]
    assert bucket.evidence.read("records/a/1.json") is None


def test_links_and_pipes_are_shown_and_not_followed(tmp_path: Path) -> None:
    """A folder may hold what is no file; it is walked with an impossible size."""
    subject = _folder(tmp_path)
    subject.put("records/1.json", b"one")
    records = tmp_path / "v1" / "t" / "records"
    (records / "2.json").symlink_to(records / "1.json")
    (records / "\udcff.json").write_bytes(b"a name that is no text")
    found = {each.key: each for each in subject.evidence.walk()}
    assert found["records/\\xff.json"].size == -1
    assert found["records/1.json"].size == 3
    assert found["records/2.json"].size == -1
    with pytest.raises(ObjectStoreError):
        subject.evidence.open(found["records/2.json"])


@pytest.mark.parametrize("leaves_folder", [False, True], ids=["gone", "empty"])
def test_a_folder_that_went_away_does_not_look_empty(
    tmp_path: Path, *, leaves_folder: bool
) -> None:
    """Whoever asks is told so, and not that there is nothing."""
    subject = _folder(tmp_path / "store")
    assert isinstance(subject.evidence, LocalEvidence)
    for key, body in BODIES.items():
        subject.put(key, body)
    (*_, share) = subject.evidence.shares(9)
    (tmp_path / "store").rename(tmp_path / "away")
    if leaves_folder:
        (tmp_path / "store").mkdir()
    for ask in (
        lambda: subject.evidence.read("log/0/tile/0/000"),
        lambda: list(subject.evidence.walk("log/")),
        lambda: list(_sharing(subject).shares(9)),
        lambda: list(_sharing(subject).listed(share)),
        lambda: list(_sharing(subject).read_share(share)),
    ):
        with pytest.raises(ObjectStoreUnavailableError, match=r"holds no store|is not there"):
            ask()


def _sharing(subject: Subject) -> LocalEvidence:
    assert isinstance(subject.evidence, LocalEvidence)
    return subject.evidence
