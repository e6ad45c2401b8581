"""What is promised of a probe: it tries what a store enforces, and says what it found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Enforcement(StrEnum):
    """What a probe says of one promise of a store."""

    ENFORCED = "enforced"
    NOT_ENFORCED = "not_enforced"
    CANNOT_TELL = "cannot_tell"
    NOT_APPLICABLE = "not_applicable"

    @property
    def words(self) -> str:
        """As people read it."""
        return self.value.replace("_", " ")


class Result(StrEnum):
    """What a check means for the recorder: only ``fail`` makes ``doctor`` exit 1."""

    OK = "ok"
    WARNING = "warning"
    FAIL = "fail"
    CANNOT_TELL = "cannot_tell"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCheck:
    """One check: its name, what was found in a sentence, and what to do about it."""

    check: str
    verdict: Enforcement
    result: Result
    fact: str
    remedy: str = ""


RETENTION_CHECKS = ("lock_kept", "delete_version", "shorten_retention")
"""The checks that the verdict on retention is made of."""


def retention_of(checks: Iterable[StoreCheck]) -> Enforcement:
    """Whether the store enforces a retention: all of these checks passed, or one of them failed.

    A refusal without its control says nothing, and a check that was not made neither.
    """
    found = {each.check: each.verdict for each in checks if each.check in RETENTION_CHECKS}
    if Enforcement.NOT_ENFORCED in found.values():
        return Enforcement.NOT_ENFORCED
    if all(found.get(name) is Enforcement.ENFORCED for name in RETENTION_CHECKS):
        return Enforcement.ENFORCED
    return Enforcement.CANNOT_TELL


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFindings:
    """What one examination found. ``left``: canaries that still stand under ``probe/``."""

    store: str
    lock_mode: str
    retention: Enforcement
    checks: tuple[StoreCheck, ...]
    at: datetime
    left: int = 0

    @property
    def failed(self) -> bool:
        """Whether something is wrong that the recorder needs."""
        return any(each.result is Result.FAIL for each in self.checks)

    def of(self, *results: Result) -> tuple[StoreCheck, ...]:
        """The checks with one of these results."""
        return tuple(each for each in self.checks if each.result in results)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreVerdict:
    """The last word on a store's retention: whose it is, of when, and what it rests on."""

    store: str
    lock_mode: str
    retention: Enforcement
    at: datetime
    by: str
    """``run`` or ``doctor``."""
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A canary that is to stand for days, locked, and is looked at again."""

    name: str
    version: str | None
    until: datetime


class StoreProbe(Protocol):
    """Tries a store. Writes and deletes only under ``probe/``, outside the tenant's records.

    Raises :class:`bridge.errors.ObjectStoreError` and nothing else.
    """

    async def examine(self) -> StoreFindings:
        """Every check. Repeatable; a cancelled one may leave canaries, whose locks last minutes.

        Raises:
            ObjectStoreUnavailableError: the store does not answer at all.
        """

    async def retention(self) -> StoreFindings:
        """Only the checks that the verdict on retention needs: a dozen of requests.

        Raises:
            ObjectStoreUnavailableError: the store does not answer at all.
        """

    async def plant(self, until: datetime) -> Planted:
        """Put a canary that is locked until then.

        Raises:
            ObjectStoreError: nothing is known to stand.
        """

    async def changed(self, planted: Planted) -> str:
        """What is different about it than when it was planted, in a sentence; "" for nothing."""

    async def aclose(self) -> None:
        """Give up connections and threads."""
