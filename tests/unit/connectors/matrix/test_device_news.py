"""What a response tells of devices is read leniently: an odd value costs no other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.matrix.device_news import NO_NEWS, NOTHING, DeviceNews, read_news


def test_nothing_told() -> None:
    """A server that says nothing has no keys of ours left, and knows no fallback keys."""
    assert read_news(NOTHING, NOTHING, NOTHING) == NO_NEWS
    assert DeviceNews(one_time=0, fallback_unused=True) == NO_NEWS


def test_a_used_fallback_key() -> None:
    """An empty list says that the fallback key was used."""
    assert not read_news(NOTHING, NOTHING, b"[]").fallback_unused
    assert read_news(NOTHING, NOTHING, b'["signed_curve25519"]').fallback_unused


def test_an_odd_user_id_takes_nothing_from_the_others() -> None:
    """Elements that are no text are left out, one by one."""
    lists = rb'{"changed":["@a:x","\ud800",5,{"x":[]},"@\u0062:x"],"left":[NaN,"@c:x"]}'
    assert read_news(lists, NOTHING, NOTHING) == DeviceNews(
        changed=("@a:x", "@b:x"), left=("@c:x",)
    )


@pytest.mark.parametrize("counts", [b"{}", b"[]", b'{"signed_curve25519":-1}', b"NaN", b"{"])
def test_a_count_that_is_none(counts: bytes) -> None:
    """A count that cannot be read is taken for no keys left."""
    assert read_news(NOTHING, counts, NOTHING).one_time == 0


@settings(max_examples=60, deadline=None, database=None)
@given(lists=st.binary(max_size=40), counts=st.binary(max_size=20), unused=st.binary(max_size=20))
def test_any_bytes(lists: bytes, counts: bytes, unused: bytes) -> None:
    """Nothing makes it fail."""
    assert read_news(lists, counts, unused).one_time >= 0
