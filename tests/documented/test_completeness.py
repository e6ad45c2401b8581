"""Every command on a page is walked by a test, or stands in the short table of what cannot be."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from tests.documented.commands import (
    OTHERS,
    SHELL,
    Command,
    blocks,
    commands,
    mentions,
    words,
)
from tests.documented.unrunnable import UNRUNNABLE
from tests.pages import ROOT, pages

HERE = Path(__file__).parent
MODULES = sorted(each.stem for each in HERE.glob("test_*.py"))


@cache
def _walked() -> tuple[frozenset[str], frozenset[str]]:
    """Sections and spans of all tests here that are marked; each MUST take ``walk``."""
    sections: list[str] = []
    spans: list[str] = []
    for name, test in _tests():
        for mark in getattr(test, "pytestmark", []):
            assert mark.name not in {"skip", "skipif", "xfail"}, name
            if mark.name == "documented":
                assert "walk" in inspect.signature(test).parameters, name
                sections += mark.args
                spans += mark.kwargs["spans"]
    assert len(sections) == len(set(sections)), "a section is walked once"
    return frozenset(sections), frozenset(spans)


def _tests() -> Iterator[tuple[str, Callable[..., object]]]:
    for module in MODULES:
        for name, test in vars(importlib.import_module(f"tests.documented.{module}")).items():
            if name.startswith("test_"):
                yield f"{module}::{name}", test


def _left(walked: frozenset[str]) -> list[Command]:
    """Commands of blocks that nothing runs."""
    table = {(each.section, each.text) for each in UNRUNNABLE}
    return [
        each
        for each in commands()
        if each.section not in walked and (each.section, each.text) not in table
    ]


def test_every_command_of_a_block_is_run() -> None:
    """A walk runs all commands of its sections, so that a new one fails it; all are walked."""
    sections, _ = _walked()
    assert _left(sections) == []
    assert sections <= {each.section for each in commands()}


def test_without_a_walk_its_commands_are_missed() -> None:
    """The check above sees what it is to see."""
    sections, _ = _walked()
    missed = {each.section for each in _left(sections - {"docs/operations.md#Groups"})}
    assert missed == {"docs/operations.md#Groups"}


def test_every_command_in_a_sentence_is_run() -> None:
    """As it stands there, or as a part of one that is run."""
    _, spans = _walked()
    table = {each.text for each in UNRUNNABLE}
    known = [words(text) for text in (*spans, *table, *(each.text for each in commands()))]
    left = [each for each in mentions() if not any(words(each.text) <= one for one in known)]
    assert left == []


def test_the_table_is_short_and_says_what_is_on_the_pages() -> None:
    """No line is stale, and what is checked in its place is there."""
    in_blocks = {(each.section, each.text) for each in commands()}
    in_sentences = {("", each.text) for each in mentions()}
    for each in UNRUNNABLE:
        assert (each.section, each.text) in in_blocks | in_sentences, each
        file, _, name = each.instead.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(), each
        assert each.reason, each
    assert len(UNRUNNABLE) <= 21


def test_each_block_says_what_it_is() -> None:
    """A block without a word on its fence could hide a command."""
    for each in pages():
        assert {kind for _, kind, _ in blocks(each)} <= OTHERS | {SHELL}, each.name
