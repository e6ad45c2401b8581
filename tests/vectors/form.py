"""The form of a vector: one JSON file, readable, with the verdict that every verifier must give.

``files`` by their keys below ``v1/<tenant>/``; a vector with a ``base`` has the files of that one,
without those ``removed``, and with its own in their place. A file stands as ``text``; a bundle as
its ``entries``; anything else as ``hex``. All files bear the time of the checkpoint, but those
that are so many seconds ``older``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

HERE = Path(__file__).parent
TENANT = "mydept"
TIME = 1_772_442_930
"""When the checkpoint of every vector was written."""


class File(msgspec.Struct, omit_defaults=True, frozen=True):
    """The bytes of a file, in the most readable way."""

    text: str | None = None
    entries: list[str] | None = None
    hex: str | None = None


class _Written(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    what: str
    verdict: str
    codes: list[str] = []
    listed: list[str] = []
    base: str = ""
    public_key: list[str] = []
    known: list[str] = []
    removed: list[str] = []
    older: dict[str, int] = {}
    files: dict[str, File] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """A log, what is known of it, and what verifying it must give.

    ``codes`` are all that make it tampered; ``listed`` all that is told besides. The verdict is
    ``cannot_tell`` where key or known checkpoints are of no use.
    """

    name: str
    what: str
    verdict: str
    codes: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    base: str = ""
    public_key: tuple[str, ...]
    known: tuple[bytes, ...] = ()
    files: dict[str, bytes] = field(repr=False)
    older: dict[str, int] = field(default_factory=dict)

    def useless(self) -> Vector:
        """The same, where nothing can be told."""
        return replace(self, verdict="cannot_tell", codes=frozenset(), listed=frozenset())

    def lay_out(self, folder: Path) -> Path:
        """Write the files as a ``file:`` store, and the key and known checkpoints beside it.

        Gives the root of the store: ``<folder>/store``, beside ``public.key`` and ``known-<i>``.
        """
        root = folder / "store"
        root.mkdir(parents=True)
        for key, body in self.files.items():
            path = root / "v1" / TENANT / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            at = TIME - self.older.get(key, 0)
            os.utime(path, (at, at))
        (folder / "public.key").write_text("".join(f"{line}\n" for line in self.public_key))
        for i, note in enumerate(self.known):
            (folder / f"known-{i}").write_bytes(note)
        return root


def written(vector: Vector, base: Vector | None) -> bytes:
    """The bytes of a vector's file."""
    known = base.files if base else {}
    document = _Written(
        what=vector.what,
        verdict=vector.verdict,
        codes=sorted(vector.codes),
        listed=sorted(vector.listed),
        base=vector.base,
        public_key=[] if base and base.public_key == vector.public_key else [*vector.public_key],
        known=[note.decode() for note in vector.known],
        removed=sorted(known.keys() - vector.files.keys()),
        older=vector.older,
        files={
            key: _file(key, body)
            for key, body in sorted(vector.files.items())
            if known.get(key) != body
        },
    )
    return json.dumps(msgspec.to_builtins(document), indent=1, ensure_ascii=False).encode() + b"\n"


def read(name: str) -> Vector:
    """A vector from its file."""
    found = msgspec.json.decode((HERE / f"{name}.json").read_bytes(), type=_Written)
    files: dict[str, bytes] = {}
    public_key = tuple(found.public_key)
    if found.base:
        base = read(found.base)
        files = {key: body for key, body in base.files.items() if key not in found.removed}
        public_key = public_key or base.public_key
    return Vector(
        name=name,
        what=found.what,
        verdict=found.verdict,
        codes=frozenset(found.codes),
        listed=frozenset(found.listed),
        base=found.base,
        public_key=public_key,
        known=tuple(note.encode() for note in found.known),
        files=files | {key: _bytes(file) for key, file in found.files.items()},
        older=found.older,
    )


def names() -> Iterator[str]:
    """The names of all vectors."""
    return (path.stem for path in sorted(HERE.glob("*.json")))


def bundle(entries: list[bytes]) -> bytes:
    """The bytes of a bundle."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def _file(key: str, body: bytes) -> File:
    try:
        if "/entries/" in key:
            entries = _entries(body)
            if bundle([entry.encode() for entry in entries]) == body:
                return File(entries=entries)
        text = body.decode()
    except (UnicodeDecodeError, IndexError):
        return File(hex=body.hex())
    return File(text=text) if text.isprintable() or "\n" in text else File(hex=body.hex())


def _entries(body: bytes) -> list[str]:
    entries = []
    while body:
        length = body[0] * 256 + body[1]
        entries.append(body[2 : 2 + length].decode())
        body = body[2 + length :]
    return entries


def _bytes(file: File) -> bytes:
    if file.entries is not None:
        return bundle([entry.encode() for entry in file.entries])
    return bytes.fromhex(file.hex) if file.hex is not None else (file.text or "").encode()
