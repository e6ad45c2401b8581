"""Reading leaves: each line strictly, into dense tables, and what only lines can contradict."""

from __future__ import annotations

from array import array
from binascii import unhexlify
from collections.abc import Sequence
from dataclasses import dataclass, field

from storage.translog.verify.codes import Code
from storage.translog.verify.lines import PATTERNS, LeafError, integer, matched, milliseconds
from storage.translog.verify.report import Gathering
from storage.translog.verify.table import (
    KINDS,
    NONE,
    OTHER,
    OUTCOMES,
    PLACED,
    RESTRICTED,
    SEEN,
    STORED,
    UNKNOWN,
    LeafTable,
    PlacedTable,
    SeenTable,
)

_SEEN_LINE = PATTERNS["seen"].fullmatch
_STORED_LINE = PATTERNS["stored"].fullmatch
_OUTCOME = {name.encode(): number for number, name in enumerate(OUTCOMES)}
_NUMBERS: tuple[str, ...] = ("ref", "ms", "total", "size", "after")
_STORED_KIND = KINDS.index("stored")


@dataclass(slots=True)
class StreamLeaves:
    """What the log says of one stream. ``ns`` and ``leaves`` run side by side."""

    id: str
    ns: array[int] = field(default_factory=lambda: array("q"))
    leaves: array[int] = field(default_factory=lambda: array("I"))
    opened: list[int] = field(default_factory=list)
    closed: list[tuple[int, int]] = field(default_factory=list)


