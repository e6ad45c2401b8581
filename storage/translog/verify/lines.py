"""The lines of the log, byte for byte: which bytes a leaf of each kind may have. Pure.

Each kind is one pattern over the whole line, with its fields in their canonical order, so that a
match is at once the proof that the line is RFC 8785 JSON with exactly the fields of its kind.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TypeAlias

from storage.translog.malformed import MalformedError

LARGEST_INTEGER = 2**53 - 1
_HEX64 = '"([0-9a-f]{64})"'
_TIME = r'"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z)"'
_NUMBER = "(0|[1-9][0-9]{0,15})"
_PLAIN = '"([ !#-\\[\\]-~]{1,512})"'
_TEXT = r'"((?:[^"\\\x00-\x1f]|\\["\\bfnrt]|\\u00(?:0[0-7bef]|1[0-9a-f]))*)"'
_STREAM = '"([0-9a-f]{16})"'
_OUTCOME = '"(capture|review|discard)"'

Shape: TypeAlias = dict[str, str]
"""Fields of a kind and the pattern of each; a name that ends in ``?`` may be absent."""

_PLACED: Shape = {"p": _HEX64, "o": _HEX64}
_IN_STREAM: Shape = {**_PLACED, "s": _STREAM}
SHAPES: dict[str, Shape] = {
    "seen": {
        "s": _STREAM,
        "n": _NUMBER,
        "d": _HEX64,
        "c": _OUTCOME,
        "cl": _PLAIN,
        "x?": '"(restricted)"',
    },
    "stored": {"ref": _NUMBER, "o": _HEX64, "p": _HEX64, "ret?": _TIME},
    "decision": {
        "ref": _NUMBER,
        "c": _OUTCOME,
        "cl": _PLAIN,
        "by": '"(policy|person|calibration)"',
        "p?": _HEX64,
        "o?": _HEX64,
    },
    "gap": {
        "s": _STREAM,
        "after": f"(-1|{_NUMBER[1:]}",
        "why": _TEXT,
        "from?": _TIME,
        "to?": _TIME,
    },
    "late": {"ref": _NUMBER, "ms": _NUMBER},
    "manifest": _PLACED,
    "open": _IN_STREAM,
    "close": {**_IN_STREAM, "total": _NUMBER},
    "step": _PLACED,
    "notice": _PLACED,
    "hold": _PLACED,
    "release": _PLACED,
    "audit": _PLACED,
    "dispose": _PLACED,
    "anchor": {**_PLACED, "size": _NUMBER},
    "key": {"key": _PLAIN},
}
"""Every kind of leaf with its own fields; all have ``v`` 1 and ``t`` besides."""


class LeafError(MalformedError):
    """A line is not a leaf. The message says why."""


def _pattern(kind: str, shape: Shape) -> re.Pattern[bytes]:
    fields = {**shape, "k": f'"({kind})"', "t": _TIME, "v": "1"}
    parts: list[str] = []
    for name in sorted(fields, key=lambda each: each.rstrip("?")):
        plain = name.rstrip("?")
        value = re.sub(r"^(\"?)\((?!\?)", rf"\1(?P<{plain}>", fields[name], count=1)
        comma = "," if parts else ""
        part = f'{comma}"{plain}":{value}'
        parts.append(f"(?:{part})?" if name.endswith("?") else part)
    return re.compile(rf"\{{{''.join(parts)}\}}".encode())


PATTERNS = {kind: _pattern(kind, shape) for kind, shape in SHAPES.items()}
"""The whole line of each kind."""

_KIND = re.compile(rb'"k":"([a-z]+)"')


def matched(line: bytes) -> tuple[str, dict[str, bytes]]:
    """The kind of a line and its fields as they stand there; absent ones are left out.

    Raises:
        LeafError: it is no leaf.
    """
    for found in _KIND.finditer(line):
        pattern = PATTERNS.get(found[1].decode())
        match = pattern.fullmatch(line) if pattern is not None else None
        if match is not None:
            fields = {name: value for name, value in match.groupdict().items() if value is not None}
            _check(fields)
            return found[1].decode(), fields
    raise LeafError(_what_is_wrong(line))


def milliseconds(text: bytes) -> int:
    """Milliseconds since 1970 of a time as leaves have it.

    Raises:
        LeafError: there is no such time.
    """
    try:
        moment = datetime.fromisoformat(text.decode())
    except ValueError:
        raise LeafError(f"{text.decode()} is no time") from None
    return round(moment.timestamp() * 1000)


def integer(text: bytes) -> int:
    """A number as leaves have it.

    Raises:
        LeafError: JSON cannot carry it exactly.
    """
    value = int(text)
    if value > LARGEST_INTEGER:
        raise LeafError(f"{value} is too large a number")
    return value


def _check(fields: dict[str, bytes]) -> None:
    if "why" in fields:
        try:
            fields["why"].decode()
        except UnicodeDecodeError:
            raise LeafError("it is not UTF-8") from None
    if "by" in fields:
        by_person = fields["by"] == b"person"
        if ("p" in fields) != by_person or ("o" in fields) != by_person:
            raise LeafError("p and o stand in decisions of a person, and only there")


def _what_is_wrong(line: bytes) -> str:
    """Said of a line that fits no kind."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return "it is not JSON"
    if not isinstance(document, dict):
        return "it is no JSON object"
    kind = document.get("k")
    if not isinstance(kind, str) or kind not in SHAPES:
        return "its kind is unknown"
    names = {*(name.rstrip("?") for name in SHAPES[kind]), "k", "t", "v"}
    if unknown := sorted(set(document) - names):
        return f"a {kind} has no field {unknown[0]!r}"
    wanted = {name for name in SHAPES[kind] if not name.endswith("?")} | {"t", "v"}
    if missing := sorted(wanted - set(document)):
        return f"a {kind} needs the field {missing[0]!r}"
    return f"a field of this {kind} has a wrong value, or its JSON is not canonical"
