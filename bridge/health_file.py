"""What a running ``run`` says of itself to whoever looks beside it.

Apart from what serves the port: ``status`` reads it, and starts often.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from bridge.protocols import Voucher
from bridge.whole_file import replace_whole

FILE = "health.json"
STALE = timedelta(seconds=10)


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What ``run`` says of itself. ``at`` is RFC 3339.

    ``capture_delay``: seconds it lately took from receipt to storage, at the slow end. ``anchors``:
    who vouches for the log from outside.
    """

    pid: int
    at: str
    alarms: tuple[str, ...] = ()
    capture_delay: float | None = None
    anchors: tuple[Voucher, ...] = ()


def read_health(file: Path, *, now: datetime) -> Health | None:
    """What a running ``run`` last said, or None where none runs any more.

    A ``run`` that was killed leaves its last word behind; it counts for a few rounds only.
    """
    try:
        health = msgspec.json.decode(file.read_bytes(), type=Health)
        age = now - datetime.fromisoformat(health.at)
    except (OSError, ValueError, TypeError, msgspec.MsgspecError):
        return None
    return health if age < STALE else None


def write_health(file: Path, health: Health) -> None:
    """Replace the file, for its owner alone.

    Raises:
        OSError: it cannot be written.
    """
    replace_whole(file, msgspec.json.encode(health), durable=False)
