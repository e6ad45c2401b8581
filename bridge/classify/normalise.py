"""How a body is read: folded for matching, with the way back to the original offsets.

Reasons quote the original text, so every folded character remembers where it came from.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from bridge.model import Reason

_UNTIDY = re.compile(r"[^\n\x20-\x7e]|[\n ][\n ]|\A[\n ]|[\n ]\Z")
_FOLD = {
    "\u2018": "'",
    "\u2019": "'",
    "\u201b": "'",
    "\u02bc": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u2010": "-",
    "\u2011": "-",
    "\u2012": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u2015": "-",
    "\u2212": "-",
}
_DECORATION = frozenset(["\ufe0e", "\ufe0f", "\u20e3", *map(chr, range(0x1F3FB, 0x1F400))])
_HIDING = frozenset(map(chr, [0, 0xFFFD, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]))
_LONGEST_CLUSTER = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A body as the patterns see it.

    ``cased`` keeps letter case and line ends (markings need both); ``text`` is lower-case with
    single spaces and has the same length. ``complete`` is False where the middle was not read;
    ``damaged`` where characters were lost or hidden (NUL, lone surrogates, bidi controls).
    ``admitted``: the patterns of the policy that may match, as bits; all, where no gate was asked.
    """

    body: str
    cased: str
    text: str
    starts: tuple[int, ...] | None = None
    ends: tuple[int, ...] | None = None
    complete: bool = True
    damaged: bool = False
    admitted: int = -1

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in ``body`` of the folded characters ``start`` to ``end``."""
        if start >= end:
            return (0, 0)
        if self.starts is None or self.ends is None:
            return (start, end)
        return (self.starts[start], self.ends[end - 1])

    def reason(self, code: str, rule: str, start: int = 0, end: int = 0) -> Reason:
        """A reason that quotes the original text between two folded offsets."""
        first, last = self.span(start, end)
        return Reason(code=code, rule=rule, start=first, end=last, text=self.body[first:last])


def read(body: str, *, longest: int) -> Reading:
    """Fold ``body``. Of one longer than ``longest`` characters only head and tail are read."""
    if len(body) <= longest and not _UNTIDY.search(body):
        return Reading(body=body, cased=body, text=body.replace("\n", " ").lower())
    return _Folding(body).reading(longest)


class _Folding:
    """One pass over a body that is not plain ASCII, or not tidy, or too long."""

    def __init__(self, body: str) -> None:
        self._body = body
        self._cased: list[str] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._damaged = False

    def reading(self, longest: int) -> Reading:
        """Fold head and tail, or everything."""
        size = len(self._body)
        complete = size <= longest
        if complete:
            self._fold(0, size)
        else:
            half = longest // 2
            self._fold(0, half)
            self._space("\n", half, half + 1)
            self._fold(size - half, size)
        self._trim()
        cased = "".join(self._cased)
        return Reading(
            body=self._body,
            cased=cased,
            text="".join(map(_lower, cased)),
            starts=tuple(self._starts),
            ends=tuple(self._ends),
            complete=complete,
            damaged=self._damaged,
        )

    def _fold(self, first: int, last: int) -> None:
        for start, end in _clusters(self._body, first, last):
            for character in unicodedata.normalize("NFKC", self._body[start:end]):
                self._put(character, start, end)

    def _put(self, character: str, start: int, end: int) -> None:
        if character.isspace():
            self._space("\n" if character in "\n\r\u2028\u2029" else " ", start, end)
            return
        if character in _DECORATION:
            return
        if character in _HIDING or unicodedata.category(character) == "Cs":
            self._damaged = True
            return
        if unicodedata.category(character) in {"Cc", "Cf"}:
            return
        self._cased.append(_FOLD.get(character, character))
        self._starts.append(start)
        self._ends.append(end)

    def _space(self, character: str, start: int, end: int) -> None:
        if not self._cased:
            return
        if self._cased[-1] in " \n":
            if character == "\n":
                self._cased[-1] = "\n"
            self._ends[-1] = end
            return
        self._cased.append(character)
        self._starts.append(start)
        self._ends.append(end)

    def _trim(self) -> None:
        if self._cased and self._cased[-1] in " \n":
            del self._cased[-1], self._starts[-1], self._ends[-1]


def _lower(character: str) -> str:
    lowered = character.lower()
    if len(lowered) != 1:
        return character
    return " " if lowered == "\n" else lowered


def _clusters(body: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    """A character with its combining marks. Short, since NFKC sorts marks in quadratic time."""
    start = first
    while start < last:
        end = start + 1
        while end < last and end - start < _LONGEST_CLUSTER and unicodedata.combining(body[end]):
            end += 1
        yield start, end
        start = end
