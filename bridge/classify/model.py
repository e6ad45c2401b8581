"""The model: its two parts, the curve that makes its score a share, and the file it is kept in.

A file that is not what its name and digest promise is refused as a whole, so that no verdict can
carry the name of a model that did not give it.
"""

from __future__ import annotations

import hashlib
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import msgspec

from bridge.classify.features import BUCKETS
from bridge.classify.lines import HEADS, Lines
from bridge.classify.scene import ASSIGNS, REGISTER, WIDTH
from bridge.classify.trees import Forest, Tree
from bridge.errors import ConfigError

_FIRST_LINE = b"muniment significance model, format 1\n"
_MOST_BYTES = 64_000_000
_DIGITS = 6
_MAIL, _MEETING = 0.2, 0.4
"""Up to the first a conversation is judged like mail, from the second on like a meeting."""

_TASK = 0.5
"""The log-odds that a message in a meeting has at the least, if it has the form of a task given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """From the trees' log-odds to a share, by straight lines between ``knots`` (both rise)."""

    knots: tuple[tuple[float, float], ...]

    def share(self, odds: float) -> float:
        """How likely a message of these odds is significant; it rises wherever they do."""
        odds = min(max(odds, self.knots[0][0]), self.knots[-1][0])
        at = bisect_right(self.knots, (odds, 2.0))
        (low, start), (high, end) = self.knots[max(at - 1, 0)], self.knots[min(at, self._last)]
        if high == low:
            return round(start, _DIGITS)
        return round(start + (end - start) * (odds - low) / (high - low), _DIGITS)

    @property
    def _last(self) -> int:
        return len(self.knots) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model in force. Two with one ``label`` MUST be the same model.

    ``official`` and ``meeting`` are two sets of trees; how much a conversation reads like talk in
    a meeting says how much each of them counts.

    From ``capture_from`` on a message is captured, below ``discard_below`` it may be discarded
    where nothing speaks for it.
    """

    name: str
    version: str
    lines: Lines
    official: Forest
    meeting: Forest
    curve: Curve
    capture_from: float
    discard_below: float

    @property
    def label(self) -> str:
        """``name-version``, as every verdict carries it."""
        return f"{self.name}-{self.version}"

    def score(self, row: tuple[float, ...]) -> float:
        """How likely a message is significant, by the row that its scene gives."""
        return self.curve.share(self.odds(row))

    def odds(self, row: tuple[float, ...]) -> float:
        """The log-odds that a message is significant."""
        part = min(max((row[REGISTER] - _MAIL) / (_MEETING - _MAIL), 0.0), 1.0)
        found = self.official.value(row) if part < 1 else 0.0
        if part > 0:
            found += part * (self._in_meeting(row) - found)
        return found

    def _in_meeting(self, row: tuple[float, ...]) -> float:
        odds = self.meeting.value(row)
        return max(odds, _TASK) if row[ASSIGNS] else odds


class _TreeOut(msgspec.Struct, frozen=True):
    features: tuple[int, ...]
    limits: tuple[float, ...]
    lefts: tuple[int, ...]
    values: tuple[int, ...]


class _ForestOut(msgspec.Struct, frozen=True):
    start: int
    trees: tuple[_TreeOut, ...]


class _Header(msgspec.Struct, frozen=True):
    name: str
    version: str
    heads: tuple[str, ...]
    width: int
    units: tuple[float, ...]
    biases: tuple[float, ...]
    classes: dict[str, tuple[str, ...]]
    official: _ForestOut
    meeting: _ForestOut
    knots: tuple[tuple[float, float], ...]
    capture_from: float
    discard_below: float


def write_model(model: Model) -> bytes:
    """The file of ``model``: the same model gives the same bytes."""
    header = {
        "name": model.name,
        "version": model.version,
        "heads": HEADS,
        "width": WIDTH,
        "units": model.lines.units,
        "biases": model.lines.biases,
        "classes": dict(sorted(model.lines.classes.items())),
        "official": _trees_out(model.official),
        "meeting": _trees_out(model.meeting),
        "knots": model.curve.knots,
        "capture_from": model.capture_from,
        "discard_below": model.discard_below,
    }
    squares = model.lines.squares
    used = [at for at in range(BUCKETS) if squares[at]]
    width = len(HEADS)
    columns = b"".join(
        array("b", [model.lines.weights[at * width + head] for at in used]).tobytes()
        for head in range(width)
    )
    body = msgspec.json.encode(header) + b"\n" + squares + columns
    return _FIRST_LINE + zlib.compress(body, 9)


def _trees_out(forest: Forest) -> _ForestOut:
    return _ForestOut(
        start=forest.start,
        trees=tuple(_TreeOut(t.features, t.limits, t.lefts, t.values) for t in forest.trees),
    )


def digest(data: bytes) -> str:
    """The SHA-256 of a model's file, in hex."""
    return hashlib.sha256(data).hexdigest()


