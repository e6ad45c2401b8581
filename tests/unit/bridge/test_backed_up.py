"""Whether back-ups are made, as far as the recorder's machine knows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.app.backed_up import DUE, FILE, BackupReport, backup_report, note_backup
from bridge.canonical import rfc3339
from config.settings import Settings, parse
from tests.fakes.clock import START

RECIPIENT = '[backup]\nrecipient = "age1examplerecipient"\n'


def _settings(folder: Path, text: str = RECIPIENT) -> Settings:
    (folder / "var").mkdir()
    return parse(text, folder / "muniment.toml", {})


def test_without_a_recipient_none_can_be_made(tmp_path: Path) -> None:
    """Whenever the last one was made."""
    settings = _settings(tmp_path, "")
    assert backup_report(settings, START).at is None
    assert "recipient" in backup_report(settings, START).concern
    note_backup(settings.service.data_dir, START)
    found = backup_report(settings, START)
    assert found.at == rfc3339(START)
    assert "recipient" in found.concern


@pytest.mark.parametrize(
    "text", [None, "", "[]", '{"v":1,"at":"yesterday"}', '{"at":"2026-03-02"}']
)
def test_none_is_known_where_nothing_is_noted(tmp_path: Path, text: str | None) -> None:
    """A note that cannot be read is none."""
    settings = _settings(tmp_path)
    if text is not None:
        (settings.service.data_dir / FILE).write_text(text)
    found = backup_report(settings, START)
    assert (found.at, found.concern) == (None, "None was made here yet.")


@pytest.mark.parametrize(
    ("age", "is_due"),
    [(timedelta(days=-1), False), (timedelta(), False), (DUE, False), (DUE * 1.01, True)],
)
def test_one_that_is_over_eight_days_old_is_not_enough(
    tmp_path: Path, age: timedelta, *, is_due: bool
) -> None:
    """One from the future, by a clock that was set back, is as good as one of today."""
    settings = _settings(tmp_path)
    note_backup(settings.service.data_dir, START - age)
    found = backup_report(settings, START)
    assert found.at == rfc3339(START - age)
    assert bool(found.concern) is is_due


def test_the_note_is_replaced(tmp_path: Path) -> None:
    """The last one counts, and nothing else is left in the folder."""
    settings = _settings(tmp_path)
    for days in (3, 1):
        note_backup(settings.service.data_dir, START - timedelta(days=days))
    at = rfc3339(START - timedelta(days=1))
    assert backup_report(settings, START) == BackupReport(at=at)
    assert [each.name for each in settings.service.data_dir.iterdir()] == [FILE]
