"""Letting the recorder into groups: by approval alone, and never unannounced."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bridge.admission import ListedGroup, notice
from bridge.admission.loop import INVITED_PAUSE, JOIN_PAUSE
from bridge.errors import ConnectorError, ConnectorRejectedError, ConnectorUnavailableError
from bridge.groups import UNREADABLE
from bridge.lifecycle import EntryState
from bridge.model import Group, GroupState, NoticeState, Particulars, Presence
from bridge.protocols import GroupStep, StepKind
from tests.fakes import samples
from tests.fakes.crash import Crash
from tests.unit.bridge.house import House, stopped, until

LISTED = ListedGroup(
    connector="matrix", platform="matrix", group_id=samples.GROUP_ID, name="Flood cell"
)
DESCRIBED = Particulars(owner="Head of Floods", purpose="Flood response")
START = "2026-03-01T09:00:00.000Z"


async def _list(house: House, *groups: ListedGroup) -> None:
    """The program starts with these groups in its settings file."""
    house.listed = groups
    await house.restart()
    await house.admission.begin()


async def _sight(house: House, presence: Presence, *, obstacle: str = "") -> None:
    """The platform tells of the group."""
    house.connector.deliver(sightings=[samples.sighting(presence, obstacle=obstacle)])
    await house.listen()


async def _order(
    house: House,
    kind: StepKind,
    group_id: str = samples.GROUP_ID,
    *,
    said: Particulars = DESCRIBED,
    capture_all: bool | None = None,
) -> None:
    """A person orders a step, and the bridge takes it up."""
    await _ordered(house, kind, group_id, said=said, capture_all=capture_all)
    await house.admission.round()


async def _ordered(
    house: House,
    kind: StepKind,
    group_id: str = samples.GROUP_ID,
    *,
    said: Particulars = DESCRIBED,
    capture_all: bool | None = None,
) -> None:
    step = GroupStep(
        kind=kind,
        connector="matrix",
        group_id=group_id,
        name="Flood cell",
        by="owner@example.org",
        at=house.clock.now(),
        why="ordered",
        particulars=said,
        capture_all=capture_all,
    )
    await house.office.order(step)


async def _acts(house: House, kind: str = "step") -> list[dict[str, object]]:
    """The acts of a kind, once they are placed."""
    await house.scribe.round(flush=True)
    return [act for act in house.documents("acts") if act["kind"] == kind]


def _said(house: House) -> list[str]:
    return [text for _, text in house.connector.posts.values()]


# The settings file


async def test_a_listed_group_is_approved_with_its_act(house: House) -> None:
    """Listing is approval by the file: the register, the act and the connector know."""
    await _list(house, LISTED)
    group = await house.group()
    assert (group.state, group.listed, group.name) == (GroupState.APPROVED, True, "Flood cell")
    assert group.note
    assert house.connector.approved == frozenset({samples.GROUP_ID})
    (act,) = await _acts(house)
    assert (act["step"], act["by"]) == ("approve", "settings file")
    assert act["group"] == {"id": samples.GROUP_ID, "name": "Flood cell"}
    await _list(house, LISTED)
    assert len(await _acts(house)) == 1


async def test_a_listed_group_that_was_proposed_is_approved(house: House) -> None:
    """An invitation that came before the listing is accepted after it."""
    await _sight(house, Presence.INVITED)
    assert (await house.group()).state is GroupState.PROPOSED
    await _list(house, LISTED)
    assert (await house.group()).state is GroupState.APPROVED
    await house.admission.round()
    assert house.connector.joins == [samples.GROUP_ID]


async def test_a_group_taken_out_of_the_file_is_paused(house: House) -> None:
    """Paused at the next start, said in the group, with a gap, and its events no longer asked."""
    await house.admit(samples.group(listed=True))
    await _list(house)
    group = await house.group()
    assert (group.state, group.listed) == (GroupState.PAUSED, False)
    assert await house.gaps() == [("paused", START, None)]
    assert _said(house) == []  # nobody is signed in yet at a start
    await house.speech.round()
    assert _said(house) == [
        "Recording of this group has been paused since 09:00 UTC on 1 March 2026."
    ]
    assert house.connector.approved == frozenset()
    (act,) = await _acts(house)
    assert (act["step"], act["why"]) == ("pause", "taken out of the file")
    await _list(house)
    assert len(await house.gaps()) == 1


async def test_a_group_put_back_into_the_file_goes_on(house: House) -> None:
    """Approved again, said in the group, and the gap gets its end."""
    await house.admit(samples.group(state=GroupState.PAUSED))
    await _list(house, LISTED)
    await _sight(house, Presence.JOINED)
    assert (await house.group()).state is GroupState.ACTIVE
    assert await house.gaps() == [("paused", None, START)]
    for _ in range(2):
        await house.speech.round()
    assert _said(house) == [
        "Recording of this group was taken up again at 09:00 UTC on 1 March 2026."
    ]


async def test_a_pause_that_a_person_ordered_outlives_a_restart(house: House) -> None:
    """The file does not undo what a person ordered for a group it lists."""
    await house.admit(samples.group(listed=True))
    house.listed = (LISTED,)
    await _order(house, StepKind.PAUSE)
    await _list(house, LISTED)
    assert (await house.group()).state is GroupState.PAUSED
    assert house.connector.approved == frozenset()
    await _order(house, StepKind.APPROVE)
    await _sight(house, Presence.JOINED)
    assert (await house.group()).state is GroupState.ACTIVE


async def test_only_groups_of_the_file_are_unlisted(house: House) -> None:
    """A group that a person approved is not touched by a file that never had it."""
    await house.admit()
    await _list(house)
    assert (await house.group()).state is GroupState.ACTIVE


@pytest.mark.parametrize("state", [GroupState.REMOVED, GroupState.CLOSED, GroupState.PAUSED])
async def test_a_group_that_does_not_record_is_unlisted_quietly(
    house: House, state: GroupState
) -> None:
    """What was removed, closed or paused before stays so, and the program starts."""
    await house.admit(samples.group(state=state, presence=Presence.REMOVED, listed=True))
    await _list(house)
    assert (await house.group()).state is state
    assert await house.gaps() == []
    await house.speech.round()
    assert _said(house) == []


async def test_a_closed_group_stays_closed(house: House) -> None:
    """Listing a group that was closed does not open it again."""
    await house.admit(samples.group(state=GroupState.CLOSED))
    await _list(house, LISTED)
    assert (await house.group()).state is GroupState.CLOSED
    assert house.connector.approved == frozenset()


async def test_capture_all_follows_the_file(house: House) -> None:
    """What the file says otherwise of a recorded group is taken over, once, with an act."""
    await house.admit(samples.group(listed=True))
    everything = ListedGroup(
        connector="matrix",
        platform="matrix",
        group_id=samples.GROUP_ID,
        name="Flood cell",
        capture_all=True,
    )
    await _list(house, everything)
    assert (await house.group()).capture_all
    await _list(house, everything)
    (act,) = await _acts(house)
    assert (act["step"], act["capture_all"]) == ("approve", True)
    assert act["why"] == "listed otherwise in the file"


# Invitations


async def test_an_invitation_to_an_approved_group_is_accepted(house: House) -> None:
    """The join is asked for at once, and is not asked again once we are in."""
    await _list(house, LISTED)
    await _sight(house, Presence.INVITED)
    await house.admission.round()
    assert house.connector.joins == [samples.GROUP_ID]
    await _sight(house, Presence.JOINED)
    house.later(minutes=10)
    await house.admission.round()
    assert house.connector.joins == [samples.GROUP_ID]
    assert (await house.group()).state is GroupState.ACTIVE


@pytest.mark.parametrize("state", [s for s in GroupState if s is not GroupState.APPROVED])
async def test_no_other_invitation_is_accepted(house: House, state: GroupState) -> None:
    """Whatever a group's state, without approval the recorder does not join."""
    await house.admit(samples.group(state=state, presence=Presence.INVITED))
    await house.admission.round()
    assert house.connector.joins == []