def read_model(data: bytes, *, sha256: str) -> Model:
    """The model in ``data``.

    Raises ConfigError where the digest is another, or the file is not of this format.
    """
    if digest(data) != sha256:
        raise ConfigError(
            "the model's file is not the one that its digest names",
            hint="Install the program again, or train the model again.",
        )
    try:
        return _parse(data)
    except (ValueError, IndexError, zlib.error, msgspec.MsgspecError) as error:
        raise ConfigError(
            f"the model's file cannot be read: {error}",
            hint="Install the program again, or train the model again.",
        ) from error


def _parse(data: bytes) -> Model:
    if not data.startswith(_FIRST_LINE):
        raise ValueError("another format")
    unpacking = zlib.decompressobj()
    body = unpacking.decompress(data[len(_FIRST_LINE) :], _MOST_BYTES)
    first, _, rest = body.partition(b"\n")
    header = msgspec.json.decode(first, type=_Header)
    if header.heads != HEADS or header.width != WIDTH:
        raise ValueError("made for another version of the program")
    if len(header.units) != len(HEADS) or len(header.biases) != len(HEADS):
        raise ValueError("heads without units")
    _check_curve(header.knots)
    return Model(
        name=header.name,
        version=header.version,
        lines=_lines(header, rest),
        official=_forest(header.official),
        meeting=_forest(header.meeting),
        curve=Curve(knots=header.knots),
        capture_from=header.capture_from,
        discard_below=header.discard_below,
    )


def _lines(header: _Header, rest: bytes) -> Lines:
    squares, columns = rest[:BUCKETS], rest[BUCKETS:]
    used = [at for at, square in enumerate(squares) if square]
    width = len(HEADS)
    if len(squares) != BUCKETS or len(columns) != len(used) * width:
        raise ValueError("a table of another size")
    rows = array("b", bytes(len(used) * width))
    for head in range(width):
        rows[head::width] = array("b", columns[head * len(used) : (head + 1) * len(used)])
    weights = array("b", bytes(BUCKETS * width))
    for row, at in enumerate(used):
        weights[at * width : (at + 1) * width] = rows[row * width : (row + 1) * width]
    classes: Mapping[str, tuple[str, ...]] = header.classes
    return Lines(
        weights=weights,
        squares=squares,
        units=header.units,
        biases=header.biases,
        classes=classes,
    )


def _forest(found: _ForestOut) -> Forest:
    trees = tuple(Tree(t.features, t.limits, t.lefts, t.values) for t in found.trees)
    for tree in trees:
        _check_tree(tree)
    return Forest(start=found.start, trees=trees)


def _check_tree(tree: Tree) -> None:
    """Refuse what would loop for ever or point outside."""
    size = len(tree.features)
    if not size or not size == len(tree.limits) == len(tree.lefts) == len(tree.values):
        raise ValueError("a tree of another shape")
    for node, feature in enumerate(tree.features):
        if feature >= ASSIGNS or (feature >= 0 and not node < tree.lefts[node] < size - 1):
            raise ValueError("a tree that leads nowhere")


def _check_curve(knots: tuple[tuple[float, float], ...]) -> None:
    if len(knots) < 2 or any(a[0] >= b[0] or a[1] >= b[1] for a, b in pairwise(knots)):
        raise ValueError("a curve that does not rise")
