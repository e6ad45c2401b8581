"""What hand-broken logs in a folder cannot show: buckets, witnesses, times, keys, one record."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.errors import ConfigError
from bridge.keys import media_key
from bridge.notekeys import generate, parse_signing_key, parse_verifier
from storage.signer.ed25519 import Ed25519Signer
from storage.translog.checkpoint import Checkpoint, sign_checkpoint
from storage.translog.merkle import EMPTY_ROOT
from storage.translog.proof import TlogProof
from storage.translog.verify.engine import verify
from storage.translog.verify.heads import read_known
from storage.translog.verify.one import verify_one
from tests.archive import draft
from tests.archive.memory import MemoryEvidence, Version
from tests.archive.mutations import CHECKPOINT, question
from tests.archive.provable import provable
from tests.unit.storage.translog.verify.archived import archive, codes, kept_record, told


def test_an_archive_is_vouched_for_as_far_as_others_can_tell() -> None:
    """By its keeper up to its end, by the witness up to the last anchor that has its leaf."""
    report = verify(MemoryEvidence.of(archive()), question(archive()))
    assert report.verdict == "intact"
    assert report.vouches.size == report.counts.leaves == 300
    assert report.vouches.time is not None
    assert 0 < report.vouches.witnessed_size < 300
    assert report.vouches.witnessed_by == ["witness.example.net/archives"]


def test_cosignatures_of_unknown_witnesses_are_listed() -> None:
    """Without a witness's key nobody knows whether they are his."""
    asked = replace(question(archive()), witnesses=())
    report = verify(MemoryEvidence.of(archive()), asked)
    assert report.verdict == "intact"
    assert "not_checked" in told(report)
    assert report.vouches.witnessed_size == 0


def test_a_witness_of_the_same_name_and_another_key_is_not_checked() -> None:
    """The line says to be of another key; nothing is vouched for by it."""
    _, line = generate("witness.example.net/archives", lambda n: b"w" * n, algorithm=_COSIGNING)
    other = parse_verifier(line, algorithm=_COSIGNING)
    asked = replace(question(archive()), witnesses=(other,))
    report = verify(MemoryEvidence.of(archive()), asked)
    assert "not_checked" in told(report)
    assert report.vouches.witnessed_by == []


_COSIGNING = question(draft(seed=11, leaves=60)).witnesses[0].algorithm


def test_known_checkpoints_are_extended() -> None:
    """Every checkpoint that was ever published is one that the log extends."""
    asked = question(archive(), archive().notes)
    report = verify(MemoryEvidence.of(archive()), asked)
    assert report.verdict == "intact"
    assert len(report.vouches.known) == len(archive().notes)


def test_a_known_checkpoint_of_another_log_settles_nothing() -> None:
    """It is a wrong argument, not evidence against the store."""
    signing, _ = generate("elsewhere.example.org/x/log/0", lambda n: b"e" * n)
    signer = Ed25519Signer(parse_signing_key(signing))
    head = Checkpoint(origin=signer.verifier.name, size=0, root=EMPTY_ROOT)
    with pytest.raises(ConfigError, match="known 0"):
        verify(MemoryEvidence.of(archive()), question(archive(), (sign_checkpoint(head, signer),)))
    with pytest.raises(ConfigError, match="not a checkpoint"):
        read_known(b"nonsense", "file")


def test_an_empty_store_settles_nothing() -> None:
    """There is nothing to be intact."""
    with pytest.raises(ConfigError, match="holds nothing"):
        verify(MemoryEvidence({}), question(archive()))


def test_a_bucket_is_asked_for_its_retentions() -> None:
    """All there: intact, and no word that they are not enforced."""
    report = verify(MemoryEvidence.of(archive(), locked=True), question(archive()))
    assert report.verdict == "intact"
    assert "retention_not_enforced" not in told(report)


def test_a_shortened_retention_is_found() -> None:
    """By a day, or altogether; by less than stores keep of it, not."""
    key = kept_record()
    until = provable(archive()).named[key]
    assert until is not None
    for shorter, found in (
        (until - timedelta(days=1), {"retention_shortened"}),
        (None, {"retention_missing"}),
        (until - timedelta(milliseconds=900), set()),
        (until + timedelta(days=1), set()),
    ):
        evidence = MemoryEvidence.of(archive(), locked=True)
        evidence.objects[key] = [replace(evidence.objects[key][0], retain_until=shorter)]
        assert codes(verify(evidence, question(archive()))) == found


