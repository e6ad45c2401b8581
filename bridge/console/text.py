"""What strangers wrote, safe to look at: text as text, nothing hidden, nothing that acts. Pure.

Characters that show nothing, or turn the direction of what follows them, are shown by their number
and name. A link is text with its host beside it, and leads nowhere.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlsplit

from markupsafe import Markup, escape

LONGEST = 100_000
"""Characters of one text that a page shows; the raw source has all of it."""

_LINK = re.compile(r"\b(?:https?|ftp|file|data|javascript)://?[^\s<>\"']+", re.IGNORECASE)
_PLAIN = frozenset("\n\t ")
_HIDDEN = frozenset("\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
"""Letters and marks by their class, and blank to the eye."""

_JOINER = "\u200d"
_ODD = re.compile(r"[^\x20-\x7e\n\t\xa0-\xac\xae-\u02ff\u0400-\u0481]+")
"""Runs of what must be looked at one by one: all but what is plainly visible and common."""

LONGEST_NAME = 120
"""Characters of a file's name that we give on."""

_UNFIT = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
"""Characters that lead out of a folder, or that some system cannot have in a name."""

_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL"] + [f"{each}{n}" for each in ("COM", "LPT") for n in range(1, 10)]
)
_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,80}")
_ACTIVE = re.compile(r"(^|[;,|\t\r\n\"'])([ \xa0]*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a program may find a formula: at the start, or behind what it may take for a border."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text that gave a reason, by its characters, from ``start`` up to ``end``."""

    start: int
    end: int


def shown(text: str, reasons: Sequence[Span] = ()) -> Markup:
    """``text`` as safe markup, isolated from the direction of what stands around it.

    Parts that gave a reason are marked. A text of over ``LONGEST`` characters is cut, and says so.
    """
    kept = text[:LONGEST]
    parts = ["<bdi>"]
    for start, end, is_reason in _pieces(len(kept), _marked(len(kept), reasons)):
        if is_reason:
            parts.append('<mark class="muniment-reason">')
        parts += _linked(kept[start:end])
        if is_reason:
            parts.append("</mark>")
    parts.append("</bdi>")
    if len(text) > LONGEST:
        more = f"{len(text) - LONGEST:,}"
        parts.append(f'<p class="govuk-hint">{more} more characters are not shown; see the source.')
        parts.append("</p>")
    return _markup(parts)


@lru_cache(maxsize=2048)
def line(text: str | None, *, otherwise: str = "", longest: int = 200) -> Markup:
    """A name or title on one line."""
    if not text:
        return escape(otherwise)
    flat = text[: longest + 1].replace("\n", "\u2424").replace("\t", " ")
    cut = flat if len(text) <= longest else flat[:longest] + "…"
    return _markup(["<bdi>", *_visible(cut), "</bdi>"])


def _markup(parts: list[str]) -> Markup:
    """Parts as markup: each MUST be a literal of this module or come out of :func:`_safe`.

    Joined as plain strings, since a day has thousands of them.
    """
    return Markup("".join(parts))  # noqa: S704 - escaped part by part


def _safe(text: str) -> str:
    """The text with the five characters that mean something in markup escaped."""
    return html.escape(text, quote=True)


def _marked(size: int, reasons: Sequence[Span]) -> list[tuple[int, int]]:
    """Spans within the text, in order, joined where they overlap."""
    joined: list[tuple[int, int]] = []
    for span in sorted(reasons, key=lambda each: (each.start, each.end)):
        start, end = max(span.start, 0), min(span.end, size)
        if start >= end:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _pieces(size: int, marked: list[tuple[int, int]]) -> Iterator[tuple[int, int, bool]]:
    at = 0
    for start, end in marked:
        yield at, start, False
        yield start, end, True
        at = end
    yield at, size, False


def _linked(text: str) -> Iterator[str]:
    at = 0
    for match in _LINK.finditer(text):
        yield from _visible(text[at : match.start()])
        yield from _visible(match[0])
        yield ' <span class="govuk-hint muniment-host">(link to '
        yield line(_host(match[0]), otherwise="no host", longest=100)
        yield ", not followed)</span>"
        at = match.end()
    yield from _visible(text[at:])


def _host(link: str) -> str:
    """The host that a browser would go to, in the letters of its wire form."""
    try:
        host = urlsplit(link).hostname or ""
        return host.encode("idna").decode("ascii") if not host.isascii() else host
    except (UnicodeError, ValueError):
        return "a host that cannot be read"


def _visible(text: str) -> Iterator[str]:
    """The text escaped, with what cannot be seen made visible."""
    at = 0
    for run in _ODD.finditer(text):
        yield _safe(text[at : run.start()])
        yield from _each_visible(text, run.start(), run.end())
        at = run.end()
    yield _safe(text[at:])


def _each_visible(text: str, start: int, end: int) -> Iterator[str]:
    plain = start
    for i in range(start, end):
        char = text[i]
        if not _is_unseen(char) or (char == _JOINER and _joins(text, i)):
            continue
        yield _safe(text[plain:i])
        plain = i + 1
        name = _safe(unicodedata.name(char, "character without a name").lower())
        yield f'<span class="muniment-control" title="{name}">U+{ord(char):04X}</span>'
    yield _safe(text[plain:end])


def _is_unseen(char: str) -> bool:
    if char in _PLAIN:
        return False
    return char in _HIDDEN or unicodedata.category(char) in {
        "Cc",
        "Cf",
        "Cs",
        "Co",
        "Cn",
        "Zl",
        "Zp",
    }


def _joins(text: str, i: int) -> bool:
    """Whether a zero-width joiner stands between two symbols, as in a family of emoji."""
    before = text[i - 1 : i].strip("\ufe0f")
    around = (before or text[i - 2 : i - 1], text[i + 1 : i + 2])
    return all(unicodedata.category(each) in {"So", "Sk"} for each in around if each) and all(
        around
    )


def file_name(name: str | None, *, otherwise: str) -> str:
    """A name under which a stranger's file can be saved: no path, nothing unseen, no device."""
    cleaned = unicodedata.normalize("NFC", name or "")
    kept = "".join(
        "_" if _UNFIT.match(char) else char
        for char in cleaned
        if _UNFIT.match(char) or char == " " or not _is_unseen(char)
    )
    kept = kept.replace("\n", "_").replace("\t", "_").strip(" .")
    if len(kept) > LONGEST_NAME:
        head, dot, ending = kept.rpartition(".")
        short = ending if dot and len(ending) <= 10 else ""
        ending = f".{short}" if short else ""
        kept = (head if short else kept)[: LONGEST_NAME - len(ending)] + ending
    if not kept.strip("_. ") or kept.split(".", maxsplit=1)[0].upper().strip() in _DEVICES:
        return otherwise
    return kept


def disposition(name: str) -> str:
    """The header that has a browser save a file under ``name`` (RFC 6266, RFC 8187)."""
    plain = "".join(char if char.isascii() and char not in '"\\%;' else "_" for char in name)
    encoded = quote(name.encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def media_type(sniffed: str | None) -> str:
    """The type that we found, where it is one; never what a stranger declared."""
    return sniffed if sniffed and _TYPE.fullmatch(sniffed) else "application/octet-stream"


_LASTING = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def lasting(seconds: float) -> str:
    """A span of time in the largest unit of which it is a whole number."""
    for size, unit in _LASTING:
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:,.0f} {unit}{'s' if seconds > size else ''}"
    return f"{seconds:,.10g} second{'' if seconds == 1 else 's'}"


def cell(text: str) -> str:
    """A cell of a table for spreadsheets, in which nothing is taken for a formula.

    This alters the text wherever a program might begin a cell: such a table is no evidence.
    """
    safe = _ACTIVE.sub(lambda found: f"{found[0]}'", text.replace("\0", ""))
    return f"'{safe}" if safe[:1] in {"\t", "\r", "\n"} else safe
