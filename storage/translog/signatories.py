"""Who signs the checkpoints: one key; while it is replaced, the next one beside it. Pure.

Which of the two is in force is read from the last checkpoint alone, so neither a crash nor a lost
or restored journal brings an old key back: of the lines under the log's own name the last one is
that of the key in force. The checkpoint over the leaf that names the next key has both.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.canonical import read_key
from bridge.notekeys import NoteVerifier
from bridge.protocols.log import Signer
from storage.translog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from storage.translog.malformed import NoteError
from storage.translog.note import Note, NoteSignature, signature_of

_REPLACE = (
    "to replace a key, leave signing_key_file as it was and name the other in"
    " [keys] next_signing_key_file"
)


class Signatories:
    """The keys of one log that lie here. ``following`` is to replace ``signer``."""

    def __init__(self, signer: Signer, following: Signer | None = None) -> None:
        self._ours: tuple[Signer, ...] = (signer,)
        if following is not None and following.verifier != signer.verifier:
            self._ours = (signer, following)
        self._in_force = signer

    @property
    def in_force(self) -> NoteVerifier:
        """The key that signs what comes next, as far as the last checkpoint says."""
        return self._in_force.verifier

    @property
    def following(self) -> NoteVerifier | None:
        """The key that is to follow and is not in force yet."""
        last = self._ours[-1]
        return None if last is self._in_force else last.verifier

    def read(self, note: bytes) -> Checkpoint:
        """The checkpoint in ``note``, which the key in force at that time signed; it lies here.

        Raises:
            NoteError: it is not that; nothing may be signed behind it.
        """
        return open_checkpoint(note, self._who(note).verifier)

    def follow(self, note: bytes) -> None:
        """``note`` is the last checkpoint: whoever it says is in force signs what comes next.

        Raises:
            NoteError: as for :meth:`read`.
        """
        self.read(note)
        self._in_force = self._who(note)

    def over(self, leaves: Sequence[bytes]) -> tuple[Signer, ...]:
        """Who signs the next checkpoint, which brings ``leaves``.

        Where they name the next key, both do, the one that is replaced first.

        Raises:
            NoteError: the key they name does not lie here.
        """
        named = _last_named(leaves)
        if named is None or named == self.in_force.line:
            return (self._in_force,)
        for signer in self._ours:
            if signer.verifier.line == named:
                return (self._in_force, signer)
        raise NoteError(
            "a key leaf that is not published yet names a key that does not lie here; name its"
            " file in [keys] next_signing_key_file again"
        )

    def hands_over(self, note: bytes) -> bool:
        """Whether ``note``, a checkpoint of ours, is the one that two keys signed."""
        return len(self._own_lines(note)) > 1

    def _own_lines(self, note: bytes) -> list[NoteSignature]:
        name = self._ours[0].verifier.name
        return [one for one in Note.parse(note).signatures if one.name == name]

    def _who(self, note: bytes) -> Signer:
        lines = self._own_lines(note)
        if not lines:
            raise NoteError(f"the checkpoint is not signed by {self._ours[0].verifier.name}")
        for signer in self._ours:
            if lines[-1].claims(signer.verifier):
                return signer
        raise NoteError(
            f"the checkpoint is signed by the key {lines[-1].name}+{lines[-1].key_hash:08x}, which"
            f" is not that of [keys] signing_key_file; put that key there, or, {_REPLACE}"
        )


def sign_by_all(checkpoint: Checkpoint, signers: Sequence[Signer]) -> bytes:
    """The note of a checkpoint with a line of each of them, in their order."""
    note = Note.parse(sign_checkpoint(checkpoint, signers[0]))
    lines = (signature_of(note.text, signer) for signer in signers[1:])
    return Note(text=note.text, signatures=(*note.signatures, *lines)).encode()


def _last_named(leaves: Sequence[bytes]) -> str | None:
    named = (read_key(leaf) for leaf in reversed(leaves))
    return next((key for key in named if key is not None), None)
