"""Check a copy of a Muniment archive with nothing but Python 3.11 and this one file.

    python verify_standalone.py FOLDER --public-key FILE
        [--known FILE ...] [--json] [--skip-objects]

It is one file, far longer than any other of this program, so that a court's expert can read all
that is relied on, from the top to the bottom, in an hour. It imports nothing of the program that
wrote the archive, and no library beyond Python's own. Read top-down: first what is checked, in
order; below that the formats (notes, tree, leaves, JSON, Ed25519), each with its standard.

FOLDER holds ``v1/<tenant>/...``: the folder of a ``file:`` store, or a download of a bucket. FILE
holds the log's public key, one line ``<name>+<hash>+<data>``, obtained from somewhere *else* than
FOLDER. ``--known`` is a checkpoint that was kept elsewhere, at any earlier time.

What it proves, if it ends with "intact":

1. Whoever held the private key signed one root hash over a list of entries, the *leaves*.
2. The leaves in FOLDER are that list: none is altered, removed, inserted or moved.
3. Each object a leaf names is there, byte for byte; what is absent was allowed to be.
4. The messages of each group are numbered without a hole, so none was dropped after it was seen.
5. Nothing else lies in FOLDER, but for what is so new that its leaf had not been published yet.
6. With ``--known``: today's list begins with the list that was signed then.

What it does not prove: that the recorder was shown every message; that the private key was used by
its owner alone; that FOLDER is not an older state of the archive as a whole (only a checkpoint,
a timestamp or a witness from elsewhere shows that: ``--known``). Timestamps (RFC 3161) and
witnesses' signatures are outside proofs with keys of their own: that they are about this log is
checked, their signatures are not; the command that does it is printed for each.

Exit code: 0 intact, 1 tampered (what does not fit is named), 2 cannot tell.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

VERSION = 1
WIDTH = 256
"""Hashes in a tile, and leaves in a bundle."""

SETTLING = timedelta(minutes=10)
"""How long a number, or the leaf of an object, may still be on its way."""

STORING = timedelta(hours=24)
"""How long a kept message may wait for the store before that is a finding."""

A_DAY = timedelta(days=1)
Fields = dict[str, object]
"""A JSON object: names and values."""


class CannotTellError(Exception):
    """The arguments or the folder cannot be read: exit code 2."""


class MalformedError(Exception):
    """Bytes that are not what they ought to be."""


# --- 1. What is checked, in order ----------------------------------------------------------------


def verify(
    folder: Path,
    keys: Sequence[Key],
    known: Sequence[tuple[str, bytes]] = (),
    *,
    now: str,
    skip_objects: bool = False,
) -> Report:
    """Check everything; what does not fit stands in the report.

    ``known`` are the names and bytes of checkpoints kept elsewhere; ``now`` is the time, as leaves
    write it, against which the end of a retention is judged.

    Raises:
        CannotTellError: the folder holds nothing of this log, or a known checkpoint is none.
        OSError: a file cannot be read.
    """
    store = Store.of(folder, keys[0])
    report = Report(store=str(folder), origin=keys[0].name)
    heads = [(name, *read_known(name, data)) for name, data in known]
    head = check_checkpoint(store, report)
    if head is None:
        return report
    report.checkpoint = head[1]
    entries = check_tree(store, head[1], report)
    log = Log(entries or [])
    check_leaves(log, report)
    trusted = trusted_keys(store, log, keys, [head, *((note, each) for _, note, each in heads)])
    check_signatures(head, trusted, log, report)
    check_known(log if entries is not None else None, head[1], heads, trusted, report)
    if entries is None:
        # The leaves at hand are not those that were signed: nothing can be judged by them.
        return report
    check_references(log, report)
    read_acts(store, log)
    check_numbering(log, report)
    check_all_stored(log, report)
    report.count("leaves", len(entries))
    report.count("streams", len({seen.stream for seen in log.seen.values()}))
    if skip_objects:
        report.note("not_checked", "the objects were not read, as asked (--skip-objects)")
    else:
        Objects(store, log, trusted, report, now).check()
    return report


def check_checkpoint(store: Store, report: Report) -> Head | None:
    """The checkpoint must be written exactly as one writes it, so that no byte can be changed."""
    key = f"{store.log}checkpoint"
    if key not in store.files:
        report.find("checkpoint_missing", "there is no checkpoint", key=key)
        return None
    store.explained.add(key)
    try:
        note = read_note(store.read(key))
        return note, read_checkpoint(note.text)
    except MalformedError as error:
        report.find("checkpoint_malformed", f"the checkpoint is not one: {error}", key=key)
        return None


def check_tree(store: Store, checkpoint: Checkpoint, report: Report) -> list[bytes] | None:
    """The leaves, if they give the signed root. Tiles are only a cache, but must fit as well.

    If they do not, the hashes in the lowest tiles are tried in their place: where those give the
    root, they show which leaves were changed.
    """
    size = checkpoint.size
    entries, whole = read_bundles(store, size, report)
    tree = levels_of([leaf_hash(entry) for entry in entries])
    if whole and root_of(tree, size) == checkpoint.root:
        check_tiles(store, tree, size, report)
        check_old_bundles(store, entries, report)
        return entries
    cached = levels_of(hashes_in_tiles(store, size))
    if len(cached[0]) == size and root_of(cached, size) == checkpoint.root:
        if whole:
            for i in range(size):
                if tree[0][i] != cached[0][i]:
                    what = "the leaf is not the one that was signed"
                    report.find("bundle_mismatch", what, leaf=i)
        check_tiles(store, cached, size, report)
    else:
        report.find("root_mismatch", f"the {size} leaves do not give the root that was signed")
    return None


def check_tiles(store: Store, tree: Levels, size: int, report: Report) -> None:
    """Each tile the signed size calls for is there, and each one there is what the leaves give.

    A tile of level L holds hashes of 256**L leaves each. Narrower tiles at the right edge, left
    over from earlier checkpoints, may be there. Tiles of a larger size are judged as any other
    object: they may be on their way to the next checkpoint.
    """
    for tile in pieces_of(size, entries=False):
        if store.log + tile.path not in store.files:
            report.find("tile_missing", "a tile is not there", key=store.log + tile.path)
    for key, tile in store.pieces():
        if not tile.entries and tile.end <= size >> (8 * tile.level):
            first = tile.index * WIDTH
            hashes = tree[8 * tile.level][first : first + tile.width]
            if store.read(key) != b"".join(hashes):
                report.find("tile_mismatch", "a tile is not what the leaves give", key=key)
            store.explained.add(key)


def check_old_bundles(store: Store, entries: list[bytes], report: Report) -> None:
    """Bundles left over from earlier checkpoints hold the same leaves, only fewer."""
    for key, piece in store.pieces():
        if piece.entries and piece.end <= len(entries):
            store.explained.add(key)
            first = piece.index * WIDTH
            found = read_bundle(store.read(key), piece.width)
            if found is None:
                what = f"it is not a bundle of {piece.width} leaves"
                report.find("bundle_malformed", what, key=key)
            elif found != entries[first : first + piece.width]:
                report.find("bundle_mismatch", "a bundle is not what was signed", key=key)


def check_leaves(log: Log, report: Report) -> None:
    """Every leaf is in the one form of its kind. Gathers what the later checks need."""
    for i, entry in enumerate(log.entries):
        try:
            log.add(i, read_leaf(entry))
        except MalformedError as error:
            report.find("leaf_malformed", f"a leaf is not in its form: {error}", leaf=i)
    report.at = log.newest


def trusted_keys(store: Store, log: Log, keys: Sequence[Key], heads: list[Head]) -> list[Key]:
    """The keys that may sign: those given, and those that `key` leaves name with their support.

    Anybody could write a log that names his own key; so a new one counts only once a key that
    counts already signed a checkpoint that covers the leaf and fits this log. Such a checkpoint
    may be the newest itself (both keys sign it), a known one, or one among the anchors.
    """
    trusted = list(keys)
    for key in store.files if log.keys else ():
        if re.fullmatch(rf"anchors/{store.shard}/[0-9]+\.note", key):
            with suppress(MalformedError):
                note = read_note(store.read(key))
                heads.append((note, read_checkpoint(note.text)))
    for i, named in log.keys:
        for note, head in heads:
            fits = i < head.size <= len(log.entries) and root_of(log.tree, head.size) == head.root
            if fits and head.origin == keys[0].name and note.signed_by(trusted):
                trusted.append(named)
                break
    return trusted


def check_signatures(head: Head, trusted: Sequence[Key], log: Log, report: Report) -> None:
    """The checkpoint is of this log, and signed by a trusted key: by the newest that was named.

    After a change of keys the old one is not enough: it may have been lost to somebody.
    """
    note, checkpoint = head
    if checkpoint.origin != trusted[0].name:
        what = f"the checkpoint is of {checkpoint.origin!r}, not of {trusted[0].name!r}"
        report.find("checkpoint_origin", what)
    if not note.signed_by(trusted):
        report.find("checkpoint_signature", "the checkpoint is not signed by this key")
    elif log.keys and not note.signed_by([log.keys[-1][1]]):
        report.find("key_retired", f"the log went on with the key {log.keys[-1][1].line}")
    for name, key_hash, _ in note.signatures:
        if (name, key_hash) not in {(each.name, each.hash) for each in trusted}:
            report.note("foreign_signature", f"a signature of {name}, not checked")


def check_known(
    log: Log | None,
    checkpoint: Checkpoint,
    known: Sequence[tuple[str, Note, Checkpoint]],
    trusted: Sequence[Key],
    report: Report,
) -> None:
    """The log only grew: it begins with exactly the leaves that a known checkpoint covered.

    Without the leaves that were signed (no ``log``), nor do we know which later keys may sign.

    Raises:
        CannotTellError: a known checkpoint is not of this log and its keys, so tells nothing.
    """
    for name, note, earlier in known:
        signed = note.signed_by(trusted)
        if earlier.origin != trusted[0].name or not (signed or log is None):
            raise CannotTellError(f"{name} is not signed by the key of {trusted[0].name}")
        if signed and earlier.size > checkpoint.size:
            what = f"{name} covers {earlier.size} leaves, the log has only {checkpoint.size}"
            report.find("rolled_back", what)
        elif log is None:
            report.note("not_checked", f"{name}: the leaves at hand cannot tell")
        elif root_of(log.tree, earlier.size) != earlier.root:
            what = f"the first {earlier.size} leaves are not those of {name}"
            report.find("forked", what)
        else:
            report.known.append(earlier.size)


def check_references(log: Log, report: Report) -> None:
    """Leaves point back to a `seen` leaf; what was stored is what was seen; one leaf per object.

    `d` of the seen leaf is the digest of the record when it was sealed, `o` that of the object.
    Only a recorder whose journal was restored may have put, and logged, the same record twice.
    """
    for i, leaf in log.of("stored", "decision", "late"):
        ref = integer(leaf, "ref")
        if ref >= i or ref not in log.seen:
            report.find("ref_invalid", f"leaf {ref} is no earlier `seen` leaf", leaf=i)
        elif leaf["k"] == "stored" and leaf["o"] != log.seen[ref].digest:
            report.find("stored_mismatch", f"another file than leaf {ref} saw was stored", leaf=i)
    for p, named in log.named.items():
        for i in named[1:]:
            first, again = log.leaf(named[0]), log.leaf(i)
            same = all(first.get(name) == again.get(name) for name in ("k", "ref", "o"))
            if first["k"] != "stored" or not same:
                report.find("leaf_repeated", f"leaf {named[0]} names the same key {p}", leaf=i)


def check_numbering(log: Log, report: Report) -> None:
    """Each stream is numbered from 0 without a hole, up to its total where it was closed.

    A number may be on its way while the first leaf above it is fresh: leaves are written when a
    message is judged, which is not the order in which they came.
    """
    for (stream, n), found in log.numbers.items():
        for i in found[1:]:
            what = f"leaf {found[0]} has the same number"
            if stream in log.succeeded:
                report.note("number_repeated_excused", what, leaf=i, stream=stream, n=n)
            else:
                report.find("number_repeated", what, leaf=i, stream=stream, n=n)
    streams: dict[str, list[tuple[int, int]]] = {}  # number, leaf
    for i, seen in log.seen.items():
        streams.setdefault(seen.stream, []).append((seen.n, i))
    for stream, numbers in streams.items():
        if stream not in log.opened and log.age(numbers[0][1]) > STORING:
            report.find("stream_unopened", "no leaf opened this stream", stream=stream)
        elif stream not in log.opened:
            report.note("stream_opening", "no leaf opened this stream yet", stream=stream)
    for stream, closed in log.closed.items():
        total, at = closed[0]
        above = [i for n, i in streams.get(stream, []) if n >= total]
        for i in [*above, *(i for other, i in closed if other != total)]:
            report.find("total_mismatch", f"leaf {at} says {total}", leaf=i, stream=stream)
        if total > max((n for n, _ in streams.get(stream, [])), default=-1):
            streams.setdefault(stream, []).append((total, at))
    for stream, numbers in streams.items():
        check_stream(log, stream, numbers, report)


def check_stream(log: Log, stream: str, numbers: list[tuple[int, int]], report: Report) -> None:
    """The holes of one stream: `number_open` while they are fresh, then `number_missing`."""
    present = [-1, *sorted({n for n, _ in numbers})]
    for below, above in pairwise(present):
        if above == below + 1:
            continue
        first = min(i for n, i in numbers if n >= above)
        what = f"numbers {below + 1} to {above - 1} have no leaf"
        if log.age(first) < SETTLING:
            report.note("number_open", what, stream=stream, n=below + 1)
        else:
            report.find("number_missing", what, stream=stream, n=below + 1)


def check_all_stored(log: Log, report: Report) -> None:
    """What was to be kept was stored, or that is so new that it may come, or the log says why not.

    Why not: it is marked too high for the store (`x`), the log has a gap there, or the journal
    was lost and another stream goes on in place of this one.
    """
    for i, seen in log.seen.items():
        outcome, decided = log.outcomes[i][-1]
        if outcome == "discard" or i in log.stored:
            continue
        gap = {(seen.stream, seen.n - 1), (seen.stream, seen.n)} & log.gaps
        explained = gap or seen.restricted or seen.stream in log.succeeded
        if explained or log.age(decided) <= STORING:
            report.note("unstored", "to be kept, and not stored", leaf=i)
        else:
            report.find("never_stored", "to be kept, and never stored", leaf=i)


def read_acts(store: Store, log: Log) -> None:
    """Take from three kinds of acts, if they are what was logged, what other checks lean on.

    `dispose` names leaves whose objects were destroyed by authority. `open` gives the folder name
    (`gid`) of its stream's group, and may name a stream that it goes on from because the journal
    was lost: what was numbered there meanwhile may repeat, or never have been stored.
    """
    for i, leaf in log.of("dispose", "open"):
        key = store.key_of.get(text(leaf, "p"))
        data = store.read(key) if key is not None else b""
        if sha256(data).hex() != leaf["o"]:
            continue
        with suppress(MalformedError):
            act = read_document("act", data)
            if leaf["k"] == "open":
                log.gids[text(leaf, "s")] = text(act, "gid")
                log.succeeded.add(text(fields(act, "previous"), "stream"))
                continue
            for ends in items(act, "leaves"):
                match ends:
                    case [int(first), int(last)] if 0 <= first <= last < i:
                        log.disposed.append((first, last))


class Objects:
    """Each object against its leaf, and each file against the question why it is there."""

    def __init__(
        self, store: Store, log: Log, keys: Sequence[Key], report: Report, now: str
    ) -> None:
        self.store = store
        self.log = log
        self.keys = keys
        self.report = report
        self.now = now
        self.gone: set[str] = set()
        """Digests of the keys of what is absent in order."""

    def check(self) -> None:
        """Every object that a leaf names, then whatever else lies in the folder."""
        for p, leaves in self.log.named.items():
            i, key = leaves[-1], self.store.key_of.get(p)
            if key is None:
                self.absent(i, f"the object with the key digest {p}", "object_missing")
                continue
            self.store.explained.add(key)
            data = self.store.read(key)
            self.report.count("objects")
            self.report.count("bytes", len(data))
            if sha256(data).hex() == self.log.leaf(i)["o"]:
                self.check_content(i, key, data)
            else:
                what = "the object's bytes are not those that were logged"
                self.report.find("object_mismatch", what, key=key, leaf=i)
        for key in sorted(set(self.store.files) - self.store.explained):
            self.check_unexplained(key)
        if any("ret" in leaf for _, leaf in self.log.of("stored")):
            self.report.note("retention_not_enforced", "a folder keeps no retention")
        for key in self.store.odd:
            what = "it is neither a file nor a folder, or its name is not UTF-8"
            self.report.find("extra", what, key=key)

    def absent(self, i: int, what: str, code: str, key: str | None = None) -> None:
        """What leaf ``i`` names is not there. May it be?

        Yes if a `dispose` act covers the leaf. Yes if its retention is over, and a person's last
        word on the message was `discard`, or it stands under `records/` as well: what was kept for
        review expires by itself once it is decided. Otherwise never.
        """
        leaf = self.log.leaf(i)
        until, ref = text(leaf, "ret"), integer(leaf, "ref")
        over = i in self.log.stored.get(ref, ()) and "" < until <= self.now
        if any(first <= i <= last for first, last in self.log.disposed):
            self.report.note("absent_in_order", f"{what} was disposed of", key=key, leaf=i)
            self.gone.add(text(leaf, "p"))
        elif over and (self.log.outcomes[ref][-1][0] == "discard" or self.copied(ref)):
            self.report.note("absent_in_order", f"{what} expired on {until}", key=key, leaf=i)
            self.gone.add(text(leaf, "p"))
        else:
            self.report.find(code, f"{what} is not there", key=key, leaf=i)

    def copied(self, ref: int) -> bool:
        """Whether what leaf ``ref`` saw stands under `records/`, by a `stored` leaf of its own."""
        places = (text(self.log.leaf(i), "p") for i in self.log.stored[ref])
        return any(self.store.key_of.get(p, "").startswith("records/") for p in places)

    def check_content(self, i: int, key: str, data: bytes) -> None:
        """The bytes are those that were logged; now they must say what the leaf says."""
        kind = text(self.log.leaf(i), "k")
        area = key.partition("/")[0]
        if kind == "anchor":
            self.report.count("anchors")
            self.check_anchor(i, key, data)
            return
        what = {"stored": "record", "manifest": "manifest"}.get(kind, "act")
        self.report.count(f"{what}s")
        try:
            document = read_document(what, data)
        except MalformedError as error:
            self.report.find(f"{what}_malformed", f"it is no {what}: {error}", key=key, leaf=i)
            return
        if what == "record":
            wrong = self.wrong_record(i, key, document)
        elif what == "manifest":
            folder = f"manifests/{text(document, 'gid')}/"
            wrong = [] if key.startswith(folder) else ["it is of another group than its key"]
            wrong += [f"row {at}: {each}" for at, each in self.wrong_rows(i, document)]
        else:
            wrong = self.wrong_act(self.log.leaf(i), document)
            wrong += [] if area == "acts" else ["it does not stand under acts/"]
        for each in wrong:
            self.report.find(f"{what}_mismatch", each, key=key, leaf=i)
        if what == "record":
            self.check_media(i, key, document)

    def wrong_record(self, i: int, key: str, record: Fields) -> list[str]:
        """The record is the event that its `seen` leaf numbers, and stands where it belongs.

        It is filed by platform, group, and the time it was sent, or else observed: if the time it
        was sent is missing, before 1990, or over a day ahead.
        """
        seen = self.log.seen.get(integer(self.log.leaf(i), "ref"))
        named = RECORD_KEY.fullmatch(key)
        if seen is None:
            return []  # reported: the leaf refers to nothing
        if (record.get("stream"), record.get("n")) != (seen.stream, seen.n):
            return [f"it is not number {seen.n} of stream {seen.stream}"]
        at, observed = text(record, "sent_at"), text(record, "observed_at")
        if not is_time(observed):
            return ["it does not say when it was observed"]
        if not is_time(at) or at < "1990" or moment(at) - moment(observed) > A_DAY:
            at = observed
        gid = self.log.gids.get(seen.stream, named["gid"] if named else "")
        filed = f"{at[:4]}/{at[5:7]}/{at[8:10]}/{re.sub('[^0-9]', '', at[11:])}-{seen.n:012d}"
        if named is None or named["place"] != f"{text(record, 'platform')}/{gid}/{filed}":
            return ["its key is not the one for its platform, group, time and number"]
        return []

    def check_media(self, i: int, key: str, record: Fields) -> None:
        """Attachments have no leaf: the record, which has one, carries their digests."""
        folder, _, name = key.rpartition("/")
        for medium in items(record, "media"):
            place = medium.get("object") if isinstance(medium, dict) else None
            if not isinstance(medium, dict) or place is None:
                continue  # it had not come when the record was sealed
            allowed = re.compile(rf"media/{re.escape(name.removesuffix('.json'))}/[0-9]+")
            if not isinstance(place, str) or allowed.fullmatch(place) is None:
                self.report.find("record_mismatch", "a medium lies elsewhere", key=key, leaf=i)
                continue
            found = f"{folder}/{place}"
            self.store.explained.add(found)
            if found not in self.store.files:
                self.absent(i, "the attachment", "media_missing", found)
            elif self.store.digest(found) != (medium.get("sha256"), medium.get("size")):
                what = "the attachment is not the one that the record names"
                self.report.find("media_mismatch", what, key=found, leaf=i)
            else:
                self.report.count("media")

    def wrong_rows(self, i: int, manifest: Fields) -> Iterator[tuple[int, str]]:
        """Each row of a manifest says of its message what the leaves say."""
        for at, row in enumerate(items(manifest, "rows")):
            leaf = row.get("leaf") if isinstance(row, dict) else None
            seen = self.log.seen.get(leaf) if isinstance(leaf, int) and leaf < i else None
            if not isinstance(row, dict) or not isinstance(leaf, int) or seen is None:
                yield at, "it names no earlier `seen` leaf"
            elif (row.get("s"), row.get("n")) != (seen.stream, seen.n):
                yield at, f"leaf {leaf} is of another message"
            elif row.get("sha256", seen.digest) != seen.digest:
                yield at, f"leaf {leaf} has another digest"
            elif row.get("outcome") not in dict(self.log.outcomes[leaf]):
                yield at, f"leaf {leaf} and its decisions have another outcome"
            elif "key" in row and not self.is_stored_as(leaf, text(row, "key")):
                yield at, f"leaf {leaf} was stored under another key"

    def is_stored_as(self, ref: int, key: str) -> bool:
        """Whether a message was stored under this key, as far as it was stored.

        A row written before a review was decided names the key under `review/`.
        """
        rest = key.partition("/")[2]
        allowed = {self.store.p(f"{area}/{rest}") for area in ("records", "review")}
        stored = {text(self.log.leaf(i), "p") for i in self.log.stored.get(ref, ())}
        return not stored or bool(stored & allowed)

    def wrong_act(self, leaf: Fields, act: Fields) -> list[str]:
        """The act is of its leaf's kind; opening and closing, of its stream and total.

        The stream's name is a keyed digest of the group: the `open` act holds the key, so whoever
        may read it can tell which group's numbers these are, and nobody else can.
        """
        wrong = [] if act.get("kind") == leaf["k"] else [f"it is not of the kind {leaf['k']}"]
        if leaf["k"] in {"open", "close"} and act.get("stream") != leaf["s"]:
            wrong.append("it is about another stream")
        if leaf["k"] == "close" and act.get("total") != leaf["total"]:
            wrong.append("it has another total")
        if leaf["k"] == "open" and stream_of(act) != leaf["s"]:
            wrong.append("its stream key does not give the stream's name")
        return wrong

    def check_anchor(self, i: int, key: str, data: bytes) -> None:
        """An outside proof is about a checkpoint of this log. Its own signature is not checked.

        `<size>.note` is the checkpoint of that size as it was published, with witnesses' lines
        added. `<size>.tsr` is a timestamp (RFC 3161) over the same bytes without those lines.
        """
        size = integer(self.log.leaf(i), "size")
        stem = f"anchors/{self.store.shard}/{size}"
        if size > i or key not in {f"{stem}.note", f"{stem}.tsr"}:
            what = "its leaf names another size than its key, or one that was not reached"
            self.report.find("anchor_mismatch", what, key=key, leaf=i)
            return
        note = f"{stem}.note"
        try:
            published = self.published(i, size, note, data if key == note else None)
        except MalformedError as error:
            if key == note:
                self.report.find("anchor_mismatch", str(error), key=key, leaf=i)
            else:
                self.report.note("not_checked", f"a timestamp: {error}", key=key, leaf=i)
            return
        if key == note:
            return
        if sha256(published) in data:
            lines = published.count(b"\n")
            command = (
                f"head -n {lines} {size}.note > {size}.checkpoint && openssl ts -verify"
                f" -data {size}.checkpoint -in {size}.tsr -CAfile AUTHORITY.pem"
            )
            self.report.note("not_checked", f"a timestamp: {command}", key=key, leaf=i)
        else:
            what = f"the timestamp is not of the checkpoint of size {size}"
            self.report.find("anchor_mismatch", what, key=key, leaf=i)

    def published(self, i: int, size: int, key: str, data: bytes | None) -> bytes:
        """The checkpoint in a `.note` as it was published, without the lines of witnesses.

        ``data`` are its bytes if it is being checked itself; then what else it has is listed.

        Raises:
            MalformedError: it is not there, or not a checkpoint of this log.
        """
        if data is None and key not in self.store.files:
            raise MalformedError("there is no note beside the timestamp")
        note = read_note(self.store.read(key) if data is None else data)
        checkpoint = read_checkpoint(note.text)
        root = root_of(self.log.tree, size)
        if checkpoint != Checkpoint(self.keys[0].name, size, root):
            raise MalformedError(f"it is not the checkpoint of size {size} of this log")
        own = tuple(each for each in note.signatures if each[0] == checkpoint.origin)
        # After a change of keys the earlier one may not have been given; the root is right.
        earlier = self.log.keys and not {each[1] for each in own} & {key.hash for key in self.keys}
        if not own or not (earlier or note.signed_by(self.keys)):
            raise MalformedError("it is not signed by the log")
        for name, key_hash, _ in note.signatures if data is not None else ():
            if (name, key_hash) not in {(each.name, each.hash) for each in self.keys}:
                self.report.note("not_checked", f"a signature of {name}", key=key, leaf=i)
        return encode_note(Note(note.text, own))

    def check_unexplained(self, key: str) -> None:
        """A file that no leaf names: on its way into the log, or added by somebody?

        A copy of a logged object under another key was added, unless it is the copy under
        `records/` that a decided review gets. So was what lay there over ten minutes before the
        checkpoint was written, which would have covered its leaf.
        """
        media = MEDIA_KEY.fullmatch(key)
        digest, _ = self.store.digest(key)
        area, _, rest = key.partition("/")
        twin = self.store.p(f"review/{rest}") if area == "records" else ""
        if digest in self.log.objects and twin not in self.log.objects[digest]:
            what = "it has the bytes of a logged object, under another key"
            self.report.find("extra_copy", what, key=key)
        elif media and self.store.p(f"{media['folder']}/{media['stem']}.json") in self.gone:
            self.report.note("media_left", "an attachment whose record is gone", key=key)
        elif self.store.time(key) < self.store.time(f"{self.store.log}checkpoint") - SETTLING:
            self.report.find("extra", "no leaf names it, and it is not new", key=key)
        else:
            self.report.note("unlogged", "no leaf names it yet", key=key)


def stream_of(act: Fields) -> str:
    """The stream's name: HMAC-SHA-256 of platform and group under the stream key, shortened."""
    name = f"{text(act, 'platform')}\0{text(fields(act, 'group'), 'id')}"
    try:
        key = base64.urlsafe_b64decode(text(act, "stream_key") + "=")
    except ValueError:
        return ""
    return hmac.digest(key, name.encode(), "sha256").hex()[:16]


