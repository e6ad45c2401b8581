"""What no key can mend is told at once, and a stop opens what has its key already."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from bridge.errors import ConnectorUnavailableError
from bridge.opening import AT_ONCE, GIVE_UP_AT_ONCE
from tests.contracts.journal.encrypted import shut
from tests.fakes.decrypter import MALFORMED, NO_KEY
from tests.fakes.samples import CONNECTOR, GROUP_ID
from tests.unit.bridge.test_opening import DAY, TEN_MINUTES, Scene, scene

__all__ = ["scene"]


async def test_what_no_key_can_mend(scene: Scene) -> None:
    """It is a gap and a line at once, is judged without waiting, and no key is sought for it."""
    scene.decrypter.malformed = {"bad"}
    await scene.bring(shut("$1", session="bad"), shut("$2"))
    with capture_logs() as lines:
        await scene.work()
        await scene.later(30)
        await scene.later(TEN_MINUTES)
        await scene.kill()
        await scene.work()
        await scene.later(TEN_MINUTES)
    assert [line["count"] for line in lines if line["event"] == "undecryptable"] == [1]
    gaps = await scene.subject.journal.gaps(CONNECTOR, GROUP_ID)
    assert [(gap.why, gap.detail) for gap in gaps] == [("undecryptable", MALFORMED)]
    assert await scene.waiting() == {"$2": NO_KEY}
    assert scene.decrypter.sought == [(GROUP_ID, "s1")]


async def test_it_is_not_tried_over_and_over(scene: Scene) -> None:
    """Every ten minutes only what a key may still open is tried again."""
    scene.decrypter.malformed = {"bad"}
    await scene.bring(*(shut(f"${i}", session="bad") for i in range(5)), shut("$last"))
    await scene.work()
    scene.decrypter.asked.clear()
    await scene.later(TEN_MINUTES)
    assert set(scene.decrypter.asked) == {1}


async def test_more_than_a_page_is_given_up(scene: Scene) -> None:
    """After a week all that waits counts as lost, however much it is."""
    count = GIVE_UP_AT_ONCE + 3
    await scene.bring(*(shut(f"${i}") for i in range(count)))
    await scene.work()
    with capture_logs() as lines:
        await scene.later(8 * DAY)
    assert sum(line["count"] for line in lines if line["event"] == "undecryptable") == count
    assert await scene.waiting() == {}


@pytest.mark.parametrize("keys_first", [True, False])
async def test_a_stop_opens_what_has_its_key(scene: Scene, *, keys_first: bool) -> None:
    """What was journalled before it, however much, takes its content; nothing is waited for."""
    await scene.work()
    names = [f"s{i}" for i in range(2 * AT_ONCE)]
    events = [shut(f"${name}", session=name) for name in names]
    if not keys_first:
        await scene.bring(*events)
        await scene.work()
    await scene.bring(keys=tuple(names))
    if keys_first:
        await scene.bring(*events)
    await scene.bring(shut("$shut", session="never"))
    await scene.opening.finish()
    assert await scene.waiting() == {"$shut": NO_KEY}
    assert await scene.messages() == 0
    assert await scene.subject.journal.pending() == len(names)


async def test_a_stop_before_it_came_to_work(scene: Scene) -> None:
    """Where the keys were never at hand a stop does not ask for them."""
    await scene.bring(shut(), keys=("s1",))
    await scene.opening.finish()
    assert scene.decrypter.asked == []
    assert await scene.messages() == 1


async def test_a_stop_while_keys_cannot_be_read(scene: Scene) -> None:
    """It says so and lets the stop go on."""
    await scene.work()
    scene.decrypter.open_faults = [ConnectorUnavailableError("The keys cannot be read.")]
    await scene.bring(shut(), keys=("s1",))
    await scene.opening.finish()
    assert scene.opening.health == "The keys cannot be read."
    assert await scene.waiting() == {"$1": ""}
