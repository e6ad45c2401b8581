"""Outside proofs of the log: asked for in time, kept once, and never waited for."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from bridge import keys
from bridge.anchoring import ASK_SECONDS, STAMP_SECONDS
from bridge.errors import (
    AnchorRejectedError,
)
from bridge.model import Digest
from bridge.protocols import ObjectBody
from tests.unit.bridge.anchoring_scene import DOWN, TENANT, Scene


@pytest.fixture
def scene() -> Scene:
    """One witness and one authority."""
    return Scene()


async def test_a_head_is_witnessed_and_dated(scene: Scene) -> None:
    """Note and token stand in the store under the longest retention; a leaf names each."""
    await scene.write(7)
    assert scene.shown is not None
    published = scene.shown.head.note
    await scene.round()
    assert scene.kept() == ["7.note", "7.tsr"]
    note, token = scene.store.objects.values()
    assert note.data.startswith(published)
    assert scene.witness.cosigned(note.data)
    assert token.data.endswith(b" over " + Digest.of(published).value)
    assert (note.content_type, token.content_type) == (
        "text/plain; charset=utf-8",
        "application/timestamp-reply",
    )
    for kept in (note, token):
        assert kept.retain_until == scene.clock.now() + timedelta(days=400)
    first, second = await scene.leaves()
    for leaf, (key, kept) in zip((first, second), scene.store.objects.items(), strict=True):
        assert leaf["size"] == 7
        assert leaf["p"] == Digest.of(keys.absolute(TENANT, key).encode()).hex
        assert leaf["o"] == Digest.of(kept.data).hex


async def test_nothing_is_asked_before_something_is_published(scene: Scene) -> None:
    """No head, no question."""
    await scene.anchoring.round()
    assert not scene.witness.asked
    assert not scene.stamper.asked


async def test_heads_that_add_only_anchors_are_left_alone(scene: Scene) -> None:
    """Else each proof would ask for the next one, for ever."""
    await scene.write(7)
    for _ in range(50):
        await scene.round(later=ASK_SECONDS)
    assert scene.witness.asked == [7]
    assert len(scene.stamper.asked) == 1
    assert scene.shown is not None
    assert scene.shown.head.size == 9


async def test_a_busy_log_is_witnessed_each_ten_minutes_and_dated_each_hour(
    scene: Scene,
) -> None:
    """Six hours with a message a minute."""
    for _ in range(360):
        await scene.write()
        await scene.round(later=60)
    assert len(scene.witness.asked) == 36
    assert len(scene.stamper.asked) == 6
    assert len(scene.kept()) == 42
    assert len(await scene.leaves()) == 42
    assert scene.anchoring.witnessing == scene.anchoring.stamping == ""


async def test_a_token_always_has_its_note(scene: Scene) -> None:
    """Without it nobody knows the bytes that were dated: it is kept though nobody co-signed."""
    scene.witness.down = DOWN
    await scene.write(7)
    await scene.round()
    assert scene.kept() == ["7.note", "7.tsr"]
    assert scene.shown is not None
    assert [one.name for one in scene.note(7).signatures] == [scene.log.verifier.name]


async def test_a_dead_witness_is_reported_and_asked_again(scene: Scene) -> None:
    """It holds nothing up; once it is back it signs, though only anchors came meanwhile."""
    scene.witness.down = DOWN
    await scene.write(7)
    with capture_logs() as logs:
        for _ in range(5):
            await scene.round(later=ASK_SECONDS)
    assert sorted(line["event"] for line in logs) == ["not_vouched", "timestamped"]
    assert "0 of 1 witnesses co-sign the log" in scene.anchoring.witnessing
    assert str(DOWN) in scene.anchoring.witnessing
    assert len(scene.witness.asked) == 5
    assert scene.kept() == ["7.note", "7.tsr"]
    scene.witness.down = None
    for _ in range(5):
        await scene.round(later=ASK_SECONDS)
    assert scene.kept() == ["7.note", "7.tsr", "9.note"]
    assert scene.anchoring.witnessing == ""
    assert len(scene.witness.asked) == 6


async def test_a_dead_authority_is_reported_and_asked_again(scene: Scene) -> None:
    """The witness is not asked again for what it has signed."""
    scene.stamper.down = AnchorRejectedError("The token of tsa.example.org was refused: no.")
    await scene.write(7)
    for _ in range(3):
        await scene.round(later=ASK_SECONDS)
    assert "was refused" in scene.anchoring.stamping
    assert scene.kept() == ["7.note"]
    scene.stamper.down = None
    await scene.round(later=ASK_SECONDS)
    assert scene.anchoring.stamping == ""
    assert scene.kept() == ["7.note", "8.note", "8.tsr"]
    assert scene.witness.asked == [7]


async def test_a_token_of_another_time_is_kept_and_told(scene: Scene) -> None:
    """One of two clocks is wrong: an operator must know, and the proof is no worse for it."""
    scene.stamper.ahead = -timedelta(hours=3)
    await scene.write(7)
    await scene.round()
    assert "is not the time here" in scene.anchoring.stamping
    assert scene.kept() == ["7.note", "7.tsr"]
    scene.stamper.ahead = timedelta(seconds=200)
    await scene.write(2)
    await scene.round(later=STAMP_SECONDS)
    assert scene.anchoring.stamping == ""


async def test_the_quorum_says_when_it_is_an_alarm() -> None:
    """Two of three must answer well; the third's silence is seen and is no alarm."""
    scene = Scene(witnesses=3, quorum=2, authority=False)
    scene.witnesses[2].down = DOWN
    await scene.write(7)
    await scene.round()
    assert scene.anchoring.witnessing == ""
    assert [voucher.trouble for voucher in scene.anchoring.vouchers] == ["", "", str(DOWN)]
    assert [one.name[-2:] for one in scene.note(7).signatures[1:]] == ["w1", "w2"]
    scene.witnesses[1].down = DOWN
    await scene.write()
    await scene.round(later=ASK_SECONDS)
    assert "1 of 3 witnesses co-sign the log" in scene.anchoring.witnessing


