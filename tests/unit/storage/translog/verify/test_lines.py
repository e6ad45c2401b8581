"""The strict form of every kind of leaf."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.canonical import Leaf, dumps
from bridge.errors import CanonicalError
from storage.translog.verify.lines import PATTERNS, LeafError, matched
from tests.archive import draft
from tests.fakes.clock import START
from tests.format_examples import LEAVES


@pytest.mark.parametrize("kind", sorted(LEAVES))
def test_what_the_product_writes_is_a_leaf(kind: str) -> None:
    """Every example of the formats' page."""
    found, fields = matched(LEAVES[kind].body)
    document = json.loads(LEAVES[kind].body)
    assert found == document["k"]
    assert set(fields) == set(document) - {"v"}


def test_every_leaf_of_an_archive_is_a_leaf() -> None:
    """With kinds that no example has."""
    archive = draft(seed=4, leaves=200)
    kinds = {matched(line)[0] for line in archive.leaves}
    assert {"anchor", "audit", "manifest", "notice"} <= kinds


@given(st.text())
def test_a_cause_in_any_words_is_a_leaf(why: str) -> None:
    """The pattern of text takes exactly what RFC 8785 makes of it."""
    try:
        leaf = Leaf.gap(at=START, stream="0" * 16, after=-1, why=why, since=None, until=START)
    except CanonicalError:
        return
    assert matched(leaf.body)[1]["why"] in leaf.body


@given(st.data())
def test_another_form_of_a_leaf_is_none(data: st.DataObject) -> None:
    """Whatever byte is put in anywhere, it is the canonical form of something, or no leaf."""
    line = data.draw(st.sampled_from([leaf.body for leaf in LEAVES.values()]))
    at = data.draw(st.integers(0, len(line)))
    more = data.draw(st.sampled_from([b" ", b"0", b",", b'"', b"\\", b"a", b"-", b"\xff", b"\n"]))
    changed = line[:at] + more + line[at:]
    try:
        matched(changed)
    except LeafError:
        return
    assert dumps(json.loads(changed)) == changed


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "not JSON"),
        (b"[]", "no JSON object"),
        (b'{"k":"new","t":"x","v":1}', "kind is unknown"),
        (b'{"k":"late","ms":1,"ref":0,"t":"x","v":1,"w":2}', "no field 'w'"),
        (b'{"k":"late","ms":1,"t":"x","v":1}', "needs the field 'ref'"),
        (b'{"k":"late","ms":1,"ref":0,"t":"x","v":2}', "wrong value"),
        (b"[" * 60_000, "not JSON"),
    ],
)
def test_what_is_wrong_is_said(line: bytes, why: str) -> None:
    """In words that an operator can act upon."""
    with pytest.raises(LeafError, match=why):
        matched(line)


def test_every_pattern_is_of_one_kind() -> None:
    """A line that fits one kind fits no other."""
    for line in draft(seed=2, leaves=120).leaves:
        assert sum(pattern.fullmatch(line) is not None for pattern in PATTERNS.values()) == 1
