"""The whole of ``verify``, in its order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.canonical import rfc3339
from bridge.errors import ConfigError
from bridge.keys import absolute
from bridge.notekeys import NoteVerifier
from bridge.protocols.evidence import Evidence, SharedEvidence, StoredVersion
from storage.translog.malformed import NoteError
from storage.translog.verify.absences import Absences
from storage.translog.verify.anchors import Anchors
from storage.translog.verify.codes import Code
from storage.translog.verify.contents import Contents
from storage.translog.verify.heads import SignedHead, Trust, judge_known, read_head
from storage.translog.verify.holdings import Holding, held
from storage.translog.verify.leaves import Leaves
from storage.translog.verify.names import AnchorPlace, anchor_place
from storage.translog.verify.numbering import Numbering
from storage.translog.verify.objects import ObjectWalk
from storage.translog.verify.pieces import Pieces
from storage.translog.verify.reading import body_of, in_order
from storage.translog.verify.report import (
    CheckpointReport,
    Counts,
    Gathering,
    Report,
    Verdict,
    Vouches,
)
from storage.translog.verify.retentions import EPOCH, Retentions, moment
from storage.translog.verify.shares import ShareWalk
from storage.translog.verify.table import NONE
from storage.translog.verify.tree import Tree, TreeWalk

if TYPE_CHECKING:
    from cryptography import x509

OLD_CHECKPOINTS = 20
"""So many earlier versions of the checkpoint are compared, where the store has versions."""

Step = Callable[[str, int, int | None], None]
"""What is under way, how much of it was just done, and of how much in all, if known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked. ``keys`` are the log's verifier keys, all of one name.

    ``objects``: whether objects are looked at; without them nothing is said of any. ``threads``:
    how many read at once; ``processes``: how many judge the records of a folder at once.
    """

    keys: tuple[NoteVerifier, ...]
    tenant: str
    shard: str
    now: datetime
    version: str
    known: tuple[SignedHead, ...] = ()
    witnesses: tuple[NoteVerifier, ...] = ()
    authorities: tuple[x509.Certificate, ...] = ()
    since: datetime | None = None
    objects: bool = True
    threads: int = 2
    processes: int = 1
    step: Step = field(default=lambda _what, _done, _total: None)


def verify(evidence: Evidence, question: Question) -> Report:
    """Everything that can be told of the store.

    Raises:
        ConfigError: the store is empty, or an argument is of another log.
        ObjectStoreError: the store cannot be read.
    """
    if question.threads < 2:
        return _Verification(evidence, question, None).run()
    with ThreadPoolExecutor(question.threads, thread_name_prefix="verify") as pool:
        return _Verification(evidence, question, pool).run()


class _Verification:
    """One run: what the steps hand on."""

    def __init__(
        self, evidence: Evidence, question: Question, pool: ThreadPoolExecutor | None
    ) -> None:
        self._evidence = evidence
        self._question = question
        self._pool = pool
        self._found = Gathering()
        self._counts = Counts()
        self._vouches = Vouches()
        self._trust = Trust(question.keys)
        self._pieces = Pieces(evidence, question.shard, pool)
        self._of_leaves = Gathering()
        self._leaves = Leaves(self._of_leaves)
        self._now_ms = int((question.now - EPOCH) / timedelta(milliseconds=1))

    def run(self) -> Report:
        holding = held(self._evidence, self._pieces.checkpoint)
        if holding is None or not holding.versions or not holding.is_plain:
            self._without_checkpoint()
            return self._report(None)
        current = holding.versions[-1]
        if holding.hidden:
            what = f"{holding.key} is hidden by a delete marker."
            self._found.add(Code.HIDDEN, what, key=holding.key)
        head = read_head(body_of(self._evidence, current), holding.key, self._found)
        if head is None:
            return self._report(None)
        self._judge(head, holding)
        return self._report(head)

    def _without_checkpoint(self) -> None:
        """Nothing says what should be there: an empty store, or one that lost its checkpoint."""
        if next(self._evidence.walk(), None) is None:
            raise ConfigError(
                f"{self._evidence.place} holds nothing of {self._question.tenant}",
                hint="Check --store and the key: the tenant is part of the key's name.",
            )
        key = self._pieces.checkpoint
        self._found.add(Code.CHECKPOINT_MISSING, f"{key} is missing.", key=key)

    def _judge(self, head: SignedHead, holding: Holding) -> None:
        size = head.checkpoint.size
        others = self._earlier_checkpoints(holding)
        heads = [head, *self._question.known, *others]
        tree = self._walk_tree(head, [one.checkpoint.size for one in heads])
        if tree.proved and self._leaves.next_keys:
            heads += self._anchored_heads()
            self._trust.grow(self._leaves.next_keys, heads, tree.roots, self._of_leaves)
        trusted = self._trust.judge(head, self._found)
        self._vouches.known = judge_known(
            self._question.known, self._trust, size, tree.roots, self._found
        )
        self._judge_earlier(others, tree, size)
        if not tree.proved:
            return
        self._found.take(self._of_leaves)
        if trusted:
            self._vouches.size = size
            self._vouches.time = self._newest()
        superseded: frozenset[str] = frozenset()
        if self._question.objects:
            superseded = self._judge_objects(tree, holding)
        Numbering(self._leaves, self._found, superseded).judge()

    def _walk_tree(self, head: SignedHead, sizes: Sequence[int]) -> Tree:
        size = head.checkpoint.size
        self._pieces.list(size)
        self._pieces.judge_versions(self._found)
        self._question.step("leaves", 0, size)
        walk = TreeWalk(
            self._pieces,
            self._leaves,
            size=size,
            root=head.checkpoint.root,
            sizes=[*sizes, *(place.size for _, place in self._anchor_places())],
            step=lambda done: self._question.step("leaves", done, size),
        )
        tree = walk.walk(self._found)
        if tree.proved:
            self._leaves.settle()
            self._counts.leaves = size
            self._counts.streams = len(self._leaves.streams)
        return tree

    def _anchor_places(self) -> Iterator[tuple[StoredVersion, AnchorPlace]]:
        for found in self._evidence.walk(f"anchors/{self._question.shard}/"):
            place = anchor_place(found.key)
            if place is not None and not found.deleted and found.size >= 0:
                yield found, place

    def _anchored_heads(self) -> list[SignedHead]:
        """The checkpoints in ``.note`` anchors: there an old key vouches for the one after it."""
        heads: list[SignedHead] = []
        for found, place in self._anchor_places():
            if place.form == "note":
                with suppress(NoteError):
                    heads.append(SignedHead.read(body_of(self._evidence, found), found.key))
        return heads

    def _earlier_checkpoints(self, holding: Holding) -> list[SignedHead]:
        heads: list[SignedHead] = []
        for version in holding.versions[-1 - OLD_CHECKPOINTS : -1]:
            name = f"version {version.version} of {holding.key}"
            with suppress(NoteError):
                heads.append(SignedHead.read(body_of(self._evidence, version), name))
        return heads

    def _judge_earlier(self, heads: Sequence[SignedHead], tree: Tree, size: int) -> None:
        """Earlier versions of the checkpoint, where the store has them, are known ones."""
        ours = [
            one
            for one in heads
            if one.checkpoint.origin == self._trust.origin and one.signed_by(self._trust.keys)
            if tree.proved or one.checkpoint.size > size
        ]
        judge_known(ours, self._trust, size, tree.roots, self._found)

    def _judge_objects(self, tree: Tree, holding: Holding) -> frozenset[str]:
        question, leaves = self._question, self._leaves
        retentions = Retentions(self._evidence, leaves, self._found, self._now_ms)
        contents = Contents(leaves, self._found, self._place)
        walk = self._walk_objects(contents, retentions)
        absences = Absences(leaves, contents, self._found, place=self._place, now_ms=self._now_ms)
        absences.judge_missing(walk.hidden)
        absences.judge_media()
        absences.judge_loose(walk.loose, holding.versions[-1].modified_at)
        self._judge_tiles(retentions)
        retentions.conclude()
        Anchors(
            leaves,
            self._trust,
            tree.roots,
            shard=question.shard,
            witnesses=question.witnesses,
            authorities=question.authorities,
            found=self._found,
            vouches=self._vouches,
        ).judge(contents.anchors)
        return frozenset(contents.superseded)

    def _walk_objects(self, contents: Contents, retentions: Retentions) -> ObjectWalk:
        evidence, question = self._evidence, self._question
        since = question.since

        def walk(some: Contents, found: Gathering, counts: Counts) -> ObjectWalk:
            return ObjectWalk(
                evidence,
                self._pool,
                self._leaves,
                contents=some,
                retentions=retentions,
                place=self._place,
                since_ms=None
                if since is None
                else int((since - EPOCH) / timedelta(milliseconds=1)),
                found=found,
                counts=counts,
                step=step,
            )

        def step(done: int) -> None:
            question.step("objects", done, None)

        log_keys = self._pieces.known | {self._pieces.checkpoint}
        divides = since is None and not evidence.keeps_retentions
        if not isinstance(evidence, SharedEvidence) or not divides:
            whole = walk(contents, self._found, self._counts)
            whole.walk(log_keys)
            return whole
        return ShareWalk(
            evidence,
            self._leaves,
            walk=walk,
            contents=contents,
            found=self._found,
            counts=self._counts,
            place=self._place,
            step=step,
            processes=question.processes,
        ).walk(log_keys)

    def _judge_tiles(self, retentions: Retentions) -> None:
        if not self._evidence.keeps_retentions:
            return
        full = list(self._pieces.full())
        kept = in_order(
            self._pool, lambda each: self._evidence.retention(each.record), full, window=64
        )
        for holding, until in zip(full, kept, strict=True):
            retentions.judge_unstated(holding.key, until)

    def _place(self, key: str) -> bytes:
        """``p`` of a key."""
        whole = absolute(self._question.tenant, key)
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).digest()

    def _newest(self) -> str | None:
        newest = self._leaves.table.newest
        return None if newest == NONE else rfc3339(moment(newest))

    def _report(self, head: SignedHead | None) -> Report:
        findings = self._found.findings()
        verdict: Verdict = "tampered" if findings else "intact"
        checkpoint = None
        if head is not None:
            checkpoint = CheckpointReport(
                size=head.checkpoint.size, root=head.checkpoint.root.hex(), at=self._newest()
            )
        return Report(
            verdict=verdict,
            store=self._evidence.place,
            origin=self._trust.origin,
            checkpoint=checkpoint,
            findings=findings,
            listed=self._found.listed(),
            counts=self._counts,
            vouches=self._vouches,
            version=self._question.version,
        )
