"""Streams of lost journals whose group is not in the register: remembered beside the journal.

The look at a start reads only what was filed lately. What an earlier look found, and nobody could
go on with yet, would not be found by it again. Without the file the whole comparison finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bridge.reconcile.lineage import SeenStream
from bridge.whole_file import replace_whole

FILE = "unclaimed.json"


def write_unclaimed(file: Path, streams: Sequence[SeenStream]) -> None:
    """Replace the file, or remove it where nothing waits. It names groups: only its owner reads it.

    Raises:
        OSError: it cannot be written, or cannot be removed.
    """
    if not streams:
        file.unlink(missing_ok=True)
        return
    replace_whole(file, msgspec.json.encode(streams), durable=True)


def read_unclaimed(file: Path) -> tuple[SeenStream, ...]:
    """What was written last; nothing where it cannot be read."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=tuple[SeenStream, ...])
    except (OSError, ValueError, msgspec.MsgspecError):
        return ()
