"""Seeded tampering with whole archives: all of it must be found and named.

``python -m tests.archive.mutations --count 10000`` runs as many as it is told, on both cores.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bridge.notekeys import Algorithm, parse_verifier
from storage.objects.evidence_local import LocalEvidence
from storage.translog.timestamps import read_roots
from storage.translog.verify.engine import Question, verify
from storage.translog.verify.heads import read_known
from storage.translog.verify.report import Report
from tests.archive.archive import Archive
from tests.archive.build import draft
from tests.archive.folder import lay_out
from tests.archive.tampering import CHECKPOINT, KINDS, Mutation, Subject
from tests.servers.tsa import Authority, make_authority

__all__ = ["CHECKPOINT", "KINDS", "Mutation", "Subject", "question", "run"]

PER_ARCHIVE = 50
IN_A_FOLDER = 10
"""Every so-manieth that a folder can show is verified in one, through the file system."""


def question(archive: Archive, known: tuple[bytes, ...] = ()) -> Question:
    """What is asked of an archive."""
    verifier = parse_verifier(archive.public_key)
    return Question(
        keys=(verifier,),
        tenant=archive.tenant,
        shard="0",
        now=archive.now,
        version="test",
        known=tuple(read_known(note, f"known {i}") for i, note in enumerate(known)),
        witnesses=tuple(
            parse_verifier(line, algorithm=Algorithm.COSIGNATURE) for line in archive.witnesses
        ),
        authorities=read_roots(archive.authority) if archive.authority else (),
        threads=1,
    )


def missed(mutation: Mutation, report: Report) -> str:
    """Why the report is not what it must be; empty if it is."""
    codes = [each.code for each in report.findings]
    if not mutation.found:
        if report.verdict != "intact":
            return f"a false alarm: {[each.what for each in report.findings][:3]}"
        absent = set(mutation.listed) - {each.code for each in report.listed}
        return f"not listed: {absent}" if absent else ""
    if report.verdict != "tampered":
        return "missed"
    told = [f"{each.key or ''} {each.what}" for each in report.findings]
    if not any(word in text for word in mutation.found for text in told):
        return f"found as {codes[:3]}, but {mutation.found} is not named: {told[:2]}"
    return ""


def subject_of(seed: int, authority: Authority | None) -> Subject:
    """An archive of up to 300 leaves; every third is old, and every second has timestamps."""
    rng = random.Random(seed)
    archive = draft(
        seed=seed,
        leaves=rng.randint(60, 300),
        aged=seed % 3 == 2,
        authority=authority if seed % 2 else None,
    )
    return Subject(archive=archive, rng=rng)


def attempt(subject: Subject, number: int, folder: Path) -> tuple[str, str]:
    """One mutation: its kind, and why the report was not right, or nothing."""
    make = subject.rng.choices(tuple(KINDS), tuple(KINDS.values()))[0]
    mutation = make(subject)
    asked = question(subject.archive, mutation.known)
    if mutation.folder and number % IN_A_FOLDER == 0:
        with tempfile.TemporaryDirectory(dir=folder) as root:
            lay_out(Path(root), subject.archive.tenant, mutation.evidence)
            report = verify(LocalEvidence(Path(root), subject.archive.tenant), asked)
    else:
        report = verify(mutation.evidence, asked)
    return mutation.kind, missed(mutation, report)


def run(first: int, count: int) -> tuple[Counter[str], list[str]]:
    """So many mutations, from the archive of seed ``first`` on: how many of each kind; misses."""
    done: Counter[str] = Counter()
    misses: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = make_authority(folder / "authority")
        for seed in range(first, first + -(-count // PER_ARCHIVE)):
            subject = subject_of(seed, authority)
            for number in range(min(PER_ARCHIVE, count - (seed - first) * PER_ARCHIVE)):
                kind, why = attempt(subject, number, folder)
                done[kind] += 1
                if why:
                    misses.append(f"archive {seed}, mutation {number} ({kind}): {why}")
    return done, misses


def main(arguments: list[str]) -> int:
    """Run as many as asked for; 1 if one was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    share = -(-options.count // options.jobs // PER_ARCHIVE) * PER_ARCHIVE
    starts = [options.first + job * (share // PER_ARCHIVE) for job in range(options.jobs)]
    counts = [min(share, max(0, options.count - job * share)) for job in range(options.jobs)]
    done: Counter[str] = Counter()
    misses: list[str] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for some, wrong in pool.map(run, starts, counts):
            done += some
            misses += wrong
    lines = [f"{n:6d} {kind}" for kind, n in sorted(done.items())]
    lines += [f"{done.total():6d} in all, {len(misses)} missed or false alarms", *misses[:50]]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
