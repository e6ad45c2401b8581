"""A photograph for the demonstration, painted in code: a bridge with the water over its road."""

from __future__ import annotations

import struct
import zlib

_WIDTH = 320
_HEIGHT = 180
_SKY = (168, 186, 200)
_STONE = (96, 92, 88)
_WATER = (92, 104, 84)
_ROAD = range(96, 116)
_SURFACE = 104


def flooded_bridge() -> bytes:
    """The picture as PNG; always the same bytes."""
    rows = b"".join(_row(y) for y in range(_HEIGHT))
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", zlib.compress(rows, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _row(y: int) -> bytes:
    return b"\x00" + b"".join(bytes(_pixel(x, y)) for x in range(_WIDTH))


def _pixel(x: int, y: int) -> tuple[int, int, int]:
    if y > _SURFACE + (x // 7 + x // 11) % 3:
        return _WATER
    pier = x % 80 < 14 and y >= _ROAD.start
    return _STONE if pier or y in _ROAD else _SKY


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
