"""Outside proofs of the log, through deaths and outages: kept, and named once."""

from __future__ import annotations

import asyncio
import random

import pytest

from bridge import keys
from bridge.anchoring import ASK_SECONDS, STAMP_SECONDS
from bridge.errors import (
    ObjectStoreUnavailableError,
)
from bridge.model import Digest
from storage.translog.note import Note
from tests.unit.bridge.anchoring_scene import DOWN, TENANT, Scene


@pytest.fixture
def scene() -> Scene:
    """One witness and one authority."""
    return Scene()


async def test_a_crash_before_the_put(scene: Scene) -> None:
    """Queued is kept: the next life puts it, and asks nobody."""
    await scene.write(7)
    scene.store.before = [ObjectStoreUnavailableError("the store does not answer")] * 2
    await scene.round()
    assert "does not answer" in scene.anchoring.placing
    assert not await scene.leaves()
    scene.restart()
    scene.store.before = []
    await scene.round()
    assert scene.anchoring.placing == ""
    assert scene.kept() == ["7.note", "7.tsr"]
    assert len(await scene.leaves()) == 2
    assert scene.witness.asked == [7]


async def test_a_crash_after_the_put(scene: Scene) -> None:
    """The same bytes are put again, which changes nothing, and the leaf follows once."""
    await scene.write(7)
    scene.store.lost_replies = 1
    await scene.round()
    assert scene.kept() == ["7.note"]
    assert not await scene.leaves()
    scene.restart()
    await scene.round()
    assert scene.kept() == ["7.note", "7.tsr"]
    assert len(await scene.leaves()) == 2


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_fails_it_comes_to_rest_with_every_proof_named_once(seed: int) -> None:
    """Deaths at any await, lost replies, outages of store, witnesses and authority; then calm."""
    seeded = random.Random(seed)
    scene = Scene(witnesses=2)
    for _ in range(40):
        await _mishap(scene, seeded)
        if seeded.random() < 0.5:
            await scene.write(seeded.randrange(1, 4))
        scene.clock.advance(seeded.choice((1.0, 60.0, ASK_SECONDS, STAMP_SECONDS)))
        dying = asyncio.create_task(scene.anchoring.round())
        for _ in range(seeded.choice((0, 1, 3, 10, 30, 500))):
            await asyncio.sleep(0)
        if not dying.done():
            dying.cancel()
            scene.restart()
        await asyncio.gather(dying, return_exceptions=True)
        if seeded.random() < 0.7:
            await scene.publish()
    await _calm(scene)
    await _everything_is_named_once(scene)


async def _mishap(scene: Scene, seeded: random.Random) -> None:
    scene.store.down = seeded.random() < 0.1
    scene.store.lost_replies = int(seeded.random() < 0.2)
    for outsider in scene.outsiders:
        outsider.down = DOWN if seeded.random() < 0.3 else None


async def _calm(scene: Scene) -> None:
    scene.store.down, scene.store.lost_replies = False, 0
    for outsider in scene.outsiders:
        outsider.down = None
    scene.restart()
    await scene.write()
    for _ in range(5):
        await scene.round(later=STAMP_SECONDS)
    asked = [len(each.asked) for each in scene.outsiders]
    for _ in range(5):
        await scene.round(later=STAMP_SECONDS)
    assert [len(each.asked) for each in scene.outsiders] == asked


async def _everything_is_named_once(scene: Scene) -> None:
    named = sorted((str(leaf["p"]), str(leaf["o"])) for leaf in await scene.leaves())
    kept = sorted(
        (Digest.of(keys.absolute(TENANT, key).encode()).hex, Digest.of(each.data).hex)
        for key, each in scene.store.objects.items()
    )
    assert named == kept
    sizes = {key.removesuffix(".tsr") for key in scene.kept() if key.endswith(".tsr")}
    for size in sizes:
        note = scene.note(int(size))
        published = Note(text=note.text, signatures=note.of(scene.log.verifier)).encode()
        token = scene.store.objects[f"anchors/0/{size}.tsr"].data
        assert token.endswith(Digest.of(published).value)
    content = await scene.journal.content_leaves(await scene.journal.leaf_count())
    notes = [each.data for key, each in scene.store.objects.items() if key.endswith(".note")]
    for witness in scene.witnesses:
        signed = [note for note in notes if witness.cosigned(note)]
        assert max(int(note.split(b"\n")[1]) for note in signed) >= content
    assert max(int(size) for size in sizes) >= content
    assert all(voucher.trouble == "" for voucher in scene.anchoring.vouchers)
