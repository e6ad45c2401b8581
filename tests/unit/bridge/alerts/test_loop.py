"""What is owed is told, survives a crash, and one channel that fails holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from bridge.alerts import FILE, Alert, Alerts, Channel
from bridge.alerts.ledger import Ledger
from bridge.alerts.loop import LONGEST_PAUSE
from bridge.errors import AlertError
from bridge.health import Alarm
from tests.fakes.clock import FakeClock
from tests.unit.bridge.house import stopped, until

FORKED = Alarm(part="log", trouble="forked", sentence="a sentence about @someone:example.org")


class _Channel:
    """A way to people that can be cut. It is given nothing that has content."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cut = False
        self.tried = 0
        self.got: list[Alert] = []

    async def send(self, alert: Alert) -> None:
        assert "@" not in alert.sentence
        self.tried += 1
        await asyncio.sleep(0)
        if self.cut:
            raise AlertError("it does not answer.")
        self.got.append(alert)

    async def aclose(self) -> None:
        """Nothing to give up."""


def _conforms(channel: _Channel) -> Channel:
    return channel


class _Post:
    """Two channels, what stands, and the alerts of one process after the other."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE
        self.clock = FakeClock()
        self.hook, self.mail = _Channel("webhook"), _Channel("e-mail")
        self.standing: tuple[Alarm, ...] = ()

    async def now(self) -> tuple[Alarm, ...]:
        """What is wrong."""
        return self.standing

    def kept(self) -> dict[str, int]:
        """What the file says is owed."""
        if not self.file.exists():
            return {}
        ledger = msgspec.json.decode(self.file.read_bytes(), type=Ledger)
        return {name: len(owed) for name, owed in ledger.owed.items()}

    async def process(self, *channels: _Channel) -> Alerts:
        """A new process's."""
        alerts = Alerts(
            file=self.file,
            clock=self.clock,
            channels=channels or (self.hook, self.mail),
            standing=self.now,
            quiet=timedelta(minutes=15),
        )
        await alerts.begin()
        return alerts

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Alerts]:
        """One that runs as long as the block."""
        alerts = await self.process()
        task = asyncio.create_task(alerts.run())
        yield alerts
        await stopped(task)
        await alerts.aclose()


@pytest.fixture
def post(tmp_path: Path) -> _Post:
    """One whose channels work."""
    return _Post(tmp_path)


async def test_each_channel_is_told(post: _Post) -> None:
    """Both get the alarm, and then that it is over."""
    post.standing = (FORKED,)
    async with post.running() as alerts:
        await until(lambda: len(post.hook.got) == len(post.mail.got) == 1)
        post.standing = ()
        await until(lambda: len(post.hook.got) == len(post.mail.got) == 2)
        assert alerts.unsent == {"webhook": 0, "e-mail": 0}
        assert alerts.troubles == ()
    assert [alert.change.value for alert in post.hook.got] == ["raised", "resolved"]
    assert post.hook.got == post.mail.got


async def test_a_channel_that_fails_is_an_alarm_and_holds_up_no_other(post: _Post) -> None:
    """The other one tells the alarm, and that this one fails; it tells itself once it is back."""
    post.standing = (FORKED,)
    post.hook.cut = True
    async with post.running() as alerts:
        await until(lambda: "not sent" in [alert.trouble for alert in post.mail.got])
        (trouble,) = alerts.troubles
        assert (trouble.part, trouble.trouble, trouble.subject) == ("alerts", "not sent", "webhook")
        assert trouble.sentence == "Alerts cannot be sent by webhook: it does not answer."
        assert alerts.unsent["webhook"] == 1
        post.hook.cut = False
        await until(lambda: bool(post.hook.got))
        await until(lambda: not alerts.troubles)
    assert [alert.trouble for alert in post.hook.got] == ["forked"]


async def test_tries_come_further_apart(post: _Post) -> None:
    """Pauses double up to the longest."""
    post.standing = (FORKED,)
    post.hook.cut = post.mail.cut = True
    async with post.running():
        await until(lambda: post.clock.slept.count(LONGEST_PAUSE) >= 2)
    pauses = sorted({s for s in post.clock.slept if s > 1})
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 900]


