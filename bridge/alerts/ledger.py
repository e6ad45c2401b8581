"""What people were told and what they are still to be told: ``alerts.json``.

It stands beside the journal, and is replaced whole and durably: what is in it is told after a
crash.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from bridge.alerts.alert import Alert

FILE = "alerts.json"


class Standing(msgspec.Struct, kw_only=True):
    """One kind of trouble of one part.

    ``present``: it is so ``since`` then, or is not. ``told``: people think that it is; ``told_at``
    is when they last heard that it came. ``came``: how often it came since. ``happened``: what
    they have not heard of, each by a name of its own.
    """

    part: str
    trouble: str
    subject: str = ""
    present: bool = False
    since: datetime
    told: bool = False
    told_at: datetime | None = None
    came: int = 0
    happened: list[str] = []

    @property
    def key(self) -> tuple[str, str, str]:
        """As :func:`bridge.alerts.alert.key_of`."""
        return self.part, self.trouble, self.subject


class Ledger(msgspec.Struct, kw_only=True):
    """The whole file. ``owed``: the alerts of each channel, oldest first.

    ``reminded``: of what people were reminded on ``reminded_on``, a date.
    """

    standing: list[Standing] = []
    owed: dict[str, list[Alert]] = {}
    reminded_on: str = ""
    reminded: list[tuple[str, str, str]] = []


def read_ledger(file: Path) -> Ledger | None:
    """What was written last; None where there is none, or none that can be read."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Ledger)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
