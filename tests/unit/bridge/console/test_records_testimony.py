"""What witnesses and time-stamping authorities say of the checkpoint that covers a record."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bridge.app.proofs import LARGEST_READ, LogProofs, Opened
from bridge.console.proving import sentences
from bridge.keys import REVIEW
from bridge.notekeys import parse_verifier
from bridge.protocols.proof import Proof, Standing
from storage.objects.evidence_local import LocalEvidence
from storage.translog.verify.engine import Question
from tests.archive import Archive
from tests.archive.build import draft
from tests.archive.memory import MemoryEvidence, Version
from tests.archive.mutations import question
from tests.fakes.clock import FakeClock
from tests.servers.tsa import make_authority
from tests.vectors.form import TENANT, read
from tests.vectors.scene import A, record_key

ZONE = ZoneInfo("Europe/London")
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """An archive whose checkpoints are cosigned and dated."""
    folder: Path = tmp_path_factory.mktemp("tsa") / "authority"
    return draft(seed=5, leaves=150, authority=make_authority(folder))


def first_record(archive: Archive) -> str:
    """The key of a record that was stored early, so that anchors cover it."""
    keys = [each.key for each in archive.objects if each.key.startswith("records/")]
    return min(key for key in keys if key.endswith(".json"))


async def proved(
    archive: Archive, evidence: MemoryEvidence, *, asked: Question | None = None
) -> Proof:
    """The proof of the first record."""

    def opened() -> Opened:
        return asked or question(archive), evidence

    return await LogProofs(opened, FakeClock(archive.now)).of(first_record(archive))


async def test_a_witness_and_an_authority_are_quoted(archive: Archive) -> None:
    """Who, when, over how many leaves, and that their signatures were verified."""
    proof = await proved(archive, MemoryEvidence.of(archive))
    assert proof.standing is Standing.PROVED
    assert {each.kind for each in proof.testimonies} == {"witness", "timestamp"}
    assert all(each.is_checked for each in proof.testimonies)
    assert all(each.size > max(leaf.leaf for leaf in proof.leaves) for each in proof.testimonies)
    said = sentences(proof, ZONE, archive.now)
    assert sum("its signature was verified" in each for each in said) == 2
    assert any(each.startswith("The time-stamping authority ") for each in said)


async def test_without_their_keys_nothing_is_called_verified(archive: Archive) -> None:
    """It is said whose key is missing, and the record is proved all the same."""
    asked = replace(question(archive), witnesses=(), authorities=())
    proof = await proved(archive, MemoryEvidence.of(archive), asked=asked)
    assert proof.standing is Standing.PROVED
    assert proof.testimonies
    assert not any(each.is_checked or each.fault for each in proof.testimonies)
    said = " ".join(sentences(proof, ZONE, archive.now))
    assert "was not given its key" in said


@pytest.mark.parametrize("change", ["flip", "other", "empty"])
@pytest.mark.parametrize("form", [".note", ".tsr"])
async def test_a_testimony_that_does_not_fit_proves_nothing(
    archive: Archive, form: str, change: str
) -> None:
    """Changed, of another checkpoint, or empty: said with its fault, never as verified."""
    evidence = MemoryEvidence.of(archive)
    names = sorted(key for key in evidence.objects if key.endswith(form))
    bodies = {name: evidence.objects[name][0].body or b"" for name in names}
    for name, before in zip(names, [names[-1], *names[:-1]], strict=True):
        body, other = bodies[name], bodies[before]
        made = {"flip": body[:-9] + bytes([body[-9] ^ 1]) + body[-8:], "other": other, "empty": b""}
        evidence.objects[name] = [Version(body=made[change], modified_at=archive.now)]
    proof = await proved(archive, evidence)
    assert proof.standing is Standing.PROVED
    kind = {".note": "witness", ".tsr": "timestamp"}[form]
    assert not any(each.is_checked for each in proof.testimonies if each.kind == kind)


async def test_a_large_attachment_is_left_for_its_download(archive: Archive) -> None:
    """It is told as unread, whatever its bytes are; nothing of it is called missing."""
    evidence = MemoryEvidence.of(archive)
    medium = min(
        each for each in evidence.objects if each.startswith("records/") and "/media/" in each
    )
    folder, _, rest = medium.partition("/media/")
    owner = f"{folder}/{rest.partition('/')[0]}.json"
    evidence.change(medium, bytes(LARGEST_READ + 1))

    def opened() -> Opened:
        return question(archive), evidence

    proof = await LogProofs(opened, FakeClock(archive.now)).of(owner)
    assert (proof.standing, proof.unread, proof.findings) == (Standing.PROVED, (medium,), ())


async def test_a_record_that_is_gone_in_order_is_not_called_verified(tmp_path: Path) -> None:
    """Its leaves are proved and nothing is found against it, but there is nothing to verify."""
    vector = read("expired-discarded")
    keys = tuple(parse_verifier(line) for line in vector.public_key)
    asked = Question(keys=keys, tenant=TENANT, shard="0", now=NOW, version="0")
    evidence = LocalEvidence(vector.lay_out(tmp_path), TENANT)
    proofs = LogProofs(lambda: (asked, evidence), FakeClock(NOW))
    proof = await proofs.of(record_key(A, 3, REVIEW))
    assert (proof.standing, proof.findings) == (Standing.UNPROVED, ())
    assert "absent_in_order" in {each.code for each in proof.told}


async def test_without_anchors_nobody_is_quoted(archive: Archive) -> None:
    """The page says that nobody outside has said anything yet."""
    evidence = MemoryEvidence.of(archive)
    for name in [key for key in evidence.objects if key.startswith("anchors/")]:
        del evidence.objects[name]
    proof = await proved(archive, evidence)
    said = " ".join(sentences(proof, ZONE, archive.now))
    assert "No witness outside the department" in said
    assert "No time-stamping authority has dated" in said


async def test_new_anchors_are_looked_for_once_a_minute(archive: Archive) -> None:
    """What is newer than every known one is found when the list is read again."""
    evidence = MemoryEvidence.of(archive)
    anchors = {key: evidence.objects.pop(key) for key in [*evidence.objects] if "anchors/" in key}
    clock = FakeClock(archive.now)

    def opened() -> Opened:
        return question(archive), evidence

    proofs = LogProofs(opened, clock)
    assert (await proofs.of(first_record(archive))).testimonies == ()
    evidence.objects.update(anchors)
    assert (await proofs.of(first_record(archive))).testimonies == ()
    clock.advance(timedelta(minutes=2).total_seconds())
    assert (await proofs.of(first_record(archive))).testimonies


async def test_under_a_pin_the_log_is_read_once(archive: Archive) -> None:
    """Many records under one checkpoint, whatever is published meanwhile."""
    evidence = MemoryEvidence.of(archive)

    def opened() -> Opened:
        return question(archive), evidence

    proofs = LogProofs(opened, FakeClock(archive.now))
    pin = await proofs.pin()
    assert pin is not None
    before = await proofs.of(first_record(archive), pin=pin)
    for name in [key for key in evidence.objects if key.startswith("log/")]:
        del evidence.objects[name]
    after = await proofs.of(first_record(archive), pin=pin)
    assert after == before
    assert (await proofs.of(first_record(archive))).standing is Standing.UNPROVED


async def test_a_wrong_place_to_look_changes_nothing(archive: Archive) -> None:
    """It only takes longer."""
    evidence = MemoryEvidence.of(archive)

    def opened() -> Opened:
        return question(archive), evidence

    proofs = LogProofs(opened, FakeClock(archive.now))
    key = first_record(archive)
    found = await asyncio.gather(*(proofs.of(key, near=near) for near in (0, 149, 5000, -1)))
    assert all(each == found[0] for each in found)
    assert found[0].standing is Standing.PROVED
