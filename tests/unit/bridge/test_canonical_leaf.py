"""Lines of the log: their fields, and that nobody can read anything from them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.canonical import Leaf, dumps
from bridge.model import Digest, Outcome
from tests.fakes import samples

AT = "2026-03-01T09:00:00.000Z"
DIGEST = Digest.of(b"record")
STREAM = "00ff00ff00ff00ff"


def _read(leaf: Leaf) -> dict[str, object]:
    document: dict[str, object] = json.loads(leaf.body)
    assert document["k"] == leaf.kind
    assert dumps(json.loads(leaf.body)) == leaf.body
    return document


@pytest.mark.parametrize("outcome", Outcome)
def test_seen(outcome: Outcome) -> None:
    """Stream, number, digest of the record, outcome, and policy@version+model."""
    leaf = Leaf.seen(
        at=samples.NOW, stream=STREAM, n=3, digest=DIGEST, verdict=samples.verdict(outcome)
    )
    assert _read(leaf) == {
        "k": "seen",
        "v": 1,
        "t": AT,
        "s": STREAM,
        "n": 3,
        "d": DIGEST.hex,
        "c": outcome.value,
        "cl": "sample@1+none",
    }


def test_seen_restricted() -> None:
    """A restricted message says so, and nothing of why."""
    verdict = samples.verdict(Outcome.REVIEW, restricted=True, markings=["SECRET"])
    leaf = Leaf.seen(at=samples.NOW, stream=STREAM, n=3, digest=DIGEST, verdict=verdict)
    assert _read(leaf)["x"] == "restricted"
    assert b"SECRET" not in leaf.body


def test_stored() -> None:
    """The seen leaf, the object's digest, the digest of its key from v1 on, and the retention."""
    key = "v1/demo/records/x.json"
    with_date = Leaf.stored(at=samples.NOW, ref=5, digest=DIGEST, key=key, retain_until=samples.NOW)
    without = Leaf.stored(at=samples.NOW, ref=5, digest=DIGEST, key=key, retain_until=None)
    fields = {"k": "stored", "v": 1, "t": AT, "ref": 5, "o": DIGEST.hex}
    fields["p"] = Digest.of(key.encode()).hex
    assert _read(without) == fields
    assert _read(with_date) == {**fields, "ret": AT}


def test_decision() -> None:
    """The seen leaf, the new outcome, what decided, and who."""
    leaf = Leaf.decision(at=samples.NOW, ref=5, verdict=samples.verdict(), by="policy")
    assert _read(leaf) == {
        "k": "decision",
        "v": 1,
        "t": AT,
        "ref": 5,
        "c": "capture",
        "cl": "sample@1+none",
        "by": "policy",
    }


def test_gap() -> None:
    """After which number, why, and between which times, as far as they are known."""
    leaf = Leaf.gap(
        at=samples.NOW, stream=STREAM, after=-1, why="paused", since=samples.NOW, until=None
    )
    assert _read(leaf) == {
        "k": "gap",
        "v": 1,
        "t": AT,
        "s": STREAM,
        "after": -1,
        "why": "paused",
        "from": AT,
    }
    ended = Leaf.gap(
        at=samples.NOW, stream=STREAM, after=0, why="paused", since=None, until=samples.NOW
    )
    assert _read(ended)["to"] == AT
    assert "from" not in _read(ended)


def test_late() -> None:
    """The seen leaf and the milliseconds."""
    leaf = Leaf.late(at=samples.NOW, ref=5, late_ms=1500)
    assert _read(leaf) == {"k": "late", "v": 1, "t": AT, "ref": 5, "ms": 1500}


@pytest.mark.parametrize("kind", ["manifest", "open", "close", "step", "notice"])
def test_placed(kind: str) -> None:
    """Digests of key and bytes; the stream for open and close, and the total for close."""
    key = "v1/demo/acts/x.json"
    stream = STREAM if kind in {"open", "close"} else None
    total = 0 if kind == "close" else None
    leaf = Leaf.placed(
        kind=kind, at=samples.NOW, key=key, digest=DIGEST, stream=stream, total=total
    )
    document = _read(leaf)
    assert document.pop("s", None) == stream
    assert document.pop("total", None) == total
    place = {"p": Digest.of(key.encode()).hex, "o": DIGEST.hex}
    assert document == {"k": kind, "v": 1, "t": AT, **place}


@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=9, max_size=40))
def test_nothing_personal_stands_in_a_leaf(name: str) -> None:
    """Neither reasons, spans, context, markings nor a key's words reach a leaf."""
    verdict = samples.verdict(context=[name], markings=[name])
    leaves = [
        Leaf.seen(at=samples.NOW, stream=STREAM, n=0, digest=DIGEST, verdict=verdict),
        Leaf.decision(at=samples.NOW, ref=0, verdict=verdict, by="policy"),
        Leaf.stored(at=samples.NOW, ref=0, digest=DIGEST, key=name, retain_until=None),
        Leaf.placed(kind="step", at=samples.NOW, key=name, digest=DIGEST),
    ]
    same = [
        Leaf.seen(at=samples.NOW, stream=STREAM, n=0, digest=DIGEST, verdict=samples.verdict()),
        Leaf.decision(at=samples.NOW, ref=0, verdict=samples.verdict(), by="policy"),
    ]
    assert leaves[:2] == same
    for leaf in leaves[2:]:
        document = _read(leaf)
        assert document["p"] == Digest.of(name.encode()).hex
        assert set(document) <= {"k", "v", "t", "ref", "o", "p"}
