"""The bytes of add-checkpoint, as C2SP tlog-witness writes them."""

from __future__ import annotations

import base64

import pytest

from storage.translog.witness_wire import MAX_PROOF, AddCheckpoint, WireError, size_of

HASHES = tuple(bytes([i]) * 32 for i in range(4))
NOTE = b"origin\n9\nroot\n\n\xe2\x80\x94 name sig\n"


def lines(*texts: str) -> bytes:
    """Lines, each with its newline."""
    return "".join(f"{text}\n" for text in texts).encode()


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_request_is_its_own_re_encoding(count: int) -> None:
    """Old size, proof, blank line, note; read back it is the same."""
    request = AddCheckpoint(old=7, proof=HASHES[:count], note=NOTE)
    encoded = [base64.b64encode(one).decode() for one in HASHES[:count]]
    assert request.encode() == lines("old 7", *encoded, "") + NOTE
    assert AddCheckpoint.parse(request.encode()) == request


def test_the_example_of_the_specification_is_read() -> None:
    """The shape printed in tlog-witness, with its hashes."""
    proof = [
        "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=",
        "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=",
        "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=",
        "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=",
    ]
    request = AddCheckpoint.parse(lines("old 20852014", *proof, "") + NOTE)
    assert request.old == 20852014
    assert [base64.b64encode(one).decode() for one in request.proof] == proof
    assert request.note == NOTE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        lines("old 7"),
        lines("old", "") + NOTE,
        lines("Old 7", "") + NOTE,
        lines("old  7", "") + NOTE,
        lines("old 07", "") + NOTE,
        lines("old -1", "") + NOTE,
        lines("old \u0667", "") + NOTE,
        lines("old 9223372036854775808", "") + NOTE,
        lines("old " + "9" * 5000, "") + NOTE,
        lines("old 7\r", "") + NOTE,
        lines("old 7", "AAAA", "") + NOTE,
        lines("old 7", "x" * 44, "") + NOTE,
        lines("old 7", "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd9=", "") + NOTE,
        lines("old 7", *(["A" * 43 + "="] * (MAX_PROOF + 1)), "") + NOTE,
    ],
)
def test_anything_else_is_refused(body: bytes) -> None:
    """No second form of a request is read."""
    with pytest.raises(WireError):
        AddCheckpoint.parse(body)


def test_a_size_has_one_form() -> None:
    """Zero is 0, and nothing has leading zeroes."""
    assert (size_of(b"0"), size_of(b"9223372036854775807")) == (0, 2**63 - 1)
    for line in (b"", b"00", b"+1", b" 1", b"1 ", b"1_0", b"1e3"):
        with pytest.raises(WireError):
            size_of(line)


def test_a_proof_that_no_tree_has_is_our_own_mistake() -> None:
    """Over 63 hashes are never sent."""
    with pytest.raises(ValueError, match="so long"):
        AddCheckpoint(old=1, proof=HASHES[:1] * 64, note=NOTE).encode()
