"""What a text would give, and a policy of one's own."""

from __future__ import annotations

import json

from tests.documented.walk import Walk, documented

MANUAL = "docs/operations.md"
OURS = """\
extends = "uk-nccc-2023.1"
name = "ours"
version = "1"
title = "Ours"
sources = ["Us"]
[codes.LOGISTICS]
outcome = "review"
"""
LINES = (("a", "Shall we go ahead with option B?"), ("b", "Agreed"))


@documented(f"{MANUAL}#Completion")
def test_a_shell_is_told_what_to_complete(walk: Walk) -> None:
    """Each script stands where its shell looks for it, and bash takes its own."""
    walk.run("mkdir -p")
    for shell in ("bash", "zsh", "fish"):
        walk.run(f"muniment completion {shell}")
    script = "~/.local/share/bash-completion/completions/muniment"
    assert "muniment" in walk.shell(f". {script} && complete -p muniment").out


@documented(f"{MANUAL}#What a text would give", f"{MANUAL}#Policies")
def test_texts_and_a_policy_are_tried(walk: Walk) -> None:
    """In a folder without settings, as anybody may."""
    said = walk.run("echo")
    assert "capture" in said.out + said.err
    (walk.here / "message.txt").write_text("See you at three\n")
    assert json.loads(walk.run("muniment classify --json <").out)["outcome"] == "discard"
    lines = [json.dumps({"conv": "1", "speaker": who, "text": text}) for who, text in LINES]
    (walk.here / "conversation.jsonl").write_text("\n".join(lines))
    assert len(walk.run("muniment classify --conversation").out.splitlines()) == len(LINES)
    (walk.here / "ours-1.toml").write_text(OURS)
    said = walk.run("muniment policy check")
    assert "ours@1" in said.err
