"""Shells complete what the program takes."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.cli.arguments import VERBS, parser
from bridge.cli.completion import SHELLS
from tests.patience import PATIENCE

ASK = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
{function} muniment "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
"""What bash does when the tabulator key is pressed after the last word."""


def _printed(shell: str) -> str:
    with redirect_stdout(StringIO()) as out:
        assert main(["completion", shell]) == 0
    return out.getvalue()


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script for bash."""
    file = tmp_path_factory.mktemp("completion") / "muniment"
    file.write_text(_printed("bash"))
    return file


def _completed(script: Path, *words: str) -> set[str]:
    """What bash offers for the last of the words."""
    bash = shutil.which("bash")
    assert bash is not None
    line = next(x for x in script.read_text().splitlines() if x.startswith("complete "))
    function = line.split()[line.split().index("-F") + 1]
    done = subprocess.run(
        [bash, "--norc", "-c", ASK.format(function=function), "bash", script, "muniment", *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
        cwd=script.parent,
    )
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_completes_every_verb(script: Path) -> None:
    """And no other word."""
    assert _completed(script, "") >= set(VERBS)
    assert _completed(script, "re") == {"reconcile", "restore"}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("doctor", "--st"), {"--store"}),
        (("doctor", "--lock-mode", ""), {"none", "governance", "compliance"}),
        (("groups", "p"), {"propose", "pause"}),
        (("groups", "approve", "--du"), set()),
        (("groups", "approve", "--dp"), {"--dpia"}),
        (("run", "--con"), {"--config", "--console"}),
        (("console", "create-user", "--pass"), {"--password-file"}),
        (("completion", ""), set(SHELLS)),
        (("restore", "mon"), {"monday.age"}),
        (("run", "--config", "mon"), {"monday.age"}),
    ],
)
def test_bash_completes_what_follows(
    script: Path, words: tuple[str, ...], offered: set[str]
) -> None:
    """Options of the verb, choices of the option, steps of the verb, and files."""
    (script.parent / "monday.age").touch()
    assert _completed(script, *words) == offered


def test_bash_completes_every_option_of_every_verb(script: Path) -> None:
    """As the parser has them."""
    for words, verb in _verbs(parser()):
        if words:
            options = {each for action in verb._actions for each in action.option_strings}
            assert _completed(script, *words, "--") == {x for x in options if x.startswith("--")}


def _verbs(
    of: argparse.ArgumentParser, *before: str
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    yield before, of
    for action in of._actions:
        # argparse has no public way to ask for sub-commands.
        if isinstance(action, argparse._SubParsersAction):
            for name, verb in action.choices.items():
                yield from _verbs(verb, *before, name)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_are_told_the_same(shell: str) -> None:
    """Every verb, step and option stands in their scripts."""
    text = _printed(shell)
    for words, verb in _verbs(parser()):
        assert all(word in text for word in words)
        for action in verb._actions:
            assert all(each.lstrip("-") in text for each in action.option_strings)
