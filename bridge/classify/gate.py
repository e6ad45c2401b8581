"""Which patterns are worth trying on a text: a cheap check before the costly ones.

From each pattern come short pieces of which one must stand in any text that it matches. One pass
over the text then says which patterns cannot match. Where no such piece can be told, the pattern
is always tried: a gate MUST NOT hide a match.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_COMMONEST = " etaoinshrdlucmfwypgbvk"
_SIZES = (3, 5)
_SHORT, _LONG = _SIZES[0], _SIZES[-1]
_CLASSES = frozenset("wWdDsSbB")


@dataclass(frozen=True, slots=True)
class Gate:
    """Short pieces by their size, each with the patterns (bits) that it admits."""

    shelves: tuple[tuple[int, dict[str, int]], ...]
    always: int

    @classmethod
    def of(cls, sources: Iterable[str]) -> Gate:
        """A gate whose bit ``i`` stands for the ``i``-th of ``sources``."""
        shelves: dict[int, dict[str, int]] = {size: {} for size in _SIZES}
        always = 0
        for position, source in enumerate(sources):
            bit = 1 << position
            pieces = _Parser(source).pieces()
            if pieces is None:
                always |= bit
                continue
            for literal in pieces:
                size = max(size for size in _SIZES if size <= len(literal))
                piece = _rarest(literal, size)
                shelves[size][piece] = shelves[size].get(piece, 0) | bit
        return cls(tuple(shelves.items()), always)

    def admits(self, text: str) -> int:
        """The patterns that may match ``text``, as bits."""
        bits = self.always
        for size, shelf in self.shelves:
            shifted = (text[at:] for at in range(size))
            for piece in shelf.keys() & set(map("".join, zip(*shifted, strict=False))):
                bits |= shelf[piece]
        return bits


def _rarest(literal: str, size: int) -> str:
    windows = [literal[at : at + size] for at in range(len(literal) - size + 1)]
    return max(windows, key=lambda window: sum(_rarity(c) for c in window))


def _rarity(character: str) -> int:
    at = _COMMONEST.find(character)
    return len(_COMMONEST) if at < 0 else at


class _Parser:
    """Reads the subset of regular expressions that policies are written in."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._beyond = False

    def pieces(self) -> frozenset[str] | None:
        """Literals of which at least one stands in every match, or None if that is unsure."""
        found = self._alternatives()
        if self._beyond or self._at < len(self._source):
            return None
        return found

    def _alternatives(self) -> frozenset[str] | None:
        branches = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            branches.append(self._sequence())
        known = [branch for branch in branches if branch is not None]
        return frozenset().union(*known) if len(known) == len(branches) else None

    def _sequence(self) -> frozenset[str] | None:
        candidates: list[frozenset[str]] = []
        run = ""
        while self._peek() not in {"", "|", ")"}:
            literal, inner = self._atom()
            optional = self._quantifier()
            if literal and not optional:
                run += literal
                continue
            candidates.append(frozenset({run}))
            run = ""
            if inner is not None and not optional:
                candidates.append(inner)
        candidates.append(frozenset({run}))
        useful = [c for c in candidates if min(map(len, c)) >= _SHORT]
        return max(useful, key=_usefulness) if useful else None

    def _atom(self) -> tuple[str, frozenset[str] | None]:
        character = self._source[self._at]
        self._at += 1
        if character == "(":
            return "", self._group()
        if character == "[":
            end = self._source.find("]", self._at + 1)
            self._at = end + 1 if end >= 0 else len(self._source)
            return "", None
        if character == "\\":
            escaped = self._peek()
            self._at += 1
            self._beyond |= escaped.isalnum() and escaped not in _CLASSES
            return ("", None) if escaped.isalnum() else (escaped, None)
        return ("", None) if character in ".^$" else (character, None)

    def _group(self) -> frozenset[str] | None:
        if self._source.startswith("?:", self._at):
            self._at += 2
        elif self._peek() == "?":
            self._beyond = True  # a look-around or a flag: leave the pattern ungated
        inner = self._alternatives()
        self._at += 1
        return inner

    def _quantifier(self) -> bool:
        """Pass over a quantifier. Whether what stands before it is no fixed single character."""
        found = self._peek()
        if found == "{":
            end = self._source.find("}", self._at)
            self._at = end + 1 if end >= 0 else len(self._source)
        elif found and found in "?*+":
            self._at += 1
        else:
            return False
        if self._peek() == "?":
            self._at += 1
        return True

    def _peek(self) -> str:
        return self._source[self._at : self._at + 1]


def _usefulness(literals: frozenset[str]) -> tuple[int, int]:
    shortest = min(map(len, literals))
    return min(shortest, _LONG), -len(literals)
