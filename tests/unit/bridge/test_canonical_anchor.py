"""Anchor leaves are found among all others, and read back."""

from __future__ import annotations

from datetime import UTC, datetime

from bridge.canonical import AnchorLeaf, Leaf, read_anchor, written_at
from bridge.model import Digest

AT = datetime(2026, 3, 1, 9, 0, 0, 123000, tzinfo=UTC)
KEY = "v1/demo/anchors/0/70000.note"


def test_an_anchor_leaf_reads_back() -> None:
    """Its size, the digest of its key, and when it was written."""
    leaf = Leaf.anchor(at=AT, size=70000, key=KEY, digest=Digest.of(b"note")).body
    place = Digest.of(KEY.encode()).hex
    assert read_anchor(leaf) == AnchorLeaf(size=70000, place=place, at=AT)
    assert written_at(leaf) == AT


def test_no_other_leaf_is_one() -> None:
    """Whatever it is about, also one that names an anchor's place."""
    gap = Leaf.gap(at=AT, stream="anchor", after=-1, why="anchor", since=None, until=AT)
    act = Leaf.placed(kind="hold", at=AT, key=KEY, digest=Digest.of(b"note"))
    for leaf in (gap, act, Leaf.late(at=AT, ref=1, late_ms=2)):
        assert read_anchor(leaf.body) is None
        assert written_at(leaf.body) == AT
