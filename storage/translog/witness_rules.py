"""What a witness signs and what it refuses (C2SP tlog-witness). Pure: a verdict, no effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bridge.notekeys import NoteVerifier
from storage.translog.checkpoint import Checkpoint
from storage.translog.malformed import MalformedError, ProofError
from storage.translog.merkle import EMPTY_ROOT, verify_consistency
from storage.translog.note import Note, verified_by
from storage.translog.witness_wire import AddCheckpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """The largest head of a log that was signed; of an unknown one, nothing."""

    size: int = 0
    root: bytes = field(default=EMPTY_ROOT, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that a known log made: its signature verified, and nothing else yet."""

    request: AddCheckpoint
    checkpoint: Checkpoint

    @property
    def remembered(self) -> Remembered:
        """What is to be remembered once this is signed."""
        return Remembered(size=self.checkpoint.size, root=self.checkpoint.root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A status other than 200. ``size`` stands in a 409.

    ``contradicts``: the log signed something that cannot be true together with what it signed
    before; its note is worth keeping.
    """

    status: int
    why: str
    size: int | None = None
    contradicts: bool = False


def read(body: bytes, logs: Mapping[str, Sequence[NoteVerifier]]) -> Asked | Refusal:
    """Who asks for what. ``logs``: the keys by origin."""
    try:
        request = AddCheckpoint.parse(body)
        note = Note.parse(request.note)
    except MalformedError as error:
        return Refusal(status=400, why=str(error))
    origin = note.text.partition(b"\n")[0].decode()
    if origin not in logs:
        return Refusal(status=404, why="this log is not known")
    if not any(verified_by(note, verifier) for verifier in logs[origin]):
        return Refusal(status=403, why="no known key of this log signed it")
    try:
        checkpoint = Checkpoint.parse(note.text)
    except MalformedError as error:
        return Refusal(status=400, why=str(error))
    if request.old > checkpoint.size:
        return Refusal(status=400, why="the old size is larger than the new one")
    return Asked(request=request, checkpoint=checkpoint)


def judge(asked: Asked, last: Remembered) -> Refusal | None:
    """None: it may be signed, once it is remembered in place of ``last``."""
    old, checkpoint = asked.request.old, asked.checkpoint
    if old != last.size:
        return Refusal(status=409, why="another size was signed last", size=last.size)
    if old == checkpoint.size and checkpoint.root != last.root:
        return Refusal(status=409, why="another root was signed", size=last.size, contradicts=True)
    try:
        verify_consistency(old, checkpoint.size, last.root, checkpoint.root, asked.request.proof)
    except ProofError as error:
        return Refusal(status=422, why=str(error))
    return None
