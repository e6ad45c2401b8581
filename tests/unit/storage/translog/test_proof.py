"""Proof files: their one form, what they prove, and every way to spoil one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.notekeys import generate, parse_signing_key
from storage.signer import Ed25519Signer
from storage.translog.checkpoint import Checkpoint, sign_checkpoint
from storage.translog.malformed import MalformedError, NoteError, ProofError
from storage.translog.merkle import inclusion_proof
from storage.translog.proof import TlogProof
from tests.unit.storage.translog.trees import some_leaves, subtrees_of, tree_root

ORIGIN = "records.example.org/demo/log/0"
SIGNER = Ed25519Signer(parse_signing_key(generate(ORIGIN, lambda n: bytes([7]) * n)[0]))
LEAVES = some_leaves(11)
CHECKPOINT = Checkpoint(origin=ORIGIN, size=11, root=tree_root(LEAVES))
NOTE = sign_checkpoint(CHECKPOINT, SIGNER)


def _proof(index: int) -> TlogProof:
    return TlogProof(
        index=index, hashes=inclusion_proof(index, 11, subtrees_of(LEAVES)), checkpoint=NOTE
    )


def test_the_form_of_the_file() -> None:
    """Header, index, one hash a line, a blank line, the checkpoint as it is."""
    proof = _proof(5)
    head, _, note = proof.encode().partition(b"\n\n")
    lines = head.decode().split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 5"]
    assert len(lines) == 2 + 4
    assert note == NOTE
    extra = replace(proof, extra=b"v1").encode().decode().split("\n")
    assert extra[:3] == ["c2sp.org/tlog-proof@v1", "extra djE=", "index 5"]


@pytest.mark.parametrize("extra", [None, b"", b"more"])
def test_proofs_read_back_and_prove(extra: bytes | None) -> None:
    """Each leaf's file reads back, and shows the leaf to stand under the log's checkpoint."""
    for index, leaf in enumerate(LEAVES):
        proof = replace(_proof(index), extra=extra)
        again = TlogProof.parse(proof.encode())
        assert again == proof
        assert again.verify(leaf, SIGNER.verifier) == CHECKPOINT


def test_a_tree_of_one_leaf() -> None:
    """Its proof has no hashes."""
    checkpoint = Checkpoint(origin=ORIGIN, size=1, root=tree_root([b"only"]))
    proof = TlogProof(index=0, hashes=(), checkpoint=sign_checkpoint(checkpoint, SIGNER))
    assert TlogProof.parse(proof.encode()).verify(b"only", SIGNER.verifier) == checkpoint


def test_every_flipped_bit_is_found() -> None:
    """No changed bit of a file still parses and proves the leaf."""
    data = _proof(5).encode()
    for place in range(len(data) * 8):
        spoilt = bytearray(data)
        spoilt[place // 8] ^= 1 << place % 8
        with pytest.raises(MalformedError):
            TlogProof.parse(bytes(spoilt)).verify(LEAVES[5], SIGNER.verifier)


def test_what_it_does_not_prove() -> None:
    """Another leaf, another index, another log."""
    proof = _proof(5)
    with pytest.raises(ProofError):
        proof.verify(LEAVES[6], SIGNER.verifier)
    with pytest.raises(ProofError):
        replace(proof, index=4).verify(LEAVES[5], SIGNER.verifier)
    with pytest.raises(ProofError):
        replace(proof, index=11).verify(LEAVES[5], SIGNER.verifier)
    other = Ed25519Signer(parse_signing_key(generate("other.example/a/log/0", bytes)[0]))
    with pytest.raises(NoteError):
        proof.verify(LEAVES[5], other.verifier)


HASH = "A" * 43 + "="


@pytest.mark.parametrize(
    "head",
    [
        "",
        "c2sp.org/tlog-proof@v1",
        "c2sp.org/tlog-proof@v2\nindex 5",
        " c2sp.org/tlog-proof@v1\nindex 5",
        "c2sp.org/tlog-proof@v1\r\nindex 5",
        "c2sp.org/tlog-proof@v1\nindex",
        "c2sp.org/tlog-proof@v1\nindex ",
        "c2sp.org/tlog-proof@v1\nindex 05",
        "c2sp.org/tlog-proof@v1\nindex -5",
        "c2sp.org/tlog-proof@v1\nindex +5",
        "c2sp.org/tlog-proof@v1\nindex  5",
        "c2sp.org/tlog-proof@v1\nindex 5 ",
        f"c2sp.org/tlog-proof@v1\nindex {2**63}",
        f"c2sp.org/tlog-proof@v1\nindex {'9' * 5000}",
        "c2sp.org/tlog-proof@v1\nindex 5\nextra djE=",
        "c2sp.org/tlog-proof@v1\nextra djE\nindex 5",
        "c2sp.org/tlog-proof@v1\nextra djF=\nindex 5",
        "c2sp.org/tlog-proof@v1\nextra djE=\nextra djE=\nindex 5",
        "c2sp.org/tlog-proof@v1\nindex 5\nAAAA",
        f"c2sp.org/tlog-proof@v1\nindex 5\n{HASH} ",
        f"c2sp.org/tlog-proof@v1\nindex 5\n{HASH[:-2]}B=",
        "c2sp.org/tlog-proof@v1\nindex 5" + f"\n{HASH}" * 64,
    ],
)
def test_files_that_are_none(head: str) -> None:
    """Anything but the one form is refused before it is verified."""
    with pytest.raises(ProofError):
        TlogProof.parse(head.encode() + b"\n\n" + NOTE)
