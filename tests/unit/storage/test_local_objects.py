"""What is special about objects as files."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.errors import (
    ObjectConflictError,
    ObjectStoreError,
    ObjectStoreRejectedError,
    ObjectStoreUnavailableError,
)
from bridge.protocols import ObjectBody
from storage.objects import LocalObjectStore
from storage.objects.folder import as_store_error

KEY = "records/matrix/1.json"
BODY = ObjectBody.of(b'{"v":1}')


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The store's folder, not made yet."""
    return tmp_path / "deep" / "store"


@pytest.fixture
async def store(root: Path) -> AsyncIterator[LocalObjectStore]:
    """A store in ``root``."""
    made = LocalObjectStore(root, "demo")
    await made.start()
    yield made
    await made.aclose()


def _sha256sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


async def test_the_file_is_the_object(root: Path, store: LocalObjectStore) -> None:
    """A person finds the exact bytes at the key's path, and nothing half-written beside them."""
    await store.put(KEY, BODY, retain_until=None)
    path = root / "v1/demo/records/matrix/1.json"
    assert _sha256sum(path) == BODY.digest.hex
    assert _names(root / ".incoming") == []
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_nlink == 1
    assert path.parent.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("data", [b'{"v":2}', b""], ids=["other", "short"])
async def test_a_refused_put_leaves_nothing(
    root: Path, store: LocalObjectStore, data: bytes
) -> None:
    """Neither a changed body nor a conflict leaves a temporary file."""
    changed = ObjectBody(size=7, digest=BODY.digest, open=lambda: io.BytesIO(data))
    with pytest.raises(ObjectStoreUnavailableError):
        await store.put(KEY, changed, retain_until=None)
    assert _names(root / ".incoming") == []
    assert not _exists(root / "v1")
    await store.put(KEY, BODY, retain_until=None)
    with pytest.raises(ObjectConflictError):
        await store.put(KEY, ObjectBody.of(b"other"), retain_until=None)
    assert _names(root / ".incoming") == []


def _exists(path: Path) -> bool:
    return path.exists()


async def test_start_removes_what_a_crash_left(root: Path, store: LocalObjectStore) -> None:
    """A file that was being written when the process died is removed; objects stay."""
    await store.put(KEY, BODY, retain_until=None)
    (root / ".incoming" / "left").write_bytes(b"half")
    again = LocalObjectStore(root, "demo")
    await again.start()
    assert _names(root / ".incoming") == []
    assert await again.get(KEY) == b'{"v":1}'
    await again.aclose()


