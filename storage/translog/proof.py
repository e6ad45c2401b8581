"""One leaf's proof in a file of its own, checked offline (C2SP tlog-proof). Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from bridge.notekeys import NoteVerifier
from storage.translog.checkpoint import MAX_SIZE, Checkpoint, open_checkpoint
from storage.translog.malformed import ProofError
from storage.translog.merkle import HASH_BYTES, leaf_hash, verify_inclusion

SUFFIX = ".tlog-proof"
HEADER = "c2sp.org/tlog-proof@v1"
MAX_HASHES = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class TlogProof:
    """A leaf's index, its audit path, and the checkpoint the path leads to: its exact note.

    ``extra`` is proved by nothing.
    """

    index: int
    hashes: tuple[bytes, ...] = field(repr=False)
    checkpoint: bytes = field(repr=False)
    extra: bytes | None = None

    def encode(self) -> bytes:
        """The file's bytes (section "Format")."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines += [_base64(one) for one in self.hashes]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Read a file; it MUST be its own re-encoding. Nothing is verified.

        Raises:
            ProofError: it is not such a file.
        """
        head, blank, checkpoint = data.partition(b"\n\n")
        lines = head.split(b"\n")
        if not blank or lines.pop(0) != HEADER.encode():
            raise ProofError(f"the file is not a {HEADER}")
        extra = None
        if lines and lines[0].startswith(b"extra "):
            extra = _bytes(lines.pop(0).removeprefix(b"extra "))
        if not lines or not lines[0].startswith(b"index "):
            raise ProofError("the proof has no index")
        index = lines.pop(0).removeprefix(b"index ")
        if not index.isdigit() or len(index) > 19 or int(index) > MAX_SIZE:
            raise ProofError("the proof's index is not a number")
        hashes = tuple(_bytes(line) for line in lines)
        if len(hashes) > MAX_HASHES or any(len(one) != HASH_BYTES for one in hashes):
            raise ProofError("the proof's lines are not hashes")
        proof = cls(index=int(index), hashes=hashes, checkpoint=checkpoint, extra=extra)
        if proof.encode() != data:
            raise ProofError("the proof is not its own re-encoding")
        return proof

    def verify(self, entry: bytes, verifier: NoteVerifier) -> Checkpoint:
        """The checkpoint under which ``entry`` is leaf ``index`` of the log with this key.

        Raises:
            NoteError: the checkpoint is not the log's.
            ProofError: the path does not lead from the entry to the checkpoint's root.
        """
        checkpoint = open_checkpoint(self.checkpoint, verifier)
        verify_inclusion(
            self.index, checkpoint.size, leaf_hash(entry), checkpoint.root, self.hashes
        )
        return checkpoint


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(line: bytes) -> bytes:
    try:
        return base64.b64decode(line, validate=True)
    except ValueError:
        raise ProofError("a line of the proof is not base64") from None