def test_an_attachment_is_kept_as_long_as_its_record() -> None:
    """It has no leaf; its record's says until when."""
    evidence = MemoryEvidence.of(archive(), locked=True)
    key = min(provable(archive()).media)
    evidence.objects[key] = [replace(evidence.objects[key][0], retain_until=None)]
    assert codes(verify(evidence, question(archive()))) == {"retention_missing"}


def test_acts_without_a_lock_are_told() -> None:
    """No leaf says how long they are kept, so that nothing is contradicted."""
    evidence = MemoryEvidence.of(archive(), locked=True)
    key = next(key for key in sorted(evidence.objects) if key.startswith("acts/"))
    evidence.objects[key] = [replace(evidence.objects[key][0], retain_until=None)]
    report = verify(evidence, question(archive()))
    assert (codes(report), "not_locked" in told(report)) == (set(), True)


def test_a_delete_marker_is_found_and_its_removal_told() -> None:
    """What it hides counts as gone; what stands again above it does not."""
    key = kept_record()
    evidence = MemoryEvidence.of(archive(), locked=True)
    first = evidence.objects[key][0]
    marker = Version(body=None, modified_at=archive().now)
    evidence.objects[key] = [first, marker]
    assert codes(verify(evidence, question(archive()))) == {"hidden"}
    evidence.objects[key] = [first, marker, first]
    report = verify(evidence, question(archive()))
    assert (codes(report), "marker_past" in told(report)) == (set(), True)


def test_the_oldest_version_is_the_record() -> None:
    """The same bytes again are a repeated put; other bytes never change the record."""
    key = kept_record()
    evidence = MemoryEvidence.of(archive(), locked=True)
    first = evidence.objects[key][0]
    evidence.objects[key] = [first, first]
    assert codes(verify(evidence, question(archive()))) == set()
    evidence.objects[key] = [first, replace(first, body=b"other")]
    assert codes(verify(evidence, question(archive()))) == {"version_mismatch"}
    evidence.objects[key] = [replace(first, body=b"other"), first]
    assert codes(verify(evidence, question(archive()))) == {"object_mismatch", "version_mismatch"}


def test_earlier_versions_of_the_checkpoint_are_known_ones() -> None:
    """A bucket with versions gives away that its checkpoint was put back."""
    evidence = MemoryEvidence.of(archive())
    first = evidence.objects[CHECKPOINT][0]
    notes = [replace(first, body=note) for note in archive().notes]
    evidence.objects[CHECKPOINT] = notes
    assert codes(verify(evidence, question(archive()))) == set()
    evidence.objects[CHECKPOINT] = [*notes, notes[-2]]
    assert "rolled_back" in codes(verify(evidence, question(archive())))


def test_damage_is_not_called_a_fork() -> None:
    """A changed bundle says nothing against earlier versions of the checkpoint, or known ones."""
    evidence = MemoryEvidence.of(archive())
    first = evidence.objects[CHECKPOINT][0]
    evidence.objects[CHECKPOINT] = [replace(first, body=note) for note in archive().notes]
    bundle = "log/0/tile/entries/000"
    body = evidence.objects[bundle][0].body or b""
    evidence.change(bundle, body[:-1] + b"!")
    report = verify(evidence, question(archive(), archive().notes[:2]))
    assert (codes(report), report.vouches.known) == ({"bundle_mismatch"}, [])
    assert "not_checked" in told(report)


def test_since_reads_only_what_is_new() -> None:
    """What is older is not read, so that its change is not seen; what is newer is."""
    new = sorted(
        (key for key in provable(archive()).named if key.startswith("records/")),
        key=lambda key: MemoryEvidence.of(archive()).objects[key][0].modified_at,
    )
    evidence = MemoryEvidence.of(archive())
    for key in (new[0], new[-1]):
        evidence.change(key, b"changed")
    at = evidence.objects[new[-1]][0].modified_at
    asked = replace(question(archive()), since=at - timedelta(seconds=1))
    report = verify(evidence, asked)
    assert {each.key for each in report.findings} == {new[-1]}
    assert report.counts.bytes < verify(evidence, question(archive())).counts.bytes


