"""What the server is told to do wrong, to whom, and how often."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

import msgspec


class FaultKind(StrEnum):
    """A way of going wrong. The first four end or hold a request, the others spoil its answer."""

    DOWN = "down"
    """The connection is closed at once: the body is never read."""
    SILENT = "silent"
    """The request is taken and never answered. With ``lands`` it is carried out first."""
    CLOSED = "closed"
    """The connection is closed where the answer should be. With ``lands``, after it was done."""
    STATUS = "status"
    """The answer is ``status`` and ``code``. With ``lands``, though it was done."""

    SLOW = "slow"
    """Bodies are read, and answers written, at ``rate`` bytes a second."""
    TWICE = "twice"
    """A put is carried out twice, as by a repeating proxy: its own bytes answer it with 412."""
    FOREIGN = "foreign"
    """Just before a put somebody else puts other bytes under its key."""
    STORED_FLIPPED = "stored_flipped"
    """A bit is turned before the bytes are stored. The checksum shown is that of what stands."""
    CHECKSUM_WRONG = "checksum_wrong"
    """Answers show a checksum of other bytes."""
    GIVEN_FLIPPED = "given_flipped"
    """A bit is turned in what a GET gives out."""
    LOCK_DROPPED = "lock_dropped"
    """A retention or a legal hold is accepted and not kept."""
    LOCK_IDLE = "lock_idle"
    """A retention is kept and shown, and hinders nobody."""
    CHECKSUM_IDLE = "checksum_idle"
    """Checksums are accepted, right or wrong."""
    LOCK_SHORTENED = "lock_shortened"
    """A retention is accepted, and kept for a day less."""
    CLOCK = "clock"
    """The server's clock is ``seconds`` ahead (or behind): dates, locks, and whom it believes."""
    METADATA_DROPPED = "metadata_dropped"
    """Metadata and checksums are accepted and not kept."""
    CONDITION_IGNORED = "condition_ignored"
    """``If-None-Match`` and ``If-Match`` are not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing to do wrong: ``times`` times, or (None) until it is lifted; ``after`` so many.

    ``on`` is a verb (``PUT``) or an operation (``GetBucketVersioning``), ``prefix`` the beginning
    of object names in the bucket, ``access_key`` whose request it is; each empty for all.
    """

    kind: FaultKind
    on: str = ""
    prefix: str = ""
    access_key: str = ""
    times: int | None = None
    after: int = 0
    lands: bool = False
    status: int = 500
    code: str = "InternalError"
    retry_after: int | None = None
    rate: float = 1.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked of the server, and by whom: verb, operation, and the object's name, if any."""

    verb: str
    operation: str
    name: str
    access_key: str = ""


Met: TypeAlias = Mapping[FaultKind, Fault]
"""The faults that one request meets, at most one of each kind."""


class Faults:
    """The faults in force, oldest first. Of each kind a request meets the first that is for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: list[Fault] = []
        self._lifted = threading.Event()

    def set(self, fault: Fault) -> None:
        """Do this from now on, after what is in force already."""
        with self._lock:
            self._left.append(fault)

    def lift(self) -> None:
        """Do nothing wrong any more. Requests held by silence are closed, slow ones go on fast."""
        with self._lock:
            self._left.clear()
            self._lifted.set()
            self._lifted = threading.Event()

    @property
    def lifted(self) -> threading.Event:
        """Set once the faults in force now are lifted."""
        with self._lock:
            return self._lifted

    def meet(self, asked: Asked) -> Met:
        """What this request meets; each fault met has been used once."""
        met: dict[FaultKind, Fault] = {}
        left: list[Fault] = []
        with self._lock:
            for fault in self._left:
                if fault.kind in met or not _is_for(fault, asked):
                    left.append(fault)
                elif fault.after:
                    left.append(replace(fault, after=fault.after - 1))
                else:
                    met[fault.kind] = fault
                    if fault.times is None:
                        left.append(fault)
                    elif fault.times > 1:
                        left.append(replace(fault, times=fault.times - 1))
            self._left = left
        return met


def _is_for(fault: Fault, asked: Asked) -> bool:
    by_verb = not fault.on or fault.on in {asked.verb, asked.operation}
    by_whom = fault.access_key in {"", asked.access_key}
    return by_verb and by_whom and asked.name.startswith(fault.prefix)


def decode(text: bytes) -> Fault:
    """A fault as JSON.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return msgspec.json.decode(text, type=Fault)


def encode(fault: Fault) -> bytes:
    """The same, the other way."""
    return msgspec.json.encode(fault)
