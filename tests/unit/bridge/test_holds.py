"""Legal holds: their acts, what they keep from being destroyed, and what the store knows."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bridge.errors import JournalUnavailableError, ObjectStoreUnavailableError
from bridge.forget import Forget
from bridge.holds import HoldActs, StoreHolds
from bridge.lifecycle import EntryState
from bridge.model import Digest, Outcome
from bridge.protocols.hold_acts import StoreKnows
from bridge.protocols.holds import Hold, HoldScope, Release
from bridge.undecided import Undecided
from storage.office.holds import SqliteHolds
from tests.fakes import samples
from tests.fakes.crash import Crash
from tests.fakes.holds import FakeHolds, FakeLegalHolds
from tests.unit.bridge.house import House

EVERYTHING = HoldScope()
NOW = samples.NOW


@pytest.fixture
async def house(house: House) -> House:
    """One group is being recorded: a capture, a review and two discards have come to rest."""
    await house.admit()
    house.says("$review", Outcome.REVIEW)
    for name in ("$1", "$2"):
        house.says(name, Outcome.DISCARD)
    await house.hear(
        samples.event("$capture"),
        samples.event("$review", body="The café budget"),
        samples.event("$1", body="Lunch at the CAFE?"),
        samples.event("$2", body="Fine."),
    )
    await house.settle()
    return house


def _hold(scope: HoldScope = EVERYTHING, *, at: datetime = NOW) -> Hold:
    return Hold(
        authority="Inquiry chair", matter="INQ/7", scope=scope, by="ada", at=at, why="s.21 notice"
    )


def _undecided(house: House) -> Undecided:
    return Undecided(
        journal=house.journal, clock=house.clock, holds=house.holds, review=timedelta(days=30)
    )


def _acts(house: House) -> HoldActs:
    return HoldActs(
        journal=house.journal,
        holds=house.holds,
        clock=house.clock,
        random_bytes=house.random,
        keep=_undecided(house).keep_held,
    )


async def _destroyed(house: House) -> int:
    tally = await house.journal.tally(now=house.clock.now())
    return dict(tally.entries_by_state).get("destroyed", 0)


async def _gid(house: House) -> str:
    return (await house.entries())[0].stream.gid


async def test_a_hold_has_one_act_and_one_leaf(house: House) -> None:
    """The act says who, for whom, what and why; a release has an act of its own."""
    await house.holds.place(_hold(HoldScope(terms="cafe", since=NOW, gids=("a" * 16,))))
    acts = _acts(house)
    await acts.round()
    await acts.round()
    assert await house.holds.release(Release(hold=1, by="grace", at=NOW, why="closed")) == 1
    await acts.round()
    await house.settle()
    hold, release = [act for act in house.documents("acts") if act["kind"] in {"hold", "release"}]
    assert (hold["by"], hold["authority"], hold["matter"]) == ("ada", "Inquiry chair", "INQ/7")
    assert hold["scope"] == {
        "groups": ["a" * 16],
        "from": "2026-03-01T09:00:00.000Z",
        "terms": "cafe",
    }
    assert (release["by"], release["hold"], release["why"]) == ("grace", 1, "closed")
    keys = {key for key, body in house.objects("acts").items() if b'"kind":"hold"' in body}
    (leaf,) = await house.leaves("hold")
    assert leaf["p"] == Digest.of(f"v1/demo/{keys.pop()}".encode()).hex
    assert len(await house.leaves("release")) == 1


@pytest.mark.parametrize("point", ["before take act", "after take act"])
async def test_a_crash_gives_a_hold_no_second_act(house: House, point: str) -> None:
    """Wherever it dies, the next process finds the hold taken once, and keeps what it covers."""
    await house.holds.place(_hold())
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await _acts(house).round()
    await house.restart()
    await _acts(house).round()
    await house.settle()
    assert len(await house.leaves("hold")) == 1
    assert not house.objects("review") or await _review_is_a_record(house)


async def _review_is_a_record(house: House) -> bool:
    (entry,) = [e for e in await house.entries() if e.event.upstream_id == "$review"]
    assert entry.record is not None
    return entry.record.key.startswith("records/") and entry.state is EntryState.STORED


async def test_a_held_review_is_copied_at_once(house: House) -> None:
    """It becomes a capture by policy with the code HOLD, however long a person still had."""
    await house.holds.place(_hold(HoldScope(terms="CAFÉ")))
    await _acts(house).round()
    await house.settle()
    assert await _review_is_a_record(house)
    (entry,) = [e for e in await house.entries() if e.event.upstream_id == "$review"]
    assert entry.verdict is not None
    assert entry.verdict.reasons[0].code == "HOLD"
    (leaf,) = await house.leaves("decision")
    assert (leaf["by"], leaf["c"]) == ("policy", "capture")


async def test_what_comes_under_a_hold_later_is_copied_too(house: House) -> None:
    """A review that is stored while a hold stands does not wait for anybody."""
    await house.holds.place(_hold())
    await _acts(house).round()
    house.says("$late", Outcome.REVIEW)
    await house.hear(samples.event("$late"))
    await house.settle()
    await _undecided(house).round()
    await house.settle()
    assert all(
        entry.record.key.startswith("records/")
        for entry in await house.entries()
        if entry.record is not None and entry.state is EntryState.STORED
    )


async def test_a_review_that_a_person_discarded_is_copied(house: House) -> None:
    """Its copy under ``review/`` may expire, and a hold outlasts that."""
    house.says("$review", Outcome.DISCARD)
    (entry,) = [e for e in await house.entries() if e.event.upstream_id == "$review"]
    await house.journal._writer.execute(
        "UPDATE entry SET outcome = 'discard' WHERE seq = ?", (entry.seq,)
    )
    await house.holds.place(_hold())
    await _acts(house).round()
    await house.settle()
    assert await _review_is_a_record(house)


async def test_nothing_held_is_destroyed(house: House) -> None:
    """Not while the hold stands, however old; after its release it is."""
    await house.holds.place(_hold())
    house.later(days=400)
    await house.forget.round()
    await house.forget.round()
    assert await _destroyed(house) == 0
    await house.holds.release(Release(hold=1, by="grace", at=NOW, why="closed"))
    await house.forget.round()
    assert await _destroyed(house) == 2


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        (HoldScope(terms="lunch"), 1),
        (HoldScope(terms="lun*"), 1),
        (HoldScope(terms='"at the cafe"'), 1),
        (HoldScope(terms="lunch fine"), 0),
        (HoldScope(terms="lunch OR fine"), 2),
        (HoldScope(terms="the NOT lunch"), 0),
        (HoldScope(terms='unreadable"'), 2),
        (HoldScope(gids=("0" * 16,)), 0),
        (HoldScope(persons=("@nobody:example.org",)), 0),
        (HoldScope(until=NOW), 0),
        (HoldScope(since=NOW), 2),
        (HoldScope(since=NOW + timedelta(days=1)), 0),
    ],
)
async def test_a_scope_reaches_discards_in_the_journal(
    house: House, scope: HoldScope, left: int
) -> None:
    """Words, groups, persons and times are compared with what the journal still has."""
    await house.holds.place(_hold(scope))
    house.later(days=31)
    await house.forget.round()
    assert await _destroyed(house) == 2 - left


async def test_a_hold_of_a_group_and_a_person_keeps_theirs(house: House) -> None:
    """Several holds may cover one message; any of them is enough."""
    entry = (await house.entries())[2]
    assert entry.event.sender is not None
    await house.holds.place(_hold(HoldScope(gids=(await _gid(house),))))
    await house.holds.place(_hold(HoldScope(persons=(entry.event.sender.id,))))
    await house.holds.release(Release(hold=1, by="grace", at=NOW, why="closed"))
    house.later(days=31)
    await house.forget.round()
    assert await _destroyed(house) == 0


async def test_future_discards_are_covered(house: House) -> None:
    """What is discarded while a hold stands stays too."""
    await house.holds.place(_hold(HoldScope(terms="tunnel")))
    house.says("$3", Outcome.DISCARD)
    await house.hear(samples.event("$3", body="In the tunnel"))
    await house.settle()
    house.later(days=31)
    await house.forget.round()
    assert await _destroyed(house) == 2


async def test_a_hold_committed_just_before_the_lock_wins(house: House) -> None:
    """Forget found all of it free; under the lock it finds the hold, and destroys nothing."""
    house.holds.late.append(_hold())
    house.later(days=31)
    await house.forget.round()
    assert await _destroyed(house) == 0


async def test_a_hold_committed_just_after_finds_it_destroyed(house: House) -> None:
    """Whoever places a hold waits until what is being destroyed is, and then it stands."""
    house.later(days=31)
    async with house.holds.fixed():
        placing = asyncio.create_task(house.holds.place(_hold()))
        await asyncio.sleep(0)
        assert not placing.done()
    await placing
    await house.forget.round()
    assert await _destroyed(house) == 0


@pytest.mark.parametrize("point", ["before forget", "after forget"])
async def test_a_crash_under_the_lock_gives_it_back(house: House, point: str) -> None:
    """The next process reads the holds anew: what a later hold covers stays."""
    await house.journal.heard("matrix", at=house.later(days=31))
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.forget.round()
    gone = await _destroyed(house)
    await house.holds.place(_hold())
    await house.restart()
    await house.forget.round()
    assert await _destroyed(house) == gone


async def test_everything_is_said_in_so_many_words(house: House) -> None:
    """An act that names no condition could be read as one that covers nothing."""
    await house.holds.place(_hold())
    await _acts(house).round()
    await house.settle()
    (act,) = [act for act in house.documents("acts") if act["kind"] == "hold"]
    assert act["scope"] == {"everything": True}


class LostOffice(FakeHolds):
    """Holds that nobody can read now."""

    async def standing(self) -> tuple[Hold, ...]:
        """The file does not answer."""
        raise JournalUnavailableError("office.db is locked")


async def test_without_the_office_nothing_is_destroyed(house: House) -> None:
    """Nobody can say that no hold covers it. Reviews that are due are decided all the same."""
    house.holds = LostOffice()
    forget = Forget(
        journal=house.journal,
        spool=house.spool,
        holds=house.holds,
        clock=house.clock,
        discard_after=timedelta(days=30),
        context_window=timedelta(minutes=30),
    )
    house.later(days=31)
    with pytest.raises(JournalUnavailableError):
        await forget.round()
    assert await _destroyed(house) == 0
    with pytest.raises(JournalUnavailableError):
        await _undecided(house).round()
    await house.settle()
    assert await _review_is_a_record(house)


async def test_the_store_is_told(house: House) -> None:
    """Each record that a hold covers is held by the store, and let go after the release."""
    store = FakeLegalHolds()
    telling = StoreHolds(journal=house.journal, holds=house.holds, store=store, clock=house.clock)
    await telling.round()
    assert await house.journal.store_knows(1) is None
    await house.holds.place(_hold())
    await telling.round()
    assert {key.partition("/")[0] for key in store.held} == {"records", "review"}
    known = await house.journal.store_knows(1)
    assert known is not None
    assert (known.held, known.unheld, telling.health) == (2, 0, "")
    await house.holds.release(Release(hold=1, by="grace", at=NOW, why="closed"))
    await telling.round()
    assert store.held == set()
    known = await house.journal.store_knows(1)
    assert known is not None
    assert (known.held, known.unheld) == (0, 2)


async def test_the_store_is_asked_again_daily(house: House) -> None:
    """What others lifted there is held again, and the time told is that of the reading."""
    store = FakeLegalHolds()
    telling = StoreHolds(journal=house.journal, holds=house.holds, store=store, clock=house.clock)
    await house.holds.place(_hold())
    await telling.round()
    first, asked = house.clock.now(), frozenset(store.held)
    store.held.clear()
    house.later(hours=2)
    await telling.round()
    known = await house.journal.store_knows(1)
    assert known is not None
    assert known.at == first
    second = house.later(hours=23)
    await telling.round()
    known = await house.journal.store_knows(1)
    assert known == StoreKnows(held=2, unheld=0, at=second)
    assert store.held == asked


class AwayStore(FakeLegalHolds):
    """A store that may not answer."""

    away = False

    async def set(self, key: str, *, held: bool) -> bool:
        """As the store, while it answers."""
        if self.away:
            raise ObjectStoreUnavailableError("no answer")
        return await super().set(key, held=held)


async def test_a_store_that_is_away_is_asked_until_it_answers(house: House) -> None:
    """No round passes over what was not read again, and the time told stays the old one."""
    store = AwayStore()
    telling = StoreHolds(journal=house.journal, holds=house.holds, store=store, clock=house.clock)
    await house.holds.place(_hold())
    await telling.round()
    first, store.away = house.clock.now(), True
    house.later(days=1)
    for _ in range(2):
        with pytest.raises(ObjectStoreUnavailableError):
            await telling.round()
    known = await house.journal.store_knows(1)
    assert known is not None
    assert known.at == first
    store.away = False
    await telling.round()
    known = await house.journal.store_knows(1)
    assert known == StoreKnows(held=2, unheld=0, at=house.clock.now())


async def test_what_was_let_go_is_not_touched_again(house: House) -> None:
    """Whoever holds an object after a release keeps their own hold."""
    store = FakeLegalHolds()
    telling = StoreHolds(journal=house.journal, holds=house.holds, store=store, clock=house.clock)
    await house.holds.place(_hold())
    await telling.round()
    theirs = set(store.held)
    await house.holds.release(Release(hold=1, by="grace", at=NOW, why="closed"))
    await telling.round()
    store.held |= theirs
    house.later(days=2)
    await telling.round()
    assert store.held == theirs


async def test_a_look_reads_again_no_more_than_its_pace(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read longest ago comes first, and the rest at the next look."""
    monkeypatch.setattr("bridge.holds.READ_AGAIN_AT_ONCE", 1)
    store = FakeLegalHolds()
    telling = StoreHolds(journal=house.journal, holds=house.holds, store=store, clock=house.clock)
    await house.holds.place(_hold())
    await telling.round()
    house.later(days=1)
    store.held.clear()
    for held in (1, 2):
        await telling.round()
        house.later(minutes=10)
        assert len(store.held) == held


