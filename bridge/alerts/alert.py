"""An alert, and what takes it to people."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec

from bridge.health import Alarm


class Change(StrEnum):
    """What an alert tells."""

    RAISED = "raised"
    RESOLVED = "resolved"
    HAPPENED = "happened"
    """Something that does not end by itself, such as a marking of SECRET."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One message to people. Its fields MUST hold no content, no name of others and no address.

    ``at`` and ``since`` are RFC 3339. ``count``: how many things happened. ``suppressed``: how many
    times the same was raised since it was last told.
    """

    change: Change
    part: str
    trouble: str
    subject: str = ""
    at: str
    since: str
    count: int = 1
    suppressed: int = 0

    @property
    def title(self) -> str:
        """Part and trouble, in few words."""
        of = f" ({self.subject})" if self.subject else ""
        times = f", {self.count} times" if self.count > 1 else ""
        return f"{self.part}: {self.trouble}{of}{times}"

    @property
    def sentence(self) -> str:
        """All of it, in words."""
        again = f" It came {self.suppressed} times more meanwhile." if self.suppressed else ""
        if self.change is Change.RESOLVED:
            return f"Over: {self.title}. It lasted until {self.since}.{again}"
        return f"{self.title}. Since {self.since}.{again}"


def key_of(alarm: Alarm) -> tuple[str, str, str]:
    """What makes two alarms the same one."""
    return alarm.part, alarm.trouble, alarm.subject


class Channel(Protocol):
    """One way to people."""

    @property
    def name(self) -> str:
        """What the operator knows it as: ``webhook`` or ``e-mail``."""

    async def send(self, alert: Alert) -> None:
        """Hand it over. MAY be repeated after any failure, so that it comes twice.

        Raises:
            AlertError: nobody is known to have it.
        """

    async def aclose(self) -> None:
        """Give up connections."""
