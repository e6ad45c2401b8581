"""Speaking in groups: once, in order, unpinned, and not for ever."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from bridge import speech
from bridge.errors import ConnectorError, ConnectorRejectedError, ConnectorUnavailableError
from bridge.groups import UNREADABLE
from bridge.model import Group, GroupState, Presence
from bridge.protocols import Saying
from tests.fakes import samples
from tests.fakes.connector import ScriptedConnector
from tests.fakes.crash import Crash
from tests.patience import PATIENCE
from tests.unit.bridge.house import House, stopped, until


@pytest.fixture
async def house(house: House) -> House:
    """Two groups are being recorded."""
    await house.admit()
    await house.admit(samples.group("!b"))
    return house


def _saying(
    house: House, text: str, group_id: str = samples.GROUP_ID, *, connector: str = "matrix"
) -> Saying:
    return Saying(
        connector=connector,
        group_id=group_id,
        text=text,
        key=f"key {connector} {group_id} {text}",
        until=house.clock.now() + timedelta(hours=1),
    )


async def _say(house: House, *texts: str, group_id: str = samples.GROUP_ID) -> None:
    await house.journal.say([_saying(house, text, group_id) for text in texts])


def _said(connector: ScriptedConnector) -> list[tuple[str, str]]:
    return list(connector.posts.values())


async def _waiting(house: House) -> int:
    return len(await house.journal.sayings(limit=99))


async def test_what_waits_is_said_once_and_not_pinned(house: House) -> None:
    """Oldest first, under its key; only notices are pinned."""
    await _say(house, "first", "second")
    for _ in range(2):
        await house.speech.round()
    assert _said(house.connector) == [(samples.GROUP_ID, "first"), (samples.GROUP_ID, "second")]
    assert len(house.connector.announcements) == 2
    assert house.connector.pins == []
    assert await _waiting(house) == 0


@pytest.mark.parametrize("point", ["before said", "after said"])
async def test_a_crash_says_it_once(house: House, point: str) -> None:
    """What was out before the crash is posted under the same key: one message."""
    await _say(house, "once")
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.speech.round()
    await house.restart()
    await house.speech.round()
    assert _said(house.connector) == [(samples.GROUP_ID, "once")]
    assert await _waiting(house) == 0


async def test_an_answer_that_was_lost_is_asked_for_again(house: House) -> None:
    """A post that reported nothing is repeated under its key."""
    await _say(house, "once")
    house.connector.lost_posts = 1
    await house.speech.round()
    assert await _waiting(house) == 1
    house.later(seconds=speech.FIRST_PAUSE)
    await house.speech.round()
    assert _said(house.connector) == [(samples.GROUP_ID, "once")]
    assert await _waiting(house) == 0


async def test_a_refusal_of_the_group_is_an_end(house: House) -> None:
    """Where the recorder may not post nothing is tried again, and the logging has no content."""
    house.connector.refusals[samples.GROUP_ID] = "no right to post"
    await _say(house, "unwanted")
    with capture_logs() as lines:
        await house.speech.round()
    assert await _waiting(house) == 0
    assert lines == [
        {
            "event": "not_said",
            "log_level": "warning",
            "connector": "matrix",
            "reason": "refused",
        }
    ]


async def test_what_is_stale_is_not_said(house: House) -> None:
    """After its time a sentence would only confuse."""
    await _say(house, "old news")
    house.later(hours=2)
    await house.speech.round()
    assert _said(house.connector) == []
    assert await _waiting(house) == 0


@pytest.mark.parametrize(
    "group",
    [
        samples.group("!c", state=GroupState.REMOVED, presence=Presence.REMOVED),
        samples.group("!c", state=GroupState.NOT_RECORDING),
        samples.group("!c", state=GroupState.PAUSED, note=UNREADABLE),
        samples.group("!unknown"),
    ],
)
async def test_only_a_member_speaks_and_only_among_clear_text(house: House, group: Group) -> None:
    """Groups the recorder left or does not know, and encrypted ones, are told nothing."""
    await house.admit(group)
    group_id = group.group_id if group.group_id == "!c" else "!nowhere"
    await _say(house, "hello", group_id=group_id)
    await house.speech.round()
    assert house.connector.announcements == []
    assert await _waiting(house) == 0


async def test_a_paused_group_is_still_told(house: House) -> None:
    """The pause itself is said, when the recorder is still a member."""
    await house.move(GroupState.PAUSED)
    await _say(house, "paused")
    await house.speech.round()
    assert _said(house.connector) == [(samples.GROUP_ID, "paused")]


@pytest.mark.parametrize(
    ("error", "pause"),
    [
        (ConnectorUnavailableError("429", retry_after=20.0), 20.0),
        (ConnectorRejectedError("our token", code="M_UNKNOWN_TOKEN"), speech.LONGEST_PAUSE / 2),
    ],
)
async def test_a_connector_that_has_to_wait_says_nothing_anywhere(
    house: House, error: ConnectorError, pause: float
) -> None:
    """Told to slow down, or signed out, the account leaves all its groups alone for a while."""
    await _say(house, "a")
    await _say(house, "b", group_id="!b")
    house.connector.announce_faults = [error]
    await house.speech.round()
    house.later(seconds=pause - 0.5)
    await house.speech.round()
    assert len(house.connector.announcements) == 1
    house.later(seconds=0.5)
    await house.speech.round()
    assert [text for _, text in _said(house.connector)] == ["a", "b"]


@pytest.mark.parametrize("error", [ConnectorUnavailableError("500"), ConnectorError("strange")])
async def test_a_group_that_fails_keeps_no_other_waiting(
    house: House, error: ConnectorError
) -> None:
    """Its own sentences stay in order behind the one that failed; the others are said."""
    await _say(house, "a1", "a2")
    await _say(house, "b", group_id="!b")
    house.connector.announce_faults = [error]
    await house.speech.round()
    await house.speech.round()
    assert _said(house.connector) == [("!b", "b")]
    house.later(seconds=speech.FIRST_PAUSE)
    await house.speech.round()
    assert [text for _, text in _said(house.connector)] == ["b", "a1", "a2"]


async def test_a_post_that_hangs_is_given_up_for_now(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again later, until it is stale."""
    monkeypatch.setattr(speech, "POST_SECONDS", 0.0)
    house.connector.announce_gate = asyncio.Event()
    await _say(house, "never")
    await house.speech.round()
    assert await _waiting(house) == 1
    house.later(hours=2)
    await house.speech.round()
    assert await _waiting(house) == 0


