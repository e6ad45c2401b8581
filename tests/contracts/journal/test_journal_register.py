"""What every journal promises of the register, the office's steps, and the counts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.errors import JournalUnavailableError
from bridge.lifecycle import EntryState
from bridge.model import (
    EventKind,
    GroupState,
    NoticeState,
    Outcome,
    Particulars,
    Presence,
    Sighting,
)
from bridge.protocols import PlacementKind, TallyGroup
from tests.contracts.journal.subjects import DISCARD, LATER, Subject
from tests.fakes.samples import (
    CONNECTOR,
    NOW,
    attachment,
    batch,
    event,
    group,
    loss,
    placement,
    verdict,
)

NOTICE = placement(PlacementKind.NOTICE, body=b"notice")


async def test_a_group_reads_back(subject: Subject) -> None:
    """Every field of a group is kept, in the order of connectors and ids."""
    whole = group(
        "!a",
        connector="aa",
        platform="telegram",
        name=None,
        presence=None,
        state=GroupState.NOT_RECORDING,
        notice=NoticeState.REFUSED,
        note="encrypted",
        capture_all=True,
        listed=True,
    )
    whole = replace(
        whole,
        notices=3,
        particulars=Particulars(
            owner="Owner", purpose="Purpose", retention="short", dpia="D-1", device_type="mixed"
        ),
        proposed_by="@inviter:example.org",
        approved_by="jo",
        approved_at=NOW,
        notice_version="0123456789abcdef",
        notice_at=NOW,
        newcomer_at=NOW + timedelta(hours=1),
        newcomers_told_at=NOW,
    )
    assert await subject.journal.set_group(whole, expect=None)
    await subject.restart()
    assert await subject.journal.groups() == (whole, group())


async def test_a_group_is_written_where_it_is_expected(subject: Subject) -> None:
    """A group's row is written only if it is still the expected one."""
    before = await subject.group()
    paused = group(state=GroupState.PAUSED)
    assert not await subject.journal.set_group(paused, expect=group(state=GroupState.APPROVED))
    assert not await subject.journal.set_group(paused, expect=None)
    assert (await subject.group()).state is GroupState.ACTIVE
    assert await subject.journal.set_group(paused, expect=before)
    assert await subject.group() == paused


async def test_an_unknown_group_is_expected_to_be_unknown(subject: Subject) -> None:
    """A row for a new group is written only by who expects none."""
    new = group("!new")
    assert not await subject.journal.set_group(new, expect=new)
    assert await subject.journal.set_group(new, expect=None)
    assert await subject.group("!new") == new


async def test_only_one_of_two_wins(subject: Subject) -> None:
    """Of writers that expect the same row, one is told that it was first."""
    before = await subject.group()
    answers = await asyncio.gather(
        *(
            subject.journal.set_group(group(state=state), expect=before)
            for state in (GroupState.PAUSED, GroupState.CLOSED, GroupState.REMOVED)
        )
    )
    assert answers == [True, False, False]
    assert (await subject.group()).state is GroupState.PAUSED


async def test_acts_and_step_come_with_the_group(subject: Subject) -> None:
    """Acts are queued and the office's step is taken with the row, or none of it."""
    before = await subject.group()
    paused = group(state=GroupState.PAUSED)
    acts = [placement(body=b"1"), placement(body=b"2")]
    await subject.journal.set_group(paused, expect=None, acts=acts, office_step=4)
    assert await subject.journal.placements(limit=9) == ()
    assert await subject.journal.office_taken() == 0
    await subject.journal.set_group(paused, expect=before, acts=acts, office_step=4)
    assert [act.body for act in await subject.journal.placements(limit=9)] == [b"1", b"2"]
    assert await subject.journal.office_taken() == 4


async def test_a_step_may_be_passed_over(subject: Subject) -> None:
    """A step that asks for nothing is remembered as taken, over a restart too."""
    assert await subject.journal.office_taken() == 0
    await subject.journal.skip_office_step(7)
    await subject.restart()
    assert await subject.journal.office_taken() == 7


