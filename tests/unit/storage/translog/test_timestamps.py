"""What a time-stamp token proves, with tokens that openssl made."""

from __future__ import annotations

import random
import subprocess

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

from storage.translog.der import with_certificates_in_order
from storage.translog.timestamps import (
    TimestampError,
    check_timestamp,
    nonce_of,
    read_roots,
)
from tests.patience import PATIENCE
from tests.servers.tsa import Authority, make_authority

NOTE = b"records.example.org/demo/log/0\n1\nroot\n\n\xe2\x80\x94 name signature\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One for all: making keys takes a while."""
    return make_authority(tmp_path_factory.mktemp("tsa") / "authority")


@pytest.fixture(scope="module")
def token(authority: Authority) -> bytes:
    """A token with three certificates."""
    return authority.reply(query(NOTE), chain=2)


def query(message: bytes, algorithm: HashAlgorithm = HashAlgorithm.SHA256) -> bytes:
    """A request over a message."""
    builder = TimestampRequestBuilder().data(message).hash_algorithm(algorithm)
    return builder.cert_request(cert_request=True).build().as_bytes()


@pytest.mark.parametrize("chain", [0, 1, 2])
def test_a_token_is_checked_up_to_the_root(authority: Authority, chain: int) -> None:
    """However many certificates it brings: the missing ones stand in the file of roots."""
    token = authority.reply(query(NOTE), chain=chain)
    roots = read_roots(authority.root + (authority.between if chain == 0 else b""))
    facts = check_timestamp(token, NOTE, roots)
    assert facts.trusted
    assert facts.authority == "CN=Signer"
    assert facts.policy == "1.2.3.4.1"
    assert facts.serial > 0
    assert facts.at.utcoffset() is not None


def test_several_certificates_out_of_order_are_read(authority: Authority) -> None:
    """The order in which openssl sends a chain is not DER; a strict reader refuses it as it is."""
    for number in range(20):
        fresh = make_authority(authority.folder / f"fresh-{number}")
        token = fresh.reply(query(NOTE), chain=2)
        in_order = with_certificates_in_order(token)
        assert sorted(in_order) == sorted(token)
        assert check_timestamp(token, NOTE, read_roots(fresh.root)).trusted
        if in_order != token:
            with pytest.raises(ValueError, match="InvalidSetOrdering"):
                decode_timestamp_response(token)
            return
    pytest.fail("every one of twenty chains happened to be in order")


def test_what_is_kept_is_what_openssl_verifies(authority: Authority, token: bytes) -> None:
    """The token is a TimeStampResp over the bytes of the published note."""
    folder = authority.folder
    (folder / "note").write_bytes(NOTE)
    (folder / "kept.tsr").write_bytes(token)
    (folder / "root.pem").write_bytes(authority.root)
    command = ["openssl", "ts", "-verify", "-data", "note", "-in", "kept.tsr", "-CAfile"]
    done = subprocess.run(
        [*command, "root.pem"], cwd=folder, capture_output=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr


def test_without_roots_nobody_is_trusted(token: bytes) -> None:
    """Form and digest are checked; that nobody's signature was stands in the facts."""
    assert not check_timestamp(token, NOTE).trusted
    assert nonce_of(token)


def test_a_token_over_something_else_is_refused(token: bytes) -> None:
    """One byte more in the note, and the token proves nothing."""
    with pytest.raises(TimestampError, match="not over the SHA-256"):
        check_timestamp(token, NOTE + b"\n")


def test_another_digest_is_refused(authority: Authority) -> None:
    """Only SHA-256 is asked for, so only that can be an answer."""
    other = make_authority(authority.folder / "digests", digests="sha256, sha512")
    token = other.reply(query(NOTE, HashAlgorithm.SHA512))
    with pytest.raises(TimestampError, match="not over the SHA-256"):
        check_timestamp(token, NOTE)


def test_other_roots_do_not_bear_it(authority: Authority, token: bytes) -> None:
    """A root of the same name with another key is another authority."""
    other = make_authority(authority.folder / "other")
    with pytest.raises(TimestampError, match="do not lead to the given authorities"):
        check_timestamp(token, NOTE, read_roots(other.root))


def test_a_signer_without_the_right_is_refused(authority: Authority) -> None:
    """The root vouches for a certificate that is not for time stamping: openssl itself declines."""
    usages = (ExtendedKeyUsageOID.CODE_SIGNING,)
    wrong = make_authority(authority.folder / "wrong", usages=usages)
    with pytest.raises(subprocess.CalledProcessError):
        wrong.reply(query(NOTE))


def test_a_refusal_is_named(authority: Authority) -> None:
    """An authority that rejects the request gives no token."""
    with pytest.raises(TimestampError, match="rejects the request"):
        check_timestamp(authority.reply(query(NOTE, HashAlgorithm.SHA512)), NOTE)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"0",
        b"0\x80",
        b"0\x84\xff\xff\xff\xff",
        b"\x30\x03\x02\x01\x00",
        b"<html>",
        b"0" * 300000,
    ],
)
def test_garbage_is_no_token(garbage: bytes) -> None:
    """Whatever the bytes, the verdict is ours."""
    with pytest.raises(TimestampError):
        check_timestamp(garbage, NOTE)


def test_damage_never_escapes_and_never_changes_what_is_said(
    authority: Authority, token: bytes
) -> None:
    """Flipped bits and cuts: refused, or the same facts (they hit what nobody signed)."""
    roots, seeded = read_roots(authority.root), random.Random(20)
    facts = check_timestamp(token, NOTE, roots)
    refused = 0
    for _ in range(1500):
        damaged = bytearray(token)
        damaged[seeded.randrange(len(damaged))] ^= 1 << seeded.randrange(8)
        if seeded.random() < 0.1:
            del damaged[seeded.randrange(len(damaged)) :]
        try:
            assert check_timestamp(bytes(damaged), NOTE, roots) == facts
            check_timestamp(bytes(damaged), NOTE)
        except TimestampError:
            refused += 1
    assert refused > 900


def test_roots_come_from_pem(authority: Authority) -> None:
    """Several certificates, each once; nothing else is taken for one."""
    assert len(read_roots(authority.root + authority.between + authority.root)) == 2
    for nothing in (b"", b"text", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"):
        with pytest.raises(TimestampError, match="no PEM certificate"):
            read_roots(nothing)