async def test_an_approved_group_is_tried_now_and_then(house: House) -> None:
    """Without an invitation a join is tried rarely; an invitation is answered at once."""
    await _list(house, LISTED)
    house.connector.join_faults = [ConnectorRejectedError("not invited") for _ in range(3)]
    await house.admission.round()
    await house.admission.round()
    assert len(house.connector.joins) == 1
    assert "Invite the recorder" in (await house.group()).note
    await _sight(house, Presence.INVITED)
    await house.admission.round()
    assert len(house.connector.joins) == 2
    house.later(seconds=INVITED_PAUSE - 0.1)
    await house.admission.round()
    assert len(house.connector.joins) == 2
    house.later(seconds=JOIN_PAUSE)
    await house.admission.round()
    assert len(house.connector.joins) == 3


async def test_a_join_that_gets_no_answer_is_noted_and_tried_again(house: House) -> None:
    """A platform that is away leaves the group approved, with the reason in words."""
    await _list(house, LISTED)
    house.connector.join_faults = [ConnectorUnavailableError("no answer")]
    await house.admission.round()
    group = await house.group()
    assert (group.state, group.note) == (GroupState.APPROVED, "not joined: no answer")
    house.later(seconds=JOIN_PAUSE)
    await house.admission.round()
    assert len(house.connector.joins) == 2


