"""Patterns of a policy: read from text, checked to run in bounded time, compiled.

The writer of a policy may use ``{{name}}`` for a word list of the same file. Repetition without
an upper bound is refused: chat text is hostile, and a policy must not be able to stop capture.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

from bridge.errors import PolicyError

LONGEST_REPEAT = 200
"""The most times a pattern may repeat one character."""

_FENCE = (r"(?<!\w)(?:", r")(?!\w)")
_LISTED = "\x01"
_LIST = re.compile(r"\{\{([a-z_]+)\}\}")
_ESCAPED = re.compile(r"\\.")
_CLASS = re.compile(r"\[[^\]]*\]")
_COUNTED = re.compile(r"\{(\d*)(,?)(\d*)\}")


def word_list(words: tuple[str, ...]) -> str:
    """An alternation of plain words; ``*`` at the end of one stands for any ending."""
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return "(?:" + "|".join(_word(word) for word in longest_first) + ")"


def compile_pattern(
    sources: tuple[str, ...], lists: Mapping[str, str], *, where: str
) -> re.Pattern[str]:
    """Compile the alternatives ``sources``, which match whole words only.

    Raises PolicyError, naming ``where``, for a pattern that is wrong, slow or not lower-case.
    """
    for source in sources:
        _check_speed(source, where)
    whole = "|".join(_expand(source, lists, where) for source in sources)
    return _compiled(whole.join(_FENCE), where)


def _word(word: str) -> str:
    if word.endswith("*"):
        return re.escape(word[:-1]) + r"\w{0,12}"
    return re.escape(word)


def bare(pattern: re.Pattern[str]) -> str:
    """What stood in the policy, word lists put in, without the whole-word fence."""
    return pattern.pattern.removeprefix(_FENCE[0]).removesuffix(_FENCE[1])


def _expand(source: str, lists: Mapping[str, str], where: str) -> str:
    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name not in lists:
            raise PolicyError(
                f"{where}: there is no word list {name!r}",
                hint=f"Add {name} under [words], or correct the name in {where}.",
            )
        return lists[name]

    return _LIST.sub(replace, source)


def _check_speed(source: str, where: str) -> None:
    shape = _CLASS.sub("c", _ESCAPED.sub("e", _LIST.sub(_LISTED, source)))
    if any(character.isupper() for character in shape):
        raise PolicyError(
            f"{where}: the pattern has capital letters; text is matched in lower case",
            hint=f"Write {where} in lower case.",
        )
    if "*" in shape or "+" in shape:
        raise PolicyError(
            f"{where}: the pattern repeats without an upper bound",
            hint=f"In {where} write {{0,40}} for * and {{1,40}} for +.",
        )
    for match in _COUNTED.finditer(shape):
        upper = match[3] if match[2] else match[1]
        grouped = shape[: match.start()].endswith((")", _LISTED))
        if not upper or int(upper) > LONGEST_REPEAT or grouped:
            raise PolicyError(
                f"{where}: {match[0]} repeats too often, or repeats a group",
                hint=f"In {where} repeat single characters only, up to {LONGEST_REPEAT} times.",
            )


def _compiled(source: str, where: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = re.compile(source)
    except (re.error, Warning, OverflowError) as error:
        raise PolicyError(
            f"{where}: not a regular expression: {error}", hint=f"Correct the pattern in {where}."
        ) from error
    if compiled.search(""):
        raise PolicyError(
            f"{where}: the pattern matches nothing at all, so it would match every message",
            hint=f"Give {where} at least one word that must stand in the text.",
        )
    return compiled
