"""tlog-scales, a reader of tlog-tiles logs: checkpoints, roots, entries and proofs."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint, ConsistencyProof, InclusionProof, InclusionProofInvalid

from bridge.notekeys import Algorithm, generate, parse_signing_key
from storage.signer import Ed25519Signer
from storage.translog.cosignature import cosign
from storage.translog.merkle import consistency_proof, leaf_hash
from storage.translog.note import Note
from tests.foreign.published import INDICES, PublishedLog

pytestmark = pytest.mark.xdist_group("foreign")


def _reader(folder: Path) -> tuple[TilesReader, Checkpoint]:
    reader = TilesReader(LocalBackend(folder))
    return reader, reader.get_checkpoint()


def test_checkpoints(published: PublishedLog) -> None:
    """It reads the published key and finds every checkpoint signed by it, and by no other."""
    vkey = Vkey.from_string(published.verifier.line)
    for note, ours in zip(published.notes, published.checkpoints, strict=True):
        checkpoint = Checkpoint.from_text(note.decode())
        checkpoint.verify(vkey)
        assert (checkpoint.origin, checkpoint.size) == (ours.origin, ours.size)
        assert checkpoint.serialize().encode() == note
    forged = replace(ours, size=1).text + note[len(ours.text) :]
    with pytest.raises(InvalidSignature):
        Checkpoint.from_text(forged.decode()).verify(vkey)


def test_root_and_entries(published: PublishedLog) -> None:
    """The tiles give it the checkpoint's root, and the bundles every leaf."""
    reader, checkpoint = _reader(published.folder)
    assert reader.calculate_root_hash() == checkpoint.root_hash == published.checkpoints[-1].root
    assert tuple(reader.get_entry(n) for n in range(checkpoint.size)) == published.leaves


def test_roots_of_the_past(published: PublishedLog) -> None:
    """The tiles that stand now give it the root of each earlier checkpoint."""
    reader, _ = _reader(published.folder)
    for checkpoint in published.checkpoints:
        assert reader.mth(0, checkpoint.size) == checkpoint.root


def test_proofs_that_it_makes(published: PublishedLog) -> None:
    """Out of the tiles it proves leaves, and each checkpoint to extend each earlier one."""
    reader, now = _reader(published.folder)
    for index in INDICES:
        proof = reader.get_inclusion_proof(index, now.size)
        proof.check(leaf_hash(published.leaves[index]), now.root_hash)
        assert tuple(proof.node_hashes) == published.proof(index).hashes
    for old in published.checkpoints:
        grown = reader.get_consistency_proof(old.size, now.size)
        grown.check(old.root, now.root_hash)


def test_proofs_that_we_make(published: PublishedLog) -> None:
    """It accepts ours, and not for another leaf."""
    now = published.checkpoints[-1]
    for index in INDICES:
        proof = InclusionProof(index, now.size, list(published.proof(index).hashes))
        proof.check(leaf_hash(published.leaves[index]), now.root)
        with pytest.raises(InclusionProofInvalid):
            proof.check(leaf_hash(b"another"), now.root)
    for old in published.checkpoints:
        hashes = consistency_proof(old.size, now.size, published.hashes)
        ConsistencyProof(old.size, now.size, list(hashes)).check(old.root, now.root)


def test_a_flipped_bit(published: PublishedLog, tmp_path: Path) -> None:
    """It does see the tiles: one bit of one of them gives it another root."""
    folder = published.spoilt(tmp_path / "spoilt", "tile/1/001.p/17")
    reader, checkpoint = _reader(folder)
    assert reader.calculate_root_hash() != checkpoint.root_hash


def test_cosignatures(published: PublishedLog) -> None:
    """It accepts the line of our witness on our checkpoint, with its time."""
    line, public = generate(
        "witness.example.org", lambda n: bytes([9]) * n, algorithm=Algorithm.COSIGNATURE
    )
    witness = Ed25519Signer(parse_signing_key(line, algorithm=Algorithm.COSIGNATURE))
    note = Note.parse(published.notes[-1])
    signed = replace(
        note, signatures=(*note.signatures, cosign(note.text, time=1_700_000_000, signer=witness))
    )
    checkpoint = Checkpoint.from_text(signed.encode().decode())
    checkpoint.verify(Vkey.from_string(public))
    checkpoint.verify(Vkey.from_string(published.verifier.line))
    moved = signed.encode().replace(
        base64.b64encode(published.checkpoints[-1].root), b"A" * 43 + b"="
    )
    with pytest.raises(InvalidSignature):
        Checkpoint.from_text(moved.decode()).verify(Vkey.from_string(public))
