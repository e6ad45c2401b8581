"""A store that is ahead of its journal: found before recording, explained, and replaced."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest

from bridge import keys
from bridge.model import GroupState, NoticeState, Outcome
from bridge.protocols import RequestKind
from bridge.reconcile import Advance, Found
from tests.fakes import samples
from tests.unit.bridge.house import Document, House
from tests.unit.bridge.reconcile.scene import (
    add,
    back_up,
    compared,
    counts,
    finding,
    lose_journal,
    reconciler_of,
    restore,
)

OTHER = "!other:example.org"


@pytest.fixture
async def house(house: House) -> House:
    """Three events, one of them discarded, stand in store and manifest."""
    await house.admit()
    house.says("$2", Outcome.DISCARD)
    await house.hear(samples.event("$0"), samples.event("$1"), samples.event("$2"))
    await house.settle()
    return house


async def _hear(house: House, *names: str) -> None:
    """Events whose time is now, delivered to this process's journal alone."""
    now = house.clock.now()
    events = [samples.event(name, sent_at=now, observed_at=now) for name in names]
    await house.journal.append(samples.batch(*events, cursor=None))
    await house.settle()


async def _opens(house: House) -> list[Document]:
    """The ``open`` acts in the store, by number."""
    await house.settle()
    return [act for act in house.documents("acts") if act["kind"] == "open"]


def _previous(act: Document) -> Document:
    found = act["previous"]
    assert isinstance(found, dict)
    return found


async def test_nothing_follows_while_all_is_in_order(house: House) -> None:
    """A journal that knows what its store holds goes on in its streams."""
    await house.restart()
    assert await reconciler_of(house).glance() == 0
    assert len(await _opens(house)) == 1


async def test_a_new_journal_and_an_empty_store_ask_little(house: House) -> None:
    """Nothing to compare is seen by one listing."""
    house.store.objects.clear()
    await lose_journal(house)
    await house.admit()
    assert await reconciler_of(house).glance() == 0
    assert (await compared(house)).fits


async def test_a_lost_journal_is_found_before_recording(house: House) -> None:
    """The new stream names the old one, its highest number, and the time that nobody knows."""
    (old,) = await _opens(house)
    await lose_journal(house)
    await house.admit()
    house.later(hours=2)
    assert await reconciler_of(house).glance() == 1
    new = (await _opens(house))[-1]
    assert _previous(new) == {
        "stream": old["stream"],
        "last_n": 2,
        "from": "2026-03-01T09:00:00.000Z",
        "to": "2026-03-01T11:00:00.000Z",
    }
    assert await house.gaps() == [
        ("journal_replaced", "2026-03-01T09:00:00.000Z", "2026-03-01T11:00:00.000Z")
    ]
    await _hear(house, "$3")
    (entry,) = await house.entries()
    assert (entry.stream.id, entry.n) == (new["stream"], 0)


async def test_a_replaced_stream_is_not_replaced_again(house: House) -> None:
    """Whatever its size, the old journal's share of the store is in order from then on."""
    await lose_journal(house)
    await house.admit()
    assert await reconciler_of(house).glance() == 1
    await _hear(house, "$3")
    await house.restart()
    assert await reconciler_of(house).glance() == 0
    report = await compared(house)
    assert counts(report) == {Found.EARLIER: 4}
    assert report.fits
    assert len(await house.gaps()) == 1


async def test_the_whole_comparison_finds_it_too(house: House) -> None:
    """Asked for on a new journal, it counts and explains, and replaces the stream once."""
    await lose_journal(house)
    await house.admit()
    report = await compared(house)
    assert counts(report) == {Found.AHEAD: 4}
    assert "lost, or restored from a back-up" in finding(report, Found.AHEAD).sentence
    assert _previous((await _opens(house))[-1])["last_n"] == 2
    assert counts(await compared(house)) == {Found.EARLIER: 4}


async def test_a_group_that_is_not_registered_waits(house: House) -> None:
    """It is replaced as soon as the group comes into the register."""
    await lose_journal(house)
    reconciler = reconciler_of(house)
    assert await reconciler.glance() == 0
    assert "not registered" in finding(await compared(house), Found.AHEAD).sentence
    await reconciler.succession.retry()
    assert await house.leaves() == []
    await house.admit()
    await reconciler.succession.retry()
    assert _previous((await _opens(house))[-1])["last_n"] == 2
    await reconciler.succession.retry()
    assert len(await house.gaps()) == 1


