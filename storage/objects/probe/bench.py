"""What the checks of one examination share: identities, names, times, and what is to be removed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.errors import ObjectStoreError, ObjectStoreRejectedError
from bridge.protocols import Clock
from bridge.protocols.probe import Enforcement, Result, StoreCheck
from storage.objects.probe.hands import Answer, Hands, Lock, Mode
from storage.objects.s3_values import LockMode

LOCKED = timedelta(minutes=5)
"""How long the lock of a canary lasts: long beside an examination, short beside a day."""

_MODES: dict[str, Mode] = {"governance": "GOVERNANCE", "compliance": "COMPLIANCE"}
_RESULTS = {
    Enforcement.ENFORCED: Result.OK,
    Enforcement.CANNOT_TELL: Result.CANNOT_TELL,
    Enforcement.NOT_APPLICABLE: Result.NOT_APPLICABLE,
}


def check(
    name: str, verdict: Enforcement, fact: str, remedy: str = "", *, needed: bool = False
) -> StoreCheck:
    """A finding. What is not enforced is a failure where it is ``needed``, else a warning."""
    result = _RESULTS.get(verdict, Result.FAIL if needed else Result.WARNING)
    if result in {Result.OK, Result.NOT_APPLICABLE}:
        remedy = ""
    return StoreCheck(check=name, verdict=verdict, result=result, fact=fact, remedy=remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """An object of ours under ``probe/``."""

    name: str
    version: str | None


@dataclass(slots=True, kw_only=True)
class Bench:
    """``writer`` is the recorder's identity, ``other`` one that may hold rights it lacks.

    ``deleter`` is whoever was seen to delete an unlocked canary: only a refusal to it counts.
    """

    writer: Hands
    other: Hands | None
    lock_mode: LockMode
    clock: Clock
    pause: Callable[[float], None]
    folder: str
    deleter: Hands | None = None
    versioned: bool = False
    default_lock: str = ""
    lock_shown: bool = False
    may_bypass: bool = False
    made: list[Canary] = field(default_factory=list)
    _making: threading.Lock = field(default_factory=threading.Lock)

    @property
    def mode(self) -> Mode:
        """The lock that is tried; only where one is asked for."""
        return _MODES[self.lock_mode]

    @property
    def identities(self) -> tuple[Hands, ...]:
        """The writer first."""
        return (self.writer,) if self.other is None else (self.writer, self.other)

    def called(self, identity: Hands) -> str:
        """An identity as people know it."""
        return "the writer" if identity is self.writer else "the probe's identity"

    def server_now(self) -> datetime:
        """The store's time: its clock ends its locks."""
        return self.clock.now() + (self.writer.skew or timedelta(0))

    def soon(self) -> Lock | None:
        """What keeps a canary from getting the bucket's own long lock; None where it has none."""
        if not self.default_lock:
            return None
        return Lock(mode="GOVERNANCE", until=self.server_now() + LOCKED)

    def put(
        self,
        what: str,
        data: bytes,
        *,
        lock: Lock | None = None,
        only_new: bool = False,
        instead_of: str | None = None,
        sha256: bytes | None = None,
        md5: bytes | None = None,
    ) -> Answer:
        """PUT by the writer under a name of this examination's own; remembered for its removal."""
        name = self.name(what)
        answer = self.writer.put(
            name,
            data,
            lock=lock or self.soon(),
            only_new=only_new,
            instead_of=instead_of,
            sha256=sha256,
            md5=md5,
        )
        if answer.done:
            with self._making:
                self.made.append(Canary(name=name, version=answer.version))
        return answer

    def stands(self, what: str, version: str | None) -> bool:
        """Whether a canary is there, also behind a delete marker where its version is not known."""
        name = self.name(what)
        if self.writer.look(name, version) is not None:
            return True
        if version is not None:
            return False
        try:
            return bool(self.writer.versions(name))
        except ObjectStoreRejectedError:
            return False  # a store that knows no versions

    def forget(self, what: str, version: str | None) -> None:
        """This version of a canary is known to be gone; others of its name may stand."""
        gone = Canary(name=self.name(what), version=version)
        self.made = [each for each in self.made if each != gone]

    def name(self, what: str) -> str:
        """The whole name of a canary."""
        return f"{self.folder}{what}"

    def clean(self, *, before: datetime) -> int:
        """Remove this examination's canaries, and older ones whose locks are over, where allowed.

        Gives the number of this one's that stay. A refusal is no news here.
        """
        if self.deleter is None:
            return len(self.made)
        left = sum(not self._removed(self.deleter, each) for each in dict.fromkeys(self.made))
        try:
            old = self.deleter.left(before=before)
        except ObjectStoreError:
            return left
        for each in old:
            self.deleter.delete(each.name, each.version)
        return left

    def _removed(self, deleter: Hands, canary: Canary) -> bool:
        bypass = self.may_bypass and deleter is self.writer
        return deleter.delete(canary.name, canary.version, bypass=bypass).done
