"""Manifest parts: their rows, and what a row of a discard does not say."""

from __future__ import annotations

import json
from dataclasses import replace

from bridge.canonical import ManifestRow, dumps, manifest_bytes
from bridge.model import Digest, Outcome, Reason, Sender
from tests.fakes import samples

REASONS = (
    Reason(code="DECISION", rule="agreed", start=3, end=9, text="agreed"),
    Reason(code="CONTEXT", rule="antecedent"),
)
ROW = ManifestRow(
    n=7,
    stream="00ff00ff00ff00ff",
    leaf=12,
    digest=Digest.of(b"record"),
    sent_at=samples.NOW,
    verdict=samples.verdict(reasons=REASONS, score=0.123456789, context=["$1"]),
    context=(5, 6),
    key="records/matrix/g/2026/03/01/x.json",
    sender=Sender(id="@ada:example.org", display_name="Ada"),
)


def _part(*rows: ManifestRow, name: str | None = "Flood cell") -> dict[str, object]:
    data = manifest_bytes(gid="aa", group_id="!g:example.org", group_name=name, rows=rows)
    document: dict[str, object] = json.loads(data)
    assert dumps(json.loads(data)) == data
    return document


def _row(row: ManifestRow) -> dict[str, object]:
    (found,) = json.loads(dumps({"rows": [row.document()]}))["rows"]
    assert isinstance(found, dict)
    return found


def test_a_part() -> None:
    """Version, blinded group, group and rows, and a name only where there is one."""
    group = {"id": "!g:example.org", "name": "Flood cell"}
    assert _part(ROW) == {"v": 1, "gid": "aa", "group": group, "rows": [_row(ROW)]}
    assert _part(name=None) == {"v": 1, "gid": "aa", "group": {"id": "!g:example.org"}, "rows": []}


def test_a_row_of_what_is_kept() -> None:
    """Every field of the format; spans by place, never by their text, and no display name."""
    assert _row(ROW) == {
        "n": 7,
        "s": "00ff00ff00ff00ff",
        "leaf": 12,
        "sha256": Digest.of(b"record").hex,
        "sent_at": "2026-03-01T09:00:00.000Z",
        "outcome": "capture",
        "reasons": [
            {"code": "DECISION", "rule": "agreed", "start": 3, "end": 9},
            {"code": "CONTEXT", "rule": "antecedent"},
        ],
        "score": 0.123457,
        "policy": "sample@1",
        "model": "none",
        "context": [5, 6],
        "key": "records/matrix/g/2026/03/01/x.json",
        "sender": "@ada:example.org",
    }


def test_a_row_of_a_discard() -> None:
    """No digest, key, sender or spans: nothing by which a discard could be found again."""
    verdict = samples.verdict(Outcome.DISCARD, reasons=REASONS)
    row = _row(replace(ROW, verdict=verdict, context=()))
    assert not {"sha256", "key", "sender", "context"} & set(row)
    assert row["reasons"] == [
        {"code": "DECISION", "rule": "agreed"},
        {"code": "CONTEXT", "rule": "antecedent"},
    ]
    assert row["outcome"] == "discard"


def test_a_row_without_a_key_is_not_kept() -> None:
    """What is restricted has no object, and its row says no more than that of a discard."""
    row = _row(replace(ROW, key=None, verdict=samples.verdict(Outcome.REVIEW, restricted=True)))
    assert not {"sha256", "key", "sender"} & set(row)
    assert row["outcome"] == "review"


def test_absent_fields_are_left_out() -> None:
    """No time and no sender are no fields; number and leaf 0 are."""
    row = _row(replace(ROW, n=0, leaf=0, sent_at=None, sender=None, context=()))
    assert not {"sent_at", "sender", "context"} & set(row)
    assert (row["n"], row["leaf"]) == (0, 0)
    assert None not in row.values()