async def test_only_those_are_asked_who_have_not_signed() -> None:
    """A witness that comes back gets a head of its own; the log comes to rest."""
    scene = Scene(witnesses=2, authority=False)
    scene.witnesses[1].down = DOWN
    await scene.write(7)
    await scene.round()
    scene.witnesses[1].down = None
    for _ in range(5):
        await scene.round(later=ASK_SECONDS)
    assert [witness.asked for witness in scene.witnesses] == [[7], [7, 8]]
    assert scene.kept() == ["7.note", "8.note"]
    scene.restart()
    for _ in range(5):
        await scene.round(later=ASK_SECONDS)
    assert [witness.asked for witness in scene.witnesses] == [[7], [7, 8]]


async def test_who_vouches_is_told(scene: Scene) -> None:
    """Since when, by whom, and what is in the way: also after a restart."""
    assert [each.at for each in scene.anchoring.vouchers] == [None, None]
    await scene.write(7)
    await scene.round()
    at = scene.clock.now()
    expected = [("witness", scene.witness.name, at), ("timestamp", scene.stamper.name, at)]
    assert [(v.kind, v.name, v.at) for v in scene.anchoring.vouchers] == expected
    scene.restart()
    await scene.round(later=5)
    assert [(v.kind, v.name, v.at) for v in scene.anchoring.vouchers] == expected


async def test_a_restart_asks_nobody_again(scene: Scene) -> None:
    """What was given is known from the leaves; the pauses go on where they were."""
    await scene.write(7)
    await scene.round()
    await scene.write()
    for _ in range(3):
        scene.restart()
        await scene.round(later=60)
    assert scene.witness.asked == [7]
    await scene.round(later=ASK_SECONDS)
    assert scene.witness.asked == [7, 10]
    assert len(scene.stamper.asked) == 1
    scene.restart()
    await scene.write()
    await scene.round(later=STAMP_SECONDS)
    assert len(scene.witness.asked) == 3
    assert len(scene.stamper.asked) == 2


async def test_a_restart_after_long_looks_back_only_an_hour(scene: Scene) -> None:
    """Among many thousand leaves the last anchors are found, or are old enough not to matter."""
    await scene.write(2500)
    await scene.round()
    scene.restart()
    await scene.round(later=ASK_SECONDS)
    assert scene.witness.asked == [2500]
    scene.clock.advance(2 * STAMP_SECONDS)
    await scene.write(2500)
    scene.restart()
    await scene.round()
    assert scene.witness.asked == [2500, 5002]
    assert len(scene.stamper.asked) == 2


async def test_a_store_that_is_away_stops_the_asking_of_a_new_life(scene: Scene) -> None:
    """It cannot know what was kept; once the store answers it goes on."""
    await scene.write(7)
    await scene.round()
    scene.restart()
    await scene.write()
    scene.store.down = True
    await scene.round(later=ASK_SECONDS)
    assert "does not answer" in scene.anchoring.placing
    assert scene.witness.asked == [7]
    scene.store.down = False
    await scene.round()
    assert scene.witness.asked == [7, 10]


async def test_a_note_is_never_asked_for_twice(scene: Scene) -> None:
    """While the log stands still its note is fixed: what a witness then signs is for the next."""
    scene.witness.down = DOWN
    await scene.write(7)
    await scene.anchoring.round()
    scene.witness.down = None
    scene.clock.advance(ASK_SECONDS)
    await scene.anchoring.round()
    assert scene.witness.asked == [7]
    await scene.round()
    await scene.round()
    assert scene.witness.asked == [7, 9]


async def test_a_proof_without_its_leaf_is_named_after_all(scene: Scene) -> None:
    """A lost journal left note and token: they are of this very head, so they get their leaves."""
    await scene.write(7)
    await scene.round()
    left = dict(scene.store.objects)
    other = Scene()
    other.store.objects |= left
    other.clock.advance(5)
    await other.write(7)
    await other.round()
    assert other.store.objects == left
    found = [leaf["o"] for leaf in await other.leaves()]
    assert found == [Digest.of(each.data).hex for each in left.values()]


@pytest.mark.parametrize("key", ["anchors/0/7.note", "anchors/0/7.tsr"])
async def test_what_somebody_planted_gets_no_leaf(scene: Scene, key: str) -> None:
    """The place is taken: said once, not vouched for, and the next head is anchored."""
    await scene.store.put(key, ObjectBody.of(b"planted"), retain_until=None)
    await scene.write(7)
    with capture_logs() as logs:
        await scene.round()
    assert [line["key"] for line in logs if line["event"] == "anchor_place_taken"] == [key]
    assert len(await scene.leaves()) == 1
    await scene.write()
    await scene.round(later=STAMP_SECONDS)
    assert scene.kept()[-2:] == ["9.note", "9.tsr"]


async def test_a_witness_that_hangs_can_be_cancelled(scene: Scene) -> None:
    """At a stop nobody waits for it, and nothing is half kept."""
    scene.witness.gate = asyncio.Event()
    await scene.write(7)
    asking = asyncio.create_task(scene.anchoring.round())
    await scene.witness.reached.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not scene.store.objects
    assert not await scene.journal.anchors(limit=9)


async def test_the_loop_goes_on(scene: Scene) -> None:
    """Run as it runs in the bridge: by itself, until it is cancelled."""
    await scene.write(7)
    running = asyncio.create_task(scene.anchoring.run())
    await scene.witness.reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert scene.witness.asked == [7]
