"""What witnesses and time-stamping authorities say of the checkpoint that covers a record."""

from __future__ import annotations

import threading
from bisect import bisect_left
from datetime import UTC, datetime, timedelta

from bridge.notekeys import NoteVerifier
from bridge.protocols.evidence import Evidence
from bridge.protocols.proof import Testimony
from storage.translog.checkpoint import Checkpoint
from storage.translog.cosignature import MAX_TIME, cosigned_at
from storage.translog.malformed import MalformedError, NoteError
from storage.translog.merkle import consistency_proof, verify_consistency
from storage.translog.note import Note, NoteSignature
from storage.translog.tilehashes import TileHashes, consistency_tiles
from storage.translog.tiles import Tile
from storage.translog.verify.engine import Question
from storage.translog.verify.heads import SignedHead
from storage.translog.verify.names import anchor_place

AGAIN = timedelta(minutes=1)
"""How long the list of anchors is good for what is newer than all of them."""

_FORMS = ("note", "tsr")
_TIME_BYTES = 8


class Testimonies:
    """Finds, for so many leaves, the first anchors that cover them. Safe from several threads."""

    def __init__(self, evidence: Evidence, question: Question) -> None:
        self._evidence = evidence
        self._question = question
        self._folder = f"anchors/{question.shard}/"
        self._sizes: dict[str, list[int]] = {}
        self._listed_at: datetime | None = None
        self._listing = threading.Lock()

    def of(self, leaves: int, head: Checkpoint, *, now: datetime) -> tuple[Testimony, ...]:
        """What is said of the first checkpoint over at least so many leaves; none may be.

        Raises:
            ObjectStoreError: the store cannot be read.
        """
        self._list(leaves, head.size, now)
        found: list[Testimony] = []
        for form in _FORMS:
            sizes = self._sizes.get(form, [])
            at = bisect_left(sizes, leaves)
            if at < len(sizes) and sizes[at] <= head.size:
                found += self._said(form, sizes[at], head)
        return tuple(found)

    def _list(self, leaves: int, size: int, now: datetime) -> None:
        """List the anchors, where the list may miss one."""
        with self._listing:
            known = all(self._sizes.get(form, [0])[-1] >= leaves for form in _FORMS)
            if self._listed_at is not None and (known or now - self._listed_at < AGAIN):
                return
            sizes: dict[str, set[int]] = {form: set() for form in _FORMS}
            for found in self._evidence.walk(self._folder):
                place = anchor_place(found.key)
                if place is not None and not found.deleted:
                    sizes[place.form].add(place.size)
            self._sizes = {form: sorted(each) for form, each in sizes.items() if each}
            self._listed_at = now

    def _said(self, form: str, size: int, head: Checkpoint) -> list[Testimony]:
        body = self._evidence.read(f"{self._folder}{size}.note")
        fault, note = self._fault(body, size, head)
        if form == "note":
            return [] if note is None else self._cosigned(note, size, fault)
        token = self._evidence.read(f"{self._folder}{size}.tsr")
        return [] if token is None else [self._dated(token, note, size, fault)]

    def _fault(
        self, body: bytes | None, size: int, head: Checkpoint
    ) -> tuple[str, SignedHead | None]:
        """What is wrong with the checkpoint that was testified to; empty if nothing is."""
        if body is None:
            return "the checkpoint it is about is not in the store", None
        try:
            old = SignedHead.read(body, f"{self._folder}{size}.note")
        except NoteError as error:
            return f"the checkpoint it is about is malformed: {error}", None
        checkpoint = old.checkpoint
        if (checkpoint.origin, checkpoint.size) != (head.origin, size):
            return "it is about another log or size", old
        if not old.signed_by(self._question.keys):
            return "the checkpoint it is about is not signed by the log's key", old
        try:
            tiles = self._tiles(consistency_tiles(size, head.size))
            path = consistency_proof(size, head.size, TileHashes(head.size, tiles))
            verify_consistency(size, head.size, checkpoint.root, head.root, path)
        except MalformedError as error:
            return f"the log does not extend that checkpoint: {error}", old
        return "", old

    def _tiles(self, wanted: tuple[Tile, ...]) -> dict[Tile, bytes]:
        base = f"log/{self._question.shard}/"
        bodies = {tile: self._evidence.read(base + tile.path) for tile in wanted}
        return {tile: body for tile, body in bodies.items() if body is not None}

    def _cosigned(self, head: SignedHead, size: int, fault: str) -> list[Testimony]:
        ours = self._question.keys
        return [
            self._line(head.note.text, line, size, fault)
            for line in head.note.signatures
            if not any(line.claims(key) for key in ours)
        ]

    def _line(self, text: bytes, line: NoteSignature, size: int, fault: str) -> Testimony:
        key = next((one for one in self._question.witnesses if line.claims(one)), None)
        seconds = int.from_bytes(line.data[:_TIME_BYTES], "big")
        if key is not None:
            fault = fault or _wrong(text, line, key)
        return Testimony(
            kind="witness",
            who=line.name,
            at=_second(seconds),
            size=size,
            is_checked=key is not None and not fault,
            fault=fault,
        )

    def _dated(self, token: bytes, head: SignedHead | None, size: int, fault: str) -> Testimony:
        # Imported only where there are timestamps: it loads what asks for them, too.
        from storage.translog.timestamps import TimestampError, check_timestamp

        nobody = Testimony(
            kind="timestamp",
            who="an authority",
            at=_second(0),
            size=size,
            is_checked=False,
            fault=fault,
        )
        if head is None:
            return nobody
        lines = head.note.signatures
        ours = tuple(one for one in lines if any(one.claims(key) for key in self._question.keys))
        message = Note(text=head.note.text, signatures=ours).encode()
        try:
            facts = check_timestamp(token, message, self._question.authorities)
        except TimestampError as error:
            return Testimony(
                kind="timestamp",
                who=nobody.who,
                at=nobody.at,
                size=size,
                is_checked=False,
                fault=str(error),
            )
        return Testimony(
            kind="timestamp",
            who=facts.authority or "an authority without a name",
            at=facts.at,
            size=size,
            is_checked=facts.trusted and not fault,
            fault=fault,
        )


def _wrong(text: bytes, line: NoteSignature, key: NoteVerifier) -> str:
    try:
        cosigned_at(text, line, key)
    except NoteError as error:
        return str(error)
    return ""


def _second(seconds: int) -> datetime:
    """A time in seconds after the epoch, as far as it is one."""
    furthest = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())
    return datetime.fromtimestamp(seconds if seconds <= min(MAX_TIME, furthest) else 0, UTC)
