"""Of one record: what may be gone, by the rule of the whole verification."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.keys import REVIEW
from bridge.notekeys import parse_verifier
from storage.objects.evidence_local import LocalEvidence
from storage.translog.verify.engine import Question, verify
from storage.translog.verify.one import verify_one
from storage.translog.verify.report import Report
from tests.vectors.form import TENANT, Vector, read
from tests.vectors.scene import A, record_key
from tests.vectors.whole import media_key, whole

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ABSENCES = {"object_missing", "media_missing", "absent_in_order"}


def _absences(report: Report) -> set[str]:
    return {each.code for each in [*report.findings, *report.listed]} & ABSENCES


def _both(vector: Vector, key: str, folder: Path) -> tuple[Report, Report]:
    """What is said of the record, and of the whole."""
    keys = tuple(parse_verifier(line) for line in vector.public_key)
    question = Question(keys=keys, tenant=TENANT, shard="0", now=NOW, version="0")
    evidence = LocalEvidence(vector.lay_out(folder), TENANT)
    return verify_one(evidence, question, key)[0], verify(evidence, question)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("expired-discarded", record_key(A, 3, REVIEW)),
        ("expired-captured", record_key(A, 2, REVIEW)),
        ("expired-undecided", record_key(A, 6, REVIEW)),
        ("expired-before-its-time", record_key(A, 6, REVIEW)),
        ("expired-without-copy", record_key(A, 6, REVIEW)),
        ("disposed", record_key(A, 1)),
        ("disposed-but-its-media", record_key(A, 4)),
        ("disposed-of-another", record_key(A, 1)),
        ("disposal-changed", record_key(A, 1)),
        ("media-missing", record_key(A, 4)),
    ],
)
def test_a_record_that_is_gone_is_judged_as_in_the_whole(
    name: str, key: str, tmp_path: Path
) -> None:
    """Gone in order or missing: the same of the one record as of all of them."""
    one, all_of_them = _both(read(name), key, tmp_path)
    assert _absences(one) == _absences(all_of_them) != set()
    assert one.verdict == all_of_them.verdict


def test_an_attachment_may_be_gone_when_its_record_may(tmp_path: Path) -> None:
    """It has no leaf of its own: what covers its record's leaf covers it."""
    log = whole()
    leaf = log.illustrated + 1
    log.scene.act("dispose", {"leaves": [[leaf, leaf]]})
    log.scene.publish()
    del log.scene.files[media_key(A, 4)]
    one, all_of_them = _both(log.scene.vector("", ""), record_key(A, 4), tmp_path)
    assert _absences(one) == _absences(all_of_them) == {"absent_in_order"}
    assert one.verdict == "intact"


def test_a_decision_in_a_changed_bundle_excuses_nothing(tmp_path: Path) -> None:
    """Who takes away a record may have written into the log that it was discarded."""
    vector = read("expired-without-copy")
    bundles = [key for key in vector.files if "/entries/" in key]
    bundle = max(bundles, key=lambda key: int(key.rpartition("/")[2]))
    was, forged = (
        b'{"by":"policy","c":"capture","cl":"p+m"',
        b'{"by":"policy","c":"discard","cl":"p+m"',
    )
    assert was in vector.files[bundle]
    vector.files[bundle] = vector.files[bundle].replace(was, forged)
    one, all_of_them = _both(vector, record_key(A, 6, REVIEW), tmp_path)
    assert {each.code for each in one.findings} == {"bundle_mismatch"}
    assert {each.code for each in all_of_them.findings} == {"bundle_mismatch"}