async def test_every_new_folder_is_made_durable(
    root: Path, store: LocalObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is synced before its name, then each folder whose names are new, up to the root."""
    synced: list[str] = []
    real = os.fsync

    def noted(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink().as_posix())
        real(handle)

    monkeypatch.setattr(os, "fsync", noted)
    await store.put(KEY, BODY, retain_until=None)
    assert synced[0].startswith(f"{root}/.incoming/")
    below = ["v1/demo/records/matrix", "v1/demo/records", "v1/demo", "v1"]
    assert synced[1:] == [*(f"{root}/{each}" for each in below), str(root)]
    synced.clear()
    await store.put("records/matrix/2.json", BODY, retain_until=None)
    assert synced[1:] == [f"{root}/{below[0]}"]


async def test_a_change_on_disk_is_seen(root: Path, store: LocalObjectStore) -> None:
    """HEAD tells the digest of the bytes that are there now."""
    await store.put(KEY, BODY, retain_until=None)
    (root / "v1/demo" / KEY).write_bytes(b"tampered")
    info = await store.head(KEY)
    assert info is not None
    assert info.digest is not None
    assert info.digest.hex == hashlib.sha256(b"tampered").hexdigest()
    with pytest.raises(ObjectConflictError) as refusal:
        await store.put(KEY, BODY, retain_until=None)
    assert refusal.value.found == info.digest.hex


async def test_a_key_below_a_file_is_refused(store: LocalObjectStore) -> None:
    """A path cannot be both file and folder: that is said, and nothing is lost."""
    await store.put("a", BODY, retain_until=None)
    with pytest.raises(ObjectStoreRejectedError, match="a/b"):
        await store.put("a/b", BODY, retain_until=None)
    await store.put("c/d", BODY, retain_until=None)
    with pytest.raises(ObjectStoreError, match="v1/demo/c"):
        await store.put("c", BODY, retain_until=None)
    assert await store.get("a/b") is None
    assert await store.get("c") is None


async def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    """A wrong path is named in the error."""
    (tmp_path / "file").write_bytes(b"")
    store = LocalObjectStore(tmp_path / "file", "demo")
    await store.start()
    with pytest.raises(ObjectStoreRejectedError, match="is a file, not a folder") as refusal:
        await store.put(KEY, BODY, retain_until=None)
    assert "[store] url" in refusal.value.hint
    with pytest.raises(ObjectStoreRejectedError, match="is a file, not a folder"):
        await store.probe()
    with pytest.raises(ObjectStoreRejectedError, match="is a file, not a folder"):
        assert [info async for info in store.list("")]
    await store.aclose()


async def test_a_folder_that_comes_later_is_prepared_then(tmp_path: Path) -> None:
    """What a start could not do is done before the first put, and only then."""
    root = tmp_path / "store"
    root.write_bytes(b"")
    store = LocalObjectStore(root, "demo")
    await store.start()
    with pytest.raises(ObjectStoreError):
        await store.put(KEY, BODY, retain_until=None)
    root.unlink()
    (root / ".incoming").mkdir(parents=True)
    (root / ".incoming" / "left").write_bytes(b"half")
    await store.put(KEY, BODY, retain_until=None)
    assert _names(root / ".incoming") == []
    (root / ".incoming" / "foreign").write_bytes(b"")
    await store.put("a/2", BODY, retain_until=None)
    assert _names(root / ".incoming") == ["foreign"]
    await store.aclose()


def _unmount(root: Path, *, leaves_folder: bool) -> Path:
    """Take the disk of a store away; gives where it is now."""
    away = root.rename(root.with_name("away"))
    if leaves_folder:
        root.mkdir()
    return away


def _mount(root: Path, away: Path) -> None:
    """Bring it back, over the folder that may be there."""
    if root.exists():
        root.rmdir()
    away.rename(root)


@pytest.mark.parametrize("leaves_folder", [False, True], ids=["gone", "empty"])
async def test_a_store_that_went_away_does_not_look_empty(
    root: Path, store: LocalObjectStore, *, leaves_folder: bool
) -> None:
    """Nothing is said to be missing, nothing is written where it was; once back it goes on."""
    place = store.checkpoint_place()
    await store.put(KEY, BODY, retain_until=None)
    away = _unmount(root, leaves_folder=leaves_folder)
    for asking in (
        store.get(KEY),
        store.head(KEY),
        store.body(KEY),
        anext(store.list("")),
        place.read(),
        store.put("records/matrix/2.json", BODY, retain_until=None),
        store.put(KEY, BODY, retain_until=None),
        place.publish(b"note", instead_of=None),
        store.probe(),
    ):
        with pytest.raises(
            ObjectStoreUnavailableError, match=r"holds no store|is not there"
        ) as refusal:
            await asking
        assert "Mount" in refusal.value.hint
    assert not leaves_folder or _names(root) == []
    assert leaves_folder or not _exists(root)
    await asyncio.to_thread(_mount, root, away)
    assert await store.get(KEY) == b'{"v":1}'
    assert await store.get("records/matrix/2.json") is None


@pytest.mark.parametrize("leaves_folder", [False, True], ids=["gone", "empty"])
async def test_a_start_without_the_disk_of_a_used_store_makes_no_other(
    root: Path, store: LocalObjectStore, *, leaves_folder: bool
) -> None:
    """What a start is told of a store from before holds until it is back, or a new one begins."""
    await store.put(KEY, BODY, retain_until=None)
    away = _unmount(root, leaves_folder=leaves_folder)
    again = LocalObjectStore(root, "demo")
    await again.start(used=True)
    with pytest.raises(ObjectStoreUnavailableError, match=r"holds no store|is not there"):
        await again.put("records/matrix/2.json", BODY, retain_until=None)
    assert not leaves_folder or _names(root) == []
    assert leaves_folder or not _exists(root)
    await asyncio.to_thread(_mount, root, away)
    assert (await again.put(KEY, BODY, retain_until=None)).existed
    await again.aclose()


async def test_a_new_store_may_begin_where_one_was_lost(tmp_path: Path) -> None:
    """The folder that the refusal asks for is enough."""
    root = tmp_path / "store"
    store = LocalObjectStore(root, "demo")
    await store.start(used=True)
    with pytest.raises(ObjectStoreUnavailableError) as refusal:
        await store.put(KEY, BODY, retain_until=None)
    assert "make an empty folder v1" in refusal.value.hint
    await asyncio.to_thread((root / "v1").mkdir, parents=True)
    assert not (await store.put(KEY, BODY, retain_until=None)).existed
    await store.aclose()


async def test_a_probe_leaves_nothing(root: Path, store: LocalObjectStore) -> None:
    """A probe removes its file."""
    await store.probe()
    assert _names(root / "probe") == []


@pytest.mark.parametrize("tenant", ["", "..", "a/b", "Demo"])
def test_a_tenant_is_one_safe_name(tmp_path: Path, tenant: str) -> None:
    """A tenant's name cannot lead out of the store."""
    with pytest.raises(ValueError, match="tenant"):
        LocalObjectStore(tmp_path, tenant)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, ObjectStoreUnavailableError),
        (errno.EDQUOT, ObjectStoreUnavailableError),
        (errno.EIO, ObjectStoreUnavailableError),
        (errno.EACCES, ObjectStoreRejectedError),
        (errno.EROFS, ObjectStoreRejectedError),
    ],
)
def test_what_the_disk_refuses_is_a_store_error(number: int, kind: type[ObjectStoreError]) -> None:
    """A full or broken disk is tried again; a folder we may not write is for the operator."""
    error = as_store_error(OSError(number, os.strerror(number)), "writing x")
    assert type(error) is kind
    assert str(error) == f"writing x: {os.strerror(number)}"


async def test_puts_under_way_are_finished_by_closing(root: Path) -> None:
    """Closing waits for the threads: what was begun is whole."""
    store = LocalObjectStore(root, "demo", threads=1)
    put = asyncio.create_task(store.put(KEY, BODY, retain_until=None))
    await asyncio.sleep(0)
    await store.aclose()
    assert not (await put).existed
    assert _sha256sum(root / "v1/demo" / KEY) == BODY.digest.hex
