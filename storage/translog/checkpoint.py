"""Checkpoints (C2SP tlog-checkpoint): the signed statement of a tree's size and root. Pure.

Three lines: origin, size, root. Extension lines are refused: the log writes none, and nobody could
audit them.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from bridge.notekeys import NoteVerifier
from bridge.protocols.log import Signer
from storage.translog.malformed import NoteError
from storage.translog.merkle import EMPTY_ROOT, HASH_BYTES
from storage.translog.note import Note, is_text, sign, verified_by

MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A tree head: the log's origin, how many leaves, the root over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        """The text of its note (section "Note text")."""
        root = base64.b64encode(self.root).decode("ascii")
        return f"{self.origin}\n{self.size}\n{root}\n".encode()

    @classmethod
    def parse(cls, text: bytes) -> Checkpoint:
        """Read the text of a note; it MUST be its own re-encoding.

        Raises:
            NoteError: it is not a checkpoint without extension lines.
        """
        if not is_text(text):
            raise NoteError("the checkpoint is not text")
        lines = text.decode().split("\n")
        if len(lines) != 4:
            raise NoteError("the checkpoint does not have three lines")
        origin, size, encoded = lines[:3]
        if not origin:
            raise NoteError("the checkpoint has no origin")
        checkpoint = cls(origin=origin, size=_size(size), root=_root(encoded))
        if checkpoint.text != text:
            raise NoteError("the checkpoint is not its own re-encoding")
        if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
            raise NoteError("the checkpoint has a wrong root for no leaves")
        return checkpoint


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """The signed note of a checkpoint. The caller MUST have proved it to extend what it signed.

    Raises:
        ValueError: the key is not named like the origin, or this is no checkpoint.
    """
    if signer.verifier.name != checkpoint.origin:
        raise ValueError(f"{signer.verifier.name} does not sign for {checkpoint.origin}")
    if not 0 <= checkpoint.size <= MAX_SIZE or len(checkpoint.root) != HASH_BYTES:
        raise ValueError("this is no checkpoint")
    return sign(checkpoint.text, signer)


def open_checkpoint(data: bytes, verifier: NoteVerifier) -> Checkpoint:
    """The checkpoint in a signed note of the log whose key this is.

    Raises:
        NoteError: the note is not well formed, not signed by this key, not a checkpoint, or one
            of another log.
    """
    note = Note.parse(data)
    if not note.of(verifier):
        raise NoteError(f"the checkpoint is not signed by {verifier.name}")
    if not verified_by(note, verifier):
        raise NoteError(f"the checkpoint's signature by {verifier.name} is wrong")
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != verifier.name:
        raise NoteError(f"the checkpoint is one of {checkpoint.origin}, not of {verifier.name}")
    return checkpoint


def _size(line: str) -> int:
    if not (line.isascii() and line.isdigit() and len(line) <= 19 and int(line) <= MAX_SIZE):
        raise NoteError("the checkpoint's size is not a number of leaves")
    return int(line)


def _root(line: str) -> bytes:
    try:
        root = base64.b64decode(line, validate=True)
    except ValueError:
        root = b""
    if len(root) != HASH_BYTES:
        raise NoteError("the checkpoint's root is not the base64 of 32 bytes")
    return root