@pytest.mark.parametrize("days", [0, 1, 40])
async def test_a_restored_journal_is_found_before_recording(house: House, days: int) -> None:
    """No number that the lost journal gave is given again."""
    copy = await back_up(house)
    await _hear(house, "$3", "$4")
    house.later(days=days)
    await restore(house, copy)
    assert await reconciler_of(house).glance() == 1
    await _hear(house, "$3", "$5")
    first, second = await _opens(house)
    assert _previous(second)["stream"] == first["stream"]
    assert _previous(second)["last_n"] == 4
    assert [(e.stream.id, e.n) for e in (await house.entries())[3:]] == [
        (second["stream"], 0),
        (second["stream"], 1),
    ]
    report = await compared(house)
    assert counts(report) == {Found.EARLIER: 3}
    assert report.fits


async def test_every_stream_of_a_restored_journal_is_replaced(house: House) -> None:
    """What the lost journal gave numbers to in other groups need not have reached the store."""
    await house.admit(samples.group(OTHER))
    at = house.clock.now()
    quiet = samples.event("$q", group_id=OTHER, sent_at=at)
    await house.journal.append(samples.batch(quiet, cursor=None))
    await house.settle()
    copy = await back_up(house)
    await _hear(house, "$3")
    await restore(house, copy)
    assert await reconciler_of(house).glance() == 2
    replaced = [_previous(act)["last_n"] for act in await _opens(house) if "previous" in act]
    assert set(replaced) == {0, 3}


async def test_acts_alone_show_a_restored_journal(house: House) -> None:
    """A group that was approved after the back-up tells of it, though nothing was said."""
    copy = await back_up(house)
    await house.admit(samples.group(OTHER))
    other = samples.event("$o", group_id=OTHER)
    await house.journal.append(samples.batch(other, cursor=None))
    await house.settle()
    gid = keys.group_gid(samples.BLIND_KEY, "matrix", OTHER)
    for key in [key for key in house.store.objects if f"/{gid}/" in key]:
        del house.store.objects[key]
    await restore(house, copy)
    assert await reconciler_of(house).glance() == 1
    assert len(await house.gaps()) == 1


async def _neighbour_acts(house: House, *, group_id: str = OTHER) -> None:
    """Another recorder of the tenant, with keys of its own, opens a stream and is given a step."""
    stream_key = b"k" * 32
    act = {"v": 1, "at": "2026-03-01T09:00:00.000Z", "platform": "matrix"}
    opened = {
        "kind": "open",
        "stream": keys.stream_id(stream_key, "matrix", group_id),
        "stream_key": base64.urlsafe_b64encode(stream_key).decode(),
        "gid": "0" * 16,
    }
    steps = [opened, {"kind": "step", "connector": "matrix"}]
    closes = {"kind": "close", "stream": opened["stream"]}
    for i, details in enumerate([*steps, closes]):
        named = {} if details is closes else {"group": {"id": group_id}}
        body = json.dumps({**act, **details, **named}).encode()
        add(house, f"acts/2026/03/01/{100 + i:012d}.json", body)


async def test_another_recorders_acts_replace_no_stream(house: House) -> None:
    """A tenant may have several: what one does in its groups says nothing of the others'."""
    await _neighbour_acts(house)
    await house.restart()
    assert await reconciler_of(house).glance() == 0
    await compared(house)
    assert await house.gaps() == []


async def test_a_step_on_a_group_of_ours_shows_a_restored_journal(house: House) -> None:
    """Nobody else does anything with what we record."""
    act = {
        "v": 1,
        "kind": "step",
        "at": "2026-03-01T09:00:00.000Z",
        "connector": "matrix",
        "platform": "matrix",
        "group": {"id": samples.GROUP_ID},
    }
    add(house, "acts/2026/03/01/000000000100.json", json.dumps(act).encode())
    await house.restart()
    assert await reconciler_of(house).glance() == 1
    assert len(await house.gaps()) == 1


async def test_acts_that_wait_for_a_notice_are_known(house: House) -> None:
    """The new stream's act waits for the notice: the old one is known as replaced all the same."""
    await lose_journal(house)
    await house.admit(samples.group(notice=NoticeState.DUE))
    reconciler = reconciler_of(house)
    assert await reconciler.glance() == 1
    assert await house.journal.placements(limit=9) == ()
    report = await reconciler.compare(RequestKind.RECONCILE, Advance())
    assert counts(report) == {Found.EARLIER: 4}
    assert await reconciler.glance() == 0
    await house.restart()
    assert await reconciler_of(house).glance() == 0


