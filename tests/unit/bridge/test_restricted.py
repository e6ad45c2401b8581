"""What is marked SECRET or above: released or destroyed on one role's order, else left alone."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.canonical import rfc3339
from bridge.decisions import Decisions
from bridge.lifecycle import EntryState
from bridge.model import Event, EventKind, Outcome, Relation, RelationType
from bridge.protocols import DecisionOrder, Entry, Label, PersonDecision, Via
from bridge.protocols.holds import Hold, HoldScope, Release
from bridge.undecided import Undecided
from storage.translog import verify_standalone
from storage.translog.verify.engine import Question, verify
from tests.archive.memory import MemoryEvidence, Version
from tests.fakes import samples
from tests.fakes.connector import OfferedFile
from tests.fakes.crash import Crash
from tests.fakes.log import KEY
from tests.unit.bridge.house import TENANT, Document, House

PLAN = samples.attachment("plan.pdf", size=8)
DATA = b"%PDF-1.7"


@pytest.fixture
async def house(house: House) -> House:
    """One group is being recorded, and one of its messages, with its file, is restricted."""
    await house.admit()
    _apart(house, "$secret")
    house.connector.files[PLAN.url] = OfferedFile(chunks=(DATA,))
    await house.hear(samples.event("$kept"), samples.event("$secret", attachments=[PLAN]))
    await house.settle()
    return house


def _apart(house: House, name: str) -> None:
    house.classifier.verdicts[name] = house.classifier.verdict(Outcome.REVIEW, restricted=True)


def _decisions(house: House) -> Decisions:
    return Decisions(
        journal=house.journal,
        office=house.office,
        clock=house.clock,
        random_bytes=house.random,
        revise=house.triage.revise,
    )


async def _entry(house: House, name: str = "$secret", revision: str | None = None) -> Entry:
    wanted = (name, revision)
    (found,) = [
        e for e in await house.entries() if (e.event.upstream_id, e.event.revision) == wanted
    ]
    return found


async def _order(
    house: House, outcome: Outcome, *, name: str = "$secret", label: Label | None = None
) -> None:
    entry = await _entry(house, name)
    await house.office.decide(
        DecisionOrder(
            stream=entry.stream.id,
            n=entry.n,
            outcome=outcome,
            by="sam",
            at=house.clock.now(),
            why="looked at in the group",
            label=label,
        )
    )


async def _carried_out(house: House) -> None:
    await _decisions(house).round()
    await house.settle()


async def _row(house: House, n: int) -> Document:
    """The newest row of an event in the manifest: parts are placed in their order."""
    rows: list[Document] = []
    for data in house.objects("manifests").values():
        rows += [row for row in json.loads(data)["rows"] if row["n"] == n]
    return rows[-1]


async def _decided(house: House) -> list[tuple[object, object, object]]:
    return [(leaf["c"], leaf["by"], leaf["ref"]) for leaf in await house.leaves("decision")]


async def test_a_release_makes_it_a_record(house: House) -> None:
    """The bytes that were sealed stand under ``records/`` with their file; the marking stays."""
    before = await _entry(house)
    await _order(house, Outcome.CAPTURE)
    await _carried_out(house)
    after = await _entry(house)
    assert (before.state, after.state) == (EntryState.RESTRICTED, EntryState.STORED)
    assert before.record is not None
    assert after.record is not None
    assert after.verdict is not None
    assert after.record.key.startswith("records/")
    assert house.store.objects[after.record.key].data == before.record.body
    media = [held.data for key, held in house.store.objects.items() if "/media/" in key]
    assert media == [DATA]
    assert (after.verdict.outcome, after.verdict.restricted) == (Outcome.CAPTURE, False)
    codes = [(reason.code, reason.rule) for reason in after.verdict.reasons]
    assert codes[:2] == [("PERSON", "console"), ("RELEASED", "console")]
    assert codes[2:] == [
        (each.code, each.rule) for each in (before.verdict or after.verdict).reasons
    ]
    assert await _decided(house) == [("capture", "person", before.seen_leaf)]
    (seen,) = [leaf for leaf in await house.leaves("seen") if leaf["n"] == before.n]
    assert seen["x"] == "restricted"
    row = await _row(house, before.n)
    assert (row["outcome"], row["key"]) == ("capture", after.record.key)
    assert not await house.leaves("late")


async def test_what_is_to_be_destroyed_goes_with_the_next_round(house: House) -> None:
    """No days are waited for; text, record, orders and files go, leaf and act stay."""
    before = await _entry(house)
    objects = set(house.objects("re"))
    await _order(house, Outcome.DISCARD)
    await _carried_out(house)
    assert (await _entry(house)).state is EntryState.RESTRICTED
    assert house.spool.files
    await house.forget.round()
    states = dict((await house.journal.tally(now=house.clock.now())).entries_by_state)
    assert states == {"stored": 1, "destroyed": 1}
    assert await house.journal.media(before.seq) == ()
    assert house.spool.files == {}
    assert set(house.objects("re")) == objects
    assert await _decided(house) == [("discard", "person", before.seen_leaf)]
    row = await _row(house, before.n)
    assert row["outcome"] == "discard"
    assert not {"key", "sha256", "sender"} & set(row)


async def test_its_bytes_leave_the_files(house: House) -> None:
    """They stand neither in the database nor in its write-ahead log any more."""
    (row,) = await house.journal._reader.execute_fetchall(
        "SELECT record_sealed FROM entry WHERE state = 'restricted'"
    )
    sealed = bytes(row[0])

    def found() -> bool:
        files = house.path.parent.glob("journal.db*")
        return any(sealed[:64] in file.read_bytes() for file in files)

    assert await asyncio.to_thread(found)
    await _order(house, Outcome.DISCARD)
    await _carried_out(house)
    await house.forget.round()
    assert not await asyncio.to_thread(found)


async def test_it_stays_until_its_manifest_row_says_so(house: House) -> None:
    """Who finds things by the manifest must not look for what is gone."""
    await _order(house, Outcome.DISCARD)
    await _decisions(house).round()
    await house.forget.round()
    assert (await _entry(house)).state is EntryState.RESTRICTED
    await house.settle()
    await house.forget.round()
    assert "$secret" not in await house.states()


async def test_a_hold_that_is_committed_wins(house: House) -> None:
    """What it covers is destroyed only once it is released."""
    await _order(house, Outcome.DISCARD)
    await _carried_out(house)
    hold = Hold(
        authority="Chair",
        matter="INQ/9",
        scope=HoldScope(),
        by="ada",
        at=house.clock.now(),
        why="notice",
    )
    number = await house.holds.place(hold)
    house.later(days=1000)
    await house.forget.round()
    assert (await house.states())["$secret"] is EntryState.RESTRICTED
    release = Release(hold=number, by="bob", at=house.clock.now(), why="over")
    await house.holds.release(release)
    await house.forget.round()
    assert "$secret" not in await house.states()


@pytest.mark.parametrize("outcome", [Outcome.CAPTURE, Outcome.DISCARD])
@pytest.mark.parametrize("at_once", [True, False])
async def test_the_first_decision_holds(house: House, outcome: Outcome, *, at_once: bool) -> None:
    """Neither is what is to be destroyed released, nor what was released decided again."""
    other = Outcome.CAPTURE if outcome is Outcome.DISCARD else Outcome.DISCARD
    await _order(house, outcome)
    if not at_once:
        await _carried_out(house)
    await _order(house, other)
    await _carried_out(house)
    await _destroyed(house)
    state = (await house.states()).get("$secret")
    assert state is (EntryState.STORED if outcome is Outcome.CAPTURE else None)
    assert [leaf["c"] for leaf in await house.leaves("decision")] == [outcome.value]
    assert await house.journal.decisions(limit=9) == ()


@pytest.mark.parametrize("label", [Label.CONTEXT, None])
async def test_what_comes_another_way_decides_nothing(house: House, label: Label | None) -> None:
    """Neither a group's command or pin, nor an order that is none of that page's."""
    entry = await _entry(house)
    if label is not None:
        await _order(house, Outcome.CAPTURE, label=label)
    else:
        await house.hear(samples.event("$ask", body="!record keep"))
        await house.triage.step()
        command = await _entry(house, "$ask")
        asked = [
            PersonDecision(
                key=via.value,
                seq=entry.seq,
                outcome=Outcome.CAPTURE,
                via=via,
                by="@ada:example.org",
                at=house.clock.now(),
                why="asked in the group",
            )
            for via in (Via.COMMAND, Via.REACTION)
        ]
        await house.journal.note_commands([command.seq])
        await house.journal.answered(command.seq, decisions=asked)
    await _carried_out(house)
    assert await _entry(house) == entry
    assert await house.leaves("decision") == []
    assert await house.journal.decisions(limit=9) == ()


async def test_no_time_decides(house: House) -> None:
    """It waits for as long as nobody decides."""
    house.later(days=10_000)
    review = timedelta(days=30)
    undecided = Undecided(
        journal=house.journal, clock=house.clock, holds=house.holds, review=review
    )
    await undecided.round()
    await house.forget.round()
    await house.settle()
    assert (await house.states())["$secret"] is EntryState.RESTRICTED
    assert await house.leaves("decision") == []


@pytest.mark.parametrize("outcome", [Outcome.CAPTURE, Outcome.DISCARD])
async def test_a_decision_says_nothing_of_a_file_that_comes_later(
    house: House, outcome: Outcome
) -> None:
    """It has the message's own bytes, and is decided by itself."""
    _apart(house, "$late")
    await house.hear(samples.event("$late", attachments=[replace(PLAN, url="mxc://x/late")]))
    await house.triage.step()
    house.later(seconds=40)
    await house.triage.step()
    await _order(house, outcome, name="$late")
    relation = Relation(type=RelationType.MEDIA, upstream_id="$late")
    file = samples.event("$late", revision="media-0", kind=EventKind.MEDIA, relates_to=relation)
    house.classifier.verdicts["$late"] = house.classifier.verdict(Outcome.CAPTURE)
    await _carried_out(house)
    await house.forget.round()
    assert ("$late" in await house.states()) is (outcome is Outcome.CAPTURE)
    await house.restart()
    await house.hear(file)
    await house.settle()
    assert (await _entry(house, "$late", "media-0")).state is EntryState.RESTRICTED


