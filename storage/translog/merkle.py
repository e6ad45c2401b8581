"""Merkle tree hashing and proofs (RFC 6962 section 2.1, RFC 9162 section 2.1). SHA-256, pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from storage.translog.malformed import ProofError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()
"""The root of a tree without leaves (RFC 6962 section 2.1)."""

HashAt: TypeAlias = Callable[[int, int], bytes]
"""``(level, index)``: the hash of the complete subtree of ``2**level`` leaves number ``index``."""

_sha256 = hashlib.sha256


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf: SHA-256 of 0x00 and its bytes."""
    return _sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256 of 0x01 and both children."""
    return _sha256(b"\x01" + left + right).digest()


def tree_hash(hashes: Sequence[bytes]) -> bytes:
    """The root over ``hashes``, taken as equal subtrees from left to right.

    The Merkle Tree Hash of a list whose leaf hashes they are; of a tile, the root of its subtree.
    """
    row = list(hashes)
    if not row:
        return EMPTY_ROOT
    while len(row) > 1:
        pairs = zip(row[::2], row[1::2], strict=False)
        above = [_sha256(b"\x01" + left + right).digest() for left, right in pairs]
        # A last one without a partner rises unhashed: the same tree as RFC 6962's split.
        if len(row) % 2:
            above.append(row[-1])
        row = above
    return row[0]


class Frontier:
    """The right edge of a tree: enough to append leaves and to know the root at every size."""

    __slots__ = ("_size", "_subtrees")

    def __init__(self) -> None:
        self._size = 0
        # The complete subtrees that the tree consists of, largest (leftmost) first.
        self._subtrees: list[bytes] = []

    @classmethod
    def of(cls, subtrees: Sequence[bytes], size: int) -> Frontier:
        """The frontier of a tree of ``size`` leaves, from its complete subtrees, largest first.

        Raises:
            ValueError: a tree of this size does not consist of so many subtrees.
        """
        if size < 0 or len(subtrees) != size.bit_count():
            raise ValueError(f"{len(subtrees)} subtrees do not make a tree of {size} leaves")
        frontier = cls()
        frontier._size = size
        frontier._subtrees = list(subtrees)
        return frontier

    @property
    def size(self) -> int:
        """How many leaves it stands for."""
        return self._size

    @property
    def subtrees(self) -> tuple[bytes, ...]:
        """The hashes of the complete subtrees of the tree, largest first."""
        return tuple(self._subtrees)

    def push(self, leaf_hash: bytes) -> None:
        """Append one leaf, given by its hash."""
        self.extend((leaf_hash,))

    def extend(self, hashes: Iterable[bytes]) -> None:
        """Append leaves, given by their hashes."""
        subtrees, size, sha256 = self._subtrees, self._size, _sha256
        for leaf in hashes:
            node, full = leaf, size
            while full & 1:
                node = sha256(b"\x01" + subtrees.pop() + node).digest()
                full >>= 1
            subtrees.append(node)
            size += 1
        self._size = size

    def root(self) -> bytes:
        """The root hash now."""
        return fold(self._subtrees)

    def copy(self) -> Frontier:
        """Another one at the same place, which grows by itself."""
        return Frontier.of(self._subtrees, self._size)


def fold(subtrees: Sequence[bytes]) -> bytes:
    """The root of a tree that consists of these complete subtrees, largest first."""
    if not subtrees:
        return EMPTY_ROOT
    root = subtrees[-1]
    for left in reversed(subtrees[:-1]):
        root = node_hash(left, root)
    return root


def root_of(size: int, hash_at: HashAt) -> bytes:
    """The root of the tree of ``size`` leaves."""
    return _span(0, size, hash_at) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, hash_at: HashAt) -> tuple[bytes, ...]:
    """The audit path of leaf ``index`` in the tree of ``size`` leaves (RFC 6962 section 2.1.1).

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = _split(low, high)
        if index < middle:
            path.append(_span(middle, high, hash_at))
            high = middle
        else:
            path.append(_span(low, middle, hash_at))
            low = middle
    return tuple(reversed(path))