async def test_a_spill_is_told_after_a_crash(post: _Post) -> None:
    """It was kept before anything else knew of it; the next process tells it, once."""
    before = await post.process()
    await before.note_restricted("g1", "s-7")
    after = await post.process()
    await after.note_restricted("g1", "s-7")  # judged again after the crash
    async with post.running():
        await until(lambda: bool(post.hook.got) and bool(post.mail.got))
    (told,) = post.hook.got
    assert (told.part, told.trouble, told.subject, told.count) == (
        "messages",
        "restricted",
        "g1",
        1,
    )


async def test_a_group_is_reminded_of_markings_once_a_day(post: _Post) -> None:
    """Whatever it marks on that day, over a restart too; the next day, and another group, anew."""
    async with post.running() as alerts:
        for name in ("s-7", "s-8"):
            await alerts.note_lower_marking("g1", name)
            await until(lambda: bool(post.hook.got))
        await alerts.note_lower_marking("g2", "t-1")
        await until(lambda: len(post.hook.got) == 2)
        await until(lambda: post.kept() == {"webhook": 0, "e-mail": 0})
    post.clock.advance(3600)
    async with post.running() as alerts:
        await alerts.note_lower_marking("g1", "s-9")
        post.clock.advance(86_400)
        await alerts.note_lower_marking("g1", "s-10")
        await until(lambda: len(post.hook.got) == 3)
    told = [(each.trouble, each.subject, each.count) for each in post.hook.got]
    assert told == [("lower marking", each, 1) for each in ("g1", "g2", "g1")]


async def test_what_was_not_sent_is_sent_by_the_next_process(post: _Post) -> None:
    """An alert is owed until its channel took it; what was raised is known to be so."""
    post.standing = (FORKED,)
    post.hook.cut = True
    async with post.running():
        await until(lambda: post.hook.tried > 0 and post.kept() == {"webhook": 1, "e-mail": 0})
    post.hook.cut = False
    async with post.running():
        await until(lambda: bool(post.hook.got))
    assert [alert.trouble for alert in post.hook.got] == ["forked"]
    assert [alert.trouble for alert in post.mail.got].count("forked") == 1


async def test_a_channel_that_is_gone_is_owed_nothing(post: _Post) -> None:
    """What was owed to a channel that the settings do not name any more is dropped."""
    first = await post.process()
    await first.note_restricted("g1", "s-7")
    await first.round()
    assert first.unsent == {"webhook": 1, "e-mail": 1}
    assert (await post.process(post.mail)).unsent == {"e-mail": 1}


async def test_the_file_is_its_owners_alone(post: _Post) -> None:
    """Numbers of groups stand in it."""
    alerts = await post.process()
    await alerts.note_restricted("g1", "s-7")
    assert post.file.stat().st_mode & 0o777 == 0o600


async def test_without_a_channel_nothing_is_kept(post: _Post) -> None:
    """Nobody would ever be told."""
    alerts = Alerts(
        file=post.file,
        clock=post.clock,
        channels=(),
        standing=post.now,
        quiet=timedelta(minutes=15),
    )
    await alerts.begin()
    await alerts.note_restricted("g1", "s-7")
    task = asyncio.create_task(alerts.run())
    await asyncio.sleep(0)
    await stopped(task)
    assert not post.file.exists()


@pytest.mark.parametrize("content", [b"", b"{", b'{"standing":1}', b"\xff"])
async def test_a_damaged_file_is_made_anew(post: _Post, content: bytes) -> None:
    """It is no reason not to tell."""
    await asyncio.to_thread(post.file.write_bytes, content)
    post.standing = (FORKED,)
    async with post.running():
        await until(lambda: bool(post.hook.got))


async def test_a_file_that_cannot_be_written_is_an_alarm(post: _Post) -> None:
    """What is owed is told all the same while this process lives."""
    post.file = post.file.parent / "missing" / FILE
    post.standing = (FORKED,)
    async with post.running() as alerts:
        await until(lambda: bool(post.hook.got) and bool(alerts.troubles))
        assert [each.trouble for each in alerts.troubles] == ["not kept"]
