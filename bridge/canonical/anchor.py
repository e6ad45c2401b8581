"""Anchor leaves read back: which outside proofs the log names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

_BEGIN = b'{"k":"anchor",'
"""How every anchor leaf begins: its keys are sorted, and no other leaf's first value is this."""


class _Dated(msgspec.Struct, frozen=True):
    t: datetime


class _Line(_Dated, frozen=True):
    size: int
    p: str


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


def written_at(leaf: bytes) -> datetime:
    """When a leaf of ours was written."""
    return msgspec.json.decode(leaf, type=_Dated).t
