"""Asks one witness for its cosignature (C2SP tlog-witness)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from bridge.errors import AnchorRejectedError, AnchorUnavailableError
from bridge.notekeys import NoteVerifier
from bridge.protocols import Clock, Cosignature, Head, Witness
from storage.translog.cosignature import cosigned_at, witnessed_at
from storage.translog.malformed import MalformedError, NoteError
from storage.translog.note import Note, NoteSignature, parse_signature_lines, signature_lines
from storage.translog.post import Outside, Post, Reply
from storage.translog.witness_wire import ROUTE, SIZE, TEXT, AddCheckpoint, WireError, size_of

LARGEST_REPLY = 64 * 1024
TRIES = 3
"""Requests of one round: the first may tell the witness's size, a second may find it moved on."""

CLOCKS_DIFFER = timedelta(minutes=10)
"""How far a witness's clock may be from ours."""

Consistency: TypeAlias = Callable[[int, int], Awaitable[tuple[bytes, ...]]]

_ONE_HISTORY = (
    "Compare the log with what the witness kept: one of the two is not what was signed before."
    " Run `muniment verify`, and see docs/operations.md, Witnesses."
)
_REFUSALS = {
    400: ("does not understand the request", "Check that the address is that of a C2SP witness."),
    403: (
        "does not accept the log's signature",
        "Give its operator [keys] public_key_file: it holds another key for this log.",
    ),
    404: (
        "does not know this log",
        "Check the address; give the witness's operator [keys] public_key_file.",
    ),
    422: ("finds that the log does not extend what it signed before", _ONE_HISTORY),
}


class HttpWitness:
    """Keeps the promises of :class:`bridge.protocols.Witness` over HTTP."""

    def __init__(
        self, outside: Outside, *, verifier: NoteVerifier, consistency: Consistency, clock: Clock
    ) -> None:
        """``consistency`` raises only :class:`AnchorError`."""
        self._verifier = verifier
        self._consistency = consistency
        self._clock = clock
        self._size = 0  # the largest it signed for us since the start
        self._post = Post(
            replace(outside, url=outside.url.rstrip("/") + ROUTE), largest=LARGEST_REPLY
        )

    @property
    def name(self) -> str:
        """The name of its key."""
        return self._verifier.name

    async def cosign(self, head: Head) -> Cosignature:
        """Ask from the size it signed last; where it says another, go on from there."""
        old = min(self._size, head.size)
        for _ in range(TRIES):
            request = AddCheckpoint(
                old=old, proof=await self._consistency(old, head.size), note=head.note
            )
            reply = await self._post.send(request.encode(), content_type=TEXT)
            if reply.status == 200:
                cosignature = self._checked(head, reply.body)
                self._size = head.size
                return cosignature
            old = self._size_after(reply, asked=old, head=head)
        raise AnchorUnavailableError(f"The witness {self.name} signs other sizes meanwhile.")

    def cosigned(self, note: bytes) -> bool:
        """Whether a line of this witness that verifies stands under ``note``."""
        try:
            return witnessed_at(Note.parse(note), self._verifier) is not None
        except NoteError:
            return False

    async def aclose(self) -> None:
        """Give up connections."""
        await self._post.aclose()

    def _size_after(self, reply: Reply, *, asked: int, head: Head) -> int:
        """The size to go on from, out of a 409.

        Raises:
            AnchorRejectedError: it is no 409, or one that no other proof could mend.
        """
        if reply.status != 409:
            fact, hint = _REFUSALS.get(
                reply.status, (f"answers {reply.status}", "Check the address.")
            )
            raise AnchorRejectedError(f"The witness {self.name} {fact}.", hint=hint)
        try:
            size = size_of(reply.body.removesuffix(b"\n"))
        except WireError:
            size = -1
        if reply.content_type != SIZE or size < 0:
            raise AnchorRejectedError(
                f"The witness {self.name} refuses without telling its size.",
                hint="Check that the address is that of a C2SP witness.",
            )
        if size > head.size:
            raise AnchorRejectedError(
                f"The witness {self.name} has signed this log with {size} leaves; it now has"
                f" {head.size}.",
                hint=_ONE_HISTORY,
            )
        if size < self._size:
            raise AnchorRejectedError(
                f"The witness {self.name} signed {self._size} leaves and remembers {size}.",
                hint="Tell its operator: a witness that forgets can sign a second history.",
            )
        if size == asked:
            raise AnchorRejectedError(
                f"The witness {self.name} has signed another log of {size} leaves.",
                hint=_ONE_HISTORY,
            )
        return size

    def _checked(self, head: Head, body: bytes) -> Cosignature:
        """The first of its lines that verifies, with a time at which it can have signed."""
        try:
            text = Note.parse(head.note).text
            mine = [one for one in parse_signature_lines(body) if one.claims(self._verifier)]
            times = [(cosigned_at(text, one, self._verifier), one) for one in mine]
        except MalformedError as error:
            raise self._refused(str(error)) from None
        if not times:
            raise self._refused("it is of another key")
        seconds, line = max(times, key=lambda found: found[0])
        return Cosignature(line=_encoded(line), at=self._plausible(seconds, head))

    def _plausible(self, seconds: int, head: Head) -> datetime:
        earliest, latest = head.at - CLOCKS_DIFFER, self._clock.now() + CLOCKS_DIFFER
        if not earliest.timestamp() <= seconds <= latest.timestamp():
            raise self._refused("its time cannot be; compare both clocks")
        return datetime.fromtimestamp(seconds, UTC)

    def _refused(self, why: str) -> AnchorRejectedError:
        return AnchorRejectedError(
            f"The cosignature of {self.name} was refused: {why}.",
            hint="Check [witness]: public_key_file must be the key of the witness at url.",
        )


def _encoded(line: NoteSignature) -> bytes:
    return signature_lines((line,))


if TYPE_CHECKING:
    _: type[Witness] = HttpWitness
