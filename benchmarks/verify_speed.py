"""Verification: a million leaves without objects, and objects beside ``sha256sum``.

The first figure is that of the whole program, start to end, with the largest memory it had. The
others compare verification of objects with one `sha256sum` over the same files, both warm: of a
store of records and attachments, and of one of small records alone. What the log itself takes (and
the program's start) is measured apart, with `--no-objects`, and named.
Run: ``python -m benchmarks.verify_speed [--leaves N] [--megabytes N] [--records N]``.
"""

from __future__ import annotations

import argparse
import base64
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bridge import keys
from bridge.canonical import Leaf, act_bytes, dumps, rfc3339
from bridge.canonical.json import Json, base64url_text
from bridge.model import Digest, Outcome, Verdict
from bridge.notekeys import generate, parse_signing_key
from storage.signer.ed25519 import Ed25519Signer
from storage.translog.checkpoint import Checkpoint, sign_checkpoint
from storage.translog.edge import RightEdge

TENANT = "bench"
NAME = f"records.bench.example/{TENANT}/log/0"
BEGAN = datetime(2026, 1, 1, 10, tzinfo=UTC)
ROOM = "!bench:example.org"
STREAM_KEY = bytes(32)
STREAM = keys.stream_id(STREAM_KEY, "matrix", ROOM)
GID = "0" * 16
VERDICT = Verdict(outcome=Outcome.CAPTURE, score=1.0, reasons=(), policy="bench@1", model="rules-1")
ROUNDS = 3
RECORDS_PER_MEDIUM = 10
MEDIUM = 1 << 20
WANTED_SECONDS = 60.0
WANTED_MEGABYTES = 300.0
WANTED_SHARE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the program."""

    seconds: float
    megabytes: float


class Store:
    """A store written straight into a folder, in large steps."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: list[Path] = []
        signing, self.public = generate(NAME, random.Random(1).randbytes)
        self._signer = Ed25519Signer(parse_signing_key(signing))

    def put(self, key: str, body: bytes, *, counted: bool = True) -> None:
        """One object."""
        path = self.root / keys.absolute(TENANT, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        if counted:
            self.files.append(path)

    def publish(self, leaves: Iterable[bytes]) -> int:
        """The log of these leaves, signed."""
        edge, waiting = RightEdge(), list[bytes]()
        for leaf in leaves:
            waiting.append(leaf)
            if len(waiting) == 65_536:
                edge = self._grow(edge, waiting)
                waiting = []
        edge = self._grow(edge, waiting)
        head = Checkpoint(origin=NAME, size=edge.size, root=edge.root())
        self.put("log/0/checkpoint", sign_checkpoint(head, self._signer), counted=False)
        (self.root / "public.key").write_text(f"{self.public}\n")
        return edge.size

    def _grow(self, edge: RightEdge, leaves: list[bytes]) -> RightEdge:
        after, pieces = edge.grow(leaves)
        for piece, data in pieces:
            self.put(f"log/0/{piece.path}", data, counted=False)
        return after


def opening() -> tuple[str, bytes, Leaf]:
    """The stream's `open` act, with its key and leaf."""
    details: dict[str, Json] = {
        "stream": STREAM,
        "stream_key": base64url_text(STREAM_KEY),
        "gid": GID,
        "platform": "matrix",
        "group": {"id": ROOM},
    }
    body = act_bytes(salt=bytes(32), kind="open", at=BEGAN, by="bridge", details=details)
    key = keys.placed_key(keys.act_folder(BEGAN), 0)
    place = keys.absolute(TENANT, key)
    leaf = Leaf.placed(kind="open", at=BEGAN, key=place, digest=Digest.of(body), stream=STREAM)
    return key, body, leaf


def pair(n: int, index: int, body: Digest, key: str) -> tuple[bytes, bytes]:
    """The seen leaf of a message, which stands at ``index``, and its stored leaf."""
    at = BEGAN + timedelta(milliseconds=40 * n)
    seen = Leaf.seen(at=at, stream=STREAM, n=n, digest=body, verdict=VERDICT)
    until = BEGAN + timedelta(days=3650)
    place = keys.absolute(TENANT, key)
    stored = Leaf.stored(at=at, ref=index, digest=body, key=place, retain_until=until)
    return seen.body, stored.body


def many_leaves(count: int) -> Iterator[bytes]:
    """Leaves of messages that nobody can look at."""
    yield opening()[2].body
    for n in range((count - 1) // 2):
        digest = Digest.of(n.to_bytes(8, "big"))
        yield from pair(n, 1 + 2 * n, digest, f"records/{n}")


def record(n: int, medium: bytes | None, rng: random.Random) -> tuple[str, bytes, str]:
    """A record of about 1.5 kB with its key and the name of its attachment."""
    at = BEGAN + timedelta(milliseconds=40 * n)
    name = keys.RecordName(platform="matrix", gid=GID, filed_at=at, n=n, id16=f"{n:016x}")
    beside = keys.media_object(name.stem, 0)
    fields: dict[str, Json] = {
        "v": 1,
        "salt": base64url_text(rng.randbytes(32)),
        "stream": STREAM,
        "n": n,
        "platform": "matrix",
        "group": {"id": ROOM},
        "upstream": {"id": f"${n}"},
        "kind": "message",
        "observed_at": rfc3339(at),
        "body": "word " * 60,
        "raw": base64.b64encode(rng.randbytes(600)).decode(),
    }
    if medium is not None:
        digest = Digest.of(medium).hex
        fields["media"] = [{"object": beside, "sha256": digest, "size": len(medium)}]
    return name.record(keys.RECORDS), dumps(fields), beside


def with_objects(store: Store, records: int, *, media: bool) -> None:
    """Records, and to every tenth an attachment of one megabyte."""
    rng = random.Random(7)
    key, body, leaf = opening()
    store.put(key, body)
    leaves = [leaf.body]
    for n in range(records):
        medium = rng.randbytes(MEDIUM) if media and n % RECORDS_PER_MEDIUM == 0 else None
        key, body, beside = record(n, medium, rng)
        store.put(key, body)
        if medium is not None:
            store.put(keys.media_key(key, beside), medium)
        leaves += pair(n, len(leaves), Digest.of(body), key)
    store.publish(leaves)


def verify(store: Store, *options: str) -> Run:
    """The whole program; it MUST find the store intact."""
    command = [sys.executable, "-m", "bridge", "verify", "--store", f"file:{store.root}"]
    command += ["--public-key", str(store.root / "public.key"), "--json", *options]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    answer = process.stdout.read() if process.stdout is not None else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"verify ended with {process.returncode}: {answer[:2000]!r}")
    return Run(seconds=seconds, megabytes=usage.ru_maxrss / 1024)


def sha256sum(store: Store) -> float:
    """Seconds that `sha256sum` takes over the files of the objects."""
    names = "\0".join(map(str, store.files)).encode()
    began = time.perf_counter()
    command = ["xargs", "-0", "sha256sum"]
    subprocess.run(command, input=names, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def leaves_figure(folder: Path, count: int) -> bool:
    """The first figure; whether it is what was wanted."""
    store = Store(folder / "leaves")
    size = store.publish(many_leaves(count))
    runs = [verify(store, "--no-objects") for _ in range(ROUNDS)]
    seconds = statistics.median(each.seconds for each in runs)
    megabytes = max(each.megabytes for each in runs)
    print(f"{size:,} leaves without objects: {seconds:.1f} s, {megabytes:.0f} MB at most", end="")
    print(f" (wanted: {WANTED_SECONDS:.0f} s, {WANTED_MEGABYTES:.0f} MB)")
    return seconds < WANTED_SECONDS and megabytes < WANTED_MEGABYTES


def objects_figure(folder: Path, what: str, records: int, *, media: bool) -> bool:
    """Objects beside `sha256sum`; whether it is what was wanted."""
    store = Store(folder / what)
    with_objects(store, records, media=media)
    total = sum(path.stat().st_size for path in store.files) / 1e6
    sha256sum(store)
    rounds = [
        (sha256sum(store), verify(store).seconds, verify(store, "--no-objects").seconds)
        for _ in range(ROUNDS)
    ]
    theirs, whole, log = (statistics.median(column) for column in zip(*rounds, strict=True))
    share = statistics.median(each[0] / (each[1] - each[2]) for each in rounds)
    print(f"{len(store.files):,} {what} of {total:,.0f} MB: sha256sum {theirs:.2f} s, ", end="")
    print(f"verify {whole:.2f} s, of which {log:.2f} s for start and log: ", end="")
    print(f"objects at {share:.0%} of its speed (wanted: {WANTED_SHARE:.0%}, both cores allowed)")
    return share >= WANTED_SHARE


def main() -> int:
    """Both figures; 1 if one is not what was wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        mixed = options.megabytes * RECORDS_PER_MEDIUM
        good = [
            leaves_figure(folder, options.leaves),
            objects_figure(folder, "records and attachments", mixed, media=True),
            objects_figure(folder, "small records", options.records, media=False),
        ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
