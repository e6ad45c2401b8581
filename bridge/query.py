"""What people type into the search, understood: words, phrases, prefixes, AND, OR, NOT. Pure.

Grammar, loosest first: ``OR`` between alternatives, then what stands side by side or with ``AND``
between (all of them), then ``NOT`` or a leading ``-`` (without it). Parentheses group. The three
words count only in capitals. ``word*`` finds every word that begins so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

LONGEST = 1000
"""Characters of a query. A person does not type more; a program asks by filters."""

DEEPEST = 20
LEAST_BEGINNING = 2
"""Letters before a ``*``: with one, half of all words begin so."""

_TOKEN = re.compile(
    r"""\s*(?: (?P<open>\() | (?P<close>\)) | (?P<minus>-)(?=["(\w])
        | "(?P<phrase>[^"]*)"(?P<many>\*)? | (?P<word>[^\s()"]+) )""",
    re.VERBOSE,
)
_LETTER = re.compile(r"\w")


class QueryError(ValueError):
    """A query that cannot be understood. The text says what and where, for whoever typed it."""


@dataclass(frozen=True, slots=True)
class Words:
    """Words that stand side by side, in this order. ``begins``: the last may go on."""

    text: str
    begins: bool = False


@dataclass(frozen=True, slots=True)
class Every:
    """All of ``wanted``, and none of ``unwanted``. At least one is wanted."""

    wanted: tuple[Query, ...]
    unwanted: tuple[Query, ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of these."""

    choices: tuple[Query, ...]


Query: TypeAlias = Words | Every | Either


def parse_query(text: str) -> Query | None:
    """The query that ``text`` means; None where it asks for nothing.

    Raises:
        QueryError: it cannot be understood.
    """
    if len(text) > LONGEST:
        raise QueryError(f"The search has {len(text)} characters; the most is {LONGEST}.")
    text = text.replace("\0", " ")
    if text.count('"') % 2:
        raise QueryError("A quotation mark is missing: a phrase needs one at each end.")
    reader = _Reader(_tokens(text))
    if reader.ended():
        return None
    found = reader.either(0)
    if not reader.ended():
        raise QueryError("A closing bracket has no opening one.")
    return found


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str = ""
    begins: bool = False


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    for match in _TOKEN.finditer(text):
        if match["open"] or match["close"]:
            found.append(_Token(match[0].strip()))
        elif match["minus"]:
            found.append(_Token("NOT"))
        elif match["phrase"] is not None:
            if _LETTER.search(match["phrase"]):
                found.append(_Token("words", match["phrase"].strip(), bool(match["many"])))
        elif match["word"] in {"AND", "OR", "NOT"}:
            found.append(_Token(match["word"]))
        elif _LETTER.search(match["word"]):
            word = match["word"]
            found.append(_Token("words", word.rstrip("*"), word.endswith("*")))
    return found


class _Reader:
    """Reads tokens by the grammar, each from left to right once."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def ended(self) -> bool:
        return self._at >= len(self._tokens)

    def _next(self) -> str:
        return "" if self.ended() else self._tokens[self._at].kind

    def _take(self, kind: str) -> bool:
        if self._next() != kind:
            return False
        self._at += 1
        return True

    def either(self, depth: int) -> Query:
        if depth > DEEPEST:
            raise QueryError(f"Brackets stand inside brackets more than {DEEPEST} deep.")
        choices = [self._every(depth)]
        while self._take("OR"):
            choices.append(self._every(depth))
        return choices[0] if len(choices) == 1 else Either(tuple(choices))

    def _every(self, depth: int) -> Query:
        wanted: list[Query] = []
        unwanted: list[Query] = []
        joined = True
        while self._next() not in {"", "OR", ")"}:
            if self._take("AND"):
                if joined:
                    raise QueryError("AND needs something on both sides.")
                joined = True
                continue
            (unwanted if self._take("NOT") else wanted).append(self._one(depth))
            joined = False
        if joined and (wanted or unwanted):
            raise QueryError("AND needs something on both sides.")
        if not wanted and unwanted:
            raise QueryError("NOT takes away from what is found: say also what to look for.")
        if not wanted:
            raise QueryError("OR and brackets need something to look for on each side.")
        return (
            wanted[0]
            if len(wanted) == 1 and not unwanted
            else Every(tuple(wanted), tuple(unwanted))
        )

    def _one(self, depth: int) -> Query:
        if self._take("("):
            found = self.either(depth + 1)
            if not self._take(")"):
                raise QueryError("An opening bracket has no closing one.")
            return found
        if self._next() != "words":
            raise QueryError("NOT needs something after it.")
        token = self._tokens[self._at]
        self._at += 1
        if token.begins and len(token.text) < LEAST_BEGINNING:
            raise QueryError(f"{token.text}* finds too much: give at least two letters.")
        return Words(token.text, token.begins)
