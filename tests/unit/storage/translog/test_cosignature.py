"""Cosignatures: the specification's message and line, times, keys that do not match."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.notekeys import Algorithm, generate, parse_signing_key
from storage.signer import Ed25519Signer
from storage.translog.cosignature import MAX_TIME, cosign, cosigned_at, message, witnessed_at
from storage.translog.malformed import NoteError
from storage.translog.note import Note

TEXT = b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
# The example of C2SP tlog-cosignature: the log's line and its witness's.
EXAMPLE = (
    TEXT
    + (
        "\n— example.com/behind-the-sofa "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWX"
        "EhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
    ).encode()
)


def _witness(name: str = "witness.example.com/w1", seed: int = 1) -> Ed25519Signer:
    line, _ = generate(name, lambda n: bytes([seed]) * n, algorithm=Algorithm.COSIGNATURE)
    return Ed25519Signer(parse_signing_key(line, algorithm=Algorithm.COSIGNATURE))


def test_the_example_of_the_specification() -> None:
    """Its witness line holds the time of its signed message, before 64 bytes of signature."""
    note = Note.parse(EXAMPLE)
    assert note.encode() == EXAMPLE
    _, witness = note.signatures
    assert int.from_bytes(witness.data[:8], "big") == 1679315147
    assert len(witness.data) == 8 + 64
    assert message(note.text, 1679315147) == b"cosignature/v1\ntime 1679315147\n" + TEXT


@pytest.mark.parametrize("time", [0, 1679315147, MAX_TIME])
def test_a_cosignature_reads_back(time: int) -> None:
    """What a witness made verifies, and tells when."""
    witness = _witness()
    line = cosign(TEXT, time=time, signer=witness)
    assert line.data[8:] == witness.sign(f"cosignature/v1\ntime {time}\n".encode() + TEXT)
    assert cosigned_at(TEXT, line, witness.verifier) == time


def test_the_newest_line_counts() -> None:
    """Of several good lines of one witness the newest time holds; without a line there is none."""
    witness, other = _witness(), _witness("other.example")
    lines = tuple(cosign(TEXT, time=time, signer=witness) for time in (5, 9, 7))
    note = Note(text=TEXT, signatures=(cosign(TEXT, time=99, signer=other), *lines))
    assert witnessed_at(note, witness.verifier) == 9
    assert witnessed_at(replace(note, signatures=lines[:0]), witness.verifier) is None
    spoilt = replace(note, signatures=(*lines, replace(lines[0], data=bytes(72))))
    with pytest.raises(NoteError, match="is wrong"):
        witnessed_at(spoilt, witness.verifier)


def test_what_is_refused() -> None:
    """Another text, key, name or time, a flipped bit anywhere, an impossible time."""
    witness = _witness()
    line = cosign(TEXT, time=1679315147, signer=witness)
    for other in (_witness(seed=2), _witness("witness.example.com/w2")):
        with pytest.raises(NoteError, match="is not of"):
            cosigned_at(TEXT, line, other.verifier)
    with pytest.raises(NoteError, match="is wrong"):
        cosigned_at(TEXT.replace(b"3", b"4"), line, witness.verifier)
    for place in range(len(line.data) * 8):
        spoilt = bytearray(line.data)
        spoilt[place // 8] ^= 1 << place % 8
        with pytest.raises(NoteError):
            cosigned_at(TEXT, replace(line, data=bytes(spoilt)), witness.verifier)
    with pytest.raises(NoteError, match="no possible time"):
        cosigned_at(TEXT, replace(line, data=b"\xff" * 72), witness.verifier)
    for short in (line.data[:-1], line.data[:8], line.data[:3], b"", line.data + b"\x00"):
        with pytest.raises(NoteError):
            cosigned_at(TEXT, replace(line, data=short), witness.verifier)


def test_a_plain_signature_is_no_cosignature() -> None:
    """The log's own key, and what it signs, do not count as a witness's."""
    plain = Ed25519Signer(parse_signing_key(generate("witness.example.com/w1", bytes)[0]))
    with pytest.raises(ValueError, match="not a key for cosignatures"):
        cosign(TEXT, time=1, signer=plain)
    line = cosign(TEXT, time=1, signer=_witness())
    data = bytes(8) + plain.sign(message(TEXT, 0))
    for one in (line, replace(line, key_hash=plain.verifier.key_hash, data=data)):
        with pytest.raises(NoteError, match="is not of"):
            cosigned_at(TEXT, one, plain.verifier)


@pytest.mark.parametrize(("text", "time"), [(TEXT, -1), (TEXT, 2**63), (b"no newline", 1)])
def test_what_cannot_be_cosigned(text: bytes, time: int) -> None:
    """A time that cannot be written, or a text that no note carries."""
    with pytest.raises(ValueError, match="cannot be cosigned"):
        cosign(text, time=time, signer=_witness())