@pytest.mark.parametrize("listed", [False, True])
async def test_a_removal_needs_approval_unless_the_file_has_it(
    house: House, *, listed: bool
) -> None:
    """Invited again after a removal: the file's approval stands, a person's must be given anew."""
    await house.admit(samples.group(listed=listed))
    if listed:
        await _list(house, LISTED)
    await _sight(house, Presence.REMOVED)
    await house.admission.round()
    assert house.connector.approved == frozenset()
    await _sight(house, Presence.INVITED)
    await house.admission.round()
    await house.admission.round()
    group = await house.group()
    assert group.state is (GroupState.APPROVED if listed else GroupState.REMOVED)
    assert house.connector.joins == ([samples.GROUP_ID] if listed else [])


async def test_a_return_that_was_heard_of_late_is_a_return(house: House) -> None:
    """Out, invited and in again before we heard of any of it: a listed group goes on."""
    await _joined(house)
    out, invited, back = (
        samples.sighting(presence)
        for presence in (Presence.REMOVED, Presence.INVITED, Presence.JOINED)
    )
    house.connector.deliver(sightings=[out, invited, back])
    await house.listen()
    assert (await house.group()).state is GroupState.REMOVED
    await house.admission.round()
    assert (await house.group()).state is GroupState.APPROVED
    await _sight(house, Presence.JOINED)  # the connector tells of what was approved
    assert (await house.group()).state is GroupState.ACTIVE


# The notice


async def _joined(house: House, *, obstacle: str = "") -> Group:
    await _list(house, LISTED)
    await _sight(house, Presence.JOINED, obstacle=obstacle)
    await house.admission.round()
    return await house.group()


async def test_the_notice_is_posted_straight_after_the_join(house: House) -> None:
    """Once, with its act, and storing begins with its event id."""
    group = await _joined(house)
    await house.admission.round()
    assert group.notice is NoticeState.POSTED
    assert [text for _, text, _ in house.connector.announcements] == ["Flood cell is recorded."]
    (act,) = await _acts(house, "notice")
    assert act["text"] == "Flood cell is recorded."
    assert str(act["upstream_id"]).startswith("$notice-")
    assert act["pinned"] is True
    assert "refusal" not in act
    assert len(await house.leaves("notice")) == 1


async def test_nothing_is_stored_before_the_notice(house: House) -> None:
    """What was journalled since the join waits for the notice, and goes on after it."""
    await _list(house, LISTED)
    await _sight(house, Presence.JOINED)
    await house.hear(samples.event("$1"))
    await house.settle()
    assert (await house.states())["$1"] is EntryState.SEALED
    assert house.objects("records") == house.objects("manifests") == {}
    await house.admission.round()
    await house.settle()
    assert (await house.states())["$1"] is EntryState.STORED


@pytest.mark.parametrize("point", ["before settle_notice", "after settle_notice"])
async def test_a_crash_posts_the_notice_once(house: House, point: str) -> None:
    """A notice that was out before the crash is posted under the same key: one message."""
    await _list(house, LISTED)
    await _sight(house, Presence.JOINED)
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.admission.round()
    await house.restart()
    await house.admission.round()
    assert (await house.group()).notice is NoticeState.POSTED
    assert _said(house) == ["Flood cell is recorded."]
    assert len(await _acts(house, "notice")) == 1


async def test_a_notice_without_an_answer_is_posted_again(house: House) -> None:
    """A platform that asks us to wait, or loses its answer, is asked again under the same key."""
    await _list(house, LISTED)
    await _sight(house, Presence.JOINED)
    house.connector.announce_faults = [ConnectorUnavailableError("429", retry_after=4.0)]
    house.connector.lost_posts = 1
    await house.admission.round()
    assert (await house.group()).notice is NoticeState.POSTED
    assert len(house.connector.announcements) == 3
    assert len({key for _, _, key in house.connector.announcements}) == 1
    assert house.clock.slept == [4.0, 1.0]


async def test_a_refused_notice_settles(house: House) -> None:
    """A group that lets nobody post is recorded, and the refusal stands in act and note."""
    house.connector.refusals[samples.GROUP_ID] = "no right to post"
    group = await _joined(house)
    assert (group.notice, group.note) == (NoticeState.REFUSED, "notice refused: no right to post")
    (act,) = await _acts(house, "notice")
    assert act["refusal"] == "no right to post"
    assert "upstream_id" not in act
    await house.admission.round()
    await house.speech.round()
    assert len(house.connector.announcements) == 1