# --- 2. The folder, the log and the report -------------------------------------------------------


@dataclass(slots=True)
class Store:
    """The files of one tenant, by their keys below ``v1/<tenant>/``. Nothing is written."""

    base: Path
    tenant: str
    shard: str
    files: dict[str, os.stat_result] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    explained: set[str] = field(default_factory=set)
    """Keys of which it is clear why they are there."""

    key_of: dict[str, str] = field(default_factory=dict)
    """Keys by their digest, as leaves name them."""

    @classmethod
    def of(cls, folder: Path, key: Key) -> Store:
        """The folder of the tenant that the key's name names: ``.../<tenant>/log/<shard>``."""
        match key.name.split("/"):
            case [_, *_, tenant, "log", shard] if TENANT.fullmatch(tenant) and shard.isalnum():
                store = cls(folder / "v1" / tenant, tenant, shard)
            case _:
                raise CannotTellError(f"the key's name {key.name!r} does not name a log")
        if not folder.is_dir():
            raise CannotTellError(f"{folder} is not a folder")
        store.walk()
        if not store.files and not store.odd:
            raise CannotTellError(f"there is nothing under {store.base}")
        store.key_of = {store.p(key): key for key in store.files}
        return store

    def walk(self) -> None:
        """Find every file. What is no file and no folder, or has a name not in UTF-8, is odd."""
        folders = [""] if self.base.is_dir() else []
        while folders:
            prefix = folders.pop()
            with os.scandir(self.base / prefix) as entries:
                for entry in entries:
                    key = prefix + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{key}/")
                    elif entry.is_file(follow_symlinks=False) and is_text(key):
                        self.files[key] = entry.stat(follow_symlinks=False)
                    else:
                        self.odd.append(key)

    @property
    def log(self) -> str:
        """Where the log stands."""
        return f"log/{self.shard}/"

    def p(self, key: str) -> str:
        """The digest by which leaves name a key."""
        return sha256(f"v1/{self.tenant}/{key}".encode("utf-8", "surrogateescape")).hex()

    def read(self, key: str) -> bytes:
        """The bytes of a file."""
        return (self.base / key).read_bytes()

    def digest(self, key: str) -> tuple[str, int]:
        """Digest and size of a file, however large."""
        with (self.base / key).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), self.files[key].st_size

    def time(self, key: str) -> timedelta:
        """When the file was last changed."""
        return timedelta(microseconds=self.files[key].st_mtime_ns // 1000)

    def pieces(self) -> list[tuple[str, Piece]]:
        """Every tile and bundle that is there, as far as its path is one."""
        found = ((key, read_piece(key.removeprefix(self.log))) for key in self.files)
        return [
            (key, piece) for key, piece in found if piece is not None and key.startswith(self.log)
        ]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a `seen` leaf says of an event."""

    stream: str
    n: int
    digest: str
    outcome: str
    restricted: bool


class Log:
    """The leaves, and what they say together."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.entries = entries
        self.tree = levels_of([leaf_hash(entry) for entry in entries])
        self.kinds: dict[str, list[int]] = {}
        self.newest = ""
        self.seen: dict[int, Seen] = {}
        self.numbers: dict[tuple[str, int], list[int]] = {}  # stream and number -> seen leaves
        self.outcomes: dict[int, list[tuple[str, int]]] = {}
        """By seen leaf: its outcome, then that of each decision, with the leaf that says so."""
        self.stored: dict[int, list[int]] = {}  # seen leaf -> its stored leaves
        self.gaps: set[tuple[str, int]] = set()
        self.opened: set[str] = set()
        self.closed: dict[str, list[tuple[int, int]]] = {}  # stream -> total, leaf
        self.named: dict[str, list[int]] = {}  # digest of a key -> the leaves that name it
        self.objects: dict[str, set[str]] = {}  # digest of an object -> digests of its keys
        self.keys: list[tuple[int, Key]] = []
        self.succeeded: set[str] = set()
        self.disposed: list[tuple[int, int]] = []
        self.gids: dict[str, str] = {}

    def add(self, i: int, leaf: Fields) -> None:
        """Take up a leaf."""
        kind, stream = text(leaf, "k"), text(leaf, "s")
        self.newest = max(self.newest, text(leaf, "t"))
        self.kinds.setdefault(kind, []).append(i)
        if "p" in leaf:
            self.named.setdefault(text(leaf, "p"), []).append(i)
            self.objects.setdefault(text(leaf, "o"), set()).add(text(leaf, "p"))
        match kind:
            case "seen":
                n, outcome = integer(leaf, "n"), text(leaf, "c")
                self.seen[i] = Seen(stream, n, text(leaf, "d"), outcome, "x" in leaf)
                self.numbers.setdefault((stream, n), []).append(i)
                self.outcomes[i] = [(outcome, i)]
            # What refers to no earlier `seen` leaf is a finding, and counts for nothing.
            case "stored" if integer(leaf, "ref") in self.outcomes:
                self.stored.setdefault(integer(leaf, "ref"), []).append(i)
            case "decision" if integer(leaf, "ref") in self.outcomes:
                self.outcomes[integer(leaf, "ref")].append((text(leaf, "c"), i))
            case "gap":
                self.gaps.add((stream, integer(leaf, "after")))
            case "open":
                self.opened.add(stream)
            case "close":
                self.closed.setdefault(stream, []).append((integer(leaf, "total"), i))
            case "key":
                self.keys.append((i, read_key(text(leaf, "key"))))

    def leaf(self, i: int) -> Fields:
        """A leaf that was found to be in its form."""
        leaf: Fields = json.loads(self.entries[i])
        return leaf

    def of(self, *kinds: str) -> Iterator[tuple[int, Fields]]:
        """The leaves of these kinds, in order."""
        for i in sorted(i for kind in kinds for i in self.kinds.get(kind, ())):
            yield i, self.leaf(i)

    def age(self, i: int) -> timedelta:
        """How much older a leaf is than the newest of the log."""
        return moment(self.newest) - moment(text(self.leaf(i), "t"))


@dataclass(slots=True)
class Report:
    """What was found. A finding is something that does not fit; what is listed, a fact to know."""

    store: str
    origin: str
    checkpoint: Checkpoint | None = None
    at: str = ""
    findings: list[Fields] = field(default_factory=list)
    listed: list[Fields] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    known: list[int] = field(default_factory=list)

    def find(self, code: str, what: str, **where: str | int | None) -> None:
        """Something does not fit."""
        self.findings.append(_entry(code, what, where))

    def note(self, code: str, what: str, **where: str | int | None) -> None:
        """Something to know."""
        self.listed.append(_entry(code, what, where))

    def count(self, what: str, more: int = 1) -> None:
        """So many more were checked."""
        self.counts[what] = self.counts.get(what, 0) + more

    @property
    def verdict(self) -> str:
        """``intact`` or ``tampered``."""
        return "tampered" if self.findings else "intact"

    def document(self) -> Fields:
        """The report as ``--json`` prints it."""
        head = self.checkpoint
        return {
            "verdict": self.verdict,
            "store": self.store,
            "origin": self.origin,
            "checkpoint": head and {"size": head.size, "root": head.root.hex(), "at": self.at},
            "findings": self.findings,
            "listed": self.listed,
            "counts": self.counts,
            "vouches": {"size": head.size if head else 0, "time": self.at, "known": self.known},
            "version": VERSION,
        }

    def lines(self) -> Iterator[str]:
        """The report for people."""
        for entry in [*self.findings, *self.listed]:
            where = "  ".join(f"{k} {v}" for k, v in entry.items() if k not in {"code", "what"})
            found = "TAMPERED" if entry in self.findings else "note    "
            yield f"{found}  {entry['code']}: {entry['what']}" + (f"  ({where})" if where else "")
        yield "checked: " + ", ".join(f"{n} {what}" for what, n in sorted(self.counts.items()))
        if self.checkpoint is not None and not self.findings:
            yield f"vouches for the first {self.checkpoint.size} leaves, up to {self.at}"
        yield self.verdict


def is_text(name: str) -> bool:
    """Whether the name of a file is UTF-8; Python stands in for other bytes with surrogates."""
    return not any("\ud800" <= c <= "\udfff" for c in name)


def printable(line: str) -> str:
    """The line without what would do something to a terminal, as names of files may."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def _entry(code: str, what: str, where: Mapping[str, str | int | None]) -> Fields:
    return {"code": code, "what": what} | {k: v for k, v in where.items() if v is not None}


# --- 3. Leaves: RFC 8785 JSON, one per line of the log -------------------------------------------

RECORD_KEY = re.compile(
    r"(records|review)/(?P<place>[^/]+/(?P<gid>[0-9a-f]{16})/[0-9/]{10}/[0-9]{9}-[0-9]{12})"
    r"-[0-9a-f]{16}\.json"
)
MEDIA_KEY = re.compile(r"(?P<folder>(records|review)/.*)/media/(?P<stem>[^/]+)/[0-9]+")
TENANT = re.compile(r"[a-z0-9_-][a-z0-9._-]*")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


def is_like(pattern: str) -> Callable[[object], bool]:
    """A check: text of this form."""
    form = re.compile(pattern)
    return lambda value: isinstance(value, str) and form.fullmatch(value) is not None


def is_count(least: int) -> Callable[[object], bool]:
    """A check: a whole number, so large at least."""
    return lambda value: type(value) is int and value >= least


def is_time(value: object) -> bool:
    """A check: UTC with milliseconds."""
    if not isinstance(value, str) or TIME.fullmatch(value) is None:
        return False
    try:
        moment(value)
    except ValueError:
        return False
    return True


def is_moment(value: object) -> bool:
    """A check: a time with its offset from UTC."""
    try:
        return isinstance(value, str) and moment(value).tzinfo is not None
    except ValueError:
        return False


def is_key(value: object) -> bool:
    """A check: the line of a public key."""
    try:
        return isinstance(value, str) and read_key(value).line == value
    except MalformedError:
        return False


HASH = is_like("[0-9a-f]{64}")
STREAM = is_like("[0-9a-f]{16}")
OUTCOME = is_like("capture|review|discard")
WORDS = is_like(r"[ !#-\[\]-~]{1,512}")
PLACE = {"p": HASH, "o": HASH}
"""An object: digest of its key from ``v1/`` on, digest of its bytes."""

COMMON: dict[str, Callable[[object], bool]] = {
    "k": WORDS,
    "t": is_time,
    "v": lambda value: type(value) is int and value == 1,
}
LEAF: dict[str, tuple[dict[str, Callable[[object], bool]], ...]] = {
    "seen": (
        {"s": STREAM, "n": is_count(0), "d": HASH, "c": OUTCOME, "cl": WORDS},
        {"x": is_like("restricted")},
    ),
    "stored": ({"ref": is_count(0), **PLACE}, {"ret": is_time}),
    "decision": (
        {"ref": is_count(0), "c": OUTCOME, "cl": WORDS, "by": is_like("policy|person|calibration")},
        PLACE,
    ),
    "gap": (
        {"s": STREAM, "after": is_count(-1), "why": is_like("(?s:.*)")},
        {"from": is_time, "to": is_time},
    ),
    "late": ({"ref": is_count(0), "ms": is_count(0)}, {}),
    "open": ({"s": STREAM, **PLACE}, {}),
    "close": ({"s": STREAM, "total": is_count(0), **PLACE}, {}),
    "anchor": ({"size": is_count(0), **PLACE}, {}),
    "key": ({"key": is_key}, {}),
    **{
        kind: (PLACE, {})
        for kind in ("manifest", "step", "notice", "hold", "release", "audit", "dispose")
    },
}
"""The fields of each kind: those it must have, those it may have; all have the common ones."""


ANY = is_like("(?s:.*)")
DOCUMENT: dict[str, dict[str, Callable[[object], bool]]] = {
    "record": {
        "salt": ANY,
        "stream": ANY,
        "n": is_count(-(2**53)),
        "platform": ANY,
        "observed_at": is_like(TIME.pattern),
    },
    "manifest": {"gid": ANY, "rows": lambda value: isinstance(value, list)},
    "act": {"salt": ANY, "kind": ANY, "at": is_moment, "by": ANY},
}
"""The fields that the objects must have besides their version; what they say is checked later."""


def read_document(what: str, data: bytes) -> Fields:
    """A record, a part of a manifest or an act.

    Raises:
        MalformedError: it is none.
    """
    document = read_json(data)
    for name, is_right in (DOCUMENT[what] | {"v": COMMON["v"]}).items():
        if not is_right(document.get(name)):
            raise MalformedError(f"{name!r} is {document.get(name)!r}")
    return document


def read_leaf(entry: bytes) -> Fields:
    """A leaf in its one form.

    Raises:
        MalformedError: it is not.
    """
    leaf = read_json(entry)
    kind = leaf.get("k")
    if not isinstance(kind, str) or kind not in LEAF:
        raise MalformedError(f"{kind!r} is no kind of leaf")
    needed, allowed = LEAF[kind]
    checks = COMMON | needed | allowed
    if odd := (leaf.keys() - checks) | (checks.keys() - allowed.keys() - leaf.keys()):
        raise MalformedError(f"a {kind} has other fields: {', '.join(sorted(odd))}")
    for name, value in leaf.items():
        if not checks[name](value):
            raise MalformedError(f"{name!r} is {value!r}")
    if kind == "decision" and not ("p" in leaf) == ("o" in leaf) == (leaf["by"] == "person"):
        raise MalformedError("a person's decision, and no other, names its act")
    return leaf


def read_json(data: bytes) -> Fields:
    """A JSON object in the canonical form of RFC 8785: the only bytes that say what it says.

    Raises:
        MalformedError: it is not one.
    """
    try:
        value: object = json.loads(data.decode("utf-8"))
        if isinstance(value, dict) and canonical(value).encode("utf-8") == data:
            return value
    except (ValueError, RecursionError) as error:
        raise MalformedError(type(error).__name__) from None
    raise MalformedError("it has other bytes than the canonical ones")


QUOTED = json.JSONEncoder(ensure_ascii=False).encode
"""A text as Python writes it, which is what the standard wants."""


def canonical(value: object) -> str:
    """The canonical text of a JSON value: names sorted as UTF-16, no spaces, shortest numbers.

    Raises:
        ValueError: it has none.
    """
    if isinstance(value, str):
        return QUOTED(value)
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: str(name).encode("utf-16-be"))
        return "{" + ",".join([f"{QUOTED(n)}:{canonical(value[n])}" for n in names]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([canonical(each) for each in value]) + "]"
    if isinstance(value, float):
        return canonical_float(value)
    if type(value) is int and abs(value) >= 2**53:
        raise ValueError(f"{value} is no exact JSON number")
    return json.dumps(value)  # a whole number, true, false or null


def canonical_float(value: float) -> str:
    """A number as ECMAScript writes it (RFC 8785, section 3.2.2.3).

    Python's ``repr`` gives the same shortest digits; only where it puts the point differs.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} is no JSON number")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)  # digits before the point, if all are written out
    digits = whole + fraction
    point -= len(digits) - len(digits.lstrip("0"))
    digits = digits.strip("0")
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    more = f".{digits[1:]}" if digits[1:] else ""
    return f"{sign}{digits[0]}{more}e{point - 1:+d}"


def text(value: Fields, name: str) -> str:
    """A field's text; empty if it has none."""
    found = value.get(name)
    return found if isinstance(found, str) else ""


def integer(value: Fields, name: str) -> int:
    """A field's whole number; -1 if it has none."""
    found = value.get(name)
    return found if type(found) is int else -1


def fields(value: Fields, name: str) -> Fields:
    """A field's object; an empty one if it has none."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def items(value: Fields, name: str) -> Sequence[object]:
    """A field's list; an empty one if it has none."""
    found = value.get(name)
    return found if isinstance(found, list) else []


def moment(at: str) -> datetime:
    """A time as leaves write it."""
    return datetime.fromisoformat(at)


# --- 4. The tree: RFC 6962 hashes, C2SP tlog-tiles files -----------------------------------------

Levels = list[list[bytes]]
"""Hashes of complete subtrees: ``levels[h][i]`` covers leaves ``i * 2**h`` to ``(i+1) * 2**h``."""


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf: the leading 0 keeps it from being taken for that of a node."""
    return sha256(b"\x00" + entry)


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return sha256(b"\x01" + left + right)


def levels_of(hashes: list[bytes]) -> Levels:
    """Every complete subtree over these leaf hashes."""
    levels = [hashes]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[i - 1], below[i]) for i in range(1, len(below), 2)])
    return levels


def root_of(levels: Levels, size: int) -> bytes:
    """The root over the first ``size`` leaves.

    These split into complete subtrees, one for each binary digit of ``size`` that is 1, the
    largest on the left; they are joined from the right.
    """
    root: bytes | None = None
    for height in range(size.bit_length()):
        if size >> height & 1:
            subtree = levels[height][(size >> height) - 1]
            root = subtree if root is None else node_hash(subtree, root)
    return sha256(b"") if root is None else root


@dataclass(frozen=True, slots=True)
class Piece:
    """A tile, or a bundle of leaves (``entries``), by its place; ``width`` 256 if it is full."""

    level: int
    index: int
    width: int
    entries: bool = False

    @property
    def end(self) -> int:
        """How many hashes or leaves of its level lie before its right edge."""
        return self.index * WIDTH + self.width

    @property
    def path(self) -> str:
        """Level, index in groups of three digits, and for a partial one ``.p/<width>``."""
        groups = [f"{self.index % 1000:03d}"]
        rest = self.index // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03d}")
            rest //= 1000
        level = "entries" if self.entries else str(self.level)
        partial = f".p/{self.width}" if self.width < WIDTH else ""
        return f"tile/{level}/{'/'.join(groups)}{partial}"


def read_piece(path: str) -> Piece | None:
    """The tile or bundle that a path names, if it is exactly the path of one."""
    form = r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([0-9]{1,3}))?"
    found = re.fullmatch(form, path)
    if found is None:
        return None
    level = 0 if found[1] == "entries" else int(found[1])
    index = int(re.sub("[x/]", "", found[2]))
    piece = Piece(level, index, int(found[3] or WIDTH), entries=found[1] == "entries")
    return piece if piece.path == path and level < 64 and piece.width > 0 else None


def pieces_of(size: int, *, entries: bool) -> Iterator[Piece]:
    """The tiles, or the bundles, that a log of this size must have."""
    level = 0
    while (count := size >> 8 * level) and not (entries and level):
        for index in range(count // WIDTH):
            yield Piece(level, index, WIDTH, entries)
        if count % WIDTH:
            yield Piece(level, count // WIDTH, count % WIDTH, entries)
        level += 1


def read_bundles(store: Store, size: int, report: Report) -> tuple[list[bytes], bool]:
    """The leaves, and whether there were as many as the size says.

    Nobody may have signed that size. So it ends where neither leaves nor tiles can give the root.
    """
    entries: list[bytes] = []
    whole = True
    for piece in pieces_of(size, entries=True):
        key = store.log + piece.path
        found = read_bundle(store.read(key), piece.width) if key in store.files else None
        if key not in store.files:
            report.find("bundle_missing", "a bundle of leaves is not there", key=key)
        elif found is None:
            what = f"it is not a bundle of {piece.width} leaves"
            report.find("bundle_malformed", what, key=key)
        entries += found or []
        whole = whole and found is not None
        if not whole and not hashes_in_tile(store, piece):
            break
    return entries, whole


def read_bundle(data: bytes, width: int) -> list[bytes] | None:
    """The leaves of a bundle, if it has so many: before each stands its length in two bytes."""
    entries: list[bytes] = []
    at = 0
    while at + 2 <= len(data):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        entries.append(data[start:at])
    return entries if at == len(data) and len(entries) == width else None


def hashes_in_tiles(store: Store, size: int) -> list[bytes]:
    """The leaf hashes as the lowest tiles have them, up to one that is not there or not whole."""
    hashes: list[bytes] = []
    for piece in pieces_of(size, entries=True):
        found = hashes_in_tile(store, piece)
        if not found:
            break
        hashes += found
    return hashes


def hashes_in_tile(store: Store, bundle: Piece) -> list[bytes]:
    """The hashes of a bundle's leaves as its tile has them; none if that is not there whole."""
    key = store.log + replace(bundle, entries=False).path
    data = store.read(key) if key in store.files else b""
    whole = len(data) == 32 * bundle.width
    return [data[at : at + 32] for at in range(0, len(data), 32)] if whole else []


# --- 5. Notes and checkpoints: C2SP signed-note and tlog-checkpoint ------------------------------


@dataclass(frozen=True, slots=True)
class Key:
    """A public key: whose it is, and its hash, by which signatures name it."""

    name: str
    hash: bytes
    public: bytes
    line: str


@dataclass(frozen=True, slots=True)
class Note:
    """A text and who signed it: name, key hash and signature of each line."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def signed_by(self, keys: Sequence[Key]) -> bool:
        """Whether one of the keys signed the text."""
        return any(
            (name, key_hash) == (key.name, key.hash)
            and ed25519_verify(key.public, self.text.encode(), signature)
            for name, key_hash, signature in self.signatures
            for key in keys
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says: this log, with so many leaves, has this root hash."""

    origin: str
    size: int
    root: bytes


Head = tuple[Note, Checkpoint]
"""A checkpoint as it was signed."""


def read_key(line: str) -> Key:
    """``<name>+<hash>+<data>``: the hash is over the name and the key, so neither can be swapped.

    Raises:
        MalformedError: it is no public key.
    """
    name, _, rest = line.partition("+")
    stated, _, encoded = rest.partition("+")
    data = unbase64(encoded)
    if not name or any(c.isspace() for c in name) or len(data) != 33 or data[0] != 1:
        raise MalformedError("it is not the line of an Ed25519 public key")
    key_hash = sha256(name.encode() + b"\n" + data)[:4]
    if stated.lower() != key_hash.hex():
        raise MalformedError("the public key has not the hash it states")
    return Key(name, key_hash, data[1:], line)


def read_note(data: bytes) -> Note:
    """Text, an empty line, and a line for each signature, written as :func:`encode_note` does.

    Raises:
        MalformedError: it is no note, or has more bytes than it must.
    """
    try:
        whole = data.decode("utf-8")
    except ValueError:
        raise MalformedError("it is not UTF-8") from None
    if any(ord(c) < 32 and c != "\n" for c in whole):
        raise MalformedError("it has control characters")
    before, found, lines = whole.rpartition("\n\n")
    if not found or not lines.endswith("\n"):
        raise MalformedError("it has no signature")
    signatures: list[tuple[str, bytes, bytes]] = []
    for line in lines.removesuffix("\n").split("\n"):
        match line.split(" "):
            case ["\u2014", name, encoded] if name and "+" not in name:
                signature = unbase64(encoded)
            case _:
                raise MalformedError("a line is not that of a signature")
        if len(signature) < 5 or (name, signature[:4]) in {each[:2] for each in signatures}:
            raise MalformedError("a signature is empty or repeated")
        signatures.append((name, signature[:4], signature[4:]))
    note = Note(text=before + "\n", signatures=tuple(signatures))
    if encode_note(note) != data:
        raise MalformedError("it is written in another way than notes are")
    return note


def encode_note(note: Note) -> bytes:
    """The bytes of a note."""
    lines = (
        f"\u2014 {name} {base64.b64encode(key_hash + signature).decode()}\n"
        for name, key_hash, signature in note.signatures
    )
    return f"{note.text}\n{''.join(lines)}".encode()


def read_checkpoint(note_text: str) -> Checkpoint:
    """Three lines: the log's name, how many leaves, the root hash in base64.

    Raises:
        MalformedError: it says something else, or in another way.
    """
    match note_text.split("\n"):
        case [origin, size, root, ""] if origin and re.fullmatch("0|[1-9][0-9]{0,15}", size):
            checkpoint = Checkpoint(origin, int(size), unbase64(root))
        case _:
            raise MalformedError("it has not the three lines of a checkpoint")
    if len(checkpoint.root) != 32:
        raise MalformedError("its root is not a hash")
    return checkpoint


def read_known(name: str, data: bytes) -> Head:
    """A checkpoint that was kept elsewhere.

    Raises:
        CannotTellError: it is none.
    """
    try:
        note = read_note(data)
        return note, read_checkpoint(note.text)
    except MalformedError as error:
        raise CannotTellError(f"{name} is no checkpoint: {error}") from None


def unbase64(encoded: str) -> bytes:
    """The bytes of standard base64 in its one form.

    Raises:
        MalformedError: it is not that.
    """
    try:
        data = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise MalformedError("it is not base64") from None
    if base64.b64encode(data).decode() != encoded:
        raise MalformedError("it is not base64 in its one form")
    return data


# --- 6. Ed25519: RFC 8032, verification only -----------------------------------------------------
#
# A signature is a point R and a number s. With k = SHA-512(R, public key A, message) it is right
# if s*B = R + k*A on the curve. Nothing here is secret, so nothing need take the same time.

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE_D = -121665 * pow(121666, -1, PRIME) % PRIME
Point = tuple[int, int, int, int]
"""Extended coordinates: X, Y, Z, T with x = X/Z, y = Y/Z, x*y = T/Z."""


def add(p: Point, q: Point) -> Point:
    """The sum of two points (RFC 8032, section 5.1.4)."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % PRIME
    b = (p[1] + p[0]) * (q[1] + q[0]) % PRIME
    c = 2 * p[3] * q[3] * CURVE_D % PRIME
    d = 2 * p[2] * q[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME)


def multiply(scalar: int, point: Point) -> Point:
    """The point, added to itself so many times."""
    total: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def decode_point(data: bytes) -> Point | None:
    """The point that 32 bytes encode, if they are its one encoding (section 5.1.3)."""
    y = int.from_bytes(data, "little") & (1 << 255) - 1
    sign = data[31] >> 7
    if y >= PRIME:
        return None
    square = (y * y - 1) * pow(CURVE_D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    if (x * x - square) % PRIME or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = PRIME - x
    return (x, y, 1, x * y % PRIME)


def encode_point(point: Point) -> bytes:
    """The one encoding of a point: y, and the lowest bit of x."""
    inverse = pow(point[2], -1, PRIME)
    x, y = point[0] * inverse % PRIME, point[1] * inverse % PRIME
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = decode_point((4 * pow(5, -1, PRIME) % PRIME).to_bytes(32, "little"))
"""The base point B: y = 4/5, x even."""


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is right, strictly: s below the order, every point in its one form.

    R is not decoded: R = s*B - k*A is computed, and its one encoding compared.
    """
    key = decode_point(public) if len(public) == 32 else None
    if key is None or BASE is None or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        return False
    hashed = hashlib.sha512(signature[:32] + public + message).digest()
    k = int.from_bytes(hashed, "little") % ORDER
    minus = (PRIME - key[0], key[1], 1, PRIME - key[3])
    return encode_point(add(multiply(s, BASE), multiply(k, minus))) == signature[:32]


# --- 7. The command line -------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify as the arguments say, print the report, give the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="the copy: holds v1/<tenant>/...")
    parser.add_argument("--public-key", type=Path, required=True, help="one key to a line")
    parser.add_argument("--known", type=Path, action="append", default=[], help="a checkpoint")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--skip-objects", action="store_true", help="check the log alone")
    given = parser.parse_args(arguments)
    try:
        report = verify(
            given.folder,
            read_keys(given.public_key),
            [(str(path), path.read_bytes()) for path in given.known],
            now=time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            skip_objects=given.skip_objects,
        )
    except Exception as error:
        # Whatever it is: nothing was judged, and Python's own exit code would say "tampered".
        why = str(error) if isinstance(error, (CannotTellError, OSError)) else repr(error)
        document: Fields = {"verdict": "cannot_tell", "why": why}
        sys.stdout.write((json.dumps(document) if given.json else f"cannot tell: {why}") + "\n")
        return 2
    lines = [json.dumps(report.document(), indent=2)] if given.json else report.lines()
    for line in lines:
        sys.stdout.write((line if given.json else printable(line)) + "\n")
    return 1 if report.findings else 0


def read_keys(path: Path) -> list[Key]:
    """The public keys in a file: one, or those that the log had one after the other.

    Raises:
        CannotTellError: there is none, or not of one log.
    """
    try:
        keys = [read_key(line.strip()) for line in path.read_text("utf-8").split("\n") if line]
    except (MalformedError, UnicodeDecodeError) as error:
        raise CannotTellError(f"{path}: {error}") from None
    if len({key.name for key in keys}) != 1:
        raise CannotTellError(f"{path} holds no key, or keys of several logs")
    return keys


if __name__ == "__main__":
    sys.exit(main())
