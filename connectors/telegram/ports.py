"""Where updates come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from connectors.telegram.envelope import RawUpdate


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is durable, as the committed cursor says: only this may be acknowledged.

    ``offset`` is that of ``getUpdates``; ``posts`` is what a webhook calls the last delivery.
    """

    offset: int | None = None
    posts: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Updates in their order; ``posts`` names them where they came by a webhook."""

    updates: tuple[RawUpdate, ...] = ()
    posts: str = ""


class Source(Protocol):
    """Where updates come from: ``getUpdates``, or a webhook."""

    async def start(self) -> None:
        """See that they come to us and nobody else. MAY be repeated.

        Raises:
            ConnectorRejectedError: somebody else takes them.
            ConnectorUnavailableError: the Bot API does not answer.
        """

    async def next(self, mark: Mark, *, seconds: float) -> Arrival:
        """Acknowledge ``mark`` and nothing else; what waits then, or nothing after ``seconds``.

        Asked with the same mark it MUST give what it gave before, with what came since. It MAY be
        cancelled. An update whose id cannot be told is given with its bytes all the same.

        Raises:
            ConnectorRejectedError: the bot is refused, or somebody else takes its updates.
            ConnectorUnavailableError: no answer came.
            EnvelopeError: what came cannot be split. It paces its own next tries.
        """

    async def aclose(self) -> None:
        """Give up what is open. Nothing is acknowledged by this."""


def name_of(update: RawUpdate) -> str:
    """The id of an update, or where it has none the digest of its bytes."""
    if update.update_id is not None:
        return str(update.update_id)
    return f"sha256:{hashlib.sha256(update.raw).hexdigest()}"