@pytest.mark.parametrize(("deaf", "refusing"), [(True, False), (False, True)])
async def test_a_store_that_does_not_hold_is_said(
    house: House, *, deaf: bool, refusing: bool
) -> None:
    """What is read back counts, not what was asked."""
    store = FakeLegalHolds(deaf=deaf, refusing=refusing)
    await house.holds.place(_hold())
    telling = StoreHolds(journal=house.journal, holds=house.holds, store=store, clock=house.clock)
    await telling.round()
    known = await house.journal.store_knows(1)
    assert known is not None
    assert (known.held, known.unheld) == (0, 2)
    assert "2 objects" in telling.health


class PlacedMeanwhile(Crash):
    """Somebody places a hold by another process while Forget destroys; nothing dies."""

    def __init__(self, people: SqliteHolds) -> None:
        super().__init__()
        self.people = people
        self.placing: asyncio.Task[int] | None = None
        self.was_done: list[bool] = []

    def at(self, point: str) -> None:
        """Begin before the destruction, and look after it whether it was let in."""
        if point == "before forget":
            self.placing = asyncio.create_task(self.people.place(_hold()))
        if point == "after forget" and self.placing is not None:
            self.was_done.append(self.placing.done())


async def test_people_wait_while_something_is_destroyed(house: House, tmp_path: Path) -> None:
    """On the real office: a hold is not committed in the middle, and stands right after."""
    bridge = await SqliteHolds.open(tmp_path / "office.db")
    people = await SqliteHolds.open(tmp_path / "office.db")
    forget = Forget(
        journal=house.journal,
        spool=house.spool,
        holds=bridge,
        clock=house.clock,
        discard_after=timedelta(days=30),
        context_window=timedelta(minutes=30),
    )
    meanwhile = PlacedMeanwhile(people)
    house.journal.crash = meanwhile
    house.later(days=31)
    await forget.round()
    assert meanwhile.was_done == [False]
    assert meanwhile.placing is not None
    assert await meanwhile.placing == 1
    assert await _destroyed(house) == 2
    assert [each.number for each in await bridge.standing()] == [1]
    for holds in (bridge, people):
        await holds.aclose()


async def test_the_journal_is_not_looked_through_for_held_discards_again(house: House) -> None:
    """What was found covered is opened once for each change of the holds."""
    await house.holds.place(_hold())
    house.later(days=31)
    await house.forget.round()
    spared = set(house.forget._spared)
    assert len(spared) == 2
    await house.forget.round()
    assert house.forget._spared == spared
    await house.holds.place(_hold(HoldScope(terms="nothing")))
    await house.holds.release(Release(hold=1, by="grace", at=NOW, why="closed"))
    await house.forget.round()
    assert await _destroyed(house) == 2
