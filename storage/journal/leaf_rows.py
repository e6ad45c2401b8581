"""The shapes of rows about the log, and what is read of a leaf."""

from __future__ import annotations

import msgspec

from bridge.canonical import Leaf
from bridge.protocols import Anchor
from storage.journal.rows import from_ms


class NamedObject(msgspec.Struct, frozen=True, kw_only=True):
    """What a leaf says of the object it names: digests of its key and of its bytes."""

    p: str = ""
    o: str = ""


class LeafLine(NamedObject, frozen=True, kw_only=True):
    """What is read of a leaf that the store shows."""

    k: str
    s: str = ""
    n: int = -1

    @property
    def is_of_document(self) -> bool:
        """It names an object that has one leaf only: not a record, which may be stored again."""
        return bool(self.p) and self.k != "stored"


class ReferringRow(msgspec.Struct, array_like=True, frozen=True):
    """A leaf row that names another."""

    idx: int
    kind: str
    body: bytes

    @property
    def leaf(self) -> Leaf:
        """The row as a value."""
        return Leaf(kind=self.kind, body=self.body)

    @property
    def ref(self) -> int:
        """The index it names."""
        return msgspec.json.decode(self.body, type=Reference).ref


class Reference(msgspec.Struct, frozen=True):
    """What is read of a leaf that names another."""

    ref: int


class AnchorRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``anchor`` that waits."""

    key: str
    size: int
    at: int
    body: bytes

    def anchor(self) -> Anchor:
        """The row as a value."""
        return Anchor(key=self.key, size=self.size, body=self.body, at=from_ms(self.at))
