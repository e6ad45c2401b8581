"""Messages that refer to, lean on, or belong to what was encrypted when it came."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.lifecycle import EntryState
from bridge.model import (
    Attachment,
    Event,
    EventKind,
    Outcome,
    Reason,
    Relation,
    RelationType,
    Sender,
    Timer,
)
from bridge.protocols import Decryption, Entry
from tests.contracts.journal.encrypted import clear, shut
from tests.fakes import samples
from tests.fakes.connector import OfferedFile
from tests.unit.bridge.house import House

BOB = Sender(id="@bob:example.org", display_name="Bob")
PLAN = samples.attachment("plan.pdf", size=8)
SHORT = Timer(seconds=40, basis="own")
RECEIVED, SEALED = EntryState.RECEIVED, EntryState.SEALED


@pytest.fixture
async def house(house: House) -> House:
    """One group is being recorded."""
    await house.admit()
    return house


async def _open(house: House, entry: Entry, attachments: Sequence[Attachment] = ()) -> None:
    content = clear(entry.event, attachments=attachments)
    assert await house.journal.decrypted([Decryption(seq=entry.seq, event=content)]) == ()


async def _stored_shut(house: House) -> Entry:
    """A message whose key did not come in time."""
    house.says("$1", Outcome.REVIEW)
    await house.hear(shut("$1"))
    house.later(seconds=31)
    await house.settle()
    (entry,) = await house.entries()
    assert entry.state is EntryState.STORED
    return entry


def _answer(kind: EventKind, type_: RelationType, name: str = "$2") -> Event:
    relation = Relation(type=type_, upstream_id="$1")
    return samples.event(name, kind=kind, body="👍", sender=BOB, relates_to=relation)


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        (EventKind.REACTION, RelationType.REACTION),
        (EventKind.REDACTION, RelationType.REDACTION),
        (EventKind.MESSAGE, RelationType.REPLY),
    ],
)
async def test_what_refers_to_an_encrypted_message_is_judged_after_it(
    house: House, kind: EventKind, type_: RelationType
) -> None:
    """It is put off until the key came, and is judged with what the message says."""
    first, _ = await house.hear(shut("$1"), _answer(kind, type_))
    await house.triage.step()
    assert await house.states() == {"$1": RECEIVED, "$2": RECEIVED}
    assert house.triage.lag == 0.0
    await _open(house, first)
    await house.triage.step()
    await house.triage.step()
    assert await house.states() == {"$1": SEALED, "$2": SEALED}
    utterance, context = house.classifier.asked[-1]
    assert utterance.kind is kind
    assert context.target is not None
    assert (context.target.body, context.target.outcome) == ("The key came.", Outcome.CAPTURE)


async def test_nothing_waits_longer_than_half_its_time(house: House) -> None:
    """A reaction that must be safe soon is judged without what it answers, and in time."""
    reaction = replace(
        _answer(EventKind.REACTION, RelationType.REACTION),
        timer=SHORT,
    )
    await house.hear(shut("$1"), reaction)
    for _ in range(20):
        await house.triage.step()
        assert await house.states() == {"$1": RECEIVED, "$2": RECEIVED}
        house.later(seconds=0.74)
    house.later(seconds=0.2)
    await house.triage.step()
    assert await house.states() == {"$1": RECEIVED, "$2": SEALED}
    _, context = house.classifier.asked[-1]
    assert context.target is not None
    assert context.target.kind is EventKind.ENCRYPTED


async def test_what_waits_for_anothers_key_tries_less_and_less_often(house: House) -> None:
    """Each pause is twice the last: one that is never opened costs a few commits."""
    await house.hear(shut("$1"), _answer(EventKind.REACTION, RelationType.REACTION))
    while await house.triage.step() or (await house.states())["$2"] is RECEIVED:
        house.later(seconds=0.25)
        assert (await house.entries())[1].attempts <= 6
    assert (await house.states())["$1"] is SEALED


async def test_what_leans_on_an_encrypted_message_is_sealed_after_it(house: House) -> None:
    """A captured answer waits, and the trivial question is kept with it once it is read."""
    house.says("$1", Outcome.DISCARD)
    house.says("$2", Outcome.CAPTURE, "$1")
    first, _ = await house.hear(shut("$1"), samples.event("$2"))
    await house.triage.step()
    assert await house.states() == {"$1": RECEIVED, "$2": EntryState.JUDGED}
    await _open(house, first)
    await house.triage.step()
    assert await house.states() == {"$1": SEALED, "$2": SEALED}
    question = (await house.entries())[0]
    assert question.verdict is not None
    assert question.verdict.reasons[0] == Reason(code="CONTEXT", rule="antecedent")


async def test_what_leans_on_a_message_that_stays_encrypted_goes_without_it(house: House) -> None:
    """Half its time over, an answer is sealed, and the ciphertext is left to its own turn."""
    house.says("$1", Outcome.DISCARD)
    house.says("$2", Outcome.CAPTURE, "$1")
    await house.hear(shut("$1"), samples.event("$2", timer=SHORT))
    await house.triage.step()
    house.later(seconds=16)
    await house.triage.step()
    assert await house.states() == {"$1": RECEIVED, "$2": SEALED}


async def test_late_media_of_a_restricted_message_opened_late_are_restricted(house: House) -> None:
    """The attachment belongs to the entry with the content, not to the ciphertext before it."""
    first = await _stored_shut(house)
    before = set(house.store.objects)
    secret = house.classifier.verdict(Outcome.REVIEW, restricted=True)
    house.classifier.verdicts["$1"] = secret
    await _open(house, first, [PLAN])
    await house.triage.step()
    house.later(seconds=40)
    await house.triage.step()
    house.classifier.verdicts["$1"] = house.classifier.verdict(Outcome.CAPTURE)
    house.connector.files[PLAN.url] = OfferedFile(chunks=(b"%PDF-1.7",))
    await house.settle()
    states = await house.states()
    assert states["$1/decrypted"] is EntryState.RESTRICTED
    assert states["$1/decrypted+media-0"] is EntryState.RESTRICTED
    assert {key for key in set(house.store.objects) - before if key.startswith("re")} == set()


async def test_late_media_of_a_restricted_message_in_an_earlier_stream_are_restricted(
    house: House,
) -> None:
    """A group that is recorded anew meanwhile gets the file in its new stream, restricted too."""
    secret = house.classifier.verdict(Outcome.REVIEW, restricted=True)
    house.classifier.verdicts["$1"] = secret
    await house.hear(samples.event("$1", attachments=[PLAN]))
    await house.triage.step()
    house.later(seconds=40)
    await house.triage.step()
    await house.journal.close_stream(await house.group(), at=house.clock.now())
    await house.hear(samples.event("$2"))
    house.classifier.verdicts["$1"] = house.classifier.verdict(Outcome.CAPTURE)
    house.connector.files[PLAN.url] = OfferedFile(chunks=(b"%PDF-1.7",))
    await house.settle()
    first, second, file = await house.entries()
    assert file.stream.id == second.stream.id != first.stream.id
    assert file.state is EntryState.RESTRICTED


async def test_a_reply_refers_to_the_content_that_came_late(house: House) -> None:
    """Of a message that was stored encrypted, what it says is the target, warm and cold alike."""
    first = await _stored_shut(house)
    house.says("$1", Outcome.CAPTURE)
    await _open(house, first)
    await house.settle()
    for name in ("$2", "$3"):
        reply = _answer(EventKind.MESSAGE, RelationType.REPLY, name)
        await house.hear(replace(reply, observed_at=house.clock.now()))
        await house.settle()
        _, context = house.classifier.asked[-1]
        assert context.target is not None
        assert (context.target.revision, context.target.body) == ("decrypted", "The key came.")
        assert context.target.outcome is Outcome.CAPTURE
        await house.restart()


async def test_what_an_answer_leaned_on_is_kept_though_it_was_opened_late(house: House) -> None:
    """The discarded content is promoted and named in the manifest; the ciphertext stays."""
    first = await _stored_shut(house)
    house.says("$1", Outcome.DISCARD)
    await _open(house, first)
    await house.settle()
    assert (await house.states())["$1/decrypted"] is EntryState.DISCARDED
    house.says("$2", Outcome.CAPTURE, "$1")
    await house.hear(samples.event("$2", observed_at=house.clock.now()))
    await house.settle()
    assert set((await house.states()).values()) == {EntryState.STORED}
    rows = [
        (row["n"], row["outcome"], row.get("context"))
        for part in house.objects("manifests").values()
        for row in json.loads(part)["rows"]
    ]
    assert (2, "capture", [1]) in rows
    assert (1, "capture", [2]) in rows
    assert (0, "capture", [2]) not in rows


async def test_content_that_came_late_is_read_as_if_it_referred_to_nothing(house: House) -> None:
    """That it is a later version of itself is nothing it says."""
    first = await _stored_shut(house)
    await _open(house, first)
    await house.triage.step()
    utterance, context = house.classifier.asked[-1]
    assert (utterance.revision, utterance.relates_to, context.target) == ("decrypted", None, None)


async def test_an_edit_with_the_id_of_its_original_promotes_it(house: House) -> None:
    """Where a platform gives both one id, the edit's target and context are the first version."""
    house.says("$1", Outcome.DISCARD)
    await house.hear(samples.event("$1"))
    await house.settle()
    house.says("$1", Outcome.CAPTURE, "$1")
    relation = Relation(type=RelationType.EDIT, upstream_id="$1")
    for revision in ("u7", "u8"):
        edit = samples.event("$1", revision=revision, kind=EventKind.EDIT, relates_to=relation)
        await house.hear(edit)
        await house.settle()
        _, context = house.classifier.asked[-1]
        assert context.target is not None
        assert context.target.revision is None
    assert set((await house.states()).values()) == {EntryState.STORED}
    first = (await house.entries())[0]
    assert first.verdict is not None
    assert first.verdict.reasons[0] == Reason(code="CONTEXT", rule="antecedent")


async def test_waiting_for_a_key_is_no_overload(house: House) -> None:
    """The lag counts from the opening, and leaves out what was encrypted or put off."""
    first, _ = await house.hear(shut("$1"), shut("$2"))
    house.later(seconds=10)
    await _open(house, first)
    house.later(seconds=2)
    await house.triage.step()
    assert house.triage.lag == pytest.approx(2.0)
    house.later(seconds=30)
    await house.triage.step()
    assert house.triage.lag == 0.0
    assert (await house.states())["$2"] is SEALED


async def test_waiting_for_a_key_is_no_capture_delay(house: House) -> None:
    """It is measured from the opening, and not on what was stored encrypted or referred to it."""
    first, *_ = await house.hear(
        shut("$1"), shut("$2"), _answer(EventKind.REACTION, RelationType.REACTION, "$3")
    )
    house.later(seconds=20)
    await _open(house, first)
    house.later(seconds=3)
    await house.settle()
    house.later(seconds=30)
    await house.settle()
    assert set((await house.states()).values()) == {EntryState.STORED}
    assert house.writer.capture_delay == timedelta(seconds=3)
