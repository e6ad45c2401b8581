"""Merkle hashing and proofs: published roots and paths, the RFC's own example, wrong proofs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage.translog.malformed import ProofError
from storage.translog.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_from_inclusion,
    root_of,
    tree_hash,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.storage.translog.trees import (
    EIGHT,
    EIGHT_ROOTS,
    some_leaves,
    subtrees_of,
    tree_root,
)

HASHES = [leaf_hash(leaf) for leaf in EIGHT]
AT = subtrees_of(EIGHT)

A = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
B = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
E_HASH = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
AB = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
CD = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
EF = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
GH = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
ABCD = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
EFGH = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"


@pytest.mark.parametrize("size", range(9))
def test_the_known_roots(size: int) -> None:
    """Every way to compute a root gives the published one of the eight test leaves."""
    frontier = Frontier()
    for one in HASHES[:size]:
        frontier.push(one)
    expected = EIGHT_ROOTS[size]
    assert frontier.root() == tree_hash(HASHES[:size]) == root_of(size, AT) == expected
    assert frontier.size == size


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 1, []),
        (0, 8, [B, CD, EFGH]),
        (5, 8, [E_HASH, GH, ABCD]),
        (2, 3, [AB]),
        (1, 5, [A, CD, E_HASH]),
    ],
)
def test_the_known_inclusion_proofs(index: int, size: int, path: list[str]) -> None:
    """Published audit paths of the eight test leaves are made and accepted."""
    proof = inclusion_proof(index, size, AT)
    assert [one.hex() for one in proof] == path
    verify_inclusion(index, size, HASHES[index], EIGHT_ROOTS[size], proof)


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (1, 1, []),
        (1, 8, [B, CD, EFGH]),
        (6, 8, [EF, GH, ABCD]),
        (2, 5, [CD, E_HASH]),
        (0, 8, []),
    ],
)
def test_the_known_consistency_proofs(old: int, new: int, path: list[str]) -> None:
    """Published consistency proofs of the eight test leaves are made and accepted."""
    proof = consistency_proof(old, new, AT)
    assert [one.hex() for one in proof] == path
    verify_consistency(old, new, EIGHT_ROOTS[old], EIGHT_ROOTS[new], proof)


def test_the_example_of_the_rfc() -> None:
    """The seven leaves of RFC 6962 section 2.1.3: which nodes stand in which proof."""
    leaves = some_leaves(7)
    a, b, c, d, e, f, j = (leaf_hash(leaf) for leaf in leaves)
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, at = node_hash(g, h), subtrees_of(leaves)
    last = node_hash(i, j)
    assert node_hash(k, last) == root_of(7, at)
    assert inclusion_proof(0, 7, at) == (b, h, last)
    assert inclusion_proof(3, 7, at) == (c, g, last)
    assert inclusion_proof(4, 7, at) == (f, j, k)
    assert inclusion_proof(6, 7, at) == (i, k)
    assert consistency_proof(3, 7, at) == (c, d, g, last)
    assert consistency_proof(4, 7, at) == (last,)
    assert consistency_proof(6, 7, at) == (i, j, k)


def test_every_proof_of_every_small_tree() -> None:
    """Up to 40 leaves each inclusion and consistency proof is accepted."""
    leaves = some_leaves(40)
    at = subtrees_of(leaves)
    roots = [tree_root(leaves[:size]) for size in range(41)]
    for size in range(1, 41):
        for index in range(size):
            proof = inclusion_proof(index, size, at)
            verify_inclusion(index, size, leaf_hash(leaves[index]), roots[size], proof)
        for old in range(size + 1):
            proof = consistency_proof(old, size, at)
            verify_consistency(old, size, roots[old], roots[size], proof)


Proof = tuple[bytes, ...]
FOREIGN = bytes(32)
SPOILT: dict[str, Callable[[Proof], Proof]] = {
    "without its first": lambda proof: proof[1:],
    "without its last": lambda proof: proof[:-1],
    "with one more at the end": lambda proof: (*proof, FOREIGN),
    "with one more in front": lambda proof: (FOREIGN, *proof),
    "with its first twice": lambda proof: (proof[0], *proof),
    "in reverse": lambda proof: proof[::-1],
    "with a short hash": lambda proof: (proof[0][:-1], *proof[1:]),
    "with a long hash": lambda proof: (*proof[:-1], proof[-1] + b"\x00"),
    "with an empty hash": lambda proof: (*proof, b""),
    "empty": lambda _: (),
}


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize(("index", "size"), [(0, 8), (5, 8), (1, 5), (2, 7), (6, 7)])
def test_spoilt_inclusion_proofs(index: int, size: int, how: str) -> None:
    """A path that is longer, shorter, or in another order is refused."""
    proof = SPOILT[how](inclusion_proof(index, size, AT))
    with pytest.raises(ProofError):
        verify_inclusion(index, size, HASHES[index], EIGHT_ROOTS[size], proof)


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize(("old", "new"), [(1, 8), (6, 8), (2, 5), (3, 7), (6, 7)])
def test_spoilt_consistency_proofs(old: int, new: int, how: str) -> None:
    """A consistency proof that is longer, shorter, or in another order is refused."""
    proof = SPOILT[how](consistency_proof(old, new, AT))
    with pytest.raises(ProofError):
        verify_consistency(old, new, EIGHT_ROOTS[old], EIGHT_ROOTS[new], proof)


@pytest.mark.parametrize(
    ("index", "size"),
    [(4, 8), (6, 8), (1, 8), (7, 8), (5, 4), (5, 9), (5, 16), (21, 8), (8, 8), (-1, 8), (5, 0)],
)
def test_an_inclusion_proof_of_another_place(index: int, size: int) -> None:
    """The path of leaf 5 of 8 is good for no other index and size."""
    proof = inclusion_proof(5, 8, AT)
    with pytest.raises(ProofError):
        verify_inclusion(index, size, HASHES[5], EIGHT_ROOTS[8], proof)


@pytest.mark.parametrize("size", [6, 7])
def test_sizes_with_a_path_of_one_shape(size: int) -> None:
    """A path does not prove the size: size and root must come out of one signed checkpoint."""
    proof = inclusion_proof(0, 8, AT)
    assert root_from_inclusion(0, size, HASHES[0], proof) == EIGHT_ROOTS[8]
    with pytest.raises(ProofError, match="does not lead to the root"):
        verify_inclusion(0, size, HASHES[0], EIGHT_ROOTS[size], proof)


def test_wrong_leaves_and_roots() -> None:
    """Another leaf, an inner node as a leaf, another root, an empty root: refused."""
    proof = inclusion_proof(5, 8, AT)
    for leaf in (HASHES[4], FOREIGN, b"", node_hash(HASHES[4], HASHES[5])):
        with pytest.raises(ProofError):
            verify_inclusion(5, 8, leaf, EIGHT_ROOTS[8], proof)
    for root in (EIGHT_ROOTS[7], FOREIGN, b"", EMPTY_ROOT):
        with pytest.raises(ProofError):
            verify_inclusion(5, 8, HASHES[5], root, proof)


@pytest.mark.parametrize(
    ("old", "new"),
    [(5, 8), (7, 8), (6, 9), (6, 5), (0, 8), (8, 8), (6, 6), (-1, 8), (14, 16)],
)
def test_a_consistency_proof_of_other_sizes(old: int, new: int) -> None:
    """The proof from 6 to 8 is good for no sizes in which a proof has another shape."""
    proof = consistency_proof(6, 8, AT)
    with pytest.raises(ProofError):
        verify_consistency(old, new, EIGHT_ROOTS[6], EIGHT_ROOTS[8], proof)


@pytest.mark.parametrize(("old", "new"), [(1, 8), (6, 8), (4, 8), (8, 8)])
def test_a_consistency_proof_of_other_roots(old: int, new: int) -> None:
    """Roots changed, or changed for each other, are refused."""
    proof = consistency_proof(old, new, AT)
    first, second = EIGHT_ROOTS[old], EIGHT_ROOTS[new]
    wrong = [(FOREIGN, second), (first, FOREIGN), (b"", second), (first, b"")]
    for pair in wrong if old == new else [*wrong, (second, first)]:
        with pytest.raises(ProofError):
            verify_consistency(old, new, *pair, proof)


def test_roots_made_to_fit_a_wrong_proof() -> None:
    """Even where the hashes lead to the root, a proof of an impossible shape is refused."""
    leaf, one = HASHES[0], (FOREIGN,)
    with pytest.raises(ProofError, match="too long"):
        verify_inclusion(0, 1, leaf, node_hash(FOREIGN, leaf), one)
    with pytest.raises(ProofError, match="there is no leaf"):
        verify_inclusion(1, 1, leaf, leaf, ())
    proof = (*consistency_proof(3, 4, AT), FOREIGN)
    old, new = (node_hash(FOREIGN, EIGHT_ROOTS[size]) for size in (3, 4))
    with pytest.raises(ProofError, match="too long"):
        verify_consistency(3, 4, old, new, proof)
    for size, root in ((8, EIGHT_ROOTS[8]), (0, EMPTY_ROOT)):
        with pytest.raises(ProofError, match="should be empty"):
            verify_consistency(size, 8, root, EIGHT_ROOTS[8], one)


def test_hashes_cut_in_another_place() -> None:
    """A longer and a shorter hash that join to the same bytes are no two hashes."""
    left, right = HASHES[:2]
    longer, shorter = left + right[:1], right[1:]
    verify_inclusion(1, 2, right, EIGHT_ROOTS[2], (left,))
    with pytest.raises(ProofError, match="32 bytes"):
        verify_inclusion(1, 2, shorter, EIGHT_ROOTS[2], (longer,))
    verify_consistency(1, 2, left, EIGHT_ROOTS[2], (right,))
    with pytest.raises(ProofError, match="32 bytes"):
        verify_consistency(1, 2, longer, EIGHT_ROOTS[2], (shorter,))


def test_the_empty_tree() -> None:
    """It has the root of nothing, holds no leaf, and every tree extends it."""
    assert EMPTY_ROOT == EIGHT_ROOTS[0] == Frontier().root() == tree_hash([])
    verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, ())
    with pytest.raises(ProofError):
        verify_consistency(0, 8, FOREIGN, EIGHT_ROOTS[8], ())
    with pytest.raises(ProofError):
        verify_consistency(0, 0, EMPTY_ROOT, FOREIGN, ())


def test_what_cannot_be_proved_is_not_asked_for() -> None:
    """There is no proof of a leaf that is not there, or back to a larger tree."""
    for index, size in ((8, 8), (-1, 8), (0, 0)):
        with pytest.raises(ValueError, match="there is no leaf"):
            inclusion_proof(index, size, AT)
    with pytest.raises(ValueError, match="does not extend"):
        consistency_proof(8, 7, AT)


def test_a_frontier_is_taken_up_again() -> None:
    """One made of a tree's subtrees goes on like the first; a copy grows by itself."""
    first = Frontier()
    first.extend(HASHES[:5])
    again = Frontier.of(first.subtrees, 5)
    copy = first.copy()
    again.extend(HASHES[5:])
    copy.push(HASHES[5])
    assert (again.size, again.root()) == (8, EIGHT_ROOTS[8])
    assert (copy.size, copy.root()) == (6, EIGHT_ROOTS[6])
    assert (first.size, first.root()) == (5, EIGHT_ROOTS[5])
    with pytest.raises(ValueError, match="do not make a tree"):
        Frontier.of(first.subtrees, 7)