class Leaves:
    """The log as its leaves tell it. Findings go where :attr:`found` gathers them.

    ``bounds``: stream and total by the row of an `open` or `close`; ``anchor_sizes`` by the row of
    an `anchor`; ``next_keys``: the `key` leaves with their keys; ``gaps``: stream and number.
    """

    def __init__(self, found: Gathering) -> None:
        self.found = found
        self.table = LeafTable()
        self.seen = SeenTable()
        self.placed = PlacedTable()
        self.streams: list[StreamLeaves] = []
        self.gaps: set[tuple[int, int]] = set()
        self.next_keys: list[tuple[int, str]] = []
        self.anchor_sizes: dict[int, int] = {}
        self.bounds: dict[int, tuple[str, int | None]] = {}
        self._streams_by_name: dict[bytes, int] = {}
        self._second = b""
        self._second_ms = 0

    def extend(self, entries: Sequence[bytes]) -> None:
        """The next entries of the log."""
        for line in entries:
            index = len(self.table)
            try:
                if match := _SEEN_LINE(line):
                    self._seen(index, match.groups())
                elif match := _STORED_LINE(line):
                    self._stored(index, match.groups())
                else:
                    self._other(index, line)
            except LeafError as error:
                self.table.add(UNKNOWN, NONE)
                what = f"Leaf {index} is not a leaf: {error}."
                self.found.add(Code.LEAF_MALFORMED, what, leaf=index)

    def stream_number(self, name: bytes) -> int:
        """The number of a stream, by its name; a new one where it has none."""
        number = self._streams_by_name.get(name)
        if number is None:
            number = self._streams_by_name[name] = len(self.streams)
            self.streams.append(StreamLeaves(name.decode()))
        return number

    def stream_named(self, name: str) -> int | None:
        """The number of a stream that the log knows."""
        return self._streams_by_name.get(name.encode())

    def _time(self, text: bytes) -> int:
        """Milliseconds since 1970; leaves written within one second are read once."""
        if text[:19] != self._second:
            self._second_ms = milliseconds(text) // 1000 * 1000
            self._second = text[:19]
        return self._second_ms + int(text[20:23])

    def _seen(self, index: int, fields: tuple[bytes, ...]) -> None:
        outcome, _, digest, _, n, stream, time, restricted = fields
        at, number = self._time(time), integer(n)
        stream_number = self.stream_number(stream)
        row = self.seen.add(
            leaf=index,
            stream=stream_number,
            n=number,
            digest=unhexlify(digest),
            outcome=_OUTCOME[outcome],
            flags=RESTRICTED if restricted else 0,
        )
        leaves = self.streams[stream_number]
        leaves.ns.append(number)
        leaves.leaves.append(index)
        self.table.add(SEEN, at, row)

    def _stored(self, index: int, fields: tuple[bytes, ...]) -> None:
        _, digest, place, ref, until, time = fields
        at = self._time(time)
        kept = milliseconds(until) if until else NONE
        seen = self._ref("stored", index, integer(ref))
        stands = unhexlify(digest)
        row = self.placed.add(
            leaf=index,
            kind=_STORED_KIND,
            place=unhexlify(place),
            digest=stands,
            seen=seen,
            before=NONE if seen == NONE else self.seen.stored[seen],
            until=kept,
        )
        self.table.add(STORED, at, row)
        if seen == NONE:
            return
        self.seen.stored[seen] = row
        if self.seen.digest_of(seen) != stands:
            what = f"Leaf {index} says that other bytes were stored than leaf {int(ref)} saw."
            self.found.add(Code.STORED_MISMATCH, what, leaf=index)

    def _ref(self, kind: str, index: int, ref: int) -> int:
        """The row of the seen leaf that a leaf refers to, or NONE."""
        row = self.table.seen_row(ref, before=index)
        if row == NONE:
            what = f"Leaf {index} ({kind}) refers to leaf {ref}, which is no earlier seen leaf."
            self.found.add(Code.REF_INVALID, what, leaf=index)
        return row

    def _other(self, index: int, line: bytes) -> None:
        kind, fields = matched(line)
        at = self._time(fields["t"])
        numbers = {name: integer(fields[name]) for name in _NUMBERS if name in fields}
        for name in ("from", "to"):
            if name in fields:
                milliseconds(fields[name])
        seen = self._ref(kind, index, numbers["ref"]) if "ref" in numbers else NONE
        if kind == "decision" and seen != NONE:
            self.seen.decide(seen, _OUTCOME[fields["c"]], index)
        if "p" in fields:
            self._place(index, kind, fields, seen)
            self.table.add(PLACED, at, len(self.placed) - 1)
        else:
            self.table.add(OTHER, at)
        self._note(index, kind, fields, numbers)

    def _place(self, index: int, kind: str, fields: dict[str, bytes], seen: int) -> None:
        self.placed.add(
            leaf=index,
            kind=KINDS.index(kind),
            place=unhexlify(fields["p"]),
            digest=unhexlify(fields["o"]),
            seen=seen,
        )

    def _note(
        self, index: int, kind: str, fields: dict[str, bytes], numbers: dict[str, int]
    ) -> None:
        """What a kind says beyond its place."""
        match kind:
            case "gap":
                self.gaps.add((self.stream_number(fields["s"]), numbers["after"]))
            case "open":
                stream = self.streams[self.stream_number(fields["s"])]
                stream.opened.append(index)
                self.bounds[len(self.placed) - 1] = (stream.id, None)
            case "close":
                stream = self.streams[self.stream_number(fields["s"])]
                stream.closed.append((index, numbers["total"]))
                self.bounds[len(self.placed) - 1] = (stream.id, numbers["total"])
            case "anchor":
                self.anchor_sizes[len(self.placed) - 1] = numbers["size"]
            case "key":
                self.next_keys.append((index, fields["key"].decode()))

    def settle(self) -> None:
        """After the last leaf: find the objects that two leaves name."""
        self.placed.settle()
        placed = self.placed
        for row, other in placed.repeated():
            again = (
                placed.kind[row] == placed.kind[other] == _STORED_KIND
                and placed.seen[row] == placed.seen[other]
                and placed.digest_of(row) == placed.digest_of(other)
            )
            if not again:
                first, second = sorted((placed.leaf[row], placed.leaf[other]))
                what = f"Leaves {first} and {second} name one object."
                self.found.add(Code.LEAF_REPEATED, what, leaf=second)
