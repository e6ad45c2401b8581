"""Two programs that share no code, asked the same."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from bridge.canonical import rfc3339
from bridge.errors import ConfigError
from bridge.notekeys import parse_verifier
from storage.objects.evidence_local import LocalEvidence
from storage.translog import verify_standalone as standalone
from storage.translog.verify.engine import Question, verify
from storage.translog.verify.heads import read_known
from tests.archive import draft
from tests.archive.folder import lay_out
from tests.archive.mutations import KINDS, Mutation, Subject
from tests.servers.tsa import Authority, make_authority
from tests.vectors.form import names, read

NOW = datetime(2026, 11, 22, tzinfo=UTC)
MUTATIONS = 25
Answer = tuple[str, frozenset[str], frozenset[str]]
"""Verdict, codes of what does not fit, codes of what is listed."""

CANNOT_TELL: Answer = ("cannot_tell", frozenset(), frozenset())


def _of_engine(
    root: Path, lines: tuple[str, ...], known: tuple[bytes, ...], now: datetime
) -> Answer:
    try:
        keys = tuple(parse_verifier(line) for line in lines)
        tenant, _, shard = keys[0].name.split("/")[-3:]
        question = Question(
            keys=keys,
            tenant=tenant,
            shard=shard,
            now=now,
            version="0",
            known=tuple(read_known(note, f"known-{i}") for i, note in enumerate(known)),
        )
        report = verify(LocalEvidence(root, tenant), question)
    except ConfigError:
        return CANNOT_TELL
    found = frozenset(finding.code for finding in report.findings)
    return report.verdict, found, frozenset(finding.code for finding in report.listed)


def _of_standalone(
    root: Path, lines: tuple[str, ...], known: tuple[bytes, ...], now: datetime
) -> Answer:
    try:
        keys = [standalone.read_key(line) for line in lines]
        named = [(f"known-{i}", note) for i, note in enumerate(known)]
        report = standalone.verify(root, keys, named, now=rfc3339(now))
    except standalone.CannotTellError:
        return CANNOT_TELL
    found = frozenset(str(entry["code"]) for entry in report.findings)
    return report.verdict, found, frozenset(str(entry["code"]) for entry in report.listed)


@pytest.mark.parametrize("name", tuple(names()))
def test_both_say_the_same_of_every_vector(name: str, tmp_path: Path) -> None:
    """The same verdict, and the same codes, and those that the vector names."""
    vector = read(name)
    root = vector.lay_out(tmp_path)
    expected = (vector.verdict, vector.codes, vector.listed)
    assert _of_engine(root, vector.public_key, vector.known, NOW) == expected
    assert _of_standalone(root, vector.public_key, vector.known, NOW) == expected


@pytest.mark.parametrize("name", [b"\xff", b"\xff/000.json", "r\u00e9sum\u00e9".encode()])
def test_both_say_the_same_of_a_name_in_whatever_bytes(name: bytes, tmp_path: Path) -> None:
    """A name that is not UTF-8 is no key: `extra`, however new the file is."""
    vector = read("whole")
    root = vector.lay_out(tmp_path)
    path = root / "v1/mydept/records" / os.fsdecode(name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"{}")
    answer = _of_engine(root, vector.public_key, vector.known, NOW)
    assert _of_standalone(root, vector.public_key, vector.known, NOW) == answer
    assert answer[1] == (frozenset({"extra"}) if b"\xff" in name else frozenset())


def _folder_mutations(subject: Subject) -> Iterator[Mutation]:
    """Whatever may be done to a copy in a folder, for ever."""
    while True:
        (make,) = subject.rng.choices(tuple(KINDS), tuple(KINDS.values()))
        mutation = make(subject)
        if mutation.folder:
            yield mutation


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who dates checkpoints."""
    return make_authority(tmp_path_factory.mktemp("dating") / "authority")


@pytest.mark.parametrize("seed", range(4))
def test_both_say_the_same_of_whatever_is_done_to_an_archive(
    seed: int, tmp_path: Path, authority: Authority
) -> None:
    """Bytes, objects, tiles, leaves and signatures: changed, taken away, moved or added."""
    archive = draft(
        seed=seed,
        leaves=60 + 10 * seed,
        aged=seed % 2 == 1,
        authority=authority if seed > 1 else None,
    )
    subject = Subject(archive=archive, rng=random.Random(seed))
    for number, mutation in enumerate(islice(_folder_mutations(subject), MUTATIONS)):
        root = tmp_path / str(number)
        lay_out(root, archive.tenant, mutation.evidence)
        asked = (root, (archive.public_key,), mutation.known, archive.now)
        answer = _of_engine(*asked)
        assert _of_standalone(*asked) == answer, (number, mutation.kind, mutation.found)
        assert (answer[0] == "tampered") == bool(mutation.found), (number, mutation.kind)
