"""An inbox in memory that keeps the office's promises."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bridge.model import require_utc
from bridge.protocols.office import DecisionOrder, GroupStep, Request


@dataclass(slots=True)
class Inbox:
    """What the handles of one office share, as a file is shared by processes."""

    steps: list[GroupStep] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    decisions: list[DecisionOrder] = field(default_factory=list)


class FakeOffice:
    """One handle on an inbox. Numbers grow from 1; a closed handle takes nothing."""

    def __init__(self, inbox: Inbox | None = None) -> None:
        """``inbox``: shared with other handles, or one of its own."""
        self.inbox = inbox or Inbox()
        self._closed = False

    async def order(self, step: GroupStep) -> int:
        """Add a step and give its number."""
        self._must_be_open()
        require_utc(step.at, "at")
        number = len(self.inbox.steps) + 1
        self.inbox.steps.append(replace(step, number=number))
        return number

    async def steps(self, after: int) -> tuple[GroupStep, ...]:
        """Every step with a number above ``after``, in order."""
        self._must_be_open()
        return tuple(step for step in self.inbox.steps if step.number > after)

    async def ask(self, request: Request) -> int:
        """Add a request and give its number."""
        self._must_be_open()
        require_utc(request.at, "at")
        number = len(self.inbox.requests) + 1
        self.inbox.requests.append(replace(request, number=number))
        return number

    async def requests(self, after: int) -> tuple[Request, ...]:
        """Every request with a number above ``after``, in order."""
        self._must_be_open()
        return tuple(each for each in self.inbox.requests if each.number > after)

    async def decide(self, decision: DecisionOrder) -> int:
        """Add a decision and give its number."""
        self._must_be_open()
        require_utc(decision.at, "at")
        number = len(self.inbox.decisions) + 1
        self.inbox.decisions.append(replace(decision, number=number))
        return number

    async def decisions(self, after: int) -> tuple[DecisionOrder, ...]:
        """Every decision with a number above ``after``, in order."""
        self._must_be_open()
        return tuple(each for each in self.inbox.decisions if each.number > after)

    async def aclose(self) -> None:
        """Give up the handle."""
        self._closed = True

    def _must_be_open(self) -> None:
        if self._closed:
            raise RuntimeError("the office is closed")
