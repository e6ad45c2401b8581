"""Leaves read back: which outside proofs and which keys the log names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

_BEGIN = b'{"k":"anchor",'
"""How every anchor leaf begins: its keys are sorted, and no other leaf's first value is this."""


_KEY = b'{"k":"key",'
"""How every key leaf begins, likewise."""


class _Dated(msgspec.Struct, frozen=True):
    t: datetime


class _Line(_Dated, frozen=True):
    size: int
    p: str


class _Key(msgspec.Struct, frozen=True):
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorLeaf:
    """What an anchor leaf says. ``place``: SHA-256 of the key from ``v1/`` on, in hex."""

    size: int
    place: str
    at: datetime


def read_anchor(leaf: bytes) -> AnchorLeaf | None:
    """What the leaf says if it is an anchor leaf of ours."""
    if not leaf.startswith(_BEGIN):
        return None
    line = msgspec.json.decode(leaf, type=_Line)
    return AnchorLeaf(size=line.size, place=line.p, at=line.t)


def read_key(leaf: bytes) -> str | None:
    """The verifier key that the leaf names, as one line, if it is a key leaf."""
    return msgspec.json.decode(leaf, type=_Key).key if leaf.startswith(_KEY) else None


def written_at(leaf: bytes) -> datetime:
    """When a leaf of ours was written."""
    return msgspec.json.decode(leaf, type=_Dated).t
