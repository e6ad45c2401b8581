"""Canonical JSON and signatures, by the vectors of the Matrix specification."""

from __future__ import annotations

import json

import pytest

from bridge.canonical import dumps
from bridge.errors import CanonicalError
from bridge.rawjson.fields import JsonObject
from connectors.matrix.crypto import unpadded
from connectors.matrix.crypto.signed_json import canonical, is_signed, signed
from connectors.matrix.crypto.signing_key import SigningKey

SEED = unpadded.decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1") or b""
KEY = SigningKey(seed=SEED)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("{}", "{}"),
        ('{"one": 1, "two": "Two"}', '{"one":1,"two":"Two"}'),
        ('{"b":"2","a":"1"}', '{"a":"1","b":"2"}'),
        (
            (
                '{"auth":{"success":true,"mxid":"@john.doe:example.com","profile":{"display_name":'
                '"John Doe","three_pids":[{"medium":"email","address":"john.doe@example.org"},'
                '{"medium":"msisdn","address":"123456789"}]}}}'
            ),
            (
                '{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe",'
                '"three_pids":[{"address":"john.doe@example.org","medium":"email"},'
                '{"address":"123456789","medium":"msisdn"}]},"success":true}}'
            ),
        ),
        ('{"a":"日本語"}', '{"a":"日本語"}'),
        ('{"本":2,"日":1}', '{"日":1,"本":2}'),
        ('{"a":"\\u65E5"}', '{"a":"日"}'),
        ('{"a":null}', '{"a":null}'),
        ('{"a":-0,"b":1e10}', '{"a":0,"b":10000000000}'),
        ('{"a":"\\u0000\\b\\u001f\\"\\\\\\/\\u007f"}', '{"a":"\\u0000\\b\\u001f\\"\\\\/\x7f"}'),
    ],
)
def test_published_vectors(document: str, expected: str) -> None:
    """The examples of the specification, and its escapes."""
    assert canonical(json.loads(document)) == expected.encode()


def test_it_is_not_rfc_8785() -> None:
    """Names are in the order of code points; the record's JSON orders them by UTF-16 units."""
    document = {"\U00010000": 1, "\uffff": 2}
    assert canonical({**document}) == '{"\uffff":2,"\U00010000":1}'.encode()
    assert dumps(document) == '{"\U00010000":1,"\uffff":2}'.encode()


@pytest.mark.parametrize("value", [0.5, 2**53, -(2**53), float("nan"), float("inf"), b"bytes"])
def test_what_cannot_be_signed(value: object) -> None:
    """Fractions, large numbers and what is no JSON are refused, however deep they stand."""
    with pytest.raises(CanonicalError):
        canonical({"deep": [{"deeper": value}]})


def test_hostile_documents() -> None:
    """A lone surrogate and endless nesting are refused, not raised as something else."""
    with pytest.raises(CanonicalError):
        canonical({"a": "\ud800"})
    deep: JsonObject = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(CanonicalError):
        canonical(deep)
    assert not is_signed(
        {"a": 0.5, "signatures": {"u": {"k": "AA"}}}, user_id="u", key_id="k", public=KEY.public
    )


@pytest.mark.parametrize(
    ("document", "signature"),
    [
        (
            {},
            "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ",
        ),
        (
            {"one": 1, "two": "Two"},
            "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
        ),
    ],
)
def test_published_signatures(document: JsonObject, signature: str) -> None:
    """What the specification signs has the signature that it gives."""
    result = signed(document, user_id="domain", key=KEY)
    assert result == document | {"signatures": {"domain": {KEY.key_id: signature}}}
    assert is_signed(result, user_id="domain", key_id=KEY.key_id, public=KEY.public)


def test_what_a_signature_covers() -> None:
    """Other signatures and ``unsigned`` stay and are not covered; all else is."""
    document: JsonObject = {"a": 1, "unsigned": {"b": 2}, "signatures": {"domain": {"x": "y"}}}
    result = signed(document, user_id="domain", key=KEY)
    assert result["unsigned"] == {"b": 2}
    assert result["signatures"] == {
        "domain": {"x": "y", KEY.key_id: KEY.sign(b'{"a":1}')},
    }

    def holds(**change: object) -> bool:
        return is_signed(result | change, user_id="domain", key_id=KEY.key_id, public=KEY.public)

    assert holds(unsigned={"b": 3})
    assert not holds(a=2)
    assert not holds(c=1)
    assert not holds(signatures={"domain": {KEY.key_id: 3}})
    assert not holds(signatures={"domain": {KEY.key_id: "AAAA"}})
    assert not holds(signatures={"domain": {KEY.key_id: "not base64!"}})
    assert not holds(signatures=[])


def test_a_public_key_that_is_none() -> None:
    """A key of another length or alphabet verifies nothing."""
    result = signed({}, user_id="domain", key=KEY)
    for public in ("", "AAAA", "not base64!"):
        assert not is_signed(result, user_id="domain", key_id=KEY.key_id, public=public)


def test_the_seed_stays_out_of_the_representation() -> None:
    """A signing key shows its public half alone."""
    assert repr(KEY) == f"SigningKey(public={KEY.public!r})"
