"""``reconcile`` beside a running recorder, and in its place."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge import keys
from bridge.app import new_folder, open_journal, open_office, read_settings
from bridge.app.reconciliation import reconcile
from bridge.clock import SystemClock
from bridge.errors import ConfigError
from bridge.protocols import RequestKind
from bridge.reconcile import FILE, FIXITY_FILE, Progress, Report, read_fixity
from bridge.reconcile.progress import write_progress
from bridge.reconcile.unclaimed import FILE as UNCLAIMED_FILE
from bridge.reconcile.unclaimed import read_unclaimed
from config.settings import Settings
from tests.fakes import samples
from tests.fakes.clock import FakeClock

REPORT = Report(
    subject="store",
    began_at="",
    ended_at="",
    fits=True,
    complete=True,
    trouble="",
    checked={"records": 7},
    findings=[],
    groups=[],
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A folder as ``init`` makes it."""
    new_folder(
        tmp_path / "m", tenant="demo", log_origin="example.org", random_bytes=samples.seeded()
    )
    return read_settings(tmp_path / "m" / "muniment.toml")


@contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    """Another process runs."""
    settings.service.data_dir.mkdir(mode=0o700, exist_ok=True)
    with (settings.service.data_dir / "run.lock").open("wb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


async def _requests(settings: Settings) -> list[tuple[int, RequestKind, str]]:
    office = await open_office(settings)
    try:
        return [(each.number, each.kind, each.by) for each in await office.requests(0)]
    finally:
        await office.aclose()


async def _taken(settings: Settings) -> int:
    journal = await open_journal(settings, SystemClock(), look=True)
    try:
        return await journal.requests_taken()
    finally:
        await journal.aclose()


@pytest.mark.parametrize(("source", "subject"), [(False, "store"), (True, "source")])
async def test_with_no_recorder_it_is_done_here(
    settings: Settings, *, source: bool, subject: str
) -> None:
    """Under the lock, on journal and store of the folder; nothing is asked of anybody."""
    shown: list[Progress] = []
    report = await reconcile(settings, source=source, by="t", show=shown.append)
    assert (report.subject, report.fits, report.complete) == (subject, True, True)
    assert await _requests(settings) == []


async def test_a_running_recorder_is_asked(settings: Settings) -> None:
    """Its progress is shown, and its report is the answer; older files say nothing."""
    shown: list[Progress] = []
    clock = FakeClock(SystemClock().now())
    file = settings.service.data_dir / FILE
    before = Progress(number=1, at="2020-01-01T00:00:00+00:00", finished=True, report=REPORT)

    def show(progress: Progress) -> None:
        """As if the recorder wrote its file whenever somebody looks."""
        shown.append(progress)
        if len(shown) == 2:
            now = clock.now().isoformat()
            half = Progress(number=1, at=now, phase="records", done=1, total=2)
            shown_next.append(half)

    shown_next: list[Progress] = []

    async def recorder() -> None:
        while not shown_next:  # noqa: ASYNC110 - no event is set by it
            await asyncio.sleep(0)
        await asyncio.to_thread(write_progress, file, shown_next[0])
        while shown[-1].phase != "records":  # noqa: ASYNC110 - no event is set by it
            await asyncio.sleep(0)
        done = Progress(number=1, at=clock.now().isoformat(), finished=True, report=REPORT)
        await asyncio.to_thread(write_progress, file, done)

    with _locked(settings):
        await asyncio.to_thread(write_progress, file, before)
        working = asyncio.create_task(recorder())
        report = await reconcile(settings, source=True, by="t", show=show, clock=clock)
        await working
    assert report == REPORT
    assert "waiting" in shown[0].phase
    assert await _requests(settings) == [(1, RequestKind.RECONCILE_SOURCE, "t")]


async def test_a_recorder_that_ends_leaves_it_to_us(settings: Settings) -> None:
    """Its lock comes free before it took the request up: it is done here, and only once."""
    clock = FakeClock(SystemClock().now())
    shown: list[Progress] = []
    running = _locked(settings)
    running.__enter__()

    def show(progress: Progress) -> None:
        shown.append(progress)
        if len(shown) == 3:
            running.__exit__(None, None, None)

    report = await reconcile(settings, source=False, by="t", show=show, clock=clock)
    assert (report.subject, report.fits) == ("store", True)
    assert await _taken(settings) == 1


async def test_what_was_found_is_left_to_the_next_recorder(settings: Settings) -> None:
    """An open act of a lost journal, whose group is not registered: the store does not fit."""
    stream_key = b"k" * 32
    stream = keys.stream_id(stream_key, "matrix", "!a:example.org")
    act = {
        "v": 1,
        "kind": "open",
        "at": "2026-03-01T09:00:00.000Z",
        "stream": stream,
        "stream_key": base64.urlsafe_b64encode(stream_key).decode(),
        "gid": "0" * 16,
        "platform": "matrix",
        "group": {"id": "!a:example.org"},
    }
    data = settings.service.data_dir
    folder = data / "store" / "v1" / "demo" / "acts" / "2026" / "03" / "01"
    folder.mkdir(parents=True)
    (folder / "000000000000.json").write_bytes(json.dumps(act).encode())
    assert not (await reconcile(settings, source=False, by="t", show=lambda _: None)).fits
    await reconcile(settings, source=True, by="t", show=lambda _: None)
    kept = await asyncio.to_thread(read_fixity, data / FIXITY_FILE)
    assert kept is not None
    assert (kept.subject, kept.fits) == ("store", False)
    (waiting,) = await asyncio.to_thread(read_unclaimed, data / UNCLAIMED_FILE)
    assert (waiting.stream, waiting.group_id) == (stream, "!a:example.org")


async def test_a_folder_that_cannot_be_used_is_named(settings: Settings) -> None:
    """It is not taken for a running recorder."""
    settings.service.data_dir.parent.joinpath("var").write_bytes(b"a file")
    with pytest.raises(ConfigError, match="data_dir"):
        await reconcile(settings, source=False, by="t", show=lambda _: None)
