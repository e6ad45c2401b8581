"""One record: its two leaves with their proofs, its bytes, its attachments. Reads nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from bridge.canonical import rfc3339
from bridge.errors import ConfigError
from bridge.keys import absolute, manifest_folder, media_key
from bridge.protocols.evidence import Evidence
from storage.translog.malformed import MalformedError, TileError
from storage.translog.merkle import inclusion_proof, leaf_hash, verify_inclusion
from storage.translog.proof import TlogProof
from storage.translog.tilehashes import TileHashes, inclusion_tiles
from storage.translog.tiles import WIDTH, Bundle, Tile, entries_of
from storage.translog.verify.codes import Code
from storage.translog.verify.comparison import Comparison
from storage.translog.verify.documents import DocumentError, read_manifest, read_record
from storage.translog.verify.engine import Question
from storage.translog.verify.follow import Follower
from storage.translog.verify.gone import Gone
from storage.translog.verify.heads import SignedHead, Trust, read_head
from storage.translog.verify.holdings import held
from storage.translog.verify.lines import LeafError, integer, matched, milliseconds
from storage.translog.verify.names import record_place, twin
from storage.translog.verify.reading import body_of, digest_of
from storage.translog.verify.report import (
    CheckpointReport,
    Counts,
    Gathering,
    Report,
    Vouches,
)
from storage.translog.verify.retentions import EPOCH, moment
from storage.translog.verify.unnamed import Unnamed
from storage.translog.verify.whole_log import ProvedLeaf, Sought, leaves_with

AHEAD = 16
"""Bundles fetched at once while a leaf is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A leaf's proof: which leaf, and the bytes of its ``.tlog-proof`` file."""

    kind: str
    leaf: int
    body: bytes = field(repr=False)


def verify_one(
    evidence: Evidence, question: Question, key: str
) -> tuple[Report, tuple[Proof, ...]]:
    """What can be told of the record under ``key``, and the proofs of its leaves.

    Raises:
        ConfigError: no leaf names it and nothing stands there, or it is no record's key.
        ObjectStoreError: the store cannot be read.
    """
    if record_place(key) is None:
        raise ConfigError(
            f"{key} is not the key of a record.", hint="Give a key of records/ or review/."
        )
    with ThreadPoolExecutor(question.threads, thread_name_prefix="verify") as pool:
        return _OneRecord(evidence, question, key, pool).run()


