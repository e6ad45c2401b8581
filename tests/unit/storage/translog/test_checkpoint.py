"""Checkpoints: the specification's example, one form only, and whose they are."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from bridge.notekeys import generate, parse_signing_key
from storage.signer import Ed25519Signer
from storage.translog.checkpoint import MAX_SIZE, Checkpoint, open_checkpoint, sign_checkpoint
from storage.translog.malformed import NoteError
from storage.translog.merkle import EMPTY_ROOT
from storage.translog.note import Note, sign

ORIGIN = "records.example.org/demo/log/0"
ROOT = bytes(range(32))
CHECKPOINT = Checkpoint(origin=ORIGIN, size=70_000, root=ROOT)
# The example of C2SP tlog-checkpoint.
SOFA = b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def _signer(name: str = ORIGIN, seed: int = 1) -> Ed25519Signer:
    return Ed25519Signer(parse_signing_key(generate(name, lambda n: bytes([seed]) * n)[0]))


def test_the_example_of_the_specification() -> None:
    """Origin, size and root are its three lines, and it writes back to the same bytes."""
    checkpoint = Checkpoint.parse(SOFA)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.root.hex().startswith("0ac5186a91863e8e")
    assert checkpoint.text == SOFA


def test_a_signed_checkpoint_opens() -> None:
    """What the log's key signed opens with its verifier key, at any size."""
    signer = _signer()
    for checkpoint in (
        CHECKPOINT,
        replace(CHECKPOINT, size=0, root=EMPTY_ROOT),
        replace(CHECKPOINT, size=MAX_SIZE),
    ):
        note = sign_checkpoint(checkpoint, signer)
        assert open_checkpoint(note, signer.verifier) == checkpoint


B64 = base64.b64encode(ROOT).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"\n1\n{B64}\n",
        f"o\n1\n{B64}",
        f"o\n1\n{B64}\n\n",
        f"o\n1\n{B64}\nextension\n",
        f"o\n1\n\n{B64}\n",
        f"o\n01\n{B64}\n",
        f"o\n-1\n{B64}\n",
        f"o\n+1\n{B64}\n",
        f"o\n 1\n{B64}\n",
        f"o\n1 \n{B64}\n",
        f"o\n1.0\n{B64}\n",
        f"o\n1_0\n{B64}\n",
        f"o\n١\n{B64}\n",
        f"o\n²\n{B64}\n",
        f"o\n\n{B64}\n",
        f"o\n{2**63}\n{B64}\n",
        f"o\n{'9' * 5000}\n{B64}\n",
        f"o\n0\n{B64}\n",
        f"o\n1\n{B64[:-1]}\n",
        f"o\n1\n{B64} \n",
        f"o\n1\n{B64[:-2]}9=\n",
        f"o\n1\n{base64.b64encode(ROOT[1:]).decode()}\n",
        f"o\n1\n{'_' * 42}8=\n",
        f"o\r\n1\r\n{B64}\r\n",
        f"o\n1\n{ROOT.hex()}\n",
    ],
)
def test_texts_that_are_no_checkpoint(text: str) -> None:
    """Only the one form of three lines is read, no matter who signed it."""
    with pytest.raises(NoteError):
        Checkpoint.parse(text.encode())


def test_every_flipped_byte_is_found() -> None:
    """Each byte of a signed checkpoint, changed in each bit, makes it not open."""
    signer = _signer()
    note = sign_checkpoint(CHECKPOINT, signer)
    for place in range(len(note)):
        for bit in range(8):
            spoilt = bytearray(note)
            spoilt[place] ^= 1 << bit
            with pytest.raises(NoteError):
                open_checkpoint(bytes(spoilt), signer.verifier)


def test_whose_it_is() -> None:
    """Another key, another key of our name, or our key on another log's text: refused by name."""
    signer, other, double = _signer(), _signer("other.example/x/log/0"), _signer(seed=2)
    note = sign_checkpoint(CHECKPOINT, signer)
    for verifier in (other.verifier, double.verifier):
        with pytest.raises(NoteError, match="is not signed by"):
            open_checkpoint(note, verifier)
    stolen = sign(replace(CHECKPOINT, origin="other.example/x/log/0").text, signer)
    with pytest.raises(NoteError, match=r"one of other\.example/x/log/0"):
        open_checkpoint(stolen, signer.verifier)
    moved = replace(Note.parse(note), text=replace(CHECKPOINT, size=70_001).text)
    with pytest.raises(NoteError, match=r"signature by .* is wrong"):
        open_checkpoint(moved.encode(), signer.verifier)


def test_a_key_signs_only_for_its_own_log() -> None:
    """The key's name is the origin; nothing is signed under another."""
    with pytest.raises(ValueError, match="does not sign for"):
        sign_checkpoint(CHECKPOINT, _signer("other.example/x/log/0"))
    for wrong in (replace(CHECKPOINT, size=-1), replace(CHECKPOINT, root=b"short")):
        with pytest.raises(ValueError, match="no checkpoint"):
            sign_checkpoint(wrong, _signer())
