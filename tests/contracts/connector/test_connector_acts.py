"""What the recorder itself does: post its notice, join, fetch files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import ConnectorRejectedError
from bridge.model import Attachment, EventKind
from bridge.protocols import Connector
from tests.contracts.connector.scenes import recorded
from tests.contracts.connector.sides import Ability, Side, fake_side, needs
from tests.fakes.clock import FakeClock
from tests.fakes.intake import Intake, matrix_connector


async def test_the_notice_is_posted_once(side: Side, intake: Intake) -> None:
    """The same key again is the same message; it is recorded as a notice."""
    room = await recorded(side, intake)
    first = await intake.connector.announce(room, "This group is recorded.", key="k 1/2")
    again = await intake.connector.announce(room, "This group is recorded.", key="k 1/2")
    assert first.upstream_id is not None
    assert again.upstream_id == first.upstream_id
    assert (first.refusal, first.pinned) == (None, False)
    marker = await side.say(room, "marker")
    await intake.until(lambda: marker in intake.ids(room))
    (notice,) = intake.of(room, EventKind.NOTICE)
    assert (notice.upstream_id, notice.body) == (first.upstream_id, "This group is recorded.")


async def test_the_notice_is_pinned_where_allowed(side: Side, intake: Intake) -> None:
    """With the power to pin, the notice joins what is pinned already."""
    needs(side, Ability.STATE)
    room = await recorded(side, intake)
    older = await side.say(room, "pinned before")
    await side.set(room, "m.room.pinned_events", {"pinned": [older]})
    await side.empower(room)
    marker = await side.say(room, "marker")
    await intake.until(lambda: marker in intake.ids(room))
    for _ in range(2):
        said = await intake.connector.announce(room, "Recorded.", key="key")
        assert said.pinned
        assert await side.pinned(room) == [older, said.upstream_id]
    await intake.until(lambda: len(intake.of(room, EventKind.PIN)) >= 2)


async def test_a_sentence_is_not_pinned(side: Side, intake: Intake) -> None:
    """What is said beside the notice leaves the pins as they are, whatever our power."""
    needs(side, Ability.STATE)
    room = await recorded(side, intake)
    await side.set(room, "m.room.pinned_events", {"pinned": []})
    await side.empower(room)
    marker = await side.say(room, "marker")
    await intake.until(lambda: marker in intake.ids(room))
    said = await intake.connector.announce(room, "Interrupted.", key="key", pin=False)
    assert said.upstream_id is not None
    assert not said.pinned
    assert await side.pinned(room) == []


async def test_what_need_not_be_pinned(side: Side, intake: Intake) -> None:
    """Without ``pin`` it is posted, once for its key, and what is pinned stays as it is."""
    needs(side, Ability.STATE)
    room = await recorded(side, intake)
    older = await side.say(room, "pinned before")
    await side.set(room, "m.room.pinned_events", {"pinned": [older]})
    await side.empower(room)
    marker = await side.say(room, "marker")
    await intake.until(lambda: marker in intake.ids(room))
    said = [
        await intake.connector.announce(room, "Interrupted.", key="key", pin=False) for _ in "12"
    ]
    assert said[0].upstream_id == said[1].upstream_id is not None
    assert not said[0].pinned
    assert await side.pinned(room) == [older]


async def test_a_refused_notice_is_an_answer(side: Side, intake: Intake) -> None:
    """Where the platform lets us say nothing, that comes back in words."""
    room = await side.room("Not ours")
    await intake.start(room)
    said = await intake.connector.announce(room, "Recorded.", key="key")
    assert said.upstream_id is None
    assert said.refusal is not None
    assert side.forbidden in said.refusal


async def test_joining_twice_succeeds(side: Side, intake: Intake) -> None:
    """A join that had happened is no error."""
    room = await recorded(side, intake)
    await intake.connector.join(room)


async def test_joining_uninvited_is_refused(side: Side, intake: Intake) -> None:
    """A group that is not open and asked nobody refuses us."""
    room = await side.room("Closed")
    await intake.start(room)
    with pytest.raises(ConnectorRejectedError) as refusal:
        await intake.connector.join(room)
    assert refusal.value.code == side.not_asked


async def fetched(connector: Connector, attachment: Attachment) -> tuple[int | None, bytes]:
    """A file and the size it was said to have."""
    download = await connector.open_download("!room", attachment)
    try:
        return download.size, b"".join([chunk async for chunk in download.chunks()])
    finally:
        await download.aclose()


async def test_a_download(side: Side, intake: Intake) -> None:
    """A file comes in order and whole, with its size told before."""
    needs(side, Ability.FILES)
    await intake.start()
    data = bytes(range(256)) * 1500
    attachment = await side.offer(data)
    assert await fetched(intake.connector, attachment) == (len(data), data)


async def test_a_download_too_large_is_known_before(side: Side, intake: Intake) -> None:
    """The size is told before a byte is read, so that a file too large need not be."""
    needs(side, Ability.FILES)
    await intake.start()
    download = await intake.connector.open_download("!room", await side.offer(bytes(900_000)))
    assert download.size == 900_000
    async for chunk in download.chunks():
        assert len(chunk) < 900_000
        break
    await download.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "mxc://town.example/missing",
        "mxc://../config",
        "mxc://town.example/../../x",
        "http://127.0.0.1/x",
        "",
    ],
)
async def test_a_download_that_cannot_be_had(side: Side, intake: Intake, url: str) -> None:
    """What is not there, or is no address of the platform's, is refused."""
    needs(side, Ability.ADDRESSES)
    await intake.start()
    attachment = Attachment(url=url.replace("town.example", side.sign.user_id.partition(":")[2]))
    with pytest.raises(ConnectorRejectedError):
        await fetched(intake.connector, attachment)


async def test_a_download_elsewhere(tmp_path: Path) -> None:
    """A redirect is not followed."""
    async with fake_side(tmp_path) as side:
        connector = matrix_connector(side.sign, FakeClock())
        await connector.start()
        attachment = await side.offer(b"data")
        side.moved_away(attachment, f"{side.server.url}/elsewhere")
        with pytest.raises(ConnectorRejectedError, match="307"):
            await fetched(connector, attachment)
        assert side.server.asked("/elsewhere") == []
        await connector.aclose()
