"""One record is proved over a change of keys as the whole log is: by what the old key signed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.app.evidence import evidence_at
from bridge.app.places import place_at
from bridge.keys import log_key
from bridge.notekeys import parse_verifier
from storage.translog.verify.engine import Question
from storage.translog.verify.one import verify_one
from tests.vectors.form import TENANT, Vector, read

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def _of_one(vector: Vector, folder: Path) -> tuple[str, frozenset[str]]:
    keys = tuple(parse_verifier(line) for line in vector.public_key)
    question = Question(keys=keys, tenant=TENANT, shard="0", now=NOW, version="0")
    record = min(key for key in vector.files if key.startswith("records/") and "/media/" not in key)
    root = vector.lay_out(folder)
    evidence = evidence_at(place_at(f"file:{root}", folder, None), TENANT)
    report, _ = verify_one(evidence, question, record)
    return report.verdict, frozenset(finding.code for finding in report.findings)


@pytest.mark.parametrize(
    "name",
    ["rotated", "rotated-new-only", "rotated-old-only", "rotated-both-sign", "rotated-by-anchor"],
)
def test_a_record_is_judged_as_the_whole_log(name: str, tmp_path: Path) -> None:
    """The verdict and the codes are those of the vector, whichever keys are given."""
    vector = read(name)
    assert _of_one(vector, tmp_path) == (vector.verdict, vector.codes)


def test_an_anchor_that_the_old_key_did_not_sign_leads_nowhere(tmp_path: Path) -> None:
    """Without the old key's line on the checkpoint that covers the leaf, nothing is followed."""
    vector = read("rotated-by-anchor")
    handover = max(
        (key for key in vector.files if key.startswith("anchors/0/") and key.endswith(".note")),
        key=lambda key: int(key.rpartition("/")[2].partition(".")[0]),
    )
    vector.files[handover] = vector.files[log_key("0", "checkpoint")]
    assert _of_one(vector, tmp_path) == ("tampered", frozenset({"checkpoint_signature"}))
