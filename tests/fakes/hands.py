"""A bucket in memory that enforces S3's rules on locks, holds, conditions and checksums."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import count
from typing import TYPE_CHECKING

from bridge.errors import ObjectStoreRejectedError, ObjectStoreUnavailableError
from bridge.protocols import Clock
from storage.objects.probe.hands import Answer, Hands, Left, Lock, Said, Shown

FOLDER = "deep/probe/"
DENIED = Answer(said=Said.REFUSED, words="403 AccessDenied")
DONE = Answer(said=Said.DONE)
STALE = Answer(said=Said.REFUSED, words="412 PreconditionFailed")
BUSY = Answer(said=Said.UNSETTLED, words="503 SlowDown")


class Right(Enum):
    """What an identity may do."""

    PUT = auto()
    LOOK = auto()
    DELETE = auto()
    RETAIN = auto()
    BYPASS = auto()
    HOLD = auto()
    ASK = auto()


class Quirk(Enum):
    """How a store departs from S3."""

    DROPS_LOCKS = auto()
    IDLE_LOCKS = auto()
    IDLE_HOLDS = auto()
    SHORTENS = auto()
    WEAKENS = auto()
    SAYS_DONE = auto()
    """A refused delete is answered as if it had been done."""
    IGNORES_CONDITIONS = auto()
    KNOWS_NO_CONDITIONS = auto()
    IF_MATCH_NEVER = auto()
    CHECKS_NOTHING = auto()
    SHOWS_OTHERS = auto()
    """What comes back is not what was put."""


EVERYTHING = frozenset(Right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One version."""

    id: str
    data: bytes = field(repr=False)
    at: datetime
    lock: Lock | None = None
    held: bool = False

    @property
    def etag(self) -> str:
        """As S3 makes it."""
        return f'"{hashlib.md5(self.data, usedforsecurity=False).hexdigest()}"'


class FakeBucket:
    """The bucket itself; ``skew`` is how far its clock is ahead.

    ``busy`` names operations that are answered 503; ``silent_after`` so many requests nobody
    answers any more.
    """

    def __init__(
        self, clock: Clock, *quirks: Quirk, versioned: bool = True, locks: bool = True
    ) -> None:
        self.clock = clock
        self.quirks = frozenset(quirks)
        self.versioned = versioned
        self.locks = locks and versioned
        self.skew = timedelta(0)
        self.default_lock: tuple[str, timedelta] | None = None
        self.busy: set[str] = set()
        self.silent_after: int | None = None
        self.names: dict[str, list[Kept]] = {}
        self.asked: list[tuple[str, str]] = []
        self.lock = threading.RLock()
        self._ids = count(1)

    @property
    def now(self) -> datetime:
        """By the bucket's clock."""
        return self.clock.now() + self.skew

    def next_id(self) -> str:
        """What the next version is called."""
        return f"v{next(self._ids):04d}"

    def hands(self, rights: frozenset[Right] = EVERYTHING) -> FakeHands:
        """An identity with these rights."""
        return FakeHands(self, rights)

    def find(self, name: str, version: str | None) -> Kept | None:
        """The newest version, or a certain one."""
        found = [each for each in self.names.get(name, []) if version in {None, each.id}]
        return found[-1] if found else None

    def swap(self, name: str, old: Kept, new: Kept | None) -> None:
        """One version changes, or goes."""
        kept = [new if each is old else each for each in self.names[name]]
        self.names[name] = [each for each in kept if each is not None]


