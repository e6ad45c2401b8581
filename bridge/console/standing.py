"""How the recorder stands now, as the overview shows it: numbers and sentences, no content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.protocols import Voucher


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """``runs``: whether a recorder runs. ``capture_delay``: seconds, at the slow end, lately.

    ``log_size`` leaves are published, by a checkpoint signed at ``checkpoint_at``.
    """

    runs: bool
    alarms: tuple[str, ...] = ()
    capture_delay: float | None = None
    store: str = ""
    log_size: int = 0
    checkpoint_at: datetime | None = None
    vouchers: tuple[Voucher, ...] = ()


class Recorder(Protocol):
    """The recorder beside this console, which may not run."""

    async def standing(self) -> Standing:
        """How it stands.

        Raises:
            LogError: what it published cannot be read.
        """
