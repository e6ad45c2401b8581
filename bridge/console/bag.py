"""What a bag (RFC 8493) in a tar archive consists of, byte for byte. Pure: nothing is read here."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from datetime import datetime
from typing import Final

BLOCK: Final = 512
END: Final = 2 * BLOCK
"""Zeros that end an archive."""

BAGIT: Final = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_WIDEST: Final = 79


def header(path: str, size: int, *, at: datetime) -> bytes:
    """What stands before a file of ``size`` bytes. Of any size: GNU tar's form has no limit."""
    info = tarfile.TarInfo(path)
    info.size = size
    info.mtime = int(at.timestamp())
    info.mode = 0o644
    return info.tobuf(tarfile.GNU_FORMAT)


def padding(size: int) -> int:
    """Zeros after a file of ``size`` bytes."""
    return -size % BLOCK


def sum_line(digest: str, path: str) -> bytes:
    """A line of a manifest; ``path`` is below the bag."""
    return f"{digest}  {encoded(path)}\n".encode()


def encoded(path: str) -> str:
    """A path as a manifest has it (RFC 8493, section 2.1.3)."""
    return path.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def info(fields: Iterable[tuple[str, str]]) -> bytes:
    """``bag-info.txt``. Values are made one line each, and long ones are folded."""
    return "".join(
        _folded(f"{name}: {' '.join(value.split())}") for name, value in fields if value.strip()
    ).encode("utf-8", "replace")


def oxum(size: int, files: int) -> str:
    """Bytes and number of the payload's files, as ``Payload-Oxum`` has them."""
    return f"{size}.{files}"


def _folded(text: str) -> str:
    lines: list[str] = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > _WIDEST:
            lines.append(f"  {word}")
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return "".join(f"{line}\n" for line in lines)
