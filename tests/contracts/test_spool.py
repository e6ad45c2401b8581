"""What every spool promises."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from bridge.errors import SpoolError, SpoolFullError
from bridge.model import Digest, SpooledFile
from bridge.protocols import ObjectBody, Spool
from storage.spool import FileSpool
from storage.spool.cipher import CHUNK, HEADER_SIZE, TAG

KEY = bytes(range(32))


def _numbered() -> Iterator[bytes]:
    for i in count(1):
        yield hashlib.sha256(str(i).encode()).digest()


class _Random:
    """Different bytes each time, the same in each run."""

    def __init__(self) -> None:
        self._source = _numbered()

    def __call__(self, size: int) -> bytes:
        return next(self._source)[:size]


def _file_spool(folder: Path, *, key: bytes = KEY, max_bytes: int = 10_000_000) -> FileSpool:
    return FileSpool(
        folder, key, max_bytes=max_bytes, media_max_bytes=1_000_000, random_bytes=_Random()
    )


@pytest.fixture
async def spool(tmp_path: Path) -> Spool:
    """The spool under test, empty."""
    made = _file_spool(tmp_path / "spool")
    await made.start()
    return made


async def _kept(spool: Spool, data: bytes, *, pieces: int = 50_000) -> SpooledFile:
    writer = await spool.create()
    for at in range(0, len(data), pieces):
        await writer.write(data[at : at + pieces])
    return await writer.commit()


def _on_disk(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def _read(body: ObjectBody) -> bytes:
    with body.open() as source:
        return source.read()


async def _clear(spool: Spool, file: SpooledFile) -> bytes:
    return await asyncio.to_thread(_read, spool.body(file))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 7])
async def test_what_is_committed_reads_back(spool: Spool, size: int) -> None:
    """A committed file of any size says its digest and size, and gives its bytes back."""
    data = hashlib.shake_128(b"seed").digest(size)
    file = await _kept(spool, data)
    assert (file.size, file.digest) == (size, Digest.of(data))
    assert (spool.body(file).size, spool.body(file).digest) == (size, Digest.of(data))
    assert await _clear(spool, file) == data
    assert await spool.names() == {file.name}


async def test_a_body_can_be_read_from_any_place(spool: Spool) -> None:
    """A body is seekable, as signing needs it, and can be opened again."""
    data = hashlib.shake_128(b"seed").digest(3 * CHUNK + 5)
    file = await _kept(spool, data)

    def places() -> None:
        body = spool.body(file)
        with body.open() as first, body.open() as second:
            assert second.read(3) == data[:3]
            assert first.seek(0, io.SEEK_END) == len(data)
            assert first.read() == b""
            for at in (CHUNK - 1, 0, 2 * CHUNK, len(data) - 1):
                assert first.seek(at) == at
                assert first.read(10) == data[at : at + 10]
                assert first.tell() == min(at + 10, len(data))

    await asyncio.to_thread(places)


async def test_the_type_is_that_of_the_bytes(spool: Spool) -> None:
    """The type is sniffed from what was written, however small the pieces."""
    file = await _kept(spool, b"\x89PNG\r\n\x1a\n" + bytes(100), pieces=3)
    assert file.sniffed_type == "image/png"


async def test_without_commit_nothing_remains(spool: Spool) -> None:
    """An abandoned file leaves no name; abandoning it twice, or after a commit, does nothing."""
    writer = await spool.create()
    await writer.write(bytes(3 * CHUNK))
    assert await spool.names() == frozenset()
    await writer.abandon()
    await writer.abandon()
    assert await spool.names() == frozenset()

    kept = await spool.create()
    await kept.write(b"kept")
    file = await kept.commit()
    await kept.abandon()
    assert await _clear(spool, file) == b"kept"


async def test_a_closed_writer_is_misuse(spool: Spool) -> None:
    """Writing after the commit is our own mistake, not the disk's."""
    writer = await spool.create()
    await writer.commit()
    with pytest.raises(RuntimeError, match="closed"):
        await writer.write(b"more")


