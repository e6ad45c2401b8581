"""What the journal promises of what came encrypted, and of the messages that bring its keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from bridge.protocols.decrypter import ToDevice
from bridge.protocols.journal_values import Decryption, Unopened


class Ciphertexts(Protocol):
    """A part of :class:`bridge.protocols.Journal`, whose promises hold here too."""

    async def to_device(self, connector: str, *, after: int, limit: int) -> tuple[ToDevice, ...]:
        """To-device messages with a number above ``after``, in order.

        MUST remember durably, before it gives them, up to which number messages were ever given.
        """

    async def resume_to_device(self, connector: str, *, taken: int) -> None:
        """A decrypter goes on with this journal; the last message it took had number ``taken``.

        MUST be called in each process before its first :meth:`to_device`. Messages up to ``taken``
        are destroyed if a decrypter was ever given one with that number. Where none was, the
        decrypter knows another journal: this one is new, or older than it is. Then all that waits
        MUST be numbered anew, from ``taken`` + 1 and in its order, and what comes later follows:
        some MAY be taken twice, and none is passed over. One transaction; repeating it changes
        nothing. A ``taken`` below what was destroyed changes nothing.
        """

    async def drop_to_device(self, connector: str, *, through: int) -> None:
        """Destroy to-device messages up to this number: the decrypter has them durably.

        The bytes are gone from the database file. That they came is remembered for a week.
        """

    async def unopened(
        self,
        connector: str,
        *,
        sessions: frozenset[str] | None = None,
        given_up: bool = False,
        after: int = 0,
        limit: int,
    ) -> tuple[Unopened, ...]:
        """Entries of kind ``encrypted`` that nothing decrypted yet, by ``seq``, above ``after``.

        With ``sessions`` only theirs, given up or not; without, all that are not given up, or,
        with ``given_up``, all.
        """

    async def decrypted(self, decryptions: Sequence[Decryption]) -> tuple[int, ...]:
        """Give encrypted entries their content, in the order given.

        One that is still received, and not leased, takes it in place: kind, content, deadlines
        (an own timer inside may be shorter) and download orders. One that went further is left
        as it is: a new entry is made in its group's open stream, with revision ``decrypted``,
        related to the first, at most once; its fact ``decrypts`` has the number of the first,
        and before it ``<stream>/`` where that is another stream. A leased one changes nothing:
        its ``seq`` is in the answer and it is to be asked for again. One that was decrypted
        already, or destroyed, changes nothing.
        """

    async def opened_beside(self, stream: str, numbers: Sequence[int]) -> frozenset[int]:
        """Which of these entries of a stream have their content in a later entry.

        Whatever became of that one, also where it is destroyed.
        """

    async def not_opened(
        self, reasons: Sequence[tuple[int, str]], *, final: Collection[int] = ()
    ) -> None:
        """Remember, by ``seq``, what was last in the way of decrypting.

        The ``final`` ones, which no key can mend, are given up with it, and may be judged at once.
        """

    async def give_up_unopened(
        self, connector: str, *, received_before: datetime, limit: int
    ) -> int:
        """Write a gap (``undecryptable``) for entries still encrypted that came before that.

        Oldest first, once each, with what was in the way as its detail; gives how many. A key
        that comes later still opens them.
        """
