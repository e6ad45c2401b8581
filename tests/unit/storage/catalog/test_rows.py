"""Where a listing stands in the order of pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bridge.protocols.catalog import Listing
from storage.catalog.rows import first_id, wanted_id
from tests.unit.storage.catalog.test_reading import Newest

_SECOND = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def _said(newest: Newest, stream: str, n: int) -> Listing:
    of = next(iter(newest.values()))
    return replace(of, stream=stream, n=n, sent_at=_SECOND, observed_at=_SECOND)


def test_what_is_said_at_one_moment_keeps_the_order_of_its_stream(newest: Newest) -> None:
    """A platform that tells whole seconds does not put an answer above its question."""
    ids = [wanted_id(_said(newest, "7e9451e37c7af2e1", n)) for n in range(998, 1200)]
    assert ids == sorted(set(ids))


def test_it_stands_within_its_moment(newest: Newest) -> None:
    """Whatever its number: before all that was said a millisecond later."""
    for n in (0, 1, 16_383, 16_384, 10**9):
        id_ = wanted_id(_said(newest, "00000000000000ff", n))
        assert first_id(_SECOND) <= id_ < first_id(_SECOND + timedelta(milliseconds=1))
