"""Keys are picked out of an answer of any size, however it arrives."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from bridge.errors import ConnectorUnavailableError
from connectors.matrix.crypto.backup_answer import LARGEST_VALUE, STEP, entries
from connectors.matrix.crypto.backup_ports import BackupEntry

ANSWER = {
    "etag": "5",
    "rooms": {
        "!a:x": {"sessions": {"one": {"n": 1}, "two": {"n": [2, {"x": "}"}]}}, "more": [1]},
        "!\u00e9\U0001f511:x": {"sessions": {}},
        "!c:x": {},
        "!d:x": {"count": 12, "sessions": {"th\u00efrd": {}, "odd": 7}},
    },
    "count": 12345,
}
FOUND = [
    BackupEntry(room_id="!a:x", session_id="one", data={"n": 1}),
    BackupEntry(room_id="!a:x", session_id="two", data={"n": [2, {"x": "}"}]}),
    BackupEntry(room_id="!d:x", session_id="th\u00efrd", data={}),
    BackupEntry(room_id="!d:x", session_id="odd", data={}),
]


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    """``data`` as it arrives."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def read(data: bytes, size: int = 1000, room_id: str | None = None) -> list[BackupEntry]:
    """All entries."""
    return [entry async for entry in entries(pieces(data, size), room_id=room_id)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("is_ascii", [True, False])
async def test_however_it_arrives(
    monkeypatch: pytest.MonkeyPatch, *, size: int, is_ascii: bool
) -> None:
    """Wherever the pieces are cut, the same keys are found; one that is none is given as empty."""
    monkeypatch.setattr("connectors.matrix.crypto.backup_answer.STEP", 1)
    for indent in (None, 2):
        data = json.dumps(ANSWER, ensure_ascii=is_ascii, indent=indent).encode()
        assert await read(data, size) == FOUND


async def test_the_answer_of_one_room() -> None:
    """Its keys, under the name that was asked for."""
    data = json.dumps({"sessions": {"one": {"n": 1}}}).encode()
    assert await read(data, room_id="!a:x") == FOUND[:1]


@pytest.mark.parametrize("data", [b"{}", b' {"rooms":{}} ', b'{"rooms":{"!a:x":{"sessions":{}}}}'])
async def test_an_empty_backup(data: bytes) -> None:
    """There is nothing, and that is no failure."""
    assert await read(data) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"rooms":[]}',
        b'{"rooms":{"!a:x":7}}',
        b'{"rooms":{"!a:x":{"sessions":null}}}',
        b'{"rooms" 1}',
        b"{7:1}",
        b'{"rooms":{"!a:x":{"sessions":{"one":{}',
        b'{"other":12',
        b'{"other":' + b"[" * 10_000,
        b'{"other":"' + b"x" * (LARGEST_VALUE + STEP) + b'"}',
    ],
)
async def test_what_is_no_such_answer(data: bytes) -> None:
    """It is named, and may be asked for again."""
    with pytest.raises(ConnectorUnavailableError, match="cannot be read"):
        await read(data, 4096)


async def test_what_came_before_a_break_counts() -> None:
    """Keys before the place where the answer breaks are given."""
    data = b'{"rooms":{"!a:x":{"sessions":{"one":{"n":1},"two":'
    found = entries(pieces(data, 10), room_id=None)
    assert await anext(found) == FOUND[0]
    with pytest.raises(ConnectorUnavailableError):
        await anext(found)


async def test_memory_is_bounded() -> None:
    """No more is taken from the transfer than the next key needs."""
    taken = 0

    async def transfer() -> AsyncIterator[bytes]:
        nonlocal taken
        yield b'{"rooms":{"!a:x":{"sessions":{"zero":{}'
        for number in range(2000):
            piece = b',"%d":{"n":"%s"}' % (number, b"x" * 1000)
            taken += len(piece)
            yield piece
        yield b"}}}}"

    count = given = 0
    async for entry in entries(transfer(), room_id=None):
        count += 1
        given += len(str(entry.data.get("n", "")))
        assert taken - given < 4 * STEP + 50 * count
    assert count == 2001