@pytest.mark.parametrize("error", [ConnectorUnavailableError, ConnectorError])
async def test_no_success_in_time_settles(house: House, error: type[ConnectorError]) -> None:
    """A platform that fails for ten seconds, or by an error of another kind, counts as refusing."""
    await _list(house, LISTED)
    await _sight(house, Presence.JOINED)
    house.connector.announce_faults = [error("the words of the error") for _ in range(20)]
    began = house.clock.monotonic()
    await house.admission.round()
    assert house.clock.monotonic() - began <= notice.NOTICE_SECONDS
    group = await house.group()
    assert group.notice is NoticeState.REFUSED
    assert "the words of the error" in group.note
    assert _said(house) == []
    house.connector.announce_faults.clear()
    for _ in range(2):
        await house.speech.round()
    assert _said(house) == ["Flood cell is recorded."]
    assert len({key for _, _, key in house.connector.announcements}) == 1


async def test_a_crash_before_a_late_notice_settles(house: House) -> None:
    """It is tried anew under the same key, and said once."""
    await _list(house, LISTED)
    await _sight(house, Presence.JOINED)
    house.connector.announce_faults = [ConnectorUnavailableError("away") for _ in range(20)]
    house.die_at(Crash("before settle_notice"))
    with pytest.raises(asyncio.CancelledError):
        await house.admission.round()
    house.connector.announce_faults.clear()
    await house.restart()
    await house.admission.round()
    assert (await house.group()).notice is NoticeState.POSTED
    for _ in range(2):
        await house.speech.round()
    assert _said(house) == ["Flood cell is recorded."]


async def test_a_refusal_of_our_account_is_no_answer_of_the_group(house: House) -> None:
    """While we are shut out the notice stays due, however long; signed in anew it is posted."""
    await _list(house, LISTED)
    await _sight(house, Presence.JOINED)
    shut_out = ConnectorRejectedError("no such token", code="M_UNKNOWN_TOKEN")
    house.connector.announce_faults = [shut_out for _ in range(3)]
    for _ in range(3):
        await house.admission.round()
        await house.admission.round()  # not asked again at once
        house.later(minutes=1)
    assert len(house.connector.announcements) == 3
    assert (await house.group()).notice is NoticeState.DUE
    await house.hear(samples.event("$1"))
    await house.settle()
    assert house.objects("records") == {}
    await house.admission.round()
    assert (await house.group()).notice is NoticeState.POSTED


async def test_a_refusal_while_we_are_heard_settles(house: House) -> None:
    """Where the platform delivers all the same, what refuses every post is an answer in the end."""
    await _list(house, LISTED)
    await _sight(house, Presence.JOINED)
    house.connector.announce_faults = [ConnectorRejectedError("refused before") for _ in range(9)]
    await house.admission.round()
    await house.hear(samples.event("$0"))  # asked for before the refusal, as far as is known
    house.later(seconds=6)
    await house.hear(samples.event("$1"))
    await house.admission.round()
    assert (await house.group()).notice is NoticeState.DUE  # not ten seconds yet
    house.later(seconds=6)
    await house.admission.round()
    group = await house.group()
    assert (group.notice, group.note) == (NoticeState.REFUSED, "notice refused: refused before")


