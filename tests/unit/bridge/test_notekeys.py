"""Note keys: the published example as a vector, round trips, and damaged lines."""

from __future__ import annotations

import base64
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bridge.errors import ConfigError
from bridge.notekeys import (
    NoteVerifier,
    generate,
    origin,
    parse_signing_key,
    parse_verifier,
)

# The pair in the documentation of golang.org/x/mod/sumdb/note.
EXAMPLE_SIGNING = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
EXAMPLE_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
EXAMPLE_TEXT = (
    b"If you think cryptography is the answer to your problem,\n"
    b"then you don't know what your problem is.\n"
)
EXAMPLE_SIGNATURE = (
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)


def test_the_published_verifier_reads() -> None:
    """The example verifier key has the hash it states and verifies the example signature."""
    verifier = parse_verifier(EXAMPLE_VERIFIER)
    assert (verifier.name, verifier.key_hash) == ("PeterNeumann", 0xC74F20A3)
    assert verifier.line == EXAMPLE_VERIFIER
    signature = base64.b64decode(EXAMPLE_SIGNATURE)
    assert int.from_bytes(signature[:4], "big") == verifier.key_hash
    Ed25519PublicKey.from_public_bytes(verifier.public_key).verify(signature[4:], EXAMPLE_TEXT)


def test_the_published_signing_key_reads() -> None:
    """The example signing key, whose data holds a plus sign, gives the example verifier key."""
    signer = parse_signing_key(EXAMPLE_SIGNING + "\n")
    assert signer.name == "PeterNeumann"
    assert signer.line == EXAMPLE_SIGNING
    assert signer.verifier.line == EXAMPLE_VERIFIER


def test_a_generated_pair_reads_back() -> None:
    """What `generate` writes, both parsers read, under the log's origin."""
    name = origin("records.example.org", "demo")
    assert name == "records.example.org/demo/log/0"
    signing, verifier = generate(name, lambda n: bytes(range(n)))
    assert parse_signing_key(signing).verifier == parse_verifier(verifier)
    assert parse_signing_key(signing).seed == bytes(range(32))
    assert parse_verifier(verifier).name == name
    assert "\n" not in signing + verifier


def test_the_seed_stays_out_of_sight() -> None:
    """A signer's representation does not hold its seed."""
    signer = parse_signing_key(EXAMPLE_SIGNING)
    assert re.search("seed|AYEKFALVF", repr(signer)) is None
    assert repr(signer.seed) not in repr(signer)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b", "a\ud800"])
def test_a_name_that_no_key_can_have_is_refused(name: str) -> None:
    """Empty names and names with spaces, plus signs or broken text are refused."""
    with pytest.raises(ConfigError, match="cannot name a signing key"):
        generate(name, bytes)


def _resigned(data: bytes) -> str:
    return "PeterNeumann+c74f20a3+" + base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ("", "form"),
        ("PeterNeumann", "form"),
        ("PeterNeumann+c74f20a3", "form"),
        ("+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "form"),
        ("PeterNeumann+c74f20a+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "damaged"),
        ("PeterNeumann+c74f20zz+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "damaged"),
        ("PeterNeumann+c74f20a3+ARpc2Qc!", "damaged"),
        ("PeterNeumann+c74f20a3+ARpc2QcUPDhM\u00e9", "damaged"),
        (_resigned(b"\x01" + bytes(31)), "not an Ed25519 key"),
        (_resigned(b"\x02" + bytes(32)), "not an Ed25519 key"),
        (_resigned(b"\x01" + bytes(32)), "hash"),
        (EXAMPLE_VERIFIER.replace("Peter", "Petra"), "hash"),
        (EXAMPLE_SIGNING, "signing key, not the verifier"),
    ],
)
def test_a_line_that_is_no_verifier_is_refused(line: str, fact: str) -> None:
    """Each kind of damage is a ConfigError with a hint."""
    with pytest.raises(ConfigError, match=fact) as caught:
        parse_verifier(line)
    assert "public.key" in caught.value.hint


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ("", "PRIVATE"),
        (EXAMPLE_VERIFIER, "PRIVATE"),
        (EXAMPLE_SIGNING.replace("c74f20a3", "c74f20a4"), "hash"),
        (EXAMPLE_SIGNING.replace("Neumann", "Newman"), "hash"),
        (EXAMPLE_SIGNING[:-4], "not an Ed25519 key"),
        (EXAMPLE_SIGNING[:-1], "damaged"),
    ],
)
def test_a_line_that_is_no_signing_key_is_refused(line: str, fact: str) -> None:
    """Each kind of damage is a ConfigError that does not repeat the key."""
    with pytest.raises(ConfigError, match=fact) as caught:
        parse_signing_key(line)
    assert "signing_key_file" in caught.value.hint
    assert "AYEKFALV" not in str(caught.value) + caught.value.hint


def test_a_verifier_is_a_plain_value() -> None:
    """Two readings of one line are equal."""
    assert parse_verifier(EXAMPLE_VERIFIER) == NoteVerifier(
        name="PeterNeumann",
        key_hash=0xC74F20A3,
        public_key=parse_verifier(EXAMPLE_VERIFIER).public_key,
    )