async def test_removed_files_are_gone(spool: Spool) -> None:
    """Removing is repeatable, ignores what is missing, and leaves the others."""
    one, two = await _kept(spool, b"one"), await _kept(spool, b"two")
    for _ in range(2):
        await spool.remove(frozenset({one.name, "0" * 32}))
    assert await spool.names() == {two.name}
    with pytest.raises(SpoolError, match="cannot be opened"):
        await _clear(spool, one)


async def test_an_attachment_over_the_cap_is_refused(spool: Spool) -> None:
    """A file that exceeds the cap for one attachment is refused, and nothing can follow."""
    writer = await spool.create()
    await writer.write(bytes(999_999))
    with pytest.raises(SpoolFullError, match="larger than 1000000 bytes"):
        await writer.write(bytes(2))
    with pytest.raises(SpoolError, match="only be abandoned"):
        await writer.write(b"x")
    with pytest.raises(SpoolError, match="only be abandoned"):
        await writer.commit()
    await writer.abandon()
    assert await spool.names() == frozenset()


async def test_room_is_counted_over_all_files_and_given_back(tmp_path: Path) -> None:
    """The whole spool has a cap, which counts what stood there before the start."""
    first = _file_spool(tmp_path)
    await first.start()
    old = await _kept(first, bytes(600))
    spool = _file_spool(tmp_path, max_bytes=1000)
    spool._random_bytes = lambda size: b"\xaa" * size  # the numbered names are taken
    await spool.start()
    writer = await spool.create()
    await writer.write(bytes(400))
    with pytest.raises(SpoolFullError, match="holds 1000 of 1000 bytes"):
        await writer.write(b"x")
    await writer.abandon()
    await spool.remove(frozenset({old.name}))
    assert (await _kept(spool, bytes(1000))).size == 1000


async def test_how_full_it_is_follows_what_it_holds(tmp_path: Path) -> None:
    """The fill is the held share of the cap, and falls when files go."""
    spool = _file_spool(tmp_path, max_bytes=1000)
    await spool.start()
    assert await spool.fill() == 0.0
    kept = await _kept(spool, bytes(750))
    assert await spool.fill() == pytest.approx(0.75)
    await spool.remove(frozenset({kept.name}))
    assert await spool.fill() == 0.0


async def test_the_disks_last_bytes_are_not_for_attachments(tmp_path: Path) -> None:
    """What is kept free for the journal is refused to attachments, whatever the cap says."""
    left = [5 * CHUNK]
    spool = FileSpool(
        tmp_path,
        KEY,
        max_bytes=10**9,
        media_max_bytes=10**9,
        random_bytes=_Random(),
        keep_free=2 * CHUNK,
        free_bytes=lambda _folder: left[0],
    )
    await spool.start()
    kept = await _kept(spool, bytes(CHUNK))
    assert await spool.fill() == pytest.approx(0.25)
    left[0] = 3 * CHUNK - 1
    writer = await spool.create()
    with pytest.raises(SpoolFullError, match="no room left for attachments"):
        await writer.write(bytes(CHUNK))
    await writer.abandon()
    left[0] = 2 * CHUNK
    assert await spool.fill() == 1.0
    assert await _clear(spool, kept) == bytes(CHUNK)


async def test_unfinished_files_are_removed_at_start(tmp_path: Path) -> None:
    """What a crash left unfinished is gone after the next start; finished files stay."""
    before = _file_spool(tmp_path)
    await before.start()
    kept = await _kept(before, b"kept")
    unfinished = await before.create()
    await unfinished.write(bytes(2 * CHUNK))
    assert any(name.endswith(".part") for name in _on_disk(tmp_path))
    after = _file_spool(tmp_path)
    await after.start()
    assert _on_disk(tmp_path) == [kept.name]
    assert await _clear(after, kept) == b"kept"
    await unfinished.abandon()


async def test_nothing_clear_reaches_the_disk(tmp_path: Path, spool: Spool) -> None:
    """Neither the bytes nor the key stand in the file, and only the owner may read it."""
    file = await _kept(spool, b"the minister agreed" * 10_000)
    path = tmp_path / "spool" / file.name
    sealed = path.read_bytes()
    assert b"minister" not in sealed
    assert KEY not in sealed
    assert path.stat().st_mode & 0o777 == 0o600


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


