"""Anchors: what witnesses and time-stamping authorities testify of earlier checkpoints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bridge.canonical import rfc3339
from bridge.notekeys import NoteVerifier
from storage.translog.cosignature import cosigned_at
from storage.translog.malformed import NoteError
from storage.translog.note import Note, NoteSignature
from storage.translog.verify.codes import Code
from storage.translog.verify.heads import SignedHead, Trust
from storage.translog.verify.leaves import Leaves
from storage.translog.verify.names import AnchorPlace, anchor_place
from storage.translog.verify.report import Gathering, Vouches

if TYPE_CHECKING:
    from cryptography import x509


class Anchors:
    """Judges anchors whose bytes are proved by their leaves."""

    def __init__(
        self,
        leaves: Leaves,
        trust: Trust,
        roots: Mapping[int, bytes],
        *,
        shard: str,
        witnesses: Sequence[NoteVerifier],
        authorities: Sequence[x509.Certificate],
        found: Gathering,
        vouches: Vouches,
    ) -> None:
        self._leaves = leaves
        self._trust = trust
        self._roots = roots
        self._shard = shard
        self._witnesses = witnesses
        self._authorities = authorities
        self._found = found
        self._vouches = vouches
        self._published: dict[int, bytes] = {}
        self._unchecked: Counter[str] = Counter()

    def judge(self, anchors: Sequence[tuple[int, str, bytes]]) -> None:
        """Every anchor with the row of its leaf: first what witnesses say, then the timestamps."""
        placed: list[tuple[AnchorPlace, int, str, bytes]] = []
        for row, key, body in anchors:
            place = self._place(row, key)
            if place is not None:
                placed.append((place, row, key, body))
        for place, row, key, body in placed:
            if place.form == "note":
                self._note(place.size, row, key, body)
        for place, row, key, body in placed:
            if place.form == "tsr":
                self._timestamp(place.size, row, key, body)
        for sentence, count in self._unchecked.items():
            self._found.add(Code.NOT_CHECKED, f"{count} {sentence}")

    def _tell(self, row: int, key: str, why: str) -> None:
        leaf = self._leaves.placed.leaf[row]
        what = f"{key}, named by leaf {leaf}, {why}."
        self._found.add(Code.ANCHOR_MISMATCH, what, key=key, leaf=leaf)

    def _place(self, row: int, key: str) -> AnchorPlace | None:
        place = anchor_place(key)
        size, leaf = self._leaves.anchor_sizes[row], self._leaves.placed.leaf[row]
        if place is None or place.shard != self._shard:
            self._tell(row, key, "does not stand where anchors stand")
        elif place.size != size:
            self._tell(row, key, f"is said to be of size {size}")
        elif size > leaf:
            self._tell(row, key, "is of more leaves than stand before its own")
        else:
            return place
        return None

    def _note(self, size: int, row: int, key: str, body: bytes) -> None:
        try:
            head = SignedHead.read(body, key)
        except NoteError as error:
            self._tell(row, key, f"is no checkpoint: {error}")
            return
        checkpoint = head.checkpoint
        if (checkpoint.origin, checkpoint.size) != (self._trust.origin, size):
            self._tell(row, key, f"is a checkpoint of {checkpoint.origin}, {checkpoint.size}")
        elif self._roots.get(size) != checkpoint.root:
            self._tell(row, key, f"does not have the root of the first {size} leaves")
        elif self._is_of_another_key(head):
            self._unchecked["anchors are signed by an earlier key, which was not given."] += 1
        elif not head.signed_by(self._trust.keys):
            self._tell(row, key, "is not signed by the log's key")
        else:
            ours = tuple(
                one
                for one in head.note.signatures
                if any(one.claims(trusted) for trusted in self._trust.keys)
            )
            self._published[size] = Note(text=head.note.text, signatures=ours).encode()
            for line in head.note.signatures:
                if line not in ours:
                    self._cosignature(head, line, row)

    def _is_of_another_key(self, head: SignedHead) -> bool:
        """Whether a key of this log signed it that nobody gave: one was replaced by another."""
        by_name = any(one.name == self._trust.origin for one in head.note.signatures)
        replaced = bool(self._leaves.next_keys) and by_name
        return replaced and not head.claims(self._trust.keys)

    def _cosignature(self, head: SignedHead, line: NoteSignature, row: int) -> None:
        key = next((one for one in self._witnesses if line.claims(one)), None)
        if key is None:
            self._unchecked[f"cosignatures of {line.name} are not checked: no key given."] += 1
            return
        try:
            cosigned_at(head.note.text, line, key)
        except NoteError as error:
            self._tell(row, head.name, f"is not cosigned: {error}")
            return
        size = head.checkpoint.size
        if size > self._vouches.witnessed_size:
            self._vouches.witnessed_size = size
            self._vouches.witnessed_by = []
        if size == self._vouches.witnessed_size:
            self._vouches.witnessed_by.append(line.name)

    def _timestamp(self, size: int, row: int, key: str, body: bytes) -> None:
        # Imported only where there are timestamps: it loads what asks for them, too.
        from storage.translog.timestamps import TimestampError, check_timestamp

        message = self._published.get(size)
        if message is None:
            self._unchecked["timestamps are not checked: their checkpoints are not there."] += 1
            return
        try:
            facts = check_timestamp(body, message, self._authorities)
        except TimestampError as error:
            self._tell(row, key, f"is no timestamp of this checkpoint: {error}")
            return
        if not facts.trusted:
            who = facts.authority or "unknown authorities"
            self._unchecked[f"timestamps of {who} are not checked: no certificate given."] += 1
        elif size > self._vouches.timestamped_size:
            self._vouches.timestamped_size = size
            self._vouches.timestamped_at = rfc3339(facts.at)
