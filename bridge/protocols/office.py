"""What people order: steps on groups, and decisions on messages; holds later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from bridge.model import Outcome


class StepKind(StrEnum):
    """What a person may do with a group."""

    PROPOSE = "propose"
    APPROVE = "approve"
    PAUSE = "pause"
    RESUME = "resume"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStep:
    """One step, as ordered. ``number`` is given by the office and only grows."""

    number: int = 0
    kind: StepKind
    connector: str
    group_id: str
    name: str | None
    by: str
    at: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionOrder:
    """What a person says is to become of event ``n`` of a stream: capture or discard.

    ``number`` is given by the office and only grows.
    """

    number: int = 0
    stream: str
    n: int
    outcome: Outcome
    by: str
    at: datetime
    why: str

    def __post_init__(self) -> None:
        if self.outcome is Outcome.REVIEW:
            raise ValueError("a person decides to capture or to discard")


class RequestKind(StrEnum):
    """What a running recorder can be asked to do besides its daily work."""

    RECONCILE = "reconcile"
    RECONCILE_SOURCE = "reconcile_source"
    KEYS_EXPORT = "keys_export"
    KEYS_IMPORT = "keys_import"

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

    async def aclose(self) -> None:
        """Give up the connection."""
