"""What ``status`` says of messages that are still encrypted."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from bridge.app import new_folder, open_journal, read_settings, status_of
from bridge.app.backed_up import note_backup
from bridge.app.report import KEYS_TRAVEL, LogReport, UnopenedReport
from bridge.canonical import rfc3339
from bridge.cli import status
from bridge.clock import SystemClock
from bridge.model import Crypto, Event, EventKind
from bridge.protocols import Head
from config.settings import Settings
from storage.translog.heads import SqliteCheckpointStore
from tests.fakes import samples

WHY = "The event cannot be decrypted: its key has not come."


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A folder as ``init`` makes it."""
    new_folder(
        tmp_path / "m", tenant="demo", log_origin="example.org", random_bytes=samples.seeded()
    )
    return read_settings(tmp_path / "m" / "muniment.toml")


def _shut(upstream_id: str, *, age: timedelta) -> Event:
    made = samples.event(upstream_id, kind=EventKind.ENCRYPTED, body=None)
    crypto = Crypto(algorithm="m.megolm", session="s1")
    return replace(made, crypto=crypto, observed_at=SystemClock().now() - age)


async def _receive(settings: Settings, *events: Event, why: str = "") -> None:
    """Encrypted messages are in the journal, and were tried if there is a reason."""
    journal = await open_journal(settings, SystemClock())
    await journal.set_group(samples.group(), expect=None)
    await journal.append(samples.batch(*events))
    found = await journal.unopened(samples.CONNECTOR, after=0, limit=9)
    if why:
        await journal.not_opened([(each.seq, why) for each in found])
    await journal.aclose()


async def test_what_waits_for_a_key_is_counted(settings: Settings) -> None:
    """For each group and reason, with the time of the oldest; a sentence stands by the alarms."""
    old = _shut("$1", age=timedelta(hours=3))
    await _receive(settings, old, _shut("$2", age=timedelta()), why=WHY)
    report = await status_of(settings)
    since = rfc3339(old.observed_at)
    assert report.groups[0].unopened == [UnopenedReport(count=2, oldest_at=since, why=WHY)]
    assert report.totals.unopened == 2
    (concern,) = [alarm for alarm in report.alarms if "encrypted" in alarm]
    assert (
        concern == f"2 messages of Flood cell are still encrypted, the oldest since {since}: {WHY}"
    )


async def test_a_key_that_is_on_its_way_is_no_concern(settings: Settings) -> None:
    """A message may come before its key; it is counted all the same."""
    await _receive(settings, _shut("$1", age=KEYS_TRAVEL / 2))
    report = await status_of(settings)
    assert report.totals.unopened == 1
    assert not any("encrypted" in alarm for alarm in report.alarms)


async def test_a_person_reads_how_long_it_waits(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The age in one unit, and why; before the first try that it was not tried."""
    options = argparse.Namespace(config=tmp_path / "m" / "muniment.toml", json=False)
    await _receive(settings, _shut("$1", age=timedelta(hours=3, minutes=59)))
    assert await asyncio.to_thread(status.command, options) == 0
    assert "still encrypted 1, the oldest for 3 h: not tried yet" in capsys.readouterr().err
    options.json = True
    assert await asyncio.to_thread(status.command, options) == 0
    document = msgspec.json.decode(capsys.readouterr().out)
    assert document["groups"][0]["unopened"][0]["count"] == 1


async def test_the_log_is_what_is_published(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its size and time are those of the published checkpoint; what is not in it yet waits."""
    journal = await open_journal(settings, SystemClock())
    await journal.graft(0, [b'{"k":"late"}'] * 5)
    await journal.aclose()
    assert (await status_of(settings)).log == LogReport(size=0, waiting=5)
    heads = SqliteCheckpointStore(settings.service.data_dir / "log.db")
    head = Head(size=3, root=bytes(32), note=b"", at=samples.NOW)
    assert await heads.swap(head, expect=None)
    assert (await status_of(settings)).log.size == 0
    await heads.published(head)
    await heads.aclose()
    log = (await status_of(settings)).log
    assert (log.size, log.checkpoint_at, log.waiting) == (3, rfc3339(samples.NOW), 2)
    options = argparse.Namespace(config=tmp_path / "m" / "muniment.toml", json=False)
    assert await asyncio.to_thread(status.command, options) == 0
    assert "log: 3 leaves, 2 not published yet" in capsys.readouterr().err


async def test_the_last_back_up_is_a_line_and_no_alarm(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what is missing, while something is."""
    options = argparse.Namespace(config=tmp_path / "m" / "muniment.toml", json=False)
    assert await asyncio.to_thread(status.command, options) == 0
    assert "\nlast back-up: none. [backup] recipient is not set" in capsys.readouterr().err
    assert not [each for each in (await status_of(settings)).alarms if "back" in each]
    await asyncio.to_thread(settings.service.data_dir.mkdir, mode=0o700)
    made_at = SystemClock().now() - timedelta(days=2, hours=1)
    await asyncio.to_thread(note_backup, settings.service.data_dir, made_at)
    config = tmp_path / "m" / "muniment.toml"
    text = config.read_text().replace("#recipient =", "recipient =")
    config.write_text(text)
    assert await asyncio.to_thread(status.command, options) == 0
    assert "\nlast back-up: 2 d ago\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(days=2, hours=23), "2 d"),
        (timedelta(hours=1), "1 h"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=-5), "0 s"),
    ],
)
def test_an_age_has_one_unit(age: timedelta, said: str) -> None:
    """Rounded down; a clock that was set back makes nothing negative."""
    assert status._age(age) == said  # white-box: each unit would need a message of that age
