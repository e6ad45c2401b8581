"""One record by itself: what the rule of the whole verification says of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

from bridge.app.proofs import Focused
from bridge.keys import absolute
from bridge.notekeys import generate, parse_signing_key
from bridge.protocols.proof import Pin
from storage.signer.ed25519 import Ed25519Signer
from storage.translog.checkpoint import Checkpoint, sign_checkpoint
from storage.translog.verify.engine import verify
from storage.translog.verify.one import verify_one
from tests.archive.memory import MemoryEvidence, Version
from tests.archive.mutations import CHECKPOINT, question
from tests.unit.storage.translog.verify.archived import archive, codes, kept_record, told


def _with(key: str, body: bytes, **older: int) -> MemoryEvidence:
    """The archive with one more object, so much older than the checkpoint."""
    evidence = MemoryEvidence.of(archive())
    at = evidence.objects[CHECKPOINT][0].modified_at - timedelta(**older)
    evidence.objects[key] = [Version(body=body, modified_at=at)]
    return evidence


def _beside(key: str) -> str:
    """A key of the same form that nothing names."""
    return f"{key[: -len('.json') - 16]}{'0' * 16}.json"


def test_a_changed_record_whose_leaf_was_overwritten_is_found() -> None:
    """That no leaf names it is believed of bundles that give the signed root, and of no others."""
    key = kept_record()
    evidence = MemoryEvidence.of(archive())
    evidence.change(key, b"changed")
    place = hashlib.sha256(absolute(archive().tenant, key).encode()).hexdigest().encode()
    for bundle in [each for each in evidence.objects if "/entries/" in each]:
        body = evidence.objects[bundle][0].body or b""
        evidence.change(bundle, body.replace(place, b"0" * 64))
    report, proofs = verify_one(evidence, question(archive()), key)
    assert codes(report) == {"bundle_mismatch"}
    assert proofs == ()


def test_a_record_without_a_leaf_is_judged_by_its_age_and_its_bytes() -> None:
    """As in the whole verification: `extra` if old, `extra_copy` if a copy, else `unlogged`."""
    forged = _beside(kept_record())
    original = MemoryEvidence.of(archive()).objects[kept_record()][0].body or b""
    for body, age, found in (
        (b"{}", {"days": 3}, {"extra"}),
        (b"{}", {"minutes": 10}, set()),
        (original, {"minutes": 0}, {"extra_copy"}),
    ):
        evidence = _with(forged, body, **age)
        report, _ = verify_one(evidence, question(archive()), forged)
        assert codes(report) == found == codes(verify(evidence, question(archive())))
        assert ("unlogged" in told(report)) == (not found)


def test_a_record_newer_than_a_pinned_checkpoint_is_not_called_extra() -> None:
    """Under a checkpoint that is no longer the newest its own last leaf says how old is old."""
    added = _beside(kept_record())
    for moved, found in ((timedelta(days=1), set()), (timedelta(0), {"extra"})):
        evidence = _with(added, b"{}", minutes=11)
        newest = evidence.objects[CHECKPOINT][0]
        pin = Pin(checkpoint=newest.body or b"")
        at = evidence.objects[added][0].modified_at + moved
        evidence.objects[added] = [Version(body=b"{}", modified_at=at)]
        later = Version(body=b"a later one", modified_at=newest.modified_at + timedelta(days=2))
        evidence.objects[CHECKPOINT] = [newest, later]
        pinned = Focused(evidence, added, near=0, pin=pin, shard="0")
        assert codes(verify_one(pinned, question(archive()), added)[0]) == found


def test_a_leaf_before_where_the_manifest_points_is_found() -> None:
    """Where to look is all a manifest says; a wrong one costs time."""
    key = kept_record()
    focused = Focused(MemoryEvidence.of(archive()), key, near=299, pin=None, shard="0")
    report, proofs = verify_one(focused, question(archive()), key)
    assert (report.verdict, len(proofs)) == ("intact", 2)


def test_a_damaged_tile_is_not_called_a_fork() -> None:
    """Tiles must first give the root themselves; then another root than a known one is a fork."""
    key = kept_record()
    evidence = MemoryEvidence.of(archive())
    tile = max(each for each in evidence.objects if "/tile/0/001" in each)
    evidence.change(tile, bytes(len(evidence.objects[tile][0].body or b"")))
    asked = question(archive(), archive().notes[-2:-1])
    assert codes(verify_one(evidence, asked, key)[0]) == {"root_mismatch"}
    signer = Ed25519Signer(parse_signing_key(archive().signing_key))
    other = Checkpoint(origin=signer.verifier.name, size=10, root=bytes(32))
    asked = question(archive(), (sign_checkpoint(other, signer),))
    assert codes(verify_one(MemoryEvidence.of(archive()), asked, key)[0]) == {"forked"}


def test_a_size_that_nobody_signed_is_not_gone_through() -> None:
    """Looking for a leaf, and reading the whole log, end with what is there."""
    evidence = MemoryEvidence.of(archive())
    asked = question(archive())
    beyond = Checkpoint(origin=asked.keys[0].name, size=9 * 10**15, root=bytes(32))
    note = sign_checkpoint(beyond, _stranger(beyond.origin))
    evidence.objects[CHECKPOINT] = [replace(evidence.objects[CHECKPOINT][0], body=note)]
    report, _ = verify_one(evidence, asked, _beside(kept_record()))
    assert codes(report) == {"bundle_missing", "root_mismatch", "checkpoint_signature"}


def _stranger(name: str) -> Ed25519Signer:
    """Another key of the log's name."""
    return Ed25519Signer(parse_signing_key(generate(name, lambda n: b"s" * n)[0]))
