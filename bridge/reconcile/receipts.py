"""Which keys the journal has a receipt for, remembered in eight bytes each."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left

BUCKETS = 4096


class Receipts:
    """A set of keys that grows to millions without hurting the recorder beside it.

    :meth:`settle` comes after the last key and before the first question. Two keys that share
    64 bits of their digest are taken for one: a receipt that is pending might then go unsaid.
    """

    def __init__(self) -> None:
        self._buckets = [array("Q") for _ in range(BUCKETS)]

    def add(self, key: str) -> None:
        """Remember a key."""
        mark = _mark(key)
        self._buckets[mark % BUCKETS].append(mark)

    def settle(self) -> None:
        """All keys are in."""
        for i, bucket in enumerate(self._buckets):
            self._buckets[i] = array("Q", sorted(bucket))

    def __contains__(self, key: str) -> bool:
        mark = _mark(key)
        bucket = self._buckets[mark % BUCKETS]
        at = bisect_left(bucket, mark)
        return at < len(bucket) and bucket[at] == mark


def _mark(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
