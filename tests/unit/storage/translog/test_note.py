"""Signed notes: the specifications' examples, strict parsing, keys that do not match."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.notekeys import Algorithm, generate, parse_signing_key, parse_verifier
from storage.signer import Ed25519Signer
from storage.translog.malformed import NoteError
from storage.translog.note import (
    Note,
    NoteSignature,
    parse_signature_lines,
    sign,
    signature_lines,
    signature_of,
    verified_by,
)

# The example of C2SP signed-note.
POEM = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
).encode()
# Its example with a verifier key.
FOO_KEY = parse_verifier("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
FOO = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
# The example of Go's package note, signing key included.
NEUMANN = Ed25519Signer(
    parse_signing_key(
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
    )
)
NEUMANN_TEXT = (
    b"If you think cryptography is the answer to your problem,\n"
    b"then you don't know what your problem is.\n"
)
NEUMANN_NOTE = (
    NEUMANN_TEXT
    + (
        "\n— PeterNeumann "
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    ).encode()
)


def test_the_example_of_the_specification() -> None:
    """The text ends at the last blank line, and the signature is four bytes of hash and 64 more."""
    note = Note.parse(POEM)
    assert note.text.decode().splitlines()[2:] == ["", "ed è subito sera."]
    assert note.text.endswith(b".\n")
    (signature,) = note.signatures
    assert (signature.name, signature.key_hash) == ("quasimodo.example/salvatore", 0x367BA04B)
    assert len(signature.data) == 64
    assert note.encode() == POEM


def test_examples_with_their_keys() -> None:
    """Published notes verify with their published keys and with no other."""
    foo, neumann = Note.parse(FOO), Note.parse(NEUMANN_NOTE)
    assert verified_by(foo, FOO_KEY)
    assert verified_by(neumann, NEUMANN.verifier)
    assert not verified_by(foo, NEUMANN.verifier)
    assert not verified_by(neumann, FOO_KEY)


def test_signing_gives_the_published_bytes() -> None:
    """Ed25519 has one signature for a text: ours is the one in Go's documentation."""
    assert sign(NEUMANN_TEXT, NEUMANN) == NEUMANN_NOTE


def test_several_signatures() -> None:
    """Lines of unknown keys are kept and not looked at; at least 16 are accepted."""
    others = tuple(
        NoteSignature(name=f"witness.example/{n}", key_hash=n, data=bytes(72)) for n in range(40)
    )
    note = replace(
        Note.parse(NEUMANN_NOTE), signatures=(*others, signature_of(NEUMANN_TEXT, NEUMANN))
    )
    again = Note.parse(note.encode())
    assert again == note
    assert verified_by(again, NEUMANN.verifier)
    assert not verified_by(again, FOO_KEY)


def test_a_wrong_line_of_a_known_key_spoils_the_note() -> None:
    """Beside a good line, one that says to be of the same key and does not verify is a refusal."""
    note = Note.parse(NEUMANN_NOTE)
    (good,) = note.signatures
    for bad in (bytes(64), b"x", good.data + b"\x00"):
        both = replace(note, signatures=(good, replace(good, data=bad)))
        assert not verified_by(Note.parse(both.encode()), NEUMANN.verifier)


def test_a_key_needs_name_and_hash() -> None:
    """A line under our name with another hash, or our hash with another name, is of another key."""
    note = Note.parse(NEUMANN_NOTE)
    (good,) = note.signatures
    for other in (replace(good, name="Peter"), replace(good, key_hash=1)):
        assert not verified_by(replace(note, signatures=(other,)), NEUMANN.verifier)


def test_a_cosigning_key_signs_no_notes() -> None:
    """The algorithm belongs to the key: one for cosignatures neither signs nor verifies a note."""
    line, _ = generate("witness.example", bytes, algorithm=Algorithm.COSIGNATURE)
    witness = Ed25519Signer(parse_signing_key(line, algorithm=Algorithm.COSIGNATURE))
    with pytest.raises(ValueError, match="not a key for notes"):
        sign(NEUMANN_TEXT, witness)
    data = witness.sign(NEUMANN_TEXT)
    line_of_it = NoteSignature(
        name=witness.verifier.name, key_hash=witness.verifier.key_hash, data=data
    )
    assert not verified_by(Note(text=NEUMANN_TEXT, signatures=(line_of_it,)), witness.verifier)


LINE = NEUMANN_NOTE.split(b"\n\n")[1]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n",
        b"text\n\n",
        b"text\n" + LINE,
        b"text\n\n" + LINE[:-1],
        b"text\n\n" + LINE[:-1] + b"x",
        b"text\n\n" + LINE + b"\n",
        b"text\n\n" + LINE + b"x",
        b"text\n\n" + LINE + b"x\n",
        b"text\n\n\xe2\x80\x94 name\n",
        b"text\n\n\xe2\x80\x94 name AAAA\n",
        b"text\n\n\xe2\x80\x94 name AAAAAA==\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAB=\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAAA AAAA\n",
        b"text\n\n\xe2\x80\x94 name  AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94  AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 a+b AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 a\xc2\xa0b AAAAAAA=\n",
        b"text\n\n- name AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94name AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAA=\r\n",
        b"a\tb\n\n" + LINE,
        b"a\x00b\n\n" + LINE,
        b"a\rb\n\n" + LINE,
        b"a\xffb\n\n" + LINE,
        b"a\xed\xa0\x80b\n\n" + LINE,
        b"text\r\n\r\n" + LINE,
        b"text\n\n" + LINE * 101,
        b"x" * 1_000_000 + b"\n\n" + LINE,
    ],
)
def test_what_is_no_note(data: bytes) -> None:
    """Without a blank line, a whole signature line or clean UTF-8, or too large: refused."""
    with pytest.raises(NoteError):
        Note.parse(data)


@pytest.mark.parametrize("text", [b"", b"text", b"a\rb\n", b"\xff\n"])
def test_texts_that_cannot_be_signed(text: bytes) -> None:
    """What would not read back is not signed."""
    with pytest.raises(ValueError, match="carry"):
        sign(text, NEUMANN)


def test_signature_lines_alone() -> None:
    """What a witness answers with is read like the end of a note, and nothing more is."""
    signatures = Note.parse(NEUMANN_NOTE).signatures
    assert signature_lines(signatures) == LINE
    assert parse_signature_lines(LINE) == signatures
    assert parse_signature_lines(LINE + LINE) == signatures * 2
    for wrong in (b"", b"\n" + LINE, b"text\n\n" + LINE, LINE + b"\n" + LINE, LINE[:-1]):
        with pytest.raises(NoteError):
            parse_signature_lines(wrong)