async def test_a_notice_that_hangs_settles(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A post that is never answered is given up after the time for it."""
    monkeypatch.setattr(notice, "NOTICE_SECONDS", 0.0)
    house.connector.announce_gate = asyncio.Event()
    group = await _joined(house)
    assert (group.notice, group.note) == (
        NoticeState.REFUSED,
        "notice refused: no success within 0 s",
    )


async def test_an_encrypted_room_settles_without_a_notice_in_clear(house: House) -> None:
    """Nothing is posted in clear text, and what can be recorded is stored."""
    group = await _joined(house, obstacle="encrypted")
    assert group.state is GroupState.NOT_RECORDING
    assert group.notice is NoticeState.REFUSED
    assert house.connector.announcements == []
    (act,) = await _acts(house, "notice")
    assert act["refusal"] == notice.UNREADABLE_REFUSAL
    assert "text" not in act


async def test_who_is_thrown_out_before_the_notice_leaves_nothing_waiting(house: House) -> None:
    """What was journalled while a member is stored though the group could not be told."""
    await _list(house, LISTED)
    await _sight(house, Presence.JOINED)
    await house.hear(samples.event("$1"))
    await _sight(house, Presence.REMOVED)
    await house.admission.round()
    assert (await house.group()).notice is NoticeState.REFUSED
    await house.settle()
    assert (await house.states())["$1"] is EntryState.STORED


async def test_a_group_is_told_anew_after_a_return(house: House) -> None:
    """Removed, invited and let in again: a second notice, under a key of its own."""
    await _joined(house)
    for presence in (Presence.REMOVED, Presence.INVITED):
        await _sight(house, presence)
        await house.admission.round()
    await _sight(house, Presence.JOINED)
    await house.admission.round()
    assert (await house.group()).notice is NoticeState.POSTED
    assert _said(house) == ["Flood cell is recorded."] * 2


# Orders of people


async def test_a_person_approves_a_group(house: House) -> None:
    """An unknown group is written down and approved, with one act that names who and why."""
    await _order(house, StepKind.APPROVE)
    group = await house.group()
    assert (group.state, group.listed, group.platform) == (GroupState.APPROVED, False, "matrix")
    (act,) = await _acts(house)
    assert (act["step"], act["by"], act["why"], act["ordered_at"]) == (
        "approve",
        "owner@example.org",
        "ordered",
        START,
    )
    assert house.connector.approved == frozenset({samples.GROUP_ID})


async def test_steps_are_taken_once(house: House) -> None:
    """A step is not taken again by a later round or the next process."""
    await _order(house, StepKind.APPROVE)
    await house.admission.round()
    await house.restart()
    await house.admission.round()
    assert len(await _acts(house)) == 1
    assert await house.journal.office_taken() == 1


async def test_a_proposal_waits_for_approval(house: House) -> None:
    """Proposing asks for nothing of the platform; proposing again is an act, no approval."""
    await _order(house, StepKind.PROPOSE)
    await _order(house, StepKind.PROPOSE)
    assert (await house.group()).state is GroupState.PROPOSED
    assert house.connector.approved == frozenset()
    assert [act["step"] for act in await _acts(house)] == ["propose", "propose"]
    await _order(house, StepKind.APPROVE)
    assert (await house.group()).state is GroupState.APPROVED


async def test_impossible_steps_are_passed_over(house: House) -> None:
    """A step that the table does not have changes nothing, and those behind it are taken."""
    await _ordered(house, StepKind.RESUME)
    await _ordered(house, StepKind.PAUSE, "!unknown:example.org")
    await _ordered(house, StepKind.CLOSE, "!unknown:example.org")
    await _ordered(house, StepKind.APPROVE)
    await _ordered(house, StepKind.RESUME)
    await house.admission.round()
    assert (await house.group()).state is GroupState.APPROVED
    assert [act["step"] for act in await _acts(house)] == ["approve"]
    assert await house.journal.office_taken() == 5


async def test_a_step_for_an_unknown_connector_is_passed_over(house: House) -> None:
    """An order for an account that is not configured does not stand in the way."""
    step = GroupStep(
        kind=StepKind.APPROVE,
        connector="other",
        group_id="!x",
        name=None,
        by="a",
        at=house.clock.now(),
        why="",
    )
    await house.office.order(step)
    await _order(house, StepKind.APPROVE)
    assert [group.connector for group in await house.journal.groups()] == ["matrix"]


@pytest.mark.parametrize("kind", [StepKind.RESUME, StepKind.APPROVE])
async def test_a_pause_and_its_end_stand_as_gaps(house: House, kind: StepKind) -> None:
    """Pausing and going on are said in the group, and the silence between is a gap."""
    await house.admit()
    await _order(house, StepKind.PAUSE)
    assert (await house.group()).state is GroupState.PAUSED
    assert house.connector.approved == frozenset()
    house.later(hours=1)
    await _order(house, kind)
    await _sight(house, Presence.JOINED)
    assert (await house.group()).state is GroupState.ACTIVE
    assert house.connector.approved == frozenset({samples.GROUP_ID})
    assert await house.gaps() == [
        ("paused", START, None),
        ("paused", None, "2026-03-01T10:00:00.000Z"),
    ]
    await house.speech.round()
    assert _said(house) == [
        "Recording of this group has been paused since 09:00 UTC on 1 March 2026.",
        "Recording of this group was taken up again at 10:00 UTC on 1 March 2026.",
    ]


@pytest.mark.parametrize("point", ["before set_group", "after set_group"])
async def test_a_crash_marks_and_says_a_pause_once(house: House, point: str) -> None:
    """Dying around the move of the group leaves one gap, one act and one sentence in the end."""
    await house.admit()
    await _ordered(house, StepKind.PAUSE)
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.admission.round()
    await house.restart()
    house.later(seconds=3)
    await house.admission.round()
    assert (await house.group()).state is GroupState.PAUSED
    assert await house.gaps() == [("paused", START, None)]
    assert [act["step"] for act in await _acts(house)] == ["pause"]
    assert len(await house.journal.sayings(limit=9)) == 1


async def test_a_later_pause_is_another_one(house: House) -> None:
    """A group that is paused, resumed and paused again within minutes is told each time."""
    await house.admit()
    for kind in (StepKind.PAUSE, StepKind.RESUME, StepKind.PAUSE):
        await _order(house, kind)
        house.later(minutes=1)
    assert len(await house.gaps()) == 3
    assert len(await house.journal.sayings(limit=9)) == 3


async def test_a_pause_after_a_return_is_another_one(house: House) -> None:
    """The mark of a pause that a removal ended is not taken for one of the pause after it."""
    await house.admit()
    for presence, kind in (
        (Presence.JOINED, StepKind.PAUSE),
        (Presence.REMOVED, StepKind.APPROVE),
        (Presence.JOINED, StepKind.PAUSE),
    ):
        await _sight(house, presence)
        await _order(house, kind)
        house.later(minutes=1)
    assert await house.gaps() == [
        ("paused", START, None),
        ("paused", "2026-03-01T09:02:00.000Z", None),
    ]


async def test_a_removal_while_paused_ends_the_stream_and_the_notice(house: House) -> None:
    """Paused, removed and back: approved and told anew before anything is stored."""
    await house.admit()
    await house.hear(samples.event("$1"))
    await house.settle()
    await _order(house, StepKind.PAUSE)
    await _sight(house, Presence.REMOVED)
    await _order(house, StepKind.RESUME)
    assert (await house.group()).state is GroupState.REMOVED
    house.later(hours=6)
    await _order(house, StepKind.APPROVE)
    await _sight(house, Presence.JOINED)
    await house.hear(samples.event("$2"))
    await house.settle()
    assert (await house.states())["$2"] is EntryState.SEALED
    await house.admission.round()
    await house.settle()
    assert (await house.states())["$2"] is EntryState.STORED
    assert [act["total"] for act in await _acts(house, "close")] == [1]
    assert len(await house.leaves("open")) == 2
    assert await house.gaps() == [("paused", START, None)]


@pytest.mark.parametrize("presence", [Presence.INVITED, Presence.JOINED])
async def test_a_removal_does_not_lift_a_pause(house: House, presence: Presence) -> None:
    """What a person paused stays unapproved through a removal, a return and a restart."""
    await house.admit(samples.group(listed=True))
    house.listed = (LISTED,)
    await _order(house, StepKind.PAUSE)
    for seen in (Presence.REMOVED, presence):
        await _sight(house, seen)
        await _list(house, LISTED)
        await house.admission.round()
    assert (await house.group()).state is GroupState.REMOVED
    assert (house.connector.approved, house.connector.joins) == (frozenset(), [])
    await _order(house, StepKind.APPROVE)
    assert (await house.group()).state is GroupState.APPROVED


async def test_a_pause_by_the_file_is_lifted_by_the_file(house: House) -> None:
    """Taken out of the file, removed and listed again: approved by that."""
    await house.admit(samples.group(listed=True))
    await _list(house)
    await _sight(house, Presence.REMOVED)
    await _list(house, LISTED)
    assert (await house.group()).state is GroupState.APPROVED


async def test_what_was_paused_before_the_join_is_told_after_it(house: House) -> None:
    """A notice that came to nothing by a pause is posted once the group is approved again."""
    await _list(house, LISTED)
    await _list(house)
    await house.admission.round()
    assert (await house.group()).notice is NoticeState.REFUSED
    await _list(house, LISTED)
    await _sight(house, Presence.JOINED)
    await house.admission.round()
    assert (await house.group()).notice is NoticeState.POSTED


async def test_a_closed_group_ends_its_stream(house: House) -> None:
    """The stream is closed with its total; a delivery on its way is closed after it."""
    await house.admit()
    await house.hear(samples.event("$1"), samples.event("$2"))
    await _order(house, StepKind.CLOSE)
    await house.admission.round()
    (act,) = await _acts(house, "close")
    (leaf,) = await house.leaves("close")
    first = (await house.entries())[0].stream.id
    assert (act["stream"], act["total"]) == (first, 2)
    assert (leaf["s"], leaf["total"]) == (first, 2)
    house.connector.approve(frozenset({samples.GROUP_ID}))  # as the delivery found it
    await house.hear(samples.event("$3"))
    await house.admission.round()
    await _acts(house, "close")
    assert [leaf["total"] for leaf in await house.leaves("close")] == [2, 1]


async def test_a_group_that_moved_meanwhile_is_asked_again(house: House) -> None:
    """A step whose group changed between reading and writing is not skipped by the next one."""
    await house.admit()
    await _ordered(house, StepKind.PAUSE)
    await _ordered(house, StepKind.PROPOSE, "!other:example.org")
    register = house.journal.groups

    async def stale() -> tuple[Group, ...]:
        house.journal.groups = register  # type: ignore[method-assign] # as before, from now on
        found = await register()
        await house.move(GroupState.NOT_RECORDING)
        return found

    house.journal.groups = stale  # type: ignore[method-assign] # a sighting comes in between
    await house.admission.round()
    assert await house.journal.office_taken() == 0
    await house.admission.round()
    assert (await house.group()).state is GroupState.PAUSED
    assert await house.journal.office_taken() == 2


async def test_the_loop_goes_on_when_the_journal_fails(house: House) -> None:
    """A round that fails is made again, and the order is taken then."""
    await _ordered(house, StepKind.APPROVE)
    await house.journal._writer.execute("PRAGMA query_only = ON")
    running = house.start(house.admission.run)
    await until(lambda: len(house.clock.slept) >= 2)
    await house.journal._writer.execute("PRAGMA query_only = OFF")
    await until(lambda: house.connector.approved == frozenset({samples.GROUP_ID}))
    await stopped(running)
    assert await house.journal.office_taken() == 1


@pytest.mark.parametrize("state", [GroupState.PAUSED, GroupState.CLOSED])
async def test_what_was_heard_before_a_pause_does_not_wait_for_ever(
    house: House, state: GroupState
) -> None:
    """A group paused or closed before its notice was posted has the notice settled as refused."""
    await house.admit(samples.group(state=state, notice=NoticeState.DUE))
    await house.admission.round()
    assert (await house.group()).notice is NoticeState.REFUSED


async def test_an_encrypted_group_is_not_told_in_clear(house: House) -> None:
    """A pause of an encrypted room is not said there: it would be the only clear text in it."""
    await house.admit(samples.group(state=GroupState.NOT_RECORDING, note=UNREADABLE, listed=True))
    await _list(house)
    await house.speech.round()
    assert _said(house) == []
    assert await house.journal.sayings(limit=9) == ()


# The register


async def test_an_approval_keeps_what_was_proposed(house: House) -> None:
    """Each step has its act, and the approval all that is on record of the group then."""
    said = Particulars(owner="Jo", purpose="Floods", retention="short", dpia="D-1")
    await _order(house, StepKind.PROPOSE, said=said, capture_all=True)
    group = await house.group()
    assert (group.state, group.particulars, group.capture_all) == (
        GroupState.PROPOSED,
        said,
        True,
    )
    assert group.proposed_by == "owner@example.org"
    house.later(hours=1)
    more = Particulars(owner="Kim", device_type="corporate")
    await _order(house, StepKind.APPROVE, said=more)
    group = await house.group()
    assert group.particulars == replace(said, owner="Kim", device_type="corporate")
    assert (group.approved_by, group.approved_at) == ("owner@example.org", house.clock.now())
    proposal, approval = await _acts(house)
    assert (proposal["step"], proposal["owner"], proposal["dpia"]) == ("propose", "Jo", "D-1")
    wanted = ("approve", "Kim", "Floods", "short", "D-1", "corporate", True)
    names = ("step", "owner", "purpose", "retention", "dpia", "device_type", "capture_all")
    assert tuple(approval[name] for name in names) == wanted
    assert (approval["why"], approval["by"]) == ("ordered", "owner@example.org")
    assert approval["proposed_by"] == "owner@example.org"


async def test_an_invitation_is_in_the_store_only_with_an_approval(house: House) -> None:
    """Nothing is kept of a group that nobody approved; the approval says who invited."""
    invited = replace(samples.sighting(Presence.INVITED), by="@ada:example.org")
    house.connector.deliver(sightings=[invited])
    await house.listen()
    await house.admission.round()
    assert await _acts(house) == []
    await _order(house, StepKind.APPROVE)
    (act,) = await _acts(house)
    assert (act["step"], act["proposed_by"]) == ("approve", "@ada:example.org")


async def test_an_approval_for_an_unknown_class_is_passed_over(house: House) -> None:
    """No group is written for it."""
    said = Particulars(owner="Jo", purpose="Floods", retention="no-such-class")
    await _order(house, StepKind.APPROVE, said=said)
    assert await house.journal.groups() == ()
    assert await house.journal.office_taken() == 1
    assert await _acts(house) == []


async def test_an_approval_that_says_little_stands(house: House) -> None:
    """The command has told whoever ordered it what is missing."""
    await _order(house, StepKind.APPROVE, said=Particulars(owner="Jo"))
    group = await house.group()
    assert (group.state, group.particulars.purpose) == (GroupState.APPROVED, None)


async def test_the_file_approves_without_an_owner(house: House) -> None:
    """What the file lists it answers for itself; a person may approve it again as it is."""
    await _list(house, LISTED)
    assert (await house.group()).approved_by == "settings file"
    await _order(house, StepKind.PAUSE)
    await _order(house, StepKind.APPROVE, said=Particulars())
    group = await house.group()
    assert (group.state, group.approved_by) == (GroupState.APPROVED, "owner@example.org")


async def test_the_file_says_what_is_on_record(house: House) -> None:
    """Its words stand over what was proposed; what it leaves out stays."""
    await _order(house, StepKind.PROPOSE, said=replace(DESCRIBED, dpia="D-1"))
    said = Particulars(owner="Kim", retention="short")
    await _list(house, replace(LISTED, particulars=said))
    group = await house.group()
    assert group.particulars == Particulars(
        owner="Kim", purpose="Flood response", retention="short", dpia="D-1"
    )
    assert (await _acts(house))[-1]["owner"] == "Kim"
    await _list(house, replace(LISTED, particulars=said))
    assert len(await _acts(house)) == 2


async def test_a_recorded_group_is_described_anew(house: House) -> None:
    """An approval of a group that is recorded changes what is on record, and nothing else."""
    before = await _joined(house)
    await _order(house, StepKind.APPROVE, said=replace(DESCRIBED, owner="Kim"))
    group = await house.group()
    assert (group.state, group.presence, group.note) == (before.state, before.presence, before.note)
    assert group.particulars.owner == "Kim"
    assert [act["step"] for act in await _acts(house)] == ["approve", "approve"]


async def test_a_resumed_group_is_described_in_its_act(house: House) -> None:
    """Recording that is taken up again rests on what is on record then."""
    await house.admit(samples.group(state=GroupState.PAUSED))
    paused = await house.group()
    assert await house.journal.set_group(replace(paused, particulars=DESCRIBED), expect=paused)
    await _order(house, StepKind.RESUME)
    (act,) = await _acts(house)
    assert (act["step"], act["owner"], act["capture_all"]) == ("resume", "Head of Floods", False)


@pytest.mark.parametrize("presence", [Presence.REMOVED, Presence.LEFT])
async def test_leaving_a_group_ends_its_stream(house: House, presence: Presence) -> None:
    """Removed, or gone: the stream is closed with its total; a return begins another one."""
    await house.admit()
    await house.hear(samples.event("$1"), samples.event("$2"))
    await house.settle()
    await _sight(house, presence)
    await house.admission.round()
    await house.admission.round()
    (act,) = await _acts(house, "close")
    assert act["total"] == 2
    await _order(house, StepKind.APPROVE)
    await _sight(house, Presence.JOINED)
    await house.admission.round()
    await house.hear(samples.event("$3"))
    await house.settle()
    await _order(house, StepKind.CLOSE)
    await house.admission.round()
    assert [act["total"] for act in await _acts(house, "close")] == [2, 1]
    assert len(await house.leaves("open")) == 2


@pytest.mark.parametrize("point", ["before close_stream", "after close_stream"])
async def test_a_crash_ends_a_stream_once(house: House, point: str) -> None:
    """Dying around the end of a stream leaves one close act."""
    await house.admit()
    await house.hear(samples.event("$1"))
    await house.settle()
    await _sight(house, Presence.REMOVED)
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.admission.round()
    await house.restart()
    await house.admission.round()
    assert [act["total"] for act in await _acts(house, "close")] == [1]


@pytest.mark.parametrize("point", ["before set_group", "after set_group"])
async def test_a_crash_takes_an_approval_once(house: House, point: str) -> None:
    """The group, its act and the order's number are there together, or none of them."""
    await _ordered(house, StepKind.APPROVE)
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.admission.round()
    await house.restart()
    await house.admission.round()
    assert (await house.group()).particulars == DESCRIBED
    assert [act["step"] for act in await _acts(house)] == ["approve"]
