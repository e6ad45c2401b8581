"""Groups that are recorded stay told: of what changed, after a silence, and who came later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.admission.notice import AGAIN_PAUSE, STEADY_SECONDS
from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError
from bridge.model import Event, EventKind, GroupState, NoticeState, Presence, Timer
from tests.fakes import samples
from tests.fakes.crash import Crash
from tests.unit.bridge.house import House, until

NAMED = "To those who joined lately"


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[House]:
    """One group that is recorded and has its notice."""
    house = House(tmp_path)
    await house.open()
    await house.admit(samples.group(state=GroupState.APPROVED, notice=NoticeState.DUE))
    house.connector.deliver(sightings=[samples.sighting(Presence.JOINED)])
    await house.listen()
    await house.admission.round()
    assert (await house.group()).notice is NoticeState.POSTED
    yield house
    await house.close()


def _posts(house: House) -> list[str]:
    return [text for _, text in house.connector.posts.values()]


async def _rename(house: House, name: str) -> None:
    before = await house.group()
    assert await house.journal.set_group(replace(before, name=name), expect=before)


async def _steady(house: House, seconds: float = STEADY_SECONDS) -> None:
    """Look, let time pass, look again."""
    await house.admission.round()
    house.later(seconds=seconds)
    await house.admission.round()


async def _notices(house: House) -> list[dict[str, object]]:
    await house.scribe.round(flush=True)
    return [act for act in house.documents("acts") if act["kind"] == "notice"]


async def test_the_act_has_the_notice_and_its_version(told: House) -> None:
    """What was said, in which language, and the version that the register has too."""
    (act,) = await _notices(told)
    group = await told.group()
    assert act["text"] == "Flood cell is recorded."
    assert (act["language"], act["version"]) == ("en", group.notice_version)
    assert group.notice_at == told.clock.now()
    await _steady(told)
    assert len(_posts(told)) == 1


async def test_a_new_name_is_told_once_it_stands(told: House) -> None:
    """Posted again under a key of its own, with its act; nothing waits for it."""
    await _rename(told, "Flood recovery")
    await told.admission.round()
    assert _posts(told) == ["Flood cell is recorded."]
    assert (await told.group()).notice is NoticeState.POSTED
    await _steady(told)
    assert _posts(told) == ["Flood cell is recorded.", "Flood recovery is recorded."]
    await _steady(told)
    assert len(_posts(told)) == 2
    acts = await _notices(told)
    assert [act["text"] for act in acts] == _posts(told)
    assert len({act["version"] for act in acts}) == 2
    assert len(await told.leaves("notice")) == 2


async def test_a_new_timer_is_told(told: House) -> None:
    """A text that does not speak of the timer is said again all the same."""
    before = await told.group()
    timer = Timer(seconds=60, basis="disappearing")
    assert await told.journal.set_group(replace(before, timer=timer), expect=before)
    await _steady(told)
    acts = await _notices(told)
    assert [act.get("timer") for act in acts] == [None, 60.0]


async def test_a_group_that_is_renamed_without_end_is_told_rarely(told: House) -> None:
    """At most three times in an hour; what stands then is told when the hour is over."""
    for n in range(8):
        await _rename(told, f"Name {n}")
        await _steady(told)
    assert len(_posts(told)) == 4
    told.later(hours=1)
    await _steady(told)
    assert _posts(told)[-1] == "Name 7 is recorded."
    for n in range(8, 40):
        await _rename(told, f"Name {n}")
        await _steady(told, seconds=1200)
    assert len(_posts(told)) == 7


async def test_an_interruption_has_the_notice_said_again(told: House) -> None:
    """The journal marks the group with the gap; another group is left in peace."""
    await told.admit(samples.group("!other", name="Other"))
    loss = samples.loss("interrupted")
    await told.journal.heard("matrix", at=told.clock.now(), losses=[loss])
    assert (await told.group()).notice_version == ""
    await _steady(told)
    assert _posts(told) == ["Flood cell is recorded."] * 2
    await _steady(told)
    assert len(_posts(told)) == 2


@pytest.mark.parametrize("point", ["before settle_notice", "after settle_notice"])
async def test_a_crash_repeats_a_notice_under_its_key(told: House, point: str) -> None:
    """A notice that was out again before the crash is one message, and one act in the end."""
    await _rename(told, "Flood recovery")
    await told.admission.round()
    told.later(seconds=STEADY_SECONDS)
    told.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await told.admission.round()
    await told.restart()
    await _steady(told)
    assert _posts(told) == ["Flood cell is recorded.", "Flood recovery is recorded."]
    assert len(await _notices(told)) == 2


@pytest.mark.parametrize(
    "fault",
    [ConnectorRejectedError("revoked"), ConnectorUnavailableError("busy", retry_after=60)],
)
async def test_a_repeat_that_fails_is_tried_again(
    told: House, fault: ConnectorRejectedError | ConnectorUnavailableError
) -> None:
    """The group was told once already: its notice stays posted, and the new one comes later."""
    await _rename(told, "Flood recovery")
    await told.admission.round()
    told.later(seconds=STEADY_SECONDS)
    told.connector.announce_faults = [fault]
    await told.admission.round()
    assert (await told.group()).notice is NoticeState.POSTED
    await told.admission.round()
    assert len(_posts(told)) == 1
    told.later(seconds=AGAIN_PAUSE)
    await told.admission.round()
    assert _posts(told)[-1] == "Flood recovery is recorded."


async def test_a_refused_notice_is_tried_again_after_a_day(told: House) -> None:
    """A group that lets the recorder post by then is told, and the note goes."""
    act = samples.placement(body=b"refused")
    await told.journal.settle_notice(
        await told.group(),
        notice=NoticeState.REFUSED,
        note="notice refused: no right",
        act=replace(act, at=told.clock.now()),
        version=(await told.group()).notice_version,
    )
    await _steady(told)
    assert len(_posts(told)) == 1
    told.later(days=1)
    await _steady(told)
    group = await told.group()
    assert (group.notice, group.note) == (NoticeState.POSTED, "")
    assert len(_posts(told)) == 2


async def test_a_refusal_of_the_new_notice_stands(told: House) -> None:
    """A group that refuses to hear it again has a refused notice, and is recorded as before."""
    told.connector.refusals[samples.GROUP_ID] = "no right to post"
    await _rename(told, "Flood recovery")
    await _steady(told)
    group = await told.group()
    assert (group.state, group.notice) == (GroupState.ACTIVE, NoticeState.REFUSED)
    assert group.note == "notice refused: no right to post"


@pytest.mark.parametrize("state", [GroupState.PAUSED, GroupState.NOT_RECORDING, GroupState.CLOSED])
async def test_a_group_that_is_not_recorded_is_not_told(told: House, state: GroupState) -> None:
    """Nothing is said again where nothing is recorded, and no newcomer is greeted."""
    await told.hear(_came("@eve:example.org"))
    before = await told.group()
    assert await told.journal.set_group(replace(before, state=state, name="Other"), expect=before)
    await _steady(told, seconds=60)
    await told.speech.round()
    assert len(_posts(told)) == 1


# Newcomers


def _came(who: str, *, before: str | None = None, now: str = "join") -> Event:
    facts = [("membership", now), ("subject", who)]
    if before is not None:
        facts.append(("membership_before", before))
    return replace(
        samples.event(f"$join-{who}-{before}"), kind=EventKind.MEMBERSHIP, upstream=tuple(facts)
    )


async def _greeted(house: House) -> int:
    """How often newcomers were told, once the loops had their turn."""
    await house.admission.round()
    await house.speech.round()
    return sum(NAMED in text for text in _posts(house))


async def test_newcomers_are_told_together_and_once_an_hour(told: House) -> None:
    """The first soon, those who come within the hour at its end, nobody twice."""
    await told.hear(_came("@a:x"), _came("@b:x"))
    assert await _greeted(told) == 0
    told.later(seconds=10)
    assert await _greeted(told) == 1
    assert "notice of 09:00 UTC on 1 March 2026" in _posts(told)[-1]
    assert "objections: ask us." in _posts(told)[-1]
    await told.hear(_came("@c:x"))
    told.later(minutes=59)
    assert await _greeted(told) == 1
    told.later(minutes=1)
    assert await _greeted(told) == 2
    told.later(hours=5)
    assert await _greeted(told) == 2


@pytest.mark.parametrize(
    "event",
    [
        _came("@a:x", before="join"),
        _came("@a:x", now="leave", before="join"),
        _came("@a:x", now="invite"),
        _came("1", now="administrator", before="member"),
        _came("1", now="creator"),
        _came("1", now="requested"),
    ],
)
async def test_who_was_there_already_is_no_newcomer(told: House, event: Event) -> None:
    """A new name, a promotion, an invitation or an end greets nobody."""
    await told.hear(event)
    told.later(minutes=1)
    assert await _greeted(told) == 0


@pytest.mark.parametrize(
    "event",
    [
        _came("@a:x", before="invite"),
        _came("1", now="member", before="left"),
        _came("1", now="administrator", before="kicked"),
        _came("1,2", now="member"),
    ],
)
async def test_whoever_comes_is_a_newcomer_on_either_platform(told: House, event: Event) -> None:
    """By invitation, by link, or made an administrator as they came."""
    await told.hear(event)
    told.later(minutes=1)
    assert await _greeted(told) == 1


async def test_a_notice_tells_newcomers_too(told: House) -> None:
    """Who came before the notice was said again needs no greeting."""
    await told.hear(_came("@a:x"))
    await _rename(told, "Flood recovery")
    told.later(seconds=1)
    await told.admission.round()
    told.later(seconds=STEADY_SECONDS)
    assert await _greeted(told) == 0
    told.later(hours=2)
    assert await _greeted(told) == 0
    assert len(_posts(told)) == 2


@pytest.mark.parametrize("tries", [1, 2])
async def test_who_comes_while_the_notice_is_posted_is_told(told: House, tries: int) -> None:
    """The platform has taken it, our answer is still to come: the newcomer saw nothing of it."""
    await _rename(told, "Flood recovery")
    await told.admission.round()
    told.later(seconds=STEADY_SECONDS)
    told.connector.lost_posts = tries - 1
    told.connector.announce_gate = asyncio.Event()
    posting = asyncio.create_task(told.admission.round())
    await until(lambda: len(told.connector.announcements) == 2)
    told.later(seconds=2)
    await told.hear(replace(_came("@a:x"), observed_at=told.clock.now()))
    told.connector.announce_gate.set()
    await posting
    assert _posts(told)[-1] == "Flood recovery is recorded."
    told.later(minutes=1)
    assert await _greeted(told) == 1


async def test_newcomers_are_not_pointed_to_a_notice_that_is_not_there(told: House) -> None:
    """While the group refuses it, who joins has it tried again, once; then they are told by it."""
    told.connector.refusals[samples.GROUP_ID] = "no right to post"
    await _rename(told, "Flood recovery")
    await _steady(told)
    for who in ("@a:x", "@b:x"):
        told.later(seconds=1)
        await told.hear(replace(_came(who), observed_at=told.clock.now()))
        await _steady(told)
        await _steady(told, seconds=3600)
        assert await _greeted(told) == 0
        told.connector.refusals.clear()
    assert len(told.connector.announcements) == 4
    assert (await told.group()).notice is NoticeState.POSTED
    assert (await told.group()).newcomer_at is None
    assert _posts(told) == ["Flood cell is recorded.", "Flood recovery is recorded."]


@pytest.mark.parametrize("point", ["before set_group", "after set_group"])
async def test_a_crash_greets_once(told: House, point: str) -> None:
    """Dying between the sentence and the mark writes the same sentence again, which is one."""
    await told.hear(_came("@a:x"))
    told.later(seconds=10)
    told.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await told.admission.round()
    await told.restart()
    assert await _greeted(told) == 1
    told.later(hours=2)
    assert await _greeted(told) == 1
