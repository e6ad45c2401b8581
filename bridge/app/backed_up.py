"""When a back-up was last made, as ``backup`` notes it beside the databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from bridge.canonical import rfc3339
from bridge.whole_file import replace_whole
from config.settings import Settings

FILE = "backup.json"
DUE = timedelta(days=8)
"""One a day is what the manual asks for; who makes one a week is a day late here."""


class BackupReport(msgspec.Struct, frozen=True, kw_only=True):
    """The last back-up made here, and what is to be said of it. Empty where nothing is."""

    at: str | None = None
    concern: str = ""


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    v: int = 1
    at: str


def note_backup(data_dir: Path, at: datetime) -> None:
    """Note that a back-up made at ``at`` is on disk. Holds nothing but the time.

    Raises:
        OSError: it cannot be written.
    """
    replace_whole(data_dir / FILE, msgspec.json.encode(_Note(at=rfc3339(at))), durable=True)


def backup_report(settings: Settings, now: datetime) -> BackupReport:
    """Whether back-ups are made, as far as this machine can know. Blocks: reads the note."""
    at = _noted(settings.service.data_dir)
    shown = rfc3339(at) if at is not None else None
    if settings.backup.recipient is None:
        return BackupReport(at=shown, concern="[backup] recipient is not set: none can be made.")
    if at is None:
        return BackupReport(concern="None was made here yet.")
    if now - at > DUE:
        return BackupReport(at=shown, concern=f"The last one is over {DUE.days} days old.")
    return BackupReport(at=shown)


def _noted(data_dir: Path) -> datetime | None:
    """What cannot be read counts as nothing: then one is made, and noted anew."""
    try:
        note = msgspec.json.decode((data_dir / FILE).read_bytes(), type=_Note)
        at = datetime.fromisoformat(note.at)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
    return at if at.tzinfo is not None else None
