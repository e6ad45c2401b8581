"""Signed notes (C2SP signed-note): text, a blank line, lines with signatures. Pure.

Parsing is strict: :meth:`Note.parse` accepts exactly the bytes that :meth:`Note.encode` gives.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bridge.notekeys import Algorithm, NoteVerifier
from bridge.protocols.log import Signer
from storage.translog.malformed import NoteError

MAX_NOTE = 1_000_000
MAX_SIGNATURES = 100
_DASH = "\u2014 "


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line: who says to have signed, the key's hash, the signature's bytes."""

    name: str
    key_hash: int
    data: bytes = field(repr=False)

    def encode(self) -> str:
        """The line, without its newline (section "Format")."""
        signature = base64.b64encode(self.key_hash.to_bytes(4, "big") + self.data).decode("ascii")
        return f"{_DASH}{self.name} {signature}"

    @classmethod
    def parse(cls, line: str) -> NoteSignature:
        """Read one line, given without its newline.

        Raises:
            NoteError: it is not a signature line, or not in its one form.
        """
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise NoteError("a signature line does not hold base64") from None
        if not _is_name(name):
            raise NoteError("a signature line has no proper key name")
        if len(raw) < 5:
            raise NoteError("a signature is too short")
        signature = cls(name=name, key_hash=int.from_bytes(raw[:4], "big"), data=raw[4:])
        if signature.encode() != line:
            raise NoteError("a signature line is not in its one form")
        return signature

    def claims(self, verifier: NoteVerifier) -> bool:
        """Whether the line says to be of this key: by name and by hash."""
        return self.name == verifier.name and self.key_hash == verifier.key_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text, with its last newline, and who says to have signed it."""

    text: bytes
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a note. No signature is verified.

        Raises:
            NoteError: it is not a signed note.
        """
        if len(data) > MAX_NOTE:
            raise NoteError("the note is too long")
        try:
            decoded = data.decode()
        except UnicodeDecodeError:
            raise NoteError("the note is not UTF-8") from None
        if any(char < " " and char != "\n" for char in decoded):
            raise NoteError("the note holds control characters")
        text, blank, lines = decoded.rpartition("\n\n")
        if not blank or not lines.endswith("\n"):
            raise NoteError("the note has no signature lines after its last blank line")
        signatures = tuple(NoteSignature.parse(line) for line in lines[:-1].split("\n"))
        if len(signatures) > MAX_SIGNATURES:
            raise NoteError("the note has too many signatures")
        return cls(text=text.encode() + b"\n", signatures=signatures)

    def encode(self) -> bytes:
        """The note's bytes."""
        return self.text + b"\n" + signature_lines(self.signatures)

    def of(self, verifier: NoteVerifier) -> tuple[NoteSignature, ...]:
        """The signature lines that say to be of this key."""
        return tuple(one for one in self.signatures if one.claims(verifier))


def signature_lines(signatures: Iterable[NoteSignature]) -> bytes:
    """Signature lines, each with its newline: the body a witness answers with."""
    return "".join(f"{one.encode()}\n" for one in signatures).encode()


def parse_signature_lines(data: bytes) -> tuple[NoteSignature, ...]:
    """Read what :func:`signature_lines` gives: at least one line.

    Raises:
        NoteError: it is not that.
    """
    note = Note.parse(b"\n\n" + data)
    if note.text != b"\n":
        raise NoteError("the signature lines hold a blank line")
    return note.signatures


def sign(text: bytes, signer: Signer) -> bytes:
    """The note of ``text`` with one signature (section "Ed25519 signatures").

    Raises:
        ValueError: no note can carry this text, or the key is not for signing notes.
    """
    return Note(text=text, signatures=(signature_of(text, signer),)).encode()


def signature_of(text: bytes, signer: Signer) -> NoteSignature:
    """The signature line of one more key for ``text``.

    Raises:
        ValueError: no note can carry this text, or the key is not for signing notes.
    """
    verifier = signer.verifier
    if verifier.algorithm is not Algorithm.ED25519:
        raise ValueError(f"{verifier.name} is not a key for notes")
    if not is_text(text):
        raise ValueError("no note can carry this text")
    return NoteSignature(name=verifier.name, key_hash=verifier.key_hash, data=signer.sign(text))


def verified_by(note: Note, verifier: NoteVerifier) -> bool:
    """Whether this key signed the note's text.

    False without a line of this key, and if *any* line that says to be of this key does not
    verify. Lines of other keys are not looked at (section "Signatures").
    """
    if verifier.algorithm is not Algorithm.ED25519:
        return False
    lines = note.of(verifier)
    return bool(lines) and all(verifies(verifier, one.data, note.text) for one in lines)


def verifies(verifier: NoteVerifier, signature: bytes, message: bytes) -> bool:
    """Whether the Ed25519 signature (RFC 8032) of ``message`` is this key's."""
    try:
        Ed25519PublicKey.from_public_bytes(verifier.public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def is_text(text: bytes) -> bool:
    """Whether a note can carry this text: UTF-8, without control characters, newline at the end."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        return False
    return decoded.endswith("\n") and all(char >= " " or char == "\n" for char in decoded)


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(char.isspace() for char in name)