async def test_a_request_is_remembered_as_done(subject: Subject) -> None:
    """Requests are counted apart from steps, over a restart too."""
    assert await subject.journal.requests_taken() == 0
    await subject.journal.take_request(3)
    await subject.journal.take_request(3)
    await subject.journal.skip_office_step(7)
    await subject.restart()
    assert await subject.journal.requests_taken() == 3
    assert await subject.journal.office_taken() == 7


@pytest.mark.parametrize("notice", [NoticeState.POSTED, NoticeState.REFUSED])
async def test_a_notice_is_settled_with_its_act(subject: Subject, notice: NoticeState) -> None:
    """The notice's outcome, its note, its count and its act are there together."""
    due = group("!due", notice=NoticeState.DUE)
    await subject.journal.set_group(due, expect=None)
    act = replace(NOTICE, group_id="!due")
    await subject.journal.settle_notice(due, notice=notice, note="refused: x", act=act)
    await subject.restart()
    found = await subject.group("!due")
    assert (found.notice, found.note, found.notices) == (notice, "refused: x", 1)
    assert [each.body for each in await subject.journal.placements(limit=9)] == [b"notice"]


async def test_a_settled_notice_keeps_what_happened_meanwhile(subject: Subject) -> None:
    """Settling changes the notice alone: state, presence and note are the register's own."""
    due = group("!due", notice=NoticeState.DUE)
    later = replace(due, state=GroupState.REMOVED, presence=Presence.REMOVED, note="removed")
    await subject.journal.set_group(later, expect=None)
    act = replace(NOTICE, group_id="!due")
    await subject.journal.settle_notice(due, notice=NoticeState.REFUSED, note="x", act=act)
    found = await subject.group("!due")
    settled = replace(found, notice=NoticeState.DUE, notices=0, notice_at=None)
    assert settled == later
    assert (found.notice, found.notices, found.notice_at) == (NoticeState.REFUSED, 1, act.at)


async def test_a_notice_is_settled_once(subject: Subject) -> None:
    """A repeat, as after a cancelled caller, neither changes the answer nor adds an act."""
    due = group("!due", notice=NoticeState.DUE)
    await subject.journal.set_group(due, expect=None)
    act = replace(NOTICE, group_id="!due")
    await subject.journal.settle_notice(due, notice=NoticeState.POSTED, note="", act=act)
    await subject.journal.settle_notice(due, notice=NoticeState.REFUSED, note="x", act=act)
    found = await subject.group("!due")
    assert (found.notice, found.notices) == (NoticeState.POSTED, 1)
    assert len(await subject.journal.placements(limit=9)) == 1


async def test_a_notice_is_settled_again(subject: Subject) -> None:
    """The next one replaces the last, with its version; one that was refused leaves no note."""
    await subject.journal.set_group(group("!due", notice=NoticeState.DUE), expect=None)
    act = replace(NOTICE, group_id="!due")
    for version, notice, note in (
        ("v1", NoticeState.POSTED, ""),
        ("v2", NoticeState.REFUSED, "notice refused: no right"),
        ("v3", NoticeState.POSTED, ""),
    ):
        before = await subject.group("!due")
        await subject.journal.settle_notice(
            before, notice=notice, note=note, act=act, version=version
        )
        found = await subject.group("!due")
        assert (found.notice, found.note, found.notice_version) == (notice, note, version)
        assert found.notice_at == act.at
    assert found.notices == 3
    assert len(await subject.journal.placements(limit=9)) == 3


async def test_an_interruption_has_the_notice_said_again(subject: Subject) -> None:
    """With the gap, in one transaction: the version goes where there was one, and nowhere else."""
    before = await subject.group()
    said = replace(before, notice_version="v1")
    assert await subject.journal.set_group(said, expect=before)
    await subject.journal.set_group(group("!other"), expect=None)
    await subject.journal.heard(CONNECTOR, at=NOW)
    assert (await subject.group()).notice_version == "v1"
    losses = [loss("interrupted"), loss("interrupted", group_id="!other")]
    await subject.journal.heard(CONNECTOR, at=NOW, losses=losses)
    assert not (await subject.group()).notice_version
    assert (await subject.group()).notice_version is not None
    assert (await subject.group("!other")).notice_version is None


