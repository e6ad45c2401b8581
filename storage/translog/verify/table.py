"""The leaves of a log in dense arrays: a million of them in a hundred megabytes."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise

NONE = -1
UNKNOWN, OTHER, SEEN, STORED, PLACED = range(5)
"""What a leaf is to the table. ``PLACED`` is any kind that names an object, but ``stored``."""

KINDS = (
    "stored",
    "decision",
    "manifest",
    "open",
    "close",
    "step",
    "notice",
    "hold",
    "release",
    "audit",
    "dispose",
    "anchor",
)
"""Kinds that name an object; a placed row has its number here."""

OUTCOMES = ("capture", "review", "discard")
CAPTURE, REVIEW, DISCARD = range(3)
RESTRICTED = 1
DIGEST = 32


class LeafTable:
    """Every leaf by its index: what it is, when it was written, and its row of its kind."""

    def __init__(self) -> None:
        self.what = bytearray()
        self.times = array("q")
        self.rows = array("I")
        self.newest = NONE

    def __len__(self) -> int:
        return len(self.what)

    def add(self, what: int, time: int, row: int = 0) -> None:
        """Append a leaf."""
        self.what.append(what)
        self.times.append(time)
        self.rows.append(row)
        self.newest = max(self.newest, time)

    def seen_row(self, index: int, *, before: int) -> int:
        """The row of the ``seen`` leaf at ``index``, if it stands before ``before``; or NONE."""
        if index < before and self.what[index] == SEEN:
            return self.rows[index]
        return NONE


class SeenTable:
    """The ``seen`` leaves.

    ``outcome`` is that of the latest decision, which stands at leaf ``since``; ``held`` are all it
    ever had, a bit each.
    """

    def __init__(self) -> None:
        self.leaf = array("I")
        self.stream = array("I")
        self.n = array("q")
        self.digest = bytearray()
        self.outcome = bytearray()
        self.since = array("I")
        self.held = bytearray()
        self.flags = bytearray()
        self.stored = array("i")

    def __len__(self) -> int:
        return len(self.leaf)

    def add(
        self, *, leaf: int, stream: int, n: int, digest: bytes, outcome: int, flags: int
    ) -> int:
        """Append a row; gives its number."""
        self.leaf.append(leaf)
        self.stream.append(stream)
        self.n.append(n)
        self.digest += digest
        self.outcome.append(outcome)
        self.since.append(leaf)
        self.held.append(1 << outcome)
        self.flags.append(flags)
        self.stored.append(NONE)
        return len(self.leaf) - 1

    def digest_of(self, row: int) -> bytes:
        """``d`` of a row."""
        return bytes(self.digest[row * DIGEST : row * DIGEST + DIGEST])

    def decide(self, row: int, outcome: int, leaf: int) -> None:
        """The decision at ``leaf`` changed the outcome."""
        self.outcome[row] = outcome
        self.since[row] = leaf
        self.held[row] |= 1 << outcome


class PlacedTable:
    """What leaves say stands in the store: the digest of the key, that of the bytes, how long.

    ``seen`` is the row of the seen leaf that a ``stored`` or ``decision`` refers to, or NONE;
    ``before`` chains the ``stored`` rows of one seen leaf, newest first. ``until`` is in
    milliseconds since 1970, or NONE.
    """

    def __init__(self) -> None:
        self.leaf = array("I")
        self.kind = bytearray()
        self.seen = array("i")
        self.before = array("i")
        self.place = bytearray()
        self.digest = bytearray()
        self.until = array("q")
        self.found = bytearray()
        self._prefixes = array("Q")
        self._order = array("I")

    def __len__(self) -> int:
        return len(self.leaf)

    def add(
        self,
        *,
        leaf: int,
        kind: int,
        place: bytes,
        digest: bytes,
        seen: int = NONE,
        before: int = NONE,
        until: int = NONE,
    ) -> int:
        """Append a row; gives its number."""
        self.leaf.append(leaf)
        self.kind.append(kind)
        self.seen.append(seen)
        self.before.append(before)
        self.place += place
        self.digest += digest
        self.until.append(until)
        self.found.append(0)
        return len(self.leaf) - 1

    def place_of(self, row: int) -> bytes:
        """``p`` of a row."""
        return bytes(self.place[row * DIGEST : row * DIGEST + DIGEST])

    def digest_of(self, row: int) -> bytes:
        """``o`` of a row."""
        return bytes(self.digest[row * DIGEST : row * DIGEST + DIGEST])

    def kind_of(self, row: int) -> str:
        """The kind of leaf."""
        return KINDS[self.kind[row]]

    def settle(self) -> None:
        """Make rows findable by their place. To be called once, after the last row."""
        place = self.place
        heads = array(
            "Q", (int.from_bytes(place[at : at + 8], "big") for at in range(0, len(place), DIGEST))
        )
        self._order = array("I", sorted(range(len(heads)), key=heads.__getitem__))
        self._prefixes = array("Q", (heads[row] for row in self._order))

    def at(self, place: bytes) -> tuple[int, ...]:
        """The rows that name this place, in the order of their leaves."""
        head = int.from_bytes(place[:8], "big")
        prefixes, order = self._prefixes, self._order
        at = bisect_left(prefixes, head)
        rows: tuple[int, ...] = ()
        while at < len(prefixes) and prefixes[at] == head:
            row = order[at]
            if self.place[row * DIGEST : row * DIGEST + DIGEST] == place:
                rows += (row,)
            at += 1
        return rows

    def repeated(self) -> Iterator[tuple[int, int]]:
        """Two rows at a time that may name the same place."""
        for (first, row), (second, other) in pairwise(
            zip(self._prefixes, self._order, strict=True)
        ):
            if first == second and self.place_of(row) == self.place_of(other):
                yield row, other