def test_since_still_finds_what_is_gone() -> None:
    """Whether it is there is looked at, however old it is."""
    evidence = MemoryEvidence.of(archive())
    del evidence.objects[kept_record()]
    asked = replace(question(archive()), since=archive().now)
    assert codes(verify(evidence, asked)) == {"object_missing"}


def test_without_objects_nothing_is_said_of_them() -> None:
    """Only the log is looked at."""
    evidence = MemoryEvidence.of(archive())
    for key in list(evidence.objects):
        if not key.startswith("log/"):
            del evidence.objects[key]
    report = verify(evidence, replace(question(archive()), objects=False))
    assert (codes(report), report.counts.leaves) == (set(), 300)


def test_one_record_is_proved_with_both_its_leaves() -> None:
    """The proofs carry their leaves and verify by themselves; known checkpoints are extended."""
    asked = question(archive(), archive().notes[:2])
    key = kept_record()
    report, proofs = verify_one(MemoryEvidence.of(archive()), asked, key)
    assert (report.verdict, [proof.kind for proof in proofs]) == ("intact", ["stored", "seen"])
    assert len(report.vouches.known) == 2
    for each in proofs:
        proof = TlogProof.parse(each.body)
        assert proof.extra == archive().leaves[each.leaf]
        assert proof.verify(proof.extra or b"", asked.keys[0]).size == 300


def test_one_record_takes_little_reading() -> None:
    """Its manifest, the bundles between its leaves, tiles for the proofs, and itself."""
    evidence = MemoryEvidence.of(archive())
    key = kept_record()
    others = [
        other
        for other in evidence.objects
        if other.startswith(("records/", "review/")) and other != key
    ]
    for other in others:
        if "/media/" not in other:
            evidence.change(other, b"")
    assert verify_one(evidence, question(archive()), key)[0].verdict == "intact"


def test_one_record_that_was_changed_is_found() -> None:
    """The record, its attachment, a leaf of it, a tile of its proof, the checkpoint."""
    sorted_keys = provable(archive())
    media = next(key for key in sorted(sorted_keys.media) if key.startswith("records/"))
    folder, _, rest = media.partition("/media/")
    key = f"{folder}/{rest.partition('/')[0]}.json"
    for broken, code in (
        (key, "object_mismatch"),
        (media, "media_mismatch"),
        ("log/0/tile/0/000", "root_mismatch"),
        (CHECKPOINT, "checkpoint_malformed"),
    ):
        evidence = MemoryEvidence.of(archive())
        body = evidence.objects[broken][0].body or b""
        evidence.change(broken, b"\xff" * 5 + body[5:])
        assert code in codes(verify_one(evidence, question(archive()), key)[0])
    evidence = MemoryEvidence.of(archive())
    del evidence.objects[media]
    assert codes(verify_one(evidence, question(archive()), key)[0]) == {"media_missing"}
    del evidence.objects[key]
    assert codes(verify_one(evidence, question(archive()), key)[0]) == {"object_missing"}
    assert media_key(key, media.removeprefix(f"{folder}/")) == media


def test_one_record_that_nobody_wrote_settles_nothing() -> None:
    """A key that no leaf names and where nothing stands is a wrong argument."""
    evidence = MemoryEvidence.of(archive())
    key = kept_record()
    with pytest.raises(ConfigError, match="not the key of a record"):
        verify_one(evidence, question(archive()), "acts/x")
    with pytest.raises(ConfigError, match="No leaf names"):
        verify_one(evidence, question(archive()), key.replace("matrix", "telegram-x"))


def test_one_record_without_its_manifest_is_found_all_the_same() -> None:
    """The manifest only says where to look."""
    evidence = MemoryEvidence.of(archive())
    for key in list(evidence.objects):
        if key.startswith("manifests/"):
            del evidence.objects[key]
    report, proofs = verify_one(evidence, question(archive()), kept_record())
    assert (report.verdict, len(proofs)) == ("intact", 2)
