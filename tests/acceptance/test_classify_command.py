"""``muniment classify``: one text or a conversation in, outcomes with reasons out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.program import muniment


def test_a_decision_is_captured_with_its_reason(tmp_path: Path) -> None:
    """The JSON names outcome, score, reasons with spans, policy and model."""
    text = b"The Secretary of State has decided on option B, please go ahead."
    said = muniment("classify", "--json", text=text, folder=tmp_path)
    assert said.code == 0, said.err
    verdict = json.loads(said.out)
    assert verdict["outcome"] == "capture"
    assert verdict["policy"] == "uk-nccc@2023.1"
    reason = next(r for r in verdict["reasons"] if r["code"] == "DECISION")
    assert text.decode()[reason["start"] : reason["end"]] == reason["text"]
    assert {"outcome", "score", "reasons", "markings", "policy", "model"} <= verdict.keys()


def test_all_of_stdin_is_one_message(tmp_path: Path) -> None:
    """Lines of one text are not messages of their own."""
    said = muniment("classify", "--json", text=b"thanks\nthanks\n", folder=tmp_path)
    assert len(said.out.splitlines()) == 1


def test_invalid_bytes_never_fail(tmp_path: Path) -> None:
    """Bad UTF-8, NULs and emptiness are review, not an error."""
    for text in (b"", b"\xff\xfe\x00", b"\x00" * 100):
        said = muniment("classify", "--json", text=text, folder=tmp_path)
        assert said.code == 0, said.err
        assert json.loads(said.out)["outcome"] == "review"


def test_a_conversation_gives_one_result_per_line(tmp_path: Path) -> None:
    """An assent is read with the question before it, within its own conversation only."""
    lines = [
        {"conv": "a", "turn": 0, "speaker": "x", "text": "Shall we approve the grant today?"},
        {"conv": "a", "turn": 1, "speaker": "y", "text": "Yes, agreed"},
        {"conv": "b", "turn": 0, "speaker": "y", "text": "Yes, agreed"},
    ]
    text = "\n".join(json.dumps(line) for line in lines).encode()
    said = muniment("classify", "--json", "--conversation", text=text, folder=tmp_path)
    outcomes = [json.loads(line)["outcome"] for line in said.out.splitlines()]
    assert outcomes == ["capture", "capture", "review"]


@pytest.mark.parametrize("named_by", ["option", "environment"])
def test_a_named_file_that_is_missing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    """Whoever names a settings file means its policy: the shipped one does not stand in for it."""
    missing = str(tmp_path / "missing.toml")
    named: tuple[str, ...] = ("--config", missing)
    if named_by == "environment":
        monkeypatch.setenv("MUNIMENT_CONFIG", missing)
        named = ()
    said = muniment("classify", "--json", *named, text=b"thanks", folder=tmp_path)
    assert said.code == 2
    assert missing in said.err
    assert said.out == ""
