"""Pictures of pages with few colours, made small: 8-bit PNG with a palette. Pure."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
MOST: Final = 256
"""Colours of a palette."""

_HEAD = struct.Struct(">IIBBBBB")


def small(picture: bytes) -> bytes:
    """The same picture with its 256 commonest colours; rarer ones become the nearest of them.

    ``picture`` is a PNG of 8 bits a channel, not interlaced, as Chromium writes them; what is
    transparent in it is lost.
    """
    chunks = list(_chunks(picture))
    width, height, depth, kind, *_, interlaced = _HEAD.unpack(chunks[0][1])
    if (depth, interlaced) != (8, 0) or kind not in {2, 6}:
        raise ValueError("not a picture of Chromium's")
    size = 3 if kind == 2 else 4
    packed = zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT"))
    pixels = [
        row[at : at + 3]
        for row in _rows(packed, width * size, size)
        for at in range(0, width * size, size)
    ]
    indices, palette = _indexed(pixels)
    lines = b"".join(b"\0" + indices[at : at + width] for at in range(0, width * height, width))
    return SIGNATURE + b"".join(
        (
            _chunk(b"IHDR", _HEAD.pack(width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", b"".join(palette)),
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(picture):
        (length,) = struct.unpack_from(">I", picture, at)
        yield picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(name: bytes, body: bytes) -> bytes:
    checked = name + body
    return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))


def _rows(packed: bytes, length: int, size: int) -> Iterator[bytes]:
    """The rows without their filters (PNG, section 9)."""
    above = bytearray(length)
    for at in range(0, len(packed), length + 1):
        row = bytearray(packed[at + 1 : at + 1 + length])
        _unfilter(packed[at], row, above, size)
        yield bytes(row)
        above = row


def _unfilter(kind: int, row: bytearray, above: bytearray, size: int) -> None:
    if kind == 0:
        return
    for i in range(len(row)):
        left = row[i - size] if i >= size else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = above[i]
        elif kind == 3:
            guess = (left + above[i]) // 2
        else:
            guess = _paeth(left, above[i], above[i - size] if i >= size else 0)
        row[i] = (row[i] + guess) & 255


def _paeth(left: int, up: int, corner: int) -> int:
    wanted = left + up - corner
    return min((left, up, corner), key=lambda each: abs(wanted - each))


def _indexed(pixels: list[bytes]) -> tuple[bytes, list[bytes]]:
    counted = Counter(pixels)
    palette = [colour for colour, _ in counted.most_common(MOST)]
    places = {colour: place for place, colour in enumerate(palette)}
    for colour in counted:
        if colour not in places:
            places[colour] = min(range(len(palette)), key=lambda i: _apart(palette[i], colour))
    return bytes([places[pixel] for pixel in pixels]), palette


def _apart(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
