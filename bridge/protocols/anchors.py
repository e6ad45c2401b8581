"""What is promised of those outside who vouch for a checkpoint: witnesses and time stampers.

Nothing waits for them. Each raises only :class:`bridge.errors.AnchorError`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bridge.protocols.log import Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """A witness's signature line over a checkpoint, newline included, and the time it states."""

    line: bytes = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """A time-stamping authority's answer, as it came, and the time it states.

    ``trusted``: its signature was checked against the certificates that were given for it.
    """

    token: bytes = field(repr=False)
    at: datetime
    trusted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """What is known of one of them. ``trouble`` is empty while the last answer was good.

    ``kind``: ``witness`` or ``timestamp``. ``at``: when it last vouched for a checkpoint.
    """

    kind: str
    name: str
    at: datetime | None = None
    trouble: str = ""


class Published(Protocol):
    """What the store shows of the log."""

    @property
    def head(self) -> Head:
        """The last published head."""

    @property
    def content_size(self) -> int:
        """Leaves up to and with the last one below the head that is no ``anchor`` leaf."""

    @property
    def handing_over(self) -> bool:
        """Whether two keys signed the head: then its note is kept as it is, and asked of nobody."""


class Witness(Protocol):
    """Somebody else who remembers the largest checkpoint he saw and signs none that differs."""

    @property
    def name(self) -> str:
        """The name of its key."""

    async def cosign(self, head: Head) -> Cosignature:
        """Its line for ``head``. MUST have verified it, and MUST NOT take long.

        Repeating it gives another line for the same head. A cancelled call may have reached it.

        Raises:
            AnchorUnavailableError: no answer, or one that settles nothing.
            AnchorRejectedError: it refuses, or what it answered is not its signature on ``head``.
        """

    def cosigned(self, note: bytes) -> bool:
        """Whether a line of this witness that verifies stands under ``note``."""

    async def aclose(self) -> None:
        """Give up connections."""


class TimestampAuthority(Protocol):
    """An RFC 3161 authority, which signs that it has seen a digest at a time."""

    @property
    def name(self) -> str:
        """Its host, as the operator knows it."""

    async def stamp(self, note: bytes) -> Stamp:
        """A token over exactly ``note``, checked as far as can be. MUST NOT take long.

        Raises:
            AnchorUnavailableError: no answer, or one that settles nothing.
            AnchorRejectedError: it refuses, or its token does not prove what it should.
        """

    async def aclose(self) -> None:
        """Give up connections."""
