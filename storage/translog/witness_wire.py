"""What a log and a witness say to each other (C2SP tlog-witness, ``add-checkpoint``). Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from storage.translog.checkpoint import MAX_SIZE
from storage.translog.malformed import MalformedError
from storage.translog.merkle import HASH_BYTES

MAX_PROOF = 63
LARGEST_REQUEST = 64 * 1024
ROUTE = "/add-checkpoint"
TEXT = "text/plain"
SIZE = "text/x.tlog.size"


class WireError(MalformedError):
    """Bytes that are no request, or no size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpoint:
    """A request: the size the witness is believed to have signed last, the proof, the note."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes = field(repr=False)

    def encode(self) -> bytes:
        """The body of the request.

        Raises:
            ValueError: the proof has over 63 hashes.
        """
        if len(self.proof) > MAX_PROOF:
            raise ValueError("no consistency proof is so long")
        lines = [f"old {self.old}", *(base64.b64encode(one).decode() for one in self.proof)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.note

    @classmethod
    def parse(cls, body: bytes) -> AddCheckpoint:
        """Read the body of a request; the note in it is not looked at.

        Raises:
            WireError: it is none, or not in its one form.
        """
        head, blank, note = body.partition(b"\n\n")
        first, *lines = head.split(b"\n")
        if not blank or not first.startswith(b"old "):
            raise WireError("the request does not begin with the old size")
        if len(lines) > MAX_PROOF:
            raise WireError("the proof is too long")
        proof = tuple(_hash(line) for line in lines)
        return cls(old=size_of(first.removeprefix(b"old ")), proof=proof, note=note)


def size_of(line: bytes) -> int:
    """A tree size in decimal, without its newline.

    Raises:
        WireError: it is none, or not in its one form.
    """
    if not line.isdigit() or len(line) > len(str(MAX_SIZE)):
        raise WireError("a size is no number")
    size = int(line)
    if str(size).encode() != line or size > MAX_SIZE:
        raise WireError("a size is no number of leaves")
    return size


def _hash(line: bytes) -> bytes:
    try:
        found = base64.b64decode(line, validate=True)
    except ValueError:
        found = b""
    if len(found) != HASH_BYTES or base64.b64encode(found) != line:
        raise WireError("the proof holds a line that is no hash")
    return found
