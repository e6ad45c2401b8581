"""Known losses, each with its leaf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.canonical import Leaf
from bridge.model import Loss
from storage.journal.cipher import JournalCipher
from storage.journal.committer import Transaction
from storage.journal.rows import StreamRow, from_ms, sayable, to_ms


@dataclass(frozen=True, slots=True)
class PlacedLoss:
    """A loss with the number of its stream that it stands behind."""

    stream: StreamRow
    loss: Loss
    after: int

    def leaf(self, at_ms: int) -> Leaf:
        """What the log says of it."""
        return Leaf.gap(
            at=from_ms(at_ms),
            stream=self.stream.id,
            after=self.after,
            why=sayable(self.loss.why),
            since=self.loss.since,
            until=self.loss.until,
        )


async def write_gaps(
    transaction: Transaction, cipher: JournalCipher, losses: Sequence[PlacedLoss], *, at_ms: int
) -> None:
    """Gaps with their leaves, in this order."""
    leaves = await transaction.add_leaves([each.leaf(at_ms) for each in losses])
    rows = [
        (
            each.stream.sid,
            each.after,
            sayable(each.loss.why),
            to_ms(each.loss.since) if each.loss.since else None,
            to_ms(each.loss.until) if each.loss.until else None,
            cipher.seal(each.loss.detail, column="detail", row=each.stream.id.encode()),
            at_ms,
            leaf,
        )
        for each, leaf in zip(losses, leaves, strict=True)
    ]
    await transaction.many("gap_insert", rows)