def consistency_proof(old: int, new: int, hash_at: HashAt) -> tuple[bytes, ...]:
    """The proof that the tree of ``new`` leaves extends that of ``old`` (RFC 6962 section 2.1.2).

    Empty from size 0 and between equal sizes (C2SP tlog-witness).

    Raises:
        ValueError: the old tree is larger than the new one.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not extend one of {old}")
    if old in {0, new}:
        return ()
    path: list[bytes] = []
    low, high, old_root_is_known = 0, new, True
    while high != old:
        middle = _split(low, high)
        if old <= middle:
            path.append(_span(middle, high, hash_at))
            high = middle
        else:
            path.append(_span(low, middle, hash_at))
            low, old_root_is_known = middle, False
    if not old_root_is_known:
        path.append(_span(low, high, hash_at))
    return tuple(reversed(path))


def root_from_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes]) -> bytes:
    """The root to which an audit path leads (RFC 9162 section 2.1.3.2).

    Raises:
        ProofError: no path of a leaf ``index`` in a tree of ``size`` has this form.
    """
    if not 0 <= index < size:
        raise ProofError(f"there is no leaf {index} in a tree of {size}")
    _check_hashes((leaf_hash, *proof))
    node, last, root = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise ProofError("the inclusion proof is too long")
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofError("the inclusion proof is too short")
    return root


def verify_inclusion(
    index: int, size: int, leaf_hash: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Accept that the leaf stands at ``index`` in the tree of ``size`` leaves with this root.

    Raises:
        ProofError: the proof does not show it.
    """
    if not hmac.compare_digest(root_from_inclusion(index, size, leaf_hash, proof), root):
        raise ProofError("the inclusion proof does not lead to the root")


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Accept that the second tree extends the first (RFC 9162 section 2.1.4.2).

    Raises:
        ProofError: the proof does not show it.
    """
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {new} leaves does not extend one of {old}")
    _check_hashes((old_root, new_root, *proof))
    if old in {0, new}:
        _verify_trivial(old, old_root, new_root if old == new else None, proof)
        return
    # Of a complete old tree the proof leaves out the first node: it is the old root.
    nodes = (old_root, *proof) if old & (old - 1) == 0 else tuple(proof)
    if not nodes:
        raise ProofError("the consistency proof is empty")
    first, second = _both_roots(old - 1, new - 1, nodes)
    if first != old_root:
        raise ProofError("the consistency proof does not lead to the old root")
    if second != new_root:
        raise ProofError("the consistency proof does not lead to the new root")


def _verify_trivial(
    old: int, old_root: bytes, new_root: bytes | None, proof: Sequence[bytes]
) -> None:
    if proof:
        raise ProofError("the consistency proof should be empty")
    if new_root is not None and new_root != old_root:
        raise ProofError("trees of one size have two roots")
    if old == 0 and old_root != EMPTY_ROOT:
        raise ProofError("the root of the empty tree is wrong")


def _both_roots(node: int, last: int, nodes: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The old and the new root to which a consistency proof leads; its first node included."""
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            raise ProofError("the consistency proof is too long")
        if node & 1 or node == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofError("the consistency proof is too short")
    return first, second


def _check_hashes(hashes: Iterable[bytes]) -> None:
    if any(len(one) != HASH_BYTES for one in hashes):
        raise ProofError("a hash does not have 32 bytes")


def _split(low: int, high: int) -> int:
    """Where RFC 6962 cuts ``low`` to ``high``: after the largest power of two below the length."""
    return low + (1 << ((high - low - 1).bit_length() - 1))


def _span(low: int, high: int, hash_at: HashAt) -> bytes:
    """The hash of the node above leaves ``low`` to ``high``, out of complete subtrees."""
    subtrees: list[bytes] = []
    while low < high:
        level = (high - low).bit_length() - 1
        subtrees.append(hash_at(level, low >> level))
        low += 1 << level
    return fold(subtrees)