def _about(name: str, how: RelationType) -> Relation:
    return Relation(type=how, upstream_id=name)


EDIT = samples.event(
    "$edit", kind=EventKind.EDIT, relates_to=_about("$secret", RelationType.EDIT), body="By dawn."
)
REPLY = samples.event("$reply", relates_to=_about("$secret", RelationType.REPLY), body="Fine.")
AGAIN = samples.event(
    "$reply",
    revision="u9",
    kind=EventKind.EDIT,
    relates_to=_about("$reply", RelationType.EDIT),
    upstream=(("reply_to", "$secret"),),
)
PIN = samples.event("$pin", kind=EventKind.PIN, body="$kept\n$secret")


@pytest.mark.parametrize("event", [EDIT, REPLY, AGAIN, PIN])
@pytest.mark.parametrize("state", ["waits", "destroyed", "ordered"])
async def test_what_repeats_it_is_kept_apart_with_it(
    house: House, event: Event, state: str
) -> None:
    """An edit, a reply or a pin may hold its words, whoever runs by then."""
    if state != "waits":
        await _order(house, Outcome.DISCARD)
        await _carried_out(house)
    if state == "destroyed":
        await house.forget.round()
        assert "$secret" not in await house.states()
    await house.restart()
    await house.hear(event)
    await house.settle()
    apart = await _entry(house, event.upstream_id, event.revision)
    assert apart.state is EntryState.RESTRICTED
    assert apart.verdict is not None
    assert apart.verdict.outcome is Outcome.REVIEW


