"""Updates that never came are told, and numbers that begin anew are not taken for such."""

from __future__ import annotations

import pytest

from bridge.errors import EnvelopeError
from connectors.telegram.bot_api import BotApi, Endpoint
from connectors.telegram.envelope import RawUpdate
from connectors.telegram.polling import STANDING_PAUSE, Polling
from connectors.telegram.ports import Mark
from connectors.telegram.sequence import MOST_LEFT_OUT, left_out
from tests.fakes.clock import FakeClock
from tests.unit.connectors.telegram.answering import answering
from tests.unit.connectors.telegram.api_scene import TOKEN
from tests.unit.connectors.telegram.scene import DAY, HOUR, Office


def _numbered(*numbers: int | None) -> tuple[RawUpdate, ...]:
    return tuple(RawUpdate(update_id=number, raw=b"{}") for number in numbers)


@pytest.mark.parametrize(
    ("numbers", "offset", "found"),
    [
        ((), 5, 0),
        ((5, 6), 5, 0),
        ((7, 8), 5, 2),
        ((None, 8), 5, 0),
        ((None, None), 5, 0),
        ((7,), None, 0),
        ((1,), 5, 0),
        ((5 + MOST_LEFT_OUT,), 5, MOST_LEFT_OUT),
        ((6 + MOST_LEFT_OUT,), 5, 0),
    ],
)
def test_numbers_left_out(numbers: tuple[int | None, ...], offset: int | None, found: int) -> None:
    """Those between the offset and the first update count, unless the numbers began anew."""
    assert left_out(_numbered(*numbers), offset) == found


async def test_somebody_else_took_updates(at: Office) -> None:
    """What a second poller acknowledged is a loss of each group, told once, and we go on."""
    room, group = await at.recorded()
    await at.hears(room, "one")
    at.clock.advance(HOUR)
    at.clerk.say(room, "taken")
    other = BotApi(Endpoint(api_base=at.api.url), token=at.bot.token)
    await other.get_updates(offset=at.bot.updates.next_id, seconds=0)
    await other.aclose()
    await at.hears(room, "three")
    await at.hears(room, "four")
    assert at.intake.bodies(group) == ["one", "three", "four"]
    (loss,) = at.intake.losses
    assert (loss.group_id, loss.why, loss.until) == (group, "updates_missing", at.clock.now())
    assert loss.since is not None
    assert (at.clock.now() - loss.since).total_seconds() == HOUR


async def test_numbers_after_a_quiet_week_tell_nothing(at: Office) -> None:
    """After days without an update a jump of the numbers proves no loss."""
    room, group = await at.recorded()
    await at.hears(room, "one")
    for _ in range(7):
        at.advance(DAY - HOUR)
        at.bot.updates.nudge()
        await at.intake.connector.start()
        await at.intake.take()
    at.bot.updates.skip(3)
    await at.hears(room, "two")
    assert at.intake.bodies(group) == ["one", "two"]
    assert "updates_missing" not in {loss.why for loss in at.intake.losses}


async def test_pages_that_differ_each_time_are_paced() -> None:
    """Something that answers anew each time in place of the Bot API makes no busy loop."""
    clock = FakeClock()
    async with answering() as server:
        api = BotApi(Endpoint(api_base=server.url), token=TOKEN)
        source = Polling(api, clock)
        for number in range(6):
            server.answer(200, b"<p>Sign in to the network, guest %d</p>" % number)
            with pytest.raises(EnvelopeError):
                await source.next(Mark(offset=1), seconds=0)
        await api.aclose()
    assert clock.slept == [STANDING_PAUSE] * 4
