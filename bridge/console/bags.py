"""A selection as a bag in a tar archive, laid out on a reel. Blocks, but reads no store."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from bridge import keys
from bridge.canonical import rfc3339
from bridge.console import bag
from bridge.console.reels import Kind, Reel, Source
from bridge.protocols.catalog import ListedMedium, Listing
from bridge.protocols.proof import LeafProof, Remark, Standing

README: Final = """\
What this is
------------
data/records/     records, byte for byte as the archive stores them (RFC 8785 JSON)
data/records.jsonl  the same bytes, one record on a line
data/media/       attachments as they came: written by strangers, open them with care
data/rows.jsonl   one line for each record: where it stands, what was decided of it, what was proved
                  and what does not fit; digests of attachments there are those it names
data/proofs/      proofs of the records' leaves in the log (C2SP tlog-proof)
data/checkpoint   the signed checkpoint that the proofs lead to
data/verifier.key the key that must have signed it: compare it with one that you have elsewhere
data/manifest.json  who downloaded what, when, and why

How to check it
---------------
The bag: any BagIt tool, or `sha256sum --check manifest-sha256.txt` in its folder.
A record: `sha256sum data/records/STEM.json` gives the digest that stands as "o" in the leaf:
  sed -n 's/^extra //p' data/proofs/STEM.stored.tlog-proof | base64 -d
The leaf: any tool for C2SP tlog-proof, with data/verifier.key.
"""


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of ``rows.jsonl``."""

    stem: str
    key: str
    gid: str
    sha256: str | None
    leaf: int
    stream: str
    n: int
    outcome: str
    score: float
    policy: str
    model: str
    proved: str
    reasons: list[dict[str, str | int]] = []
    media: list[dict[str, str | int | None]] = []
    remarks: list[str] = []
    size: int = 0
    is_left_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A record as the store has it, and what was found of it.

    ``media``: those that are there, with the size and digest of the bytes that are.
    """

    listing: Listing
    record: bytes | None = field(repr=False)
    media: tuple[ListedMedium, ...] = ()
    proofs: tuple[LeafProof, ...] = ()
    standing: Standing | None = None
    remarks: tuple[Remark, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of what does not fit."""
        missing = ("object_missing",) if self.record is None else ()
        return (*missing, *(each.code for each in self.remarks))

    @property
    def stem(self) -> str:
        """The record's stem."""
        return keys.stem_of(self.listing.key or "")

    @property
    def is_unproved(self) -> bool:
        """Whether something of it does not fit."""
        return self.record is None or self.standing is Standing.UNPROVED or bool(self.remarks)

    @staticmethod
    def place(key: str, medium: ListedMedium) -> str:
        """Where an attachment of the record under ``key`` stands."""
        return keys.media_key(key, medium.object or "")