FULL = HEADER_SIZE + CHUNK + TAG


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda data: _flip(data, 0), id="magic"),
        pytest.param(lambda data: _flip(data, 8), id="version"),
        pytest.param(lambda data: _flip(data, 12), id="id"),
        pytest.param(lambda data: _flip(data, HEADER_SIZE), id="first-byte"),
        pytest.param(lambda data: _flip(data, -1 % len(data)), id="last-tag"),
        pytest.param(lambda data: data[:-1], id="cut"),
        pytest.param(lambda data: data[:FULL], id="cut-at-a-chunk"),
        pytest.param(lambda data: data[:HEADER_SIZE], id="cut-to-the-header"),
        pytest.param(lambda data: data[:3], id="cut-in-the-header"),
        pytest.param(lambda data: data + data[FULL:], id="longer"),
        pytest.param(
            lambda data: data[:HEADER_SIZE] + data[FULL : 2 * FULL - HEADER_SIZE] * 2, id="moved"
        ),
    ],
)
async def test_a_file_that_was_changed_does_not_open(
    tmp_path: Path, spool: Spool, harm: object
) -> None:
    """A flipped bit, a cut or moved chunks are found by reading, never given out as the file."""
    assert callable(harm)
    file = await _kept(spool, bytes(2 * CHUNK))
    path = tmp_path / "spool" / file.name
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(SpoolError, match=file.name):
        await _clear(spool, file)


async def test_files_cannot_change_names(tmp_path: Path, spool: Spool) -> None:
    """A file put in another's place is refused."""
    one, two = await _kept(spool, b"one"), await _kept(spool, b"two")
    folder = tmp_path / "spool"
    (folder / one.name).replace(folder / two.name)
    with pytest.raises(SpoolError, match=two.name):
        await _clear(spool, two)


async def test_another_key_does_not_open_a_file(tmp_path: Path, spool: Spool) -> None:
    """A file can be read only with the journal key it was written with."""
    file = await _kept(spool, b"data")
    other = _file_spool(tmp_path / "spool", key=bytes(32))
    await other.start()
    with pytest.raises(SpoolError, match="not what was written"):
        await _clear(other, file)


async def test_a_cancelled_write_can_be_abandoned(spool: Spool) -> None:
    """After a cancel the writer is good for nothing but being abandoned, which waits for it."""
    writer = await spool.create()
    write = asyncio.create_task(writer.write(bytes(10 * CHUNK)))
    await asyncio.sleep(0)
    write.cancel()
    with pytest.raises(asyncio.CancelledError):
        await write
    with pytest.raises(SpoolError, match="only be abandoned"):
        await writer.commit()
    await writer.abandon()
    assert await spool.names() == frozenset()


async def test_a_cancelled_commit_can_be_abandoned(spool: Spool) -> None:
    """A commit that was cancelled may have landed; abandoning it then leaves nothing."""
    writer = await spool.create()
    await writer.write(b"data")
    commit = asyncio.create_task(writer.commit())
    await asyncio.sleep(0)
    commit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await commit
    await writer.abandon()
    assert await spool.names() == frozenset()


@pytest.mark.parametrize("name", ["", "..", "../x", "A" * 32, "0" * 31, "0" * 33])
async def test_foreign_names_are_misuse(spool: Spool, name: str) -> None:
    """A name that the spool never gave never reaches the disk."""
    with pytest.raises(ValueError, match="32 hex digits"):
        await spool.remove(frozenset({name}))


def test_a_short_key_is_misuse(tmp_path: Path) -> None:
    """A key of another size is refused at once."""
    with pytest.raises(ValueError, match="32 bytes"):
        _file_spool(tmp_path, key=b"short")


async def test_a_spool_that_was_not_started_is_misuse(tmp_path: Path) -> None:
    """Writing needs the start, which counts the room taken."""
    with pytest.raises(RuntimeError, match="not started"):
        await _file_spool(tmp_path).create()
