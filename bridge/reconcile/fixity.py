"""How the last comparison with the store that reached its end came out: ``fixity.json``.

It stands beside the journal, apart from what is asked for meanwhile: until another comparison
reaches its end this one holds, whatever was done in between, and after a restart too.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from bridge.reconcile.report import Report
from bridge.whole_file import replace_whole

FILE = "fixity.json"
STORE = "store"
"""The subject of a report on the store."""


def keep_fixity(file: Path, report: Report) -> None:
    """Replace the file, if this is a comparison with the store that reached its end. Blocks.

    Raises:
        OSError: it cannot be written; the one before holds.
    """
    if report.complete and report.subject == STORE:
        replace_whole(file, msgspec.json.encode(report), durable=True)


def read_fixity(file: Path) -> Report | None:
    """What was kept last, or None. Blocks."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Report)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