async def test_what_comes_with_it_is_kept_apart_too(house: House) -> None:
    """Both may be judged in one round, before either is in the journal as judged."""
    _apart(house, "$other")
    reply = replace(REPLY, relates_to=_about("$other", RelationType.REPLY))
    await house.hear(samples.event("$other"), reply)
    await house.settle()
    assert (await house.states())["$reply"] is EntryState.RESTRICTED


@pytest.mark.parametrize("released", [True, False])
async def test_what_holds_none_of_its_words_is_not_kept_apart(
    house: House, *, released: bool
) -> None:
    """Neither a reaction, nor what stands in its thread; nor anything, once it is released."""
    events = [
        samples.event("$1", relates_to=_about("$secret", RelationType.REACTION)),
        samples.event("$2", relates_to=_about("$secret", RelationType.THREAD)),
        samples.event("$3", relates_to=_about("$kept", RelationType.REPLY)),
        samples.event("$4", kind=EventKind.PIN, body="$kept"),
    ]
    if released:
        await _order(house, Outcome.CAPTURE)
        await _carried_out(house)
        events += [EDIT, REPLY, PIN]
    await house.hear(*events)
    await house.settle()
    states = await house.states()
    assert {states[each.upstream_id] for each in events} == {EntryState.STORED}


@pytest.mark.parametrize(
    "point",
    ["before decide", "after decide", "after put media", "before store"],
)
async def test_a_crash_leaves_one_release(house: House, point: str) -> None:
    """Wherever it dies, the next process ends with one act, one leaf and one record."""
    await _order(house, Outcome.CAPTURE)
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await _carried_out(house)
    await house.restart()
    await _carried_out(house)
    assert (await house.states())["$secret"] is EntryState.STORED
    assert [leaf["c"] for leaf in await house.leaves("decision")] == ["capture"]
    assert len(await house.leaves("stored")) == 2


