"""What every office promises of legal holds, on the fake and on SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TypeAlias

import pytest

from bridge.protocols.holds import Hold, Holds, HoldScope, Release
from storage.office.holds import SqliteHolds
from tests.fakes.holds import FakeHolds

Opener: TypeAlias = Callable[[], Awaitable[Holds]]

AT = datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)
SCOPE = HoldScope(
    gids=("0123456789abcdef",),
    persons=("@ada:example.org", "é'\x00"),
    since=AT,
    until=AT + timedelta(days=1),
    terms='"flood cell" OR tun*',
)
HOLD = Hold(authority="Chair", matter="INQ/7", scope=SCOPE, by="ada", at=AT, why="s.21 notice")
RELEASE = Release(hold=1, by="grace", at=AT, why="it ended")


@pytest.fixture(params=["fake", "sqlite"])
async def opener(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens handles on one office, and closes them all afterwards."""
    fake = FakeHolds()
    async with AsyncExitStack() as stack:

        async def one() -> Holds:
            if request.param == "fake":
                return fake
            holds = await SqliteHolds.open(tmp_path / "office.db")
            stack.push_async_callback(holds.aclose)
            return holds

        yield one


async def test_a_hold_reads_back_with_its_number(opener: Opener) -> None:
    """With its whole scope; whoever opens the office anew finds it."""
    holds = await opener()
    assert await holds.standing() == ()
    number = await holds.place(replace(HOLD, number=99))
    assert await (await opener()).holds() == (replace(HOLD, number=number),)
    assert await holds.standing() == (replace(HOLD, number=number),)
    assert await holds.holds(number) == ()


@pytest.mark.parametrize("scope", [HoldScope(), HoldScope(terms="a"), HoldScope(until=AT)])
async def test_every_scope_reads_back(opener: Opener, scope: HoldScope) -> None:
    """What is not given stays not given."""
    holds = await opener()
    await holds.place(replace(HOLD, scope=scope))
    (hold,) = await holds.standing()
    assert hold.scope == scope
    assert hold.scope.is_everything == (scope == HoldScope())


async def test_another_person_releases_a_hold_once(opener: Opener) -> None:
    """Not who placed it, not twice, and not what is none."""
    holds = await opener()
    number = await holds.place(HOLD)
    other = await holds.place(HOLD)
    assert await holds.release(replace(RELEASE, hold=number, by="ada")) is None
    assert await holds.release(replace(RELEASE, hold=99)) is None
    released = await holds.release(replace(RELEASE, hold=number, number=99))
    assert released is not None
    assert await holds.release(replace(RELEASE, hold=number)) is None
    assert await holds.releases() == (replace(RELEASE, hold=number, number=released),)
    assert await holds.releases(released) == ()
    assert [each.number for each in await holds.standing()] == [other]
    assert [each.number for each in await holds.holds()] == [number, other]


async def test_a_lock_shows_what_was_committed_before(opener: Opener) -> None:
    """Also by another handle; and what is placed meanwhile stands once the lock is given up."""
    bridge, people = await opener(), await opener()
    await people.place(HOLD)
    async with bridge.fixed() as standing:
        assert [each.number for each in standing] == [1]
        placing = asyncio.create_task(people.place(HOLD))
        await asyncio.sleep(0)
        assert [each.number for each in await bridge.standing()] == [1]
        assert not placing.done()
    assert await placing == 2
    async with bridge.fixed() as standing:
        assert [each.number for each in standing] == [1, 2]


async def test_a_lock_is_given_up_whatever_happens_under_it(opener: Opener) -> None:
    """A failure or a cancelled caller leaves nobody waiting."""
    holds = await opener()
    with pytest.raises(ZeroDivisionError):
        async with holds.fixed():
            raise ZeroDivisionError
    begun = asyncio.Event()

    async def destroy() -> None:
        async with holds.fixed():
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(destroy())
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await holds.place(HOLD) == 1


async def test_a_caller_cancelled_before_the_lock_leaves_none(opener: Opener) -> None:
    """However far it was."""
    holds = await opener()

    async def destroy() -> None:
        async with holds.fixed():
            await asyncio.Event().wait()

    for turns in range(4):
        task = asyncio.create_task(destroy())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await holds.place(HOLD) == turns + 1


async def test_two_that_destroy_take_turns(opener: Opener) -> None:
    """One lock at a time."""
    holds = await opener()
    inside = 0

    async def destroy() -> None:
        nonlocal inside
        async with holds.fixed():
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(destroy() for _ in range(5)))


@pytest.mark.parametrize("zone", [None, timezone(timedelta(hours=1))])
async def test_a_time_that_is_not_utc_is_refused(opener: Opener, zone: timezone | None) -> None:
    """A naive or local time is our own mistake, and nothing is placed."""
    holds = await opener()
    with pytest.raises(ValueError, match="must be an aware UTC time"):
        await holds.place(replace(HOLD, at=AT.replace(tzinfo=zone)))
    with pytest.raises(ValueError, match="must be an aware UTC time"):
        await holds.release(replace(RELEASE, at=AT.replace(tzinfo=zone)))
    assert await holds.holds() == ()
