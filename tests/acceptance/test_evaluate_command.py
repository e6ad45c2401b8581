"""``muniment evaluate``: figures for labelled conversations, whatever they turn out to be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.program import muniment

METRICS = {
    "auc_gov",
    "auc_gov_needs_context",
    "r_gov_at_fk10",
    "r_gov_needs_context_at_fk10",
    "r_inq_at_fk10",
    "r_inq_needs_context_at_fk10",
    "fk_gov_at_r_gov95",
    "fk_gov_at_r_inq95",
    "fk_sms_at_r_inq95",
    "keep_unlabelled_at_r_inq95",
    "vote_auc",
    "r_irc_action_at_keep20",
    "ami_length_matched_auc",
}


def _line(conversation: str, turn: int, text: str, label: int | None, kind: str = "") -> str:
    line = {"conv": conversation, "turn": turn, "speaker": "ab"[turn % 2], "text": text}
    return json.dumps({**line, "label": label, "kind": kind, "needs_context": text == "Ok"})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of the data format, with invented conversations."""
    folder = tmp_path / "data"
    folder.mkdir()
    gov: list[str] = []
    for i in range(6):
        gov += [
            _line(f"w{i}", 0, f"The Minister agreed to fund scheme {i} at £{i}m.", 1, "DECISION"),
            _line(f"w{i}", 1, "Ok", 1, "ANSWER"),
            _line(f"t{i}", 0, f"Can you call me at {i + 1}pm?", 0, "LOGISTICS"),
            _line(f"t{i}", 1, "Ok", 0, "ACK"),
        ]
    (folder / "gov_email_threads.jsonl").write_text("\n".join(gov))
    inquiry = [_line(f"q{i}", 0, f"We must close the schools in tier {i}.", 1) for i in range(4)]
    (folder / "inquiry_whatsapp.jsonl").write_text("\n".join(inquiry))
    sms = [_line(f"s{i}", 0, f"c u at dinner {i} lol xx", 0) for i in range(4)]
    (folder / "sms_personal.jsonl").write_text("\n".join(sms))
    return folder


def test_every_measure_is_given_with_its_interval(tmp_path: Path, data: Path) -> None:
    """The JSON names each measure; one that the data cannot give is null, not missing."""
    said = muniment("evaluate", str(data), "--json", "--draws", "20", folder=tmp_path)
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert set(document["metrics"]) == METRICS
    for figure in document["metrics"].values():
        assert set(figure) == {"value", "low", "high", "n"}
    auc = document["metrics"]["auc_gov"]
    assert auc["low"] <= auc["value"] <= auc["high"]
    assert document["metrics"]["vote_auc"] == {"value": None, "low": None, "high": None, "n": 0}
    assert document["shipped"]["gov_email_threads"]["messages"] == 24
    assert set(document["shipped"]["sms_personal"]["outcomes"]) == {"capture", "review", "discard"}
    assert document["latency_ms"]["p50"] <= document["latency_ms"]["p99"]
    assert document["rss_mb"] > 0
    assert document["policy"] == "uk-nccc@2023.1"
    assert document["model"].startswith("heads-and-trees-")


def test_a_report_is_written(tmp_path: Path, data: Path) -> None:
    """The report is the same document, and a page with plots."""
    report = tmp_path / "report"
    said = muniment("evaluate", str(data), "--draws", "5", "--report", str(report), folder=tmp_path)
    assert said.code == 0, said.err
    assert "auc_gov" in json.loads((report / "evaluation.json").read_text())["metrics"]
    page = (report / "evaluation.html").read_text()
    assert "<svg" in page
    assert "uk-nccc@2023.1" in page


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    """Exit 2 names the folder and what belongs into it."""
    said = muniment("evaluate", str(tmp_path), folder=tmp_path)
    assert said.code == 2
    assert "gov_email_threads.jsonl" in said.err


def test_a_line_of_another_format_is_named(tmp_path: Path, data: Path) -> None:
    """A figure over half-read data would mislead."""
    with (data / "sms_personal.jsonl").open("a") as file:
        file.write("\nnot json\n")
    said = muniment("evaluate", str(data), folder=tmp_path)
    assert said.code == 2
    assert "sms_personal.jsonl, line 5" in said.err


def test_data_that_cannot_train_a_model_are_refused(tmp_path: Path, data: Path) -> None:
    """Without meetings there is nothing to learn them from: one sentence, no traceback."""
    for option in (["--cross-validate"], ["--train", "made.bin"]):
        said = muniment("evaluate", str(data), *option, folder=tmp_path)
        assert said.code == 2
        assert "too few labelled conversations of meetings" in said.err
        assert "Traceback" not in said.err
