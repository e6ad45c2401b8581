"""What the contract suite cannot ask of a folder: lines that are none, or are not whole yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.errors import ConnectorUnavailableError
from bridge.model import EventKind
from tests.connectors import tail
from tests.contracts.connector.scenes import recorded
from tests.contracts.connector.tail_side import TailSide, tail_side
from tests.fakes.clock import FakeClock
from tests.fakes.intake import Intake

MOST_LINES = 150

HOSTILE = (
    b"no JSON",
    b"",
    b'{"id":"\xff"}',
    b'{"id":"\\ud800"}',
    b'{"say":NaN}',
    b'{"x":' + b"[" * 100_000,
    b'{"id":7}',
    b"[]",
)


@pytest.fixture
async def side(tmp_path: Path) -> TailSide:
    """A folder and its clerk."""
    return await tail_side(tmp_path)


@pytest.fixture
async def intake(side: TailSide) -> AsyncIterator[Intake]:
    """The recorder, not signed in yet."""
    intake = Intake(lambda: side.connector(FakeClock()))
    yield intake
    await intake.connector.aclose()


async def test_hostile_lines_cost_no_neighbour(side: TailSide, intake: Intake) -> None:
    """Each is kept as unparsed with its bytes, under the name of its place."""
    room = await recorded(side, intake)
    for line in HOSTILE:
        await side.write(room, line + b"\n")
    last = await side.say(room, "last")
    await intake.until(lambda: last in intake.ids(room))
    assert tuple(event.raw for event in intake.of(room, EventKind.UNPARSED)) == HOSTILE


async def test_what_says_nothing_known_is_kept(side: TailSide, intake: Intake) -> None:
    """A line of another kind is unknown; a field nobody knows harms nothing."""
    room = await recorded(side, intake)
    await side.write(room, b'{"id":"odd","dance":1}\n{"id":"said","say":"x","dance":1}\n')
    await intake.until(lambda: "said" in intake.ids(room))
    assert [(e.upstream_id, e.kind) for e in intake.of(room)[-2:]] == [
        ("odd", EventKind.UNKNOWN),
        ("said", EventKind.MESSAGE),
    ]


async def test_half_a_line_is_waited_for(side: TailSide, intake: Intake) -> None:
    """A line counts once its end is there, and then whole."""
    room = await recorded(side, intake)
    await side.write(room, b'{"id":"half","sa')
    assert (await intake.take()).events == ()
    await side.write(room, b'y":"whole"}\n')
    await intake.until(lambda: "half" in intake.ids(room))
    assert intake.bodies(room) == ["whole"]


async def test_a_notice_stands_there_once(side: TailSide, intake: Intake) -> None:
    """The same key again adds no line, also from another process; another key does."""
    room = await recorded(side, intake)
    for key in ("one", "one", "two"):
        await intake.connector.announce(room, "Recorded.", key=key)
        await intake.restart()
    await intake.until(lambda: "notice:two" in intake.ids(room))
    taken = [event for batch in intake.batches for event in batch.events]
    notices = [event.upstream_id for event in taken if event.kind is EventKind.NOTICE]
    assert notices == ["notice:one", "notice:two"]


async def test_a_folder_that_is_away(tmp_path: Path) -> None:
    """What the machine refuses is an error of ours, and names no path."""
    connector = tail.TailConnector(tmp_path / "away", "recorder", FakeClock())
    with pytest.raises(ConnectorUnavailableError) as error:
        await connector.start()
    assert "away" not in str(error.value)


def test_it_is_as_short_as_the_guide_says() -> None:
    """The third connector has under 150 lines, blank ones not counted."""
    text = Path(tail.__file__).read_text(encoding="utf-8")
    assert len([line for line in text.splitlines() if line.strip()]) < MOST_LINES