async def _destroyed(house: House) -> None:
    await _carried_out(house)
    await house.forget.round()


@pytest.mark.parametrize(
    "point", ["before decide", "after decide", "before forget", "after forget"]
)
async def test_a_crash_leaves_nothing_of_what_is_destroyed(house: House, point: str) -> None:
    """Wherever it dies, the next start has destroyed content and files; the act stands once."""
    await _order(house, Outcome.DISCARD)
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await _destroyed(house)
    await house.restart()
    await _destroyed(house)
    await house.downloads.sweep()
    assert "$secret" not in await house.states()
    assert house.spool.files == {}
    assert [leaf["c"] for leaf in await house.leaves("decision")] == ["discard"]


async def test_whoever_verifies_finds_it_intact(house: House, tmp_path: Path) -> None:
    """One was released, one destroyed; of the one that waits both engines say so."""
    for name in ("$gone", "$waits"):
        _apart(house, name)
    await house.hear(samples.event("$gone"), samples.event("$waits"))
    await house.settle()
    await _order(house, Outcome.CAPTURE)
    await _order(house, Outcome.DISCARD, name="$gone")
    await _destroyed(house)
    house.later(days=2)
    await house.hear(samples.event("$later", observed_at=house.clock.now()))
    await house.settle()
    await house.publisher.round()
    assert (await house.states()) == {
        "$kept": EntryState.STORED,
        "$secret": EntryState.STORED,
        "$waits": EntryState.RESTRICTED,
        "$later": EntryState.STORED,
    }
    objects = {
        key: [Version(body=held.data, modified_at=held.modified_at)]
        for key, held in house.store.objects.items()
    }
    question = Question(
        keys=(KEY.verifier,),
        tenant=TENANT,
        shard="0",
        now=house.clock.now(),
        version="test",
        threads=1,
    )
    report = await asyncio.to_thread(verify, MemoryEvidence(objects), question)
    waiting = (await _entry(house, "$waits")).seen_leaf
    assert report.verdict == "intact", [each.what for each in report.findings]
    assert [each.leaf for each in report.listed if each.code == "unstored"] == [waiting]
    alone = await asyncio.to_thread(_verified_alone, house, tmp_path / "store")
    assert alone.verdict == "intact", alone.findings
    assert [each["leaf"] for each in alone.listed if each["code"] == "unstored"] == [waiting]


def _verified_alone(house: House, root: Path) -> verify_standalone.Report:
    for key, held in house.store.objects.items():
        path = root / "v1" / TENANT / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(held.data)
    line = root.parent / "public.key"
    line.write_text(KEY.verifier.line + "\n")
    now = rfc3339(house.clock.now())
    return verify_standalone.verify(root, verify_standalone.read_keys(line), now=now)