class FakeHands:
    """See :class:`storage.objects.probe.hands.Hands`."""

    def __init__(self, bucket: FakeBucket, rights: frozenset[Right]) -> None:
        self.bucket = bucket
        self.rights = rights

    @property
    def where(self) -> str:
        """For messages."""
        return "a bucket in memory"

    @property
    def folder(self) -> str:
        """Where canaries stand."""
        return FOLDER

    @property
    def skew(self) -> timedelta | None:
        """Known from the first answer on."""
        return self.bucket.skew if self.bucket.asked else None

    def put(
        self,
        name: str,
        data: bytes,
        *,
        lock: Lock | None = None,
        only_new: bool = False,
        instead_of: str | None = None,
        sha256: bytes | None = None,
        md5: bytes | None = None,
    ) -> Answer:
        """PUT."""
        if refusal := self._refused("put", name, Right.PUT):
            return refusal
        bucket = self.bucket
        wrong = sha256 not in {None, hashlib.sha256(data).digest()}
        wrong |= md5 not in {None, hashlib.md5(data, usedforsecurity=False).digest()}
        if wrong and Quirk.CHECKS_NOTHING not in bucket.quirks:
            return Answer(said=Said.REFUSED, words="400 BadDigest")
        if lock is not None and Right.RETAIN not in self.rights:
            return DENIED
        if lock is not None and (not bucket.locks or lock.until <= bucket.now):
            return Answer(said=Said.REFUSED, words="400 InvalidRequest")
        with bucket.lock:
            if refusal := self._condition(name, only_new=only_new, instead_of=instead_of):
                return refusal
            kept = Kept(id=bucket.next_id(), data=data, at=bucket.now, lock=self._locked(lock))
            standing = bucket.names.get(name, []) if bucket.versioned else []
            bucket.names[name] = [*standing, kept]
        return Answer(said=Said.DONE, version=kept.id if bucket.versioned else None, etag=kept.etag)

    def _condition(self, name: str, *, only_new: bool, instead_of: str | None) -> Answer | None:
        quirks, standing = self.bucket.quirks, self.bucket.find(name, None)
        if Quirk.KNOWS_NO_CONDITIONS in quirks and (only_new or instead_of is not None):
            return Answer(said=Said.REFUSED, words="501 NotImplemented")
        if Quirk.IF_MATCH_NEVER in quirks and instead_of is not None:
            return STALE
        if Quirk.IGNORES_CONDITIONS in quirks:
            return None
        etag = None if standing is None else standing.etag
        if (only_new and standing is not None) or instead_of not in {None, etag}:
            return STALE
        return None

    def _locked(self, lock: Lock | None) -> Lock | None:
        bucket = self.bucket
        if Quirk.DROPS_LOCKS in bucket.quirks:
            return None
        if lock is None and bucket.default_lock is not None:
            return Lock(mode="GOVERNANCE", until=bucket.now + bucket.default_lock[1])
        return lock

    def look(self, name: str, version: str | None) -> Shown | None:
        """HEAD."""
        self._look("look", name)
        found = self.bucket.find(name, version)
        if found is None:
            return None
        return Shown(etag=found.etag, lock=found.lock, held=found.held)

    def read(self, name: str, version: str | None) -> bytes | None:
        """GET."""
        self._look("read", name)
        found = self.bucket.find(name, version)
        if found is not None and Quirk.SHOWS_OTHERS in self.bucket.quirks:
            return b"others"
        return None if found is None else found.data

    def delete(self, name: str, version: str | None, *, bypass: bool = False) -> Answer:
        """DELETE."""
        if refusal := self._refused("delete", name, Right.DELETE):
            return refusal
        bucket = self.bucket
        with bucket.lock:
            found = bucket.find(name, version)
            if found is None:
                return DONE
            passes = bypass and Right.BYPASS in self.rights and _is_governance(found.lock)
            if self._keeps(found, passes=passes):
                return DONE if Quirk.SAYS_DONE in bucket.quirks else DENIED
            bucket.swap(name, found, None)
        return DONE

    def _keeps(self, found: Kept, *, passes: bool) -> bool:
        quirks = self.bucket.quirks
        if found.held and Quirk.IDLE_HOLDS not in quirks:
            return True
        locked = found.lock is not None and found.lock.until > self.bucket.now
        return locked and not passes and Quirk.IDLE_LOCKS not in quirks

    def retain(self, name: str, version: str | None, lock: Lock) -> Answer:
        """PutObjectRetention, without passing over what stands."""
        if refusal := self._refused("retain", name, Right.RETAIN):
            return refusal
        bucket, quirks = self.bucket, self.bucket.quirks
        with bucket.lock:
            found = bucket.find(name, version)
            if found is None or not bucket.locks:
                return Answer(said=Said.REFUSED, words="400 InvalidRequest")
            if (standing := found.lock) is not None:
                shorter = lock.until < standing.until and Quirk.SHORTENS not in quirks
                weaker = standing.mode != lock.mode and _is_governance(lock)
                if shorter or (weaker and Quirk.WEAKENS not in quirks):
                    return DENIED
            bucket.swap(name, found, replace(found, lock=lock))
        return DONE

    def hold(self, name: str, version: str | None, *, on: bool) -> Answer:
        """PutObjectLegalHold."""
        if refusal := self._refused("hold", name, Right.HOLD):
            return refusal
        found = self.bucket.find(name, version)
        if found is None or not self.bucket.locks:
            return Answer(said=Said.REFUSED, words="400 InvalidRequest")
        self.bucket.swap(name, found, replace(found, held=on))
        return DONE

    def versions(self, name: str) -> tuple[str, ...]:
        """Newest first."""
        self._look("versions", name)
        return tuple(each.id for each in reversed(self.bucket.names.get(name, [])))

    def versioning(self) -> str:
        """Enabled or not."""
        self._look("versioning", FOLDER)
        return "Enabled" if self.bucket.versioned else ""

    def default_lock(self) -> str:
        """As it is told to who may ask."""
        self._answer("default_lock", FOLDER)
        if Right.ASK not in self.rights:
            raise ObjectStoreRejectedError("the store answers 403 AccessDenied")
        rule = self.bucket.default_lock
        return "" if rule is None else f"{rule[0]} for {rule[1].days} days"

    def left(self, *, before: datetime) -> tuple[Left, ...]:
        """What stands since before then."""
        self._look("left", FOLDER)
        return tuple(
            Left(name=name, version=each.id)
            for name, versions in self.bucket.names.items()
            for each in versions
            if name.startswith(FOLDER) and each.at < before
        )

    def close(self) -> None:
        """Nothing is open."""

    def _answer(self, what: str, name: str) -> None:
        if not name.startswith(FOLDER):
            raise RuntimeError(f"a probe changes nothing outside {FOLDER}")
        bucket = self.bucket
        bucket.asked.append((what, name))
        if bucket.silent_after is not None and len(bucket.asked) > bucket.silent_after:
            raise ObjectStoreUnavailableError("no answer")

    def _look(self, what: str, name: str) -> None:
        self._answer(what, name)
        if Right.LOOK not in self.rights:
            raise ObjectStoreRejectedError("the store answers 403 AccessDenied")

    def _refused(self, what: str, name: str, right: Right) -> Answer | None:
        self._answer(what, name)
        if what in self.bucket.busy:
            return BUSY
        return None if right in self.rights else DENIED


def _is_governance(lock: Lock | None) -> bool:
    return lock is not None and lock.mode == "GOVERNANCE"


if TYPE_CHECKING:
    _: type[Hands] = FakeHands
