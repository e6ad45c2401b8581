"""Who makes way when there is too much to do, and who is told."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from bridge.model import Group, GroupState, NoticeState, Presence
from bridge.pressure import MARKS, Load, Measure, Pressure, mark_of, measures_for
from tests.fakes import samples
from tests.fakes.clock import FakeClock
from tests.fakes.journal import MemoryJournal
from tests.fakes.spool import MemorySpool

CALM = Load(spool=0.0, lag=0.0)
NOTHING: frozenset[Measure] = frozenset()
EVERYTHING = frozenset(Measure)


@pytest.mark.parametrize(
    ("load", "measures"),
    [
        (CALM, set()),
        (Load(spool=0.89, lag=4.9), set()),
        (Load(spool=0.0, lag=5.0), {Measure.LIVE_FIRST}),
        (Load(spool=0.0, lag=10.0), {Measure.LIVE_FIRST, Measure.NO_WAITING}),
        (Load(spool=1.0, lag=0.0), {Measure.TEXTS_FIRST}),
        (Load(spool=0.0, lag=20.0), set(Measure)),
    ],
)
def test_what_is_heavy_makes_way_in_order(load: Load, measures: set[Measure]) -> None:
    """Back-fill first, then a slow classifier, then attachments; a full spool stops only these."""
    assert measures_for(load, taken=NOTHING) == measures


def test_a_measure_is_left_only_when_things_are_eased() -> None:
    """At the very threshold a measure does not come and go."""
    assert measures_for(Load(spool=0.0, lag=10.0), taken=EVERYTHING) == EVERYTHING
    eased = measures_for(Load(spool=0.86, lag=4.9), taken=EVERYTHING)
    assert eased == {Measure.LIVE_FIRST, Measure.TEXTS_FIRST}
    assert measures_for(Load(spool=0.84, lag=2.4), taken=EVERYTHING) == NOTHING


@pytest.mark.parametrize(
    ("fill", "before", "mark"),
    [(0.49, 0.0, 0.0), (0.5, 0.0, 0.5), (0.46, 0.5, 0.5), (0.44, 0.5, 0.0), (0.95, 0.5, 0.9)],
)
def test_a_mark_is_reached_at_once_and_left_late(fill: float, before: float, mark: float) -> None:
    """Half, three quarters and nine tenths are told on the way up."""
    assert mark_of(fill, before=before) == mark
    assert mark in {0.0, *MARKS}


@dataclass
class Station:
    """A loop with what it looks at and what it moves."""

    clock: FakeClock = field(default_factory=FakeClock)
    spool: MemorySpool = field(default_factory=lambda: MemorySpool(room=100))
    taken: list[frozenset[Measure]] = field(default_factory=list)
    swept: int = 0
    lag: float = 0.0

    def __post_init__(self) -> None:
        self.journal = MemoryJournal(
            clock=self.clock, random_bytes=samples.seeded(), blind_key=samples.BLIND_KEY
        )
        self.pressure = Pressure(
            journal=self.journal,
            spool=self.spool,
            clock=self.clock,
            lag=lambda: self.lag,
            take=self.taken.append,
            sweep=self._sweep,
        )

    async def _sweep(self) -> None:
        self.swept += 1

    async def filled(self, size: int) -> None:
        """One round with so many bytes in the spool."""
        self.spool.files = {"0" * 32: bytes(size)}
        await self.pressure.round()

    async def told(self) -> list[str]:
        """The keys of what is to be said, without their unique part."""
        return [saying.key.rpartition("-")[0] for saying in await self.journal.sayings(limit=50)]


@pytest.fixture
async def station() -> Station:
    """One group is recorded and one is paused."""
    made = Station()
    for name, state in (
        ("!a:example.org", GroupState.ACTIVE),
        ("!b:example.org", GroupState.PAUSED),
    ):
        group = Group(
            connector="matrix",
            platform="matrix",
            group_id=name,
            name="Budget",
            state=state,
            notice=NoticeState.POSTED,
            presence=Presence.JOINED,
        )
        assert await made.journal.set_group(group, expect=None)
    return made


async def test_the_groups_are_told_at_each_mark_and_when_it_is_over(station: Station) -> None:
    """Once at each mark however often it is passed, once at the end, and only where we record."""
    for size in (10, 50, 60, 50, 75, 90, 84, 90, 99, 80, 20, 10):
        await station.filled(size)
    assert await station.told() == [
        "muniment-degraded-50",
        "muniment-degraded-75",
        "muniment-degraded-90",
        "muniment-recovered",
    ]
    groups = {saying.group_id for saying in await station.journal.sayings(limit=50)}
    assert groups == {"!a:example.org"}
    assert station.pressure.health == ""


async def test_a_filling_spool_is_an_alarm_and_is_swept(station: Station) -> None:
    """The operator reads how full it is, and files that nobody needs go first."""
    await station.filled(76)
    assert "75 %" in station.pressure.health
    assert station.swept == 1
    assert station.taken == []


async def test_measures_are_taken_once_and_given_up(station: Station) -> None:
    """Only a change is passed on."""
    for lag in (0.0, 12.0, 12.0, 1.0):
        station.lag = lag
        await station.pressure.round()
    assert station.taken == [frozenset({Measure.LIVE_FIRST, Measure.NO_WAITING}), NOTHING]
