"""What the server is told to do wrong, to whom, and how often."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from enum import StrEnum


class FaultKind(StrEnum):
    """A way of going wrong."""

    STATUS = "status"
    """The answer is ``status``, as an HTML page where it is 5xx, else as a refusal."""
    FLOOD = "flood"
    """429 with ``parameters.retry_after``."""
    DROPPED = "dropped"
    """The connection is closed where the answer should be."""
    SILENT = "silent"
    """The request is held until the faults are lifted, then dropped."""
    SLOW = "slow"
    """The answer goes out in pieces of ``size`` bytes, ``pause`` seconds apart."""
    TRUNCATED = "truncated"
    """The connection is closed in the middle of the body."""
    INVALID_JSON = "invalid_json"
    """The body is the true one with its end cut off, and a length that fits."""
    NOT_JSON = "not_json"
    """A 200 with somebody's page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing to do wrong: ``times`` times, or (None) until it is lifted; ``after`` so many.

    ``method`` is a Bot API method or ``file`` for downloads, empty for all; ``bot`` the
    identifier of a bot, 0 for all. With ``lands`` what was asked is carried out all the same.
    """

    kind: FaultKind
    method: str = ""
    bot: int = 0
    times: int | None = None
    after: int = 0
    lands: bool = False
    status: int = 500
    description: str = "Internal Server Error"
    retry_after: int = 1
    size: int = 1
    pause: float = 0.0


class Faults:
    """The faults in force, oldest first; a request meets the first that is for it."""

    def __init__(self) -> None:
        self._left: list[Fault] = []
        self._lifted = asyncio.Event()
        self.holding = asyncio.Event()
        """Set once a request is held by silence."""

    def set(self, fault: Fault) -> None:
        """Do this from now on, after what is in force already."""
        self._left.append(fault)

    def lift(self) -> None:
        """Do nothing wrong any more; requests held are dropped."""
        self._left.clear()
        self._lifted.set()
        self._lifted = asyncio.Event()
        self.holding.clear()

    async def hold(self) -> None:
        """Keep a request until the faults in force now are lifted."""
        lifted = self._lifted
        self.holding.set()
        await lifted.wait()

    def meet(self, method: str, bot: int) -> Fault | None:
        """The fault that this request meets; it has been used once then."""
        for place, fault in enumerate(self._left):
            if fault.method.lower() not in {"", method.lower()} or fault.bot not in {0, bot}:
                continue
            if fault.after:
                self._left[place] = replace(fault, after=fault.after - 1)
                continue
            if fault.times is not None and fault.times <= 1:
                del self._left[place]
            elif fault.times is not None:
                self._left[place] = replace(fault, times=fault.times - 1)
            return fault
        return None
