"""pymerkle, a Merkle tree library, grows the same tree from the same leaves."""

from __future__ import annotations

import pymerkle  # type: ignore[import-untyped]
import pytest

from storage.translog.merkle import inclusion_proof, leaf_hash
from tests.foreign.published import INDICES, PublishedLog

pytestmark = pytest.mark.xdist_group("foreign")


@pytest.fixture(scope="module")
def tree(published: PublishedLog) -> pymerkle.InmemoryTree:
    """Its tree of all the leaves."""
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for leaf in published.leaves:
        tree.append_entry(leaf)
    return tree


def test_roots(published: PublishedLog, tree: pymerkle.InmemoryTree) -> None:
    """Every checkpoint ever published has the root that it computes for that size."""
    assert tree.get_size() == len(published.leaves) == 70_000
    for checkpoint in published.checkpoints:
        assert tree.get_root(checkpoint.size) == checkpoint.root


def test_inclusion(published: PublishedLog, tree: pymerkle.InmemoryTree) -> None:
    """Its audit paths are ours, and it accepts them under our root and no other leaf."""
    size, root = 70_000, published.checkpoints[-1].root
    for index in INDICES:
        leaf = leaf_hash(published.leaves[index])
        proof = tree.prove_inclusion(index + 1, size)
        assert tuple(proof.path) == (leaf, *inclusion_proof(index, size, published.hashes))
        pymerkle.verify_inclusion(leaf, root, proof, index=index + 1, size=size)
        with pytest.raises(pymerkle.InvalidProof):
            pymerkle.verify_inclusion(leaf_hash(b"another"), root, proof)


def test_consistency(published: PublishedLog, tree: pymerkle.InmemoryTree) -> None:
    """It proves each published checkpoint to extend each earlier one, by the published roots."""
    for new in published.checkpoints:
        for old in published.checkpoints:
            if old.size > new.size:
                continue
            proof = tree.prove_consistency(old.size, new.size)
            pymerkle.verify_consistency(
                old.root, new.root, proof, prior_size=old.size, later_size=new.size
            )
