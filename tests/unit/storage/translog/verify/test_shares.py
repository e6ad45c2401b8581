"""A folder divided among processes gives what one process gives."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from bridge.errors import ObjectStoreError, ObjectStoreRejectedError
from storage.objects.evidence_local import LocalEvidence
from storage.translog.verify import shares
from storage.translog.verify.engine import Question, verify
from storage.translog.verify.report import Report
from storage.translog.verify.workers import Workers
from tests.archive.archive import Archive
from tests.archive.build import build
from tests.archive.mutations import question


def tamper(base: Path, seed: int) -> None:
    """A little of everything: bytes, strangers, gaps, links, and files out of order."""
    rng = random.Random(seed)
    files = sorted(path for path in base.rglob("*") if path.is_file() and "log" not in path.parts)
    changed, gone, swapped, other, long = rng.sample(files, 5)
    changed.write_bytes(changed.read_bytes() + b" ")
    gone.unlink()
    one, two = swapped.read_bytes(), other.read_bytes()
    swapped.write_bytes(two)
    other.write_bytes(one)
    os.truncate(long, 200_000)
    record = next(path for path in files if "records" in path.parts and path.exists())
    (record.parent / "link").symlink_to(record)
    (record.parent / "stranger.json").write_bytes(b"{}")
    (record.parent / "000000000-copy.json").write_bytes(record.read_bytes())
    os.mkfifo(record.parent / "pipe")


def judged(root: Path, archive: Archive, processes: int) -> Report:
    """What `verify` says with so many processes."""
    asked = question(archive)
    divided = Question(
        **{name: getattr(asked, name) for name in Question.__slots__ if name != "processes"},
        processes=processes,
    )
    return verify(LocalEvidence(root, archive.tenant), divided)


@pytest.mark.parametrize("seed", range(6))
def test_several_processes_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Verdict, findings in their order, counts, everything; and the same as without shares."""
    archive = build(tmp_path, seed=seed, leaves=300)
    if seed:
        tamper(tmp_path / "v1" / archive.tenant, seed)
    monkeypatch.setattr(shares, "WORTH_IT", 1)
    monkeypatch.setattr(shares, "MOST_FILES", 1 + seed % 3)
    monkeypatch.setattr(shares, "MOST_TEXT", 200)
    one = judged(tmp_path, archive, 1)
    monkeypatch.setattr(shares, "can_fork", lambda: True)
    assert judged(tmp_path, archive, 3) == one
    assert (one.verdict == "intact") == (seed == 0)
    monkeypatch.setattr("storage.translog.verify.engine.SharedEvidence", type(None))
    assert judged(tmp_path, archive, 1) == one


def test_answers_come_in_the_order_of_the_questions() -> None:
    """However many there are, and whoever is done first."""

    def square(number: int) -> int:
        return number * number

    several = Workers(square, 3)
    try:
        assert list(several.answers(range(500))) == [number * number for number in range(500)]
    finally:
        several.close()


def test_an_error_of_the_store_comes_through() -> None:
    """With its class and its remedy."""

    def refuse(number: int) -> int:
        raise ObjectStoreRejectedError(f"number {number}", hint="Mend it.")

    several = Workers(refuse, 2)
    try:
        with pytest.raises(ObjectStoreRejectedError, match="number 0") as caught:
            list(several.answers(range(1)))
        assert caught.value.hint == "Mend it."
    finally:
        several.close()


def test_a_process_that_ends_is_told() -> None:
    """Its share was not read, so nothing can be said."""

    def leave(number: int) -> int:
        os._exit(number)

    several = Workers(leave, 2)
    try:
        with pytest.raises(ObjectStoreError, match="was ended"):
            list(several.answers(range(3)))
    finally:
        several.close()