async def test_connectors_speak_side_by_side(house: House) -> None:
    """A platform that is slow does not keep the groups of another waiting."""
    other = ScriptedConnector(committed=house.connector.committed, name="other")
    house.connectors["other"] = other
    await house.admit(replace(samples.group("!o"), connector="other"))
    await house.admit(replace(samples.group("!g"), connector="gone"))
    house.connector.announce_gate = asyncio.Event()
    await _say(house, "slow")
    await house.journal.say(
        [_saying(house, "quick", "!o", connector="other"), _saying(house, "x", connector="gone")]
    )
    running = house.start(house.speech.run)
    async with asyncio.timeout(PATIENCE):
        while await _waiting(house) > 1:  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0)
    assert _said(other) == [("!o", "quick")]
    assert _said(house.connector) == []
    await stopped(running)
    assert [saying.text for saying in await house.journal.sayings(limit=9)] == ["slow"]


async def test_the_loop_goes_on_when_the_journal_fails(house: House) -> None:
    """Health says what is wrong while it lasts; what waits is said afterwards, once."""
    await _say(house, "late")
    await house.journal._writer.execute("PRAGMA query_only = ON")
    running = house.start(house.speech.run)
    await until(lambda: bool(house.speech.health))
    await house.journal._writer.execute("PRAGMA query_only = OFF")
    await until(lambda: not house.speech.health)
    await stopped(running)
    assert _said(house.connector) == [(samples.GROUP_ID, "late")]
    assert await _waiting(house) == 0