async def test_who_comes_is_remembered_until_they_are_told(subject: Subject) -> None:
    """The first arrival's time stands with its event; a repeat, or another event, changes none."""
    came = replace(event("$join"), kind=EventKind.MEMBERSHIP, upstream=(("membership", "join"),))
    named = (("membership", "join"), ("membership_before", "join"))
    renamed = replace(came, upstream_id="$name", upstream=named)
    await subject.journal.append(batch(event("$1"), renamed))
    assert (await subject.group()).newcomer_at is None
    later = replace(came, upstream_id="$later", observed_at=came.observed_at + timedelta(minutes=1))
    await subject.journal.append(batch(later))
    await subject.journal.append(batch(came))
    await subject.restart()
    found = await subject.group()
    assert found.newcomer_at == came.observed_at
    assert await subject.journal.set_group(replace(found, newcomer_at=None), expect=found)
    await subject.journal.append(batch(came))
    assert (await subject.group()).newcomer_at is None


async def test_who_comes_while_the_notice_is_settled_stays_a_newcomer(subject: Subject) -> None:
    """Who came up to its post is told by it; the first who came after that keeps the mark."""
    posted = NOW + timedelta(minutes=5)
    came = replace(event("$join"), kind=EventKind.MEMBERSHIP, upstream=(("membership", "join"),))
    went = replace(came, upstream=(("membership", "leave"),))
    for seconds, said in ((0, came), (1, went), (2, came), (3, came)):
        at = posted + timedelta(seconds=seconds)
        await subject.journal.append(
            batch(replace(said, upstream_id=f"${seconds}", observed_at=at))
        )
    for said_at, left in ((posted, posted + timedelta(seconds=2)), (None, None)):
        await subject.journal.settle_notice(
            await subject.group(),
            notice=NoticeState.POSTED,
            note="",
            act=replace(NOTICE, at=posted + timedelta(seconds=9)),
            said_at=said_at,
        )
        await subject.restart()
        assert (await subject.group()).newcomer_at == left


async def test_who_invites_proposes(subject: Subject) -> None:
    """An unknown group that invites us is proposed by who did, if the platform tells."""
    sighting = Sighting(
        group_id="!new", presence=Presence.INVITED, at=NOW, name="New", by="@ada:example.org"
    )
    await subject.journal.append(batch(sightings=[sighting]))
    found = await subject.group("!new")
    assert (found.state, found.proposed_by) == (GroupState.PROPOSED, "@ada:example.org")


async def test_an_entry_has_the_class_of_its_group(subject: Subject) -> None:
    """What the register says of retention now goes with the stream of each entry."""
    (entry,) = await subject.received()
    before = await subject.group()
    said = replace(before, particulars=Particulars(retention="short"))
    assert await subject.journal.set_group(said, expect=before)
    assert (await subject.entry(entry.seq)).stream.retention == "short"


async def test_a_renamed_group_is_renamed_for_its_entries(subject: Subject) -> None:
    """An entry shows its group as the register has it now."""
    (entry,) = await subject.received()
    before = await subject.group()
    await subject.journal.set_group(group(name="New", capture_all=True), expect=before)
    stream = (await subject.entry(entry.seq)).stream
    assert (stream.group_name, stream.capture_all) == ("New", True)


async def test_a_body_is_kept_once(subject: Subject) -> None:
    """A response that could not be split is kept once per digest, and counted."""
    assert await subject.journal.keep_body(CONNECTOR, b"{", at=NOW)
    await subject.restart()
    assert not await subject.journal.keep_body(CONNECTOR, b"{", at=LATER)
    assert not await subject.journal.keep_body("other", b"{", at=LATER)
    assert await subject.journal.keep_body(CONNECTOR, b"[", at=NOW)
    assert (await subject.journal.tally(now=NOW)).unsplit == 2
    assert await subject.journal.cursor(CONNECTOR) is None