class _OneRecord:
    def __init__(
        self, evidence: Evidence, question: Question, key: str, pool: ThreadPoolExecutor
    ) -> None:
        self._evidence = evidence
        self._question = question
        self._key = key
        self._pool = pool
        self._base = f"log/{question.shard}/"
        self._found = Gathering()
        self._counts = Counts()
        self._vouches = Vouches()
        self._trust = Trust(question.keys)
        self._proofs: list[Proof] = []

    def run(self) -> tuple[Report, tuple[Proof, ...]]:
        checkpoint = f"{self._base}checkpoint"
        note = self._evidence.read(checkpoint)
        head = None
        if note is None:
            self._found.add(Code.CHECKPOINT_MISSING, f"{checkpoint} is missing.", key=checkpoint)
        else:
            head = read_head(note, checkpoint, self._found)
        if head is not None and note is not None:
            Follower(self._evidence, self._question.shard, head, self._trust).follow(self._found)
            is_trusted = self._trust.judge(head, self._found)
            if is_trusted:
                self._vouches.size = head.checkpoint.size
            self._judge(head, note)
            comparison = Comparison(head, self._trust, self._tiles, self._found)
            for known in self._question.known:
                if comparison.extends(known, is_trusted=is_trusted):
                    self._vouches.known.append(known.checkpoint.size)
        return self._report(head), tuple(self._proofs)

    def _judge(self, head: SignedHead, note: bytes) -> None:
        size = head.checkpoint.size
        place = hashlib.sha256(absolute(self._question.tenant, self._key).encode()).hexdigest()
        stored = self._stored(place.encode(), self._start(size), size)
        stored = stored or self._in_whole_log(place.encode(), head, note)
        if stored is None:
            return
        self._prove(stored, head, note)
        index = integer(stored.fields["ref"])
        seen = self._leaf(index, size) if index < stored.index else None
        if seen is None or seen.kind != "seen":
            what = f"Leaf {stored.index} refers to leaf {index}, which is no earlier seen leaf."
            self._found.add(Code.REF_INVALID, what, leaf=stored.index)
            return
        self._prove(seen, head, note)
        if seen.fields["d"] != stored.fields["o"]:
            what = f"Leaf {stored.index} says that other bytes were stored than leaf {index} saw."
            self._found.add(Code.STORED_MISMATCH, what, leaf=stored.index)
        gone = Gone(
            self._evidence, self._question, self._key, lambda texts: self._search(texts, head)
        )
        self._record(stored, seen, partial(gone.judge, stored=stored, seen=seen, found=self._found))

    def _in_whole_log(self, place: bytes, head: SignedHead, note: bytes) -> ProvedLeaf | None:
        """Its leaf, wherever it is; if there is none, what that means is told.

        What was searched so far was not proved: whoever changed the record may have changed its
        leaf in the bundle as well.
        """
        holding = held(self._evidence, self._key)
        texts, digest = [b'"p":"' + place], b""
        if holding is not None and holding.versions and holding.is_plain:
            digest = digest_of(self._evidence, holding.record)[0].hex().encode()
            texts.append(b'"o":"' + digest)
        sought = self._search(texts, head)
        if sought is None:
            return None
        for leaf in sought.found:
            if leaf.kind == "stored" and leaf.fields["p"] == place:
                return leaf
        if holding is None or not holding.versions:
            raise ConfigError(
                f"No leaf names {self._key}, and nothing stands there.",
                hint="Find the key in the group's manifest of that day.",
            )
        unnamed = Unnamed(self._evidence, self._question.tenant, holding, digest)
        unnamed.judge(sought, head.name, note, self._found)
        return None

    def _search(self, texts: Iterable[bytes], head: SignedHead) -> Sought | None:
        shard, checkpoint = self._question.shard, head.checkpoint
        return leaves_with(
            texts, self._evidence, shard, checkpoint, pool=self._pool, found=self._found
        )

    def _start(self, size: int) -> int:
        """The seen leaf's index as the manifest says; 0 if it does not."""
        place = record_place(self._key)
        if place is None:
            return 0
        folder = manifest_folder(place.gid, place.day)
        for part in self._evidence.walk(f"{folder}/"):
            if part.deleted or part.size < 0:
                continue
            try:
                manifest = read_manifest(body_of(self._evidence, part))
            except DocumentError:
                continue  # where to look is all it is asked for
            for row in manifest.rows:
                if row.key in {self._key, twin(self._key)} and 0 <= row.leaf < size:
                    return row.leaf
        return 0

    def _stored(self, place: bytes, start: int, size: int) -> ProvedLeaf | None:
        """The first `stored` leaf of this place from ``start`` on."""
        searched = Gathering()
        for index, line in self._lines(start // WIDTH, size, searched):
            if b'"p":"' + place in line:
                try:
                    kind, fields = matched(line)
                except LeafError:
                    continue
                if kind == "stored":
                    self._found.take(searched)
                    return ProvedLeaf(index, kind, fields)
        return None

    def _lines(self, first: int, size: int, found: Gathering) -> Iterator[tuple[int, bytes]]:
        blocks = range(first, -(-size // WIDTH))
        for at in range(0, len(blocks), AHEAD):
            some = blocks[at : at + AHEAD]
            bundles = self._pool.map(lambda block: self._bundle(block, size, found), some)
            for block, entries in zip(some, bundles, strict=True):
                if not entries:
                    return  # whether there are so many leaves at all, the whole log tells
                for i, line in enumerate(entries):
                    yield block * WIDTH + i, line

    def _bundle(self, block: int, size: int, found: Gathering) -> tuple[bytes, ...]:
        piece = Bundle(block, min(WIDTH, size - block * WIDTH))
        key = self._base + piece.path
        body = self._evidence.read(key)
        if body is None:
            found.add(Code.BUNDLE_MISSING, f"{key} is missing.", key=key)
            return ()
        try:
            entries = entries_of(body)
        except TileError as error:
            found.add(Code.BUNDLE_MALFORMED, f"{key} is malformed: {error}.", key=key)
            return ()
        return entries[: piece.width]

    def _leaf(self, index: int, size: int) -> ProvedLeaf | None:
        entries = self._bundle(index // WIDTH, size, self._found)
        if index % WIDTH >= len(entries):
            return None
        try:
            kind, fields = matched(entries[index % WIDTH])
        except LeafError as error:
            what = f"Leaf {index} is not a leaf: {error}."
            self._found.add(Code.LEAF_MALFORMED, what, leaf=index)
            return None
        return ProvedLeaf(index, kind, fields)

    def _prove(self, leaf: ProvedLeaf, head: SignedHead, note: bytes) -> None:
        """Inclusion under the checkpoint, out of tiles."""
        size, root, index = head.checkpoint.size, head.checkpoint.root, leaf.index
        line = self._bundle(index // WIDTH, size, self._found)[index % WIDTH]
        try:
            hashes = inclusion_proof(
                index, size, TileHashes(size, self._tiles(inclusion_tiles(index, size)))
            )
            verify_inclusion(index, size, leaf_hash(line), root, hashes)
        except MalformedError as error:
            what = f"Leaf {index} is not proved to stand under the checkpoint: {error}."
            self._found.add(Code.ROOT_MISMATCH, what, leaf=index)
            return
        self._counts.leaves += 1
        # The leaf itself goes along as `extra`: with it the file proves something by itself.
        proof = TlogProof(index=index, hashes=hashes, checkpoint=note, extra=line)
        self._proofs.append(Proof(kind=leaf.kind, leaf=index, body=proof.encode()))

    def _tiles(self, wanted: tuple[Tile, ...]) -> dict[Tile, bytes]:
        bodies = self._pool.map(lambda tile: self._evidence.read(self._base + tile.path), wanted)
        return {tile: body for tile, body in zip(wanted, bodies, strict=True) if body is not None}

    def _record(
        self, stored: ProvedLeaf, seen: ProvedLeaf, absent: Callable[[Code, str], None]
    ) -> None:
        holding = held(self._evidence, self._key)
        leaf = stored.index
        if holding is None or not holding.versions or holding.hidden:
            absent(Code.OBJECT_MISSING, self._key)
            return
        body = body_of(self._evidence, holding.record)
        self._counts.objects = self._counts.records = 1
        self._counts.bytes += len(body)
        if hashlib.sha256(body).hexdigest().encode() != stored.fields["o"]:
            what = f"The bytes of {self._key} are not those whose digest stands in leaf {leaf}."
            self._found.add(Code.OBJECT_MISMATCH, what, key=self._key, leaf=leaf)
            return
        if "ret" in stored.fields:
            self._retention(stored)
        self._content(body, seen, absent)

    def _retention(self, stored: ProvedLeaf) -> None:
        until = milliseconds(stored.fields["ret"])
        holding = held(self._evidence, self._key)
        now = (self._question.now - EPOCH) / timedelta(milliseconds=1)
        if holding is None or until <= now:
            return
        if not self._evidence.keeps_retentions:
            what = f"The store does not enforce that {self._key} is kept."
            self._found.add(Code.RETENTION_NOT_ENFORCED, what, key=self._key)
            return
        kept = self._evidence.retention(holding.record)
        if kept is None or kept.until < moment(until) - timedelta(seconds=1):
            shown = rfc3339(kept.until) if kept is not None else "no date"
            code = Code.RETENTION_MISSING if kept is None else Code.RETENTION_SHORTENED
            what = f"The store keeps {self._key} until {shown}, not {rfc3339(moment(until))}."
            self._found.add(code, what, key=self._key, leaf=stored.index)

    def _content(self, body: bytes, seen: ProvedLeaf, absent: Callable[[Code, str], None]) -> None:
        try:
            record = read_record(body)
        except DocumentError as error:
            what = f"{self._key} is no record: {error}."
            self._found.add(Code.RECORD_MALFORMED, what, key=self._key)
            return
        place = record_place(self._key)
        says = (record.stream.encode(), record.n, record.n)
        if place is None or says != (seen.fields["s"], int(seen.fields["n"]), place.n):
            what = f"{self._key} says that it is number {record.n} of stream {record.stream}."
            self._found.add(Code.RECORD_MISMATCH, what, key=self._key, leaf=seen.index)
        for copy in record.media:
            if copy.object is not None:
                self._medium(media_key(self._key, copy.object), copy.sha256, absent)

    def _medium(self, key: str, sha256: str | None, absent: Callable[[Code, str], None]) -> None:
        holding = held(self._evidence, key)
        if holding is None or not holding.versions or holding.hidden:
            absent(Code.MEDIA_MISSING, key)
            return
        digest, length = digest_of(self._evidence, holding.record)
        self._counts.media += 1
        self._counts.objects += 1
        self._counts.bytes += length
        if digest.hex() != sha256:
            what = f"The bytes of {key} are not those that its record names."
            self._found.add(Code.MEDIA_MISMATCH, what, key=key)

    def _report(self, head: SignedHead | None) -> Report:
        findings = self._found.findings()
        checkpoint = None
        if head is not None:
            checkpoint = CheckpointReport(
                size=head.checkpoint.size, root=head.checkpoint.root.hex()
            )
        return Report(
            verdict="tampered" if findings else "intact",
            store=self._evidence.place,
            origin=self._trust.origin,
            checkpoint=checkpoint,
            findings=findings,
            listed=self._found.listed(),
            counts=self._counts,
            vouches=self._vouches,
            version=self._question.version,
        )
