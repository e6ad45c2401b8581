"""The ground of all formats: RFC 8785 JSON, RFC 3339 times, base64."""

from __future__ import annotations

import base64
import json
import math
import struct
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.canonical import dumps, rfc3339
from bridge.canonical.json import Json, base64_text, base64url_text
from bridge.errors import CanonicalError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-1e15, 1e15, allow_nan=False)
    | TEXTS
)
DOCUMENTS = st.dictionaries(
    TEXTS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner),
        max_leaves=8,
    ),
    max_size=6,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (4.5, "4.5"),
        (0.002, "0.002"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1e-27, "1e-27"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e30, "1e+30"),
        (333333333.33333329, "333333333.3333333"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740991, "9007199254740991"),
        (-9007199254740991, "-9007199254740991"),
        (True, "true"),
        (None, "null"),
        ([], "[]"),
        ({}, "{}"),
        ([1, [2, {"b": 3}]], '[1,[2,{"b":3}]]'),
        ('€$\u000f\nA\'B"\\\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
        ("\b\t\n\f\r\u001f\u007f", '"\\b\\t\\n\\f\\r\\u001f\u007f"'),
        ("\u2028</script>😀", '"\u2028</script>😀"'),
    ],
)
def test_known_answers(value: Json, text: str) -> None:
    """Numbers as ECMAScript writes them; only what must be is escaped."""
    assert dumps({"x": value}) == f'{{"x":{text}}}'.encode()


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_the_numbers_of_the_rfc(bits: str, text: str) -> None:
    """RFC 8785 appendix B: each double, by its bits, as the text it must become."""
    assert dumps({"x": _double(bits)}) == f'{{"x":{text}}}'.encode()


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])
def test_the_numbers_that_the_rfc_refuses(bits: str) -> None:
    """RFC 8785 appendix B: what is no number is an error."""
    with pytest.raises(CanonicalError):
        dumps({"x": _double(bits)})


def test_the_example_of_the_rfc() -> None:
    """RFC 8785 section 3.2: the sample document, and its bytes as section 3.2.4 lists them."""
    document = json.loads(
        '{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
        r'"string": "\u20ac$\u000F\u000aA' + "'" + r'\u0042\u0022\u005c\\\"\/",'
        '"literals": [null, true, false]}'
    )
    expected = bytes.fromhex(
        "7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b33333333"
        "33333333332e333333333333332c31652b33302c342e352c302e3030322c31652d32375d2c22737472696e6722"
        "3a22e282ac245c75303030665c6e4127425c225c5c5c5c5c222f227d"
    )
    assert dumps(document) == expected


def test_names_are_sorted_at_every_depth() -> None:
    """RFC 8785 section 3.2.3: names of inner objects too, elements of arrays never."""
    inner: dict[str, Json] = {"b": 1, "a": [{"d": 1, "c": 2}, "z", "y"], "": 0, "aa": 3, "A": 4}
    assert dumps({"x": inner}) == b'{"x":{"":0,"A":4,"a":[{"c":2,"d":1},"z","y"],"aa":3,"b":1}}'


def _double(bits: str) -> float:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert isinstance(number, float)
    return number


def test_names_are_sorted_by_utf16() -> None:
    """The order of names is that of their UTF-16 units, as the RFC's own example has it."""
    order = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    document = dict.fromkeys(sorted(order, reverse=True), 0)
    assert list(json.loads(dumps(document))) == order


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, 2**53, -(2**53), 10**400, "\ud800", ["x", {"y": "\udfff"}]],
)
def test_what_json_cannot_carry(value: Json) -> None:
    """NaN, infinities, big integers and lone surrogates raise one error, which shows no value."""
    with pytest.raises(CanonicalError) as refused:
        dumps({"x": value})
    assert str(refused.value).isascii()


def test_a_name_that_json_cannot_carry() -> None:
    """A lone surrogate in a name is refused like one in a value."""
    with pytest.raises(CanonicalError):
        dumps({"\ud800": 1})


@given(DOCUMENTS)
def test_canonical_bytes_read_back_and_are_stable(document: dict[str, Json]) -> None:
    """What is written reads back equal, and writing it again gives the same bytes."""
    data = dumps(document)
    again = json.loads(data)
    assert again == document
    assert dumps(again) == data
    assert dumps(dict(reversed(document.items()))) == data


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 3, 1, 9, 5, 7, tzinfo=UTC), "2026-03-01T09:05:07.000Z"),
        (datetime(2026, 3, 1, 9, 5, 7, 42_999, tzinfo=UTC), "2026-03-01T09:05:07.042Z"),
        (datetime(1970, 1, 1, tzinfo=UTC), "1970-01-01T00:00:00.000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
        (
            datetime(2026, 3, 1, 10, 5, tzinfo=timezone(timedelta(hours=1))),
            "2026-03-01T09:05:00.000Z",
        ),
    ],
)
def test_times(moment: datetime, text: str) -> None:
    """UTC with exactly three decimals and Z, cut and never rounded up."""
    assert rfc3339(moment) == text


@given(st.binary(max_size=100))
def test_base64(data: bytes) -> None:
    """Raw bytes have padding; salts are URL-safe and have none."""
    assert base64.b64decode(base64_text(data), validate=True) == data
    salt = base64url_text(data)
    assert "=" not in salt
    assert base64.urlsafe_b64decode(salt + "=" * (-len(salt) % 4)) == data


def test_base64_alphabets() -> None:
    """The two alphabets differ where they must."""
    assert base64_text(b"\xfb\xff\xbf\xff") == "+/+//w=="
    assert base64url_text(b"\xfb\xff\xbf\xff") == "-_-__w"
