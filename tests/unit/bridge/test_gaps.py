"""Which time the gaps of a group cover."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bridge.gaps import OF_ONE_EVENT, in_time
from bridge.model import Loss
from tests.fakes.clock import START


def _at(hour: int | None) -> datetime | None:
    return None if hour is None else START + timedelta(hours=hour)


def _gap(since: int | None, until: int | None, why: str = "paused") -> Loss:
    return Loss(group_id="!a", why=why, since=_at(since), until=_at(until))


@pytest.mark.parametrize(
    ("gaps", "covered"),
    [
        ([_gap(1, None), _gap(None, 2)], [_gap(1, 2)]),
        ([_gap(1, None), _gap(None, 2), _gap(3, None)], [_gap(1, 2), _gap(3, None)]),
        ([_gap(1, None), _gap(3, None), _gap(None, 4)], [_gap(1, None), _gap(3, 4)]),
        ([_gap(1, None), _gap(None, 2, "other")], [_gap(1, None), _gap(None, 2, "other")]),
        ([_gap(None, 2)], [_gap(None, 2)]),
        ([_gap(1, 2), _gap(None, 4)], [_gap(1, 2), _gap(None, 4)]),
    ],
)
def test_a_gap_that_only_ends_is_half_of_one_that_began(
    gaps: list[Loss], covered: list[Loss]
) -> None:
    """The last one of its cause; without one it began at a time that nobody knows."""
    assert in_time(gaps) == covered


def test_what_is_of_one_event_covers_no_time() -> None:
    """Nor does a gap of which no time is known at all."""
    assert in_time([_gap(1, 2, why) for why in sorted(OF_ONE_EVENT)]) == []
    assert in_time([_gap(None, None, "media_not_obtained"), _gap(None, None)]) == []
