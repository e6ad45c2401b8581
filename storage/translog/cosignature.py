"""Dated cosignatures of witnesses (C2SP tlog-cosignature, the Ed25519 type 0x04). Pure."""

from __future__ import annotations

from bridge.notekeys import Algorithm, NoteVerifier
from bridge.protocols.log import Signer
from storage.translog.malformed import NoteError
from storage.translog.note import Note, NoteSignature, is_text, verifies

MAX_TIME = 2**63 - 1
_TIME_BYTES = 8


def message(text: bytes, time: int) -> bytes:
    """What is signed for the note text of a checkpoint (section "Ed25519 signed message")."""
    return f"cosignature/v1\ntime {time}\n".encode() + text


def cosign(text: bytes, *, time: int, signer: Signer) -> NoteSignature:
    """The line of a witness that saw this checkpoint ``time`` seconds after the epoch.

    Raises:
        ValueError: the key is not for cosigning, the time cannot be written, or no note can carry
            the text.
    """
    verifier = signer.verifier
    if verifier.algorithm is not Algorithm.COSIGNATURE:
        raise ValueError(f"{verifier.name} is not a key for cosignatures")
    if not 0 <= time <= MAX_TIME or not is_text(text):
        raise ValueError("this cannot be cosigned")
    data = time.to_bytes(_TIME_BYTES, "big") + signer.sign(message(text, time))
    return NoteSignature(name=verifier.name, key_hash=verifier.key_hash, data=data)


def cosigned_at(text: bytes, signature: NoteSignature, verifier: NoteVerifier) -> int:
    """When this witness cosigned the checkpoint with this text, in seconds after the epoch.

    Raises:
        NoteError: the line is not of this key, or does not verify.
    """
    if verifier.algorithm is not Algorithm.COSIGNATURE or not signature.claims(verifier):
        raise NoteError(f"the cosignature is not of {verifier.name}")
    time = int.from_bytes(signature.data[:_TIME_BYTES], "big")
    if time > MAX_TIME:
        raise NoteError(f"the cosignature of {verifier.name} has no possible time")
    if not verifies(verifier, signature.data[_TIME_BYTES:], message(text, time)):
        raise NoteError(f"the cosignature of {verifier.name} is wrong")
    return time


def witnessed_at(note: Note, verifier: NoteVerifier) -> int | None:
    """When this witness cosigned the note: the newest of its lines; None without one.

    Raises:
        NoteError: a line that says to be of this key does not verify.
    """
    return max((cosigned_at(note.text, one, verifier) for one in note.of(verifier)), default=None)