async def test_what_waits_for_a_group_waits_through_a_narrower_look(house: House) -> None:
    """The next look reads only what was filed lately; the whole comparison reads everything."""
    await lose_journal(house)
    reconciler = reconciler_of(house)
    await reconciler.glance()
    (waiting,) = reconciler.succession.unclaimed
    await house.admit(samples.group(OTHER))
    house.later(days=9)
    await house.journal.append(samples.batch(samples.event("$o", group_id=OTHER), cursor=None))
    await house.settle()
    assert await reconciler.glance() == 0
    assert [each.stream for each in reconciler.succession.unclaimed] == [waiting.stream]
    for key in [key for key in house.store.objects if OTHER not in key]:
        if any(name in key for name in ("2026/03/01", "acts")):
            del house.store.objects[key]
    await reconciler.compare(RequestKind.RECONCILE, Advance())
    assert not reconciler.succession.unclaimed


async def test_a_stream_that_was_closed_is_not_replaced(house: House) -> None:
    """It has its total; nothing is unknown of it."""
    await house.journal.close_stream(await house.group(), at=house.clock.now())
    await house.settle()
    await lose_journal(house)
    await house.admit()
    assert await reconciler_of(house).glance() == 0
    report = await compared(house)
    assert counts(report) == {Found.EARLIER: 5}


async def test_a_close_that_a_restored_journal_missed_ends_its_stream(house: House) -> None:
    """Its own stream would go on behind its total."""
    copy = await back_up(house)
    await house.journal.close_stream(await house.group(), at=house.clock.now())
    await house.settle()
    await restore(house, copy)
    assert await reconciler_of(house).glance() == 1
    assert len(await house.gaps()) == 1


async def test_what_came_before_the_look_moves_along(house: House) -> None:
    """Recording began without an answer of the store: what is not sealed gets new numbers."""
    copy = await back_up(house)
    await _hear(house, "$3")
    await restore(house, copy)
    await house.journal.append(samples.batch(samples.event("$6"), cursor=None))
    assert await reconciler_of(house).glance() == 1
    await house.settle()
    (entry,) = [e for e in await house.entries() if e.event.upstream_id == "$6"]
    assert (entry.stream.id, entry.n) == ((await _opens(house))[-1]["stream"], 0)


async def test_the_newest_days_tell_the_highest_number(house: House) -> None:
    """A stream of years is not read from its beginning."""
    for days in (400, 20, 5):
        house.later(days=days)
        await _hear(house, f"$after-{days}")
    await lose_journal(house)
    await house.admit()
    house.later(days=70)
    assert await reconciler_of(house).glance() == 1
    previous = _previous((await _opens(house))[-1])
    assert previous["last_n"] == 5
    assert previous["from"] == "2027-04-30T09:00:00.000Z"


async def test_a_lost_open_act_is_read_off_the_records(house: House) -> None:
    """The journal went before the act was put; the blinding of the group proves its records."""
    for key in house.objects("acts"):
        del house.store.objects[key]
    await lose_journal(house)
    await house.admit()
    report = await compared(house)
    assert counts(report) == {Found.AHEAD: 3}
    assert _previous((await _opens(house))[-1])["last_n"] == 2


async def test_a_restart_between_look_and_placing_changes_nothing(house: House) -> None:
    """The new stream's act waits in the journal: the old one is known as replaced from it."""
    await lose_journal(house)
    await house.admit()
    assert await reconciler_of(house).glance() == 1
    await house.restart()
    await reconciler_of(house).glance()
    assert len(await house.gaps()) == 1
    assert len([a for a in await _opens(house) if "previous" in a]) == 1


async def test_a_paused_groups_stream_is_replaced(house: House) -> None:
    """Whoever is registered goes on anew, recorded at the moment or not."""
    await lose_journal(house)
    await house.admit(samples.group(state=GroupState.PAUSED))
    assert await reconciler_of(house).glance() == 1


async def test_the_unknown_time_of_a_restored_stream_begins_at_our_last_word(house: House) -> None:
    """What was heard until then is in the journal."""
    await house.journal.heard("matrix", at=house.clock.now() + timedelta(minutes=5))
    copy = await back_up(house)
    house.later(minutes=30)
    await _hear(house, "$3")
    await restore(house, copy)
    assert await reconciler_of(house).glance() == 1
    assert await house.gaps() == [
        ("journal_replaced", "2026-03-01T09:05:00.000Z", "2026-03-01T09:30:00.000Z")
    ]