async def test_what_is_on_its_way_is_pending(subject: Subject) -> None:
    """Received, judged and sealed entries are pending; what is at rest is not."""
    assert await subject.journal.pending() == 0
    await subject.received(event("$1"))
    await subject.judged(of=event("$2"))
    await subject.sealed(of=event("$3"))
    await subject.stored(of=event("$4"))
    await subject.sealed(DISCARD, of=event("$5"))
    await subject.sealed(verdict(restricted=True), of=event("$6"))
    assert await subject.journal.pending() == 3


async def test_an_empty_tally(subject: Subject) -> None:
    """A group without events counts nothing."""
    tally = await subject.journal.tally(now=NOW)
    assert tally.groups == (TallyGroup(group=group()),)
    assert (tally.entries_by_state, tally.downloads) == ((), ())
    assert (tally.leaves, tally.overdue, tally.unlisted, tally.unsplit) == (0, 0, 0, 0)


async def test_the_tally_counts_each_group(subject: Subject) -> None:
    """Counts by outcome add up to what was seen, for each group over all its streams."""
    await subject.admit("!other")
    await subject.received(event("$1"), event("$o", group_id="!other"))
    await subject.judged(verdict(Outcome.REVIEW), of=event("$2"))
    await subject.stored(of=event("$3"))
    await subject.journal.close_stream(await subject.group(), at=NOW)
    late = NOW + timedelta(milliseconds=1500)
    await subject.sealed(DISCARD, of=event("$4", observed_at=late))
    await subject.journal.append(batch(losses=[loss()]))
    tally = await subject.journal.tally(now=NOW)
    mine, other = tally.groups
    assert mine == TallyGroup(
        group=group(),
        captured=1,
        review=1,
        discarded=1,
        undecided=1,
        stored=1,
        gaps=1,
        last_event_at=late,
    )
    assert other == TallyGroup(group=group("!other"), undecided=1, last_event_at=NOW)


async def test_the_tally_counts_states_orders_and_leaves(subject: Subject) -> None:
    """Entries by state, orders by state, and the size of the log."""
    await subject.received(event("$1", attachments=[attachment("a"), attachment("b")]))
    await subject.downloaded(await subject.order())
    await subject.sealed(of=event("$2"))
    await subject.sealed(DISCARD, of=event("$3"))
    tally = await subject.journal.tally(now=NOW)
    assert dict(tally.entries_by_state) == {"received": 1, "sealed": 1, "discarded": 1}
    assert dict(tally.downloads) == {"waiting": 1, "spooled": 1}
    assert tally.leaves == 2


async def test_a_promotion_counts_as_captured(subject: Subject) -> None:
    """The latest outcome counts."""
    await subject.promote(await subject.sealed(DISCARD))
    (tally,) = (await subject.journal.tally(now=NOW)).groups
    assert (tally.captured, tally.discarded) == (1, 0)


async def test_overdue_is_past_safe_by_and_not_stored(subject: Subject) -> None:
    """Only what is still on its way can be overdue, and not at the very moment."""
    await subject.received(event("$1"))
    await subject.sealed(of=event("$2"))
    await subject.stored(of=event("$3"))
    await subject.sealed(DISCARD, of=event("$4"))
    due = NOW + timedelta(seconds=60)
    assert (await subject.journal.tally(now=due)).overdue == 0
    assert (await subject.journal.tally(now=due + timedelta(milliseconds=1))).overdue == 2


async def test_after_the_close_nothing_is_taken(subject: Subject) -> None:
    """A closed journal says so, to readers and writers; closing again is safe."""
    await subject.received()
    await subject.journal.aclose()
    await subject.journal.aclose()
    with pytest.raises(JournalUnavailableError):
        await subject.journal.append(batch(event("$2")))
    with pytest.raises(JournalUnavailableError):
        await subject.journal.skip_office_step(1)
    with pytest.raises(JournalUnavailableError):
        await subject.journal.groups()
    with pytest.raises(JournalUnavailableError):
        await subject.claimed(EntryState.RECEIVED)
