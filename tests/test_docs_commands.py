"""Commands on the pages are commands of the program."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bridge.app import classifier_of
from bridge.cli.arguments import parser
from bridge.model import Context, EventKind, Outcome, Utterance
from tests.pages import ROOT, pages, section

Command = tuple[str, str]
"""A page and a command on it."""

PROGRAM = re.compile(r"^(?:\$ )?(?:echo .*\| )?(?:sudo -u \w+ )?(?:[^\s=]*/)?(muniment(?: .*)?)$")


def _verbs(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The verbs below a parser."""
    return {
        name: verb
        for action in of._actions
        # argparse has no public way to ask for sub-commands.
        if isinstance(action, argparse._SubParsersAction)
        for name, verb in action.choices.items()
    }


def _commands() -> Iterator[Command]:
    """Whole commands: lines of code blocks."""
    for each in pages():
        for kind, body in each.blocks():
            if kind.startswith("json") or kind in {"text", "toml", "mermaid"}:
                continue
            for line in body.splitlines():
                match = PROGRAM.match(line.removeprefix("ExecStart=").strip())
                if match is not None:
                    yield each.name, match[1]


def _mentions() -> Iterator[Command]:
    """Commands within a sentence, which may be cut short."""
    for each in pages():
        for span in each.spans():
            if re.match(r"muniment(?: |$)", span):
                yield each.name, span


def _make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


@pytest.mark.parametrize("command", sorted(set(_commands())), ids=str)
def test_commands_in_blocks_are_understood(command: Command) -> None:
    """The program's own parser takes each command of a code block, with all its options."""
    arguments = shlex.split(re.split(r" [<>] ", command[1])[0])[1:]
    # Refused, it exits; taken, it has found what to do.
    assert "command" in parser().parse_args(arguments)


@pytest.mark.parametrize("mention", sorted(set(_mentions())), ids=str)
def test_commands_in_sentences_exist(mention: Command) -> None:
    """Each verb and option that a sentence names is one of the program's."""
    at = parser()
    for word in mention[1].split()[1:]:
        if word.startswith("-"):
            options = {option for action in at._actions for option in action.option_strings}
            assert word in options, mention
        elif verbs := _verbs(at):
            assert word in verbs, mention
            at = verbs[word]


def test_every_verb_is_in_the_manual() -> None:
    """The README or the operator's manual names each verb, and each step of `groups`."""
    text = "\n".join(
        each.text for each in pages() if each.name in {"README.md", "docs/operations.md"}
    )
    verbs = _verbs(parser())
    assert verbs
    for name, verb in verbs.items():
        known = f"muniment {name}" if name != "demo" else "make demo"
        assert known in text, name
        for step in _verbs(verb):
            assert f"muniment {name} {step}" in text, step


def _all_verbs(of: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every verb, and every step of each."""
    for verb in _verbs(of).values():
        yield verb
        yield from _all_verbs(verb)


def test_the_help_says_what_each_verb_and_option_is_for() -> None:
    """Each verb has a sentence, each option some words, and an example is understood."""
    for verb in _all_verbs(parser()):
        assert verb.description, verb.prog
        assert verb.description.strip()[-1] == ".", verb.prog
        for action in verb._actions:
            assert action.help or isinstance(action, argparse._SubParsersAction), action
        if verb.epilog:
            _, _, example = verb.epilog.partition("muniment ")
            line = example.rpartition("| muniment ")[2]
            assert "command" in parser().parse_args(shlex.split(line)), verb.epilog


def test_every_option_is_in_the_manual() -> None:
    """Each option is named on a page, but those that only developers need."""
    text = "\n".join(each.text for each in pages())
    for name, verb in _verbs(parser()).items():
        for action in verb._actions:
            for option in action.option_strings:
                if option.startswith("--") and option not in {"--help", "--synapse", "--folder"}:
                    assert option in text, f"{name} {option}"


def test_the_messages_of_the_quick_start_turn_out_as_it_says() -> None:
    """Of the two messages to try in a room, the first is captured and the second discarded."""
    text = " ".join(section("README.md", "Record your own Matrix room").split())
    messages = re.findall(r'Write "([^"]+)" and "([^"]+)" into the room', text)
    outcomes = [_outcome(message) for pair in messages for message in pair]
    assert outcomes == [Outcome.CAPTURE, Outcome.DISCARD]


def _outcome(text: str) -> Outcome:
    said = Utterance(
        upstream_id="$1",
        kind=EventKind.MESSAGE,
        sender_id="@t.whitfield:example.org",
        sent_at=datetime(2026, 3, 2, 9, tzinfo=UTC),
        body=text,
    )
    return classifier_of(None).classify(said, Context()).outcome


def test_make_targets_exist() -> None:
    """Each `make TARGET` on a page is a target of the Makefile."""
    targets = _make_targets()
    assert targets
    for each in pages():
        code = "\n".join([*each.spans(), *(body for _, body in each.blocks())])
        for target in re.findall(r"^\s*make ([a-z]+)\b", code, re.MULTILINE):
            assert target in targets, f"{each.name}: make {target}"
