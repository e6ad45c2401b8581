"""The ground of all formats: RFC 8785 JSON, RFC 3339 times, base64."""

from __future__ import annotations

import base64
import json
import math
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
