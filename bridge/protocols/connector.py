"""What brings events in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.model import Attachment, Batch, Cursor
from bridge.protocols.decrypter import Decrypter


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """The outcome of posting a notice: its upstream id, or why the platform refused it."""

    upstream_id: str | None
    refusal: str | None = None
    pinned: bool = False


class Download(Protocol):
    """An attachment on its way. ``size`` in bytes as the platform declares it, if it does."""

    size: int | None

    def chunks(self) -> AsyncIterator[bytes]:
        """The clear bytes in order.

        Raises:
            ConnectorUnavailableError: the transfer broke; it may be tried again.
        """

    async def aclose(self) -> None:
        """Give up the transfer, finished or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastEvent:
    """An event in the platform's own history. ``excuse``: why it need not be in the journal."""

    upstream_id: str
    sent_at: datetime | None
    excuse: str | None = None


class Connector(Protocol):
    """One account on one platform. Raises only :class:`bridge.errors.ConnectorError`."""

    @property
    def name(self) -> str:
        """The name given in the configuration."""

    @property
    def platform(self) -> str:
        """The platform's name in records and keys, e.g. ``matrix``."""

    @property
    def decrypter(self) -> Decrypter | None:
        """What opens its encrypted events; None where it has none. Available before a start."""

    async def start(self) -> None:
        """Sign in. MAY be repeated.

        Raises:
            ConnectorRejectedError: the platform refuses the account.
            ConnectorUnavailableError: it does not answer.
        """

    def approve(self, group_ids: frozenset[str]) -> None:
        """From now on, yield events of exactly these groups. MUST match by exact id."""

    async def receive(self, cursor: Cursor | None) -> Batch:
        """The next delivery after ``cursor``; waits a while and MAY return an empty one.

        Calling this acknowledges everything up to ``cursor``: it MUST be called with a cursor
        only after the batch that carried it is durable. It MUST NOT acknowledge anything newer.
        Called again with the same cursor it MUST deliver at least what it delivered before, so
        far as the platform still has it. MUST yield the exact upstream bytes of each event, in
        the platform's order within a group, for approved groups only and from the recorder's
        own join on. An event it cannot map MUST be delivered as ``unparsed`` or ``unknown``.
        MUST NOT wait for attachments, and MUST NOT send read receipts.

        Raises:
            ConnectorUnavailableError: nothing was delivered; ask again with the same cursor.
            EnvelopeError: a response could not be split; its bytes are on the error. The
                connector paces its own next tries, so that groups it can read go on.
        """

    async def join(self, group_id: str) -> None:
        """Accept the invitation to an approved group. Joining a joined group succeeds."""

    async def announce(
        self, group_id: str, notice: str, *, key: str, pin: bool = True
    ) -> Announcement:
        """Post the notice; ``pin`` it where allowed. Same ``key``, same message, once.

        A refusal by the group is an answer, not an error.

        Raises:
            ConnectorRejectedError: our account is refused, or something before the platform
                refuses us: this MUST NOT be taken for an answer of the group.
            ConnectorUnavailableError: it may have been posted; ask again under the same key.
        """

    async def open_download(self, group_id: str, attachment: Attachment) -> Download:
        """Begin fetching an attachment. MUST NOT follow a redirect to another host.

        Raises:
            ConnectorRejectedError: it cannot be had.
        """

    def pause_backfill(self, *, paused: bool) -> None:
        """Leave holes in the past unfilled for a while, so that what is live goes first.

        Nothing is given up by this: the holes stay in the cursor.
        """

    def history(self, group_id: str) -> AsyncIterator[tuple[PastEvent, ...]]:
        """What the platform holds of a group now, newest first, back to the recorder's own join.

        Raises:
            ConnectorError: the platform refuses or does not answer; what came before holds.
        """

    async def aclose(self) -> None:
        """Give up connections. Nothing is acknowledged by this."""
