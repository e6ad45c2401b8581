"""What people order: steps on groups, and decisions on messages. Holds: :mod:`.holds`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from bridge.model import Outcome, Particulars


class StepKind(StrEnum):
    """What a person may do with a group."""

    PROPOSE = "propose"
    APPROVE = "approve"
    PAUSE = "pause"
    RESUME = "resume"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStep:
    """One step, as ordered. ``number`` is given by the office and only grows.

    ``particulars`` and ``capture_all`` come with a proposal or an approval; where they say nothing,
    what stands stays.
    """

    number: int = 0
    kind: StepKind
    connector: str
    group_id: str
    name: str | None
    by: str
    at: datetime
    why: str
    particulars: Particulars = field(default_factory=Particulars)
    capture_all: bool | None = None


class Label(StrEnum):
    """What a person says of a message besides its outcome.

    ``context`` and ``class`` come with a capture; the others leave it to somebody else.
    """

    CONTEXT = "context"
    CLASS = "class"
    PERSONAL = "personal"
    PARTY = "party"
    ESCALATED = "escalated"

    @property
    def is_mark(self) -> bool:
        """Whether it decides nothing, and hands the message to who may see what is sensitive."""
        return self not in {Label.CONTEXT, Label.CLASS}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionOrder:
    """What a person says is to become of event ``n`` of a stream: capture or discard.

    ``number`` is given by the office and only grows. With a label that is a mark the outcome is
    review: nothing is decided yet. ``code`` is the reason code given with the label ``class``.
    ``lot``: of which many alike it was decided as a part of the sample.
    """

    number: int = 0
    stream: str
    n: int
    outcome: Outcome
    by: str
    at: datetime
    why: str
    label: Label | None = None
    code: str = ""
    lot: str = ""

    def __post_init__(self) -> None:
        is_mark = self.label is not None and self.label.is_mark
        if (self.outcome is Outcome.REVIEW) != is_mark:
            raise ValueError("a person decides to capture or to discard, or marks a review")
        if self.label in {Label.CONTEXT, Label.CLASS} and self.outcome is not Outcome.CAPTURE:
            raise ValueError("only what is kept is context, or has a class")
        if (self.code != "") != (self.label is Label.CLASS):
            raise ValueError("a reason code is given with the label class")


class RequestKind(StrEnum):
    """What a running recorder can be asked to do besides its daily work."""

    RECONCILE = "reconcile"
    RECONCILE_SOURCE = "reconcile_source"
    KEYS_EXPORT = "keys_export"
    KEYS_IMPORT = "keys_import"
    CATALOG_REBUILD = "catalog_rebuild"

    @property
    def is_comparison(self) -> bool:
        """Whether it ends with a report on what does not fit."""
        return self in {RequestKind.RECONCILE, RequestKind.RECONCILE_SOURCE}

    @property
    def is_of_keys(self) -> bool:
        """Whether it says which keys go where: see :class:`KeyTransfer`."""
        return self in {RequestKind.KEYS_EXPORT, RequestKind.KEYS_IMPORT}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTransfer:
    """A connector's room keys, out to a file or in from one. Paths only, never a passphrase.

    Paths MUST be absolute: another process reads them.
    """

    connector: str
    file: Path
    passphrase_file: Path

    def __post_init__(self) -> None:
        if not (self.file.is_absolute() and self.passphrase_file.is_absolute()):
            raise ValueError("the paths of a transfer of keys must be absolute")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One such wish. ``number`` is given by the office and only grows.

    ``keys`` MUST be there with the kinds that are of keys, and with no other.
    """

    number: int = 0
    kind: RequestKind
    by: str
    at: datetime
    keys: KeyTransfer | None = None

    def __post_init__(self) -> None:
        if self.kind.is_of_keys != (self.keys is not None):
            raise ValueError(f"a request of kind {self.kind} has no such details")


class Office(Protocol):
    """The inbox of orders. People's tools write it, the bridge takes from it."""

    async def ask(self, request: Request) -> int:
        """Add a request. Durable on return; gives its number."""

    async def requests(self, after: int) -> tuple[Request, ...]:
        """Every request with a number above ``after``, in order."""

    async def order(self, step: GroupStep) -> int:
        """Add a step. Durable on return; gives its number."""

    async def steps(self, after: int) -> tuple[GroupStep, ...]:
        """Every step with a number above ``after``, in order."""

    async def decide(self, decision: DecisionOrder) -> int:
        """Add a decision. Durable on return; gives its number."""

    async def decisions(self, after: int) -> tuple[DecisionOrder, ...]:
        """Every decision with a number above ``after``, in order."""

    async def decide_after(self, decision: DecisionOrder, *, last: int) -> int | None:
        """Add a decision, if ``last`` is still the number of the last one on its event.

        0: there is none. None: somebody decided meanwhile, or this page was sent twice; nothing
        was written.
        """

    async def last_decisions(self, events: Sequence[tuple[str, int]]) -> tuple[DecisionOrder, ...]:
        """The last decision on each of these events, given as stream and number, that has any."""

    async def newest_decision(self) -> int:
        """The number of the newest decision on any event; 0 without one."""

    async def marks(self, *, after: int = 0, limit: int) -> tuple[DecisionOrder, ...]:
        """The last decisions on events that are marked by them, oldest first, above ``after``."""

    async def sample(self, lot: str, *, by: str, since: datetime) -> tuple[DecisionOrder, ...]:
        """What this person decided as a part of a lot's sample, oldest first."""

    async def aclose(self) -> None:
        """Give up the connection."""