class Bag:
    """Lays files out: the payload as it comes, then what names it all."""

    def __init__(self, reel: Reel, *, name: str, at: datetime) -> None:
        self._reel = reel
        self._name = name
        self._at = at
        self._lines = hashlib.sha256()
        self._lines_size = 0
        self._payload = 0
        self._files = 0
        self._tags: list[tuple[str, str]] = []
        self._placed: set[str] = set()
        self.records = 0
        self.media = 0

    def begin(self) -> None:
        """The declaration comes first."""
        self._tag("bagit.txt", bag.BAGIT)

    def add(self, taken: Taken) -> None:
        """A record, its attachments and its proofs. One that is there already is not repeated."""
        key = taken.listing.key or ""
        if key in self._placed:
            return
        self._placed.add(key)
        digest = None
        if taken.record is not None:
            digest = hashlib.sha256(taken.record).hexdigest()
            self._record(key, taken, digest)
        row = _row(taken, digest)
        self._reel.rows.add(msgspec.json.encode(row) + b"\n")

    def _record(self, key: str, taken: Taken, digest: str) -> None:
        record = taken.record or b""
        self.records += 1
        size = len(record)
        source = Source(key, digest)
        self._named(Kind.RECORD, f"data/records/{taken.stem}.json", source, size)
        self._lines.update(record + b"\n")
        self._lines_size += size + 1
        for medium in taken.media:
            self.media += 1
            source = Source(Taken.place(key, medium), medium.sha256 or "")
            path = f"data/media/{taken.stem}/{medium.i}"
            self._named(Kind.MEDIUM, path, source, medium.size or 0)
        for proof in taken.proofs:
            self._made(f"data/proofs/{taken.stem}.{proof.kind}.tlog-proof", proof.body)

    def end(self, facts: dict[str, str], checkpoint: bytes | None, verifier: str) -> None:
        """What is said of the whole, and the bag's own manifests. Nothing can follow."""
        reel = self._reel
        self._begin("data/records.jsonl", self._lines_size, self._lines.hexdigest())
        reel.again(Kind.RECORD, b"\n")
        reel.zeros(bag.padding(self._lines_size))
        self._spooled("data/rows.jsonl", Kind.ROWS)
        self._made("data/README.txt", README.encode())
        if checkpoint is not None:
            self._made("data/checkpoint", checkpoint)
            self._made("data/verifier.key", verifier.encode())
        document = {
            "v": 1,
            **facts,
            "at": rfc3339(self._at),
            "records": self.records,
            "media": self.media,
        }
        self._made("data/manifest.json", msgspec.json.format(msgspec.json.encode(document)))
        self._tag("bag-info.txt", bag.info(self._info(facts)))
        self._spooled("manifest-sha256.txt", Kind.SUMS)
        lines = b"".join(bag.sum_line(digest, path) for path, digest in self._tags)
        self._tag("tagmanifest-sha256.txt", lines)
        reel.zeros(bag.END)
        reel.seal()

    def _info(self, facts: dict[str, str]) -> list[tuple[str, str]]:
        return [
            ("Source-Organization", facts["department"]),
            ("External-Description", facts["what"]),
            ("External-Identifier", self._name),
            ("Internal-Sender-Description", facts["why"]),
            ("Contact-Name", facts["by"]),
            ("Bagging-Date", f"{self._at:%Y-%m-%d}"),
            ("Payload-Oxum", bag.oxum(self._payload, self._files)),
            ("Bag-Software-Agent", "muniment"),
        ]

    def _named(self, kind: Kind, path: str, source: Source, size: int) -> None:
        self._begin(path, size, source.sha256)
        self._reel.named(kind, source, size)
        self._reel.zeros(bag.padding(size))

    def _made(self, path: str, data: bytes) -> None:
        self._begin(path, len(data), hashlib.sha256(data).hexdigest())
        self._reel.make(data)
        self._reel.zeros(bag.padding(len(data)))

    def _begin(self, path: str, size: int, digest: str) -> None:
        """The header of a payload file, and its line in the manifest."""
        self._payload += size
        self._files += 1
        self._reel.sums.add(bag.sum_line(digest, path))
        self._reel.make(bag.header(f"{self._name}/{path}", size, at=self._at))

    def _spooled(self, path: str, kind: Kind) -> None:
        """A file that grew beside the archive."""
        spool = self._reel.rows if kind is Kind.ROWS else self._reel.sums
        spool.flush()
        digest, at = hashlib.sha256(), 0
        while data := spool.read(at, 1 << 20):
            digest.update(data)
            at += len(data)
        if path.startswith("data/"):
            self._begin(path, spool.size, digest.hexdigest())
        else:
            self._tags.append((path, digest.hexdigest()))
            self._reel.make(bag.header(f"{self._name}/{path}", spool.size, at=self._at))
        self._reel.whole(kind, spool)
        self._reel.zeros(bag.padding(spool.size))

    def _tag(self, path: str, data: bytes) -> None:
        self._tags.append((path, hashlib.sha256(data).hexdigest()))
        self._reel.make(bag.header(f"{self._name}/{path}", len(data), at=self._at))
        self._reel.make(data)
        self._reel.zeros(bag.padding(len(data)))


def _row(taken: Taken, digest: str | None) -> Row:
    listing = taken.listing
    there = {each.i for each in taken.media}
    return Row(
        stem=taken.stem,
        key=listing.key or "",
        gid=listing.gid,
        sha256=digest,
        leaf=listing.leaf,
        stream=listing.stream,
        n=listing.n,
        outcome=listing.outcome.value,
        score=listing.score,
        policy=listing.policy,
        model=listing.model,
        proved="not asked" if taken.standing is None else taken.standing.value,
        reasons=[
            {"code": each.code, "rule": each.rule, "start": each.start, "end": each.end}
            for each in listing.reasons
        ],
        media=[
            {
                "i": each.i,
                "path": f"data/media/{taken.stem}/{each.i}" if each.i in there else None,
                "sha256": each.sha256,
                "name": each.name,
            }
            for each in listing.media
        ],
        remarks=[each.what for each in taken.remarks],
        size=len(taken.record or b""),
        is_left_out=taken.record is None,
    )
