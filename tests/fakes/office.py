"""An inbox in memory that keeps the office's promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bridge.model import Outcome, require_utc
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

    async def decide_after(self, decision: DecisionOrder, *, last: int) -> int | None:
        """Add a decision if the last one on its event is still that."""
        self._must_be_open()
        before = await self.last_decisions([(decision.stream, decision.n)])
        if last != (before[0].number if before else 0):
            return None
        return await self.decide(decision)

    async def last_decisions(self, events: Sequence[tuple[str, int]]) -> tuple[DecisionOrder, ...]:
        """The last decision on each of these events."""
        self._must_be_open()
        last = {(each.stream, each.n): each for each in self.inbox.decisions}
        found = [last[event] for event in set(events) if event in last]
        return tuple(sorted(found, key=lambda each: each.number))

    async def newest_decision(self) -> int:
        """The number of the newest decision."""
        self._must_be_open()
        return max((each.number for each in self.inbox.decisions), default=0)

    async def marks(self, *, after: int = 0, limit: int) -> tuple[DecisionOrder, ...]:
        """What is marked and not decided since."""
        events = [(each.stream, each.n) for each in self.inbox.decisions]
        last = await self.last_decisions(events)
        marks = (each for each in last if each.outcome is Outcome.REVIEW and each.number > after)
        return tuple(marks)[:limit]

    async def sample(self, lot: str, *, by: str, since: datetime) -> tuple[DecisionOrder, ...]:
        """One person's sample of a lot."""
        self._must_be_open()
        return tuple(
            each
            for each in self.inbox.decisions
            if lot and each.lot == lot and each.by == by and each.at >= since
        )

    async def aclose(self) -> None:
        """Give up the handle."""
        self._closed = True

    def _must_be_open(self) -> None:
        if self._closed:
            raise RuntimeError("the office is closed")
