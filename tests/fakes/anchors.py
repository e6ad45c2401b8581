"""A witness and a time-stamping authority in memory, which keep their rules."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from bridge.errors import AnchorError, AnchorRejectedError
from bridge.model import Digest
from bridge.notekeys import Algorithm
from bridge.protocols import Clock, Cosignature, Head, Stamp, TimestampAuthority, Witness
from storage.translog.cosignature import cosign, witnessed_at
from storage.translog.malformed import NoteError
from storage.translog.note import Note, signature_lines
from tests.fakes.heads import signer_for

WITNESS = "witness.example.org/w1"


class FakeWitness:
    """Signs what extends the last head it signed, as far as sizes tell.

    ``before`` raises its errors one by one instead of the next answers; ``down`` fails all.
    ``gate``, where set, holds each answer until it is set. ``asked`` has the sizes asked for;
    ``reached`` is set by the first.
    """

    def __init__(self, clock: Clock, *, name: str = WITNESS) -> None:
        self.signer = signer_for(name, algorithm=Algorithm.COSIGNATURE)
        self.asked: list[int] = []
        self.reached = asyncio.Event()
        self.before: list[AnchorError] = []
        self.down: AnchorError | None = None
        self.gate: asyncio.Event | None = None
        self.closed = False
        self._clock = clock
        self._last: Head | None = None

    @property
    def name(self) -> str:
        """The name of its key."""
        return self.signer.verifier.name

    async def cosign(self, head: Head) -> Cosignature:
        """See the protocol."""
        self.asked.append(head.size)
        self.reached.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.before:
            raise self.before.pop(0)
        if self.down is not None:
            raise self.down
        last = self._last
        if last is not None and (
            head.size < last.size or (head.size == last.size and head.root != last.root)
        ):
            raise AnchorRejectedError(f"The witness {self.name} has signed another history.")
        self._last = head
        now = self._clock.now().replace(microsecond=0)
        line = cosign(Note.parse(head.note).text, time=int(now.timestamp()), signer=self.signer)
        return Cosignature(line=signature_lines((line,)), at=now)

    def cosigned(self, note: bytes) -> bool:
        """Whether its line stands there."""
        try:
            return witnessed_at(Note.parse(note), self.signer.verifier) is not None
        except NoteError:
            return False

    async def aclose(self) -> None:
        """Remember it."""
        self.closed = True


class FakeAuthority:
    """Dates digests by the clock. ``before``, ``down`` and ``gate`` as with the witness.

    ``ahead``: how far its clock is before ours.
    """

    def __init__(self, clock: Clock, *, name: str = "tsa.example.org") -> None:
        self.name = name
        self.asked: list[bytes] = []
        self.before: list[AnchorError] = []
        self.down: AnchorError | None = None
        self.gate: asyncio.Event | None = None
        self.closed = False
        self.ahead = timedelta(0)
        self._clock = clock

    async def stamp(self, note: bytes) -> Stamp:
        """See the protocol. No two tokens are equal."""
        self.asked.append(note)
        if self.gate is not None:
            await self.gate.wait()
        if self.before:
            raise self.before.pop(0)
        if self.down is not None:
            raise self.down
        now = self._clock.now() + self.ahead
        label = f"token {len(self.asked)} of {now.isoformat()} over ".encode()
        return Stamp(token=label + Digest.of(note).value, at=now, trusted=True)

    async def aclose(self) -> None:
        """Remember it."""
        self.closed = True


if TYPE_CHECKING:
    _witness: type[Witness] = FakeWitness
    _authority: type[TimestampAuthority] = FakeAuthority
