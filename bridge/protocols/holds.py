"""Legal holds: who ordered one, what it covers, and who released it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldScope:
    """What a hold covers: all conditions that are given must hold; none means everything.

    ``gids`` and ``persons`` (ids of the platform) are alternatives among themselves. Times are
    ``since`` <= said < ``until``. ``terms`` is a search as people type it (:mod:`bridge.query`).
    """

    gids: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    terms: str = ""

    @property
    def is_everything(self) -> bool:
        """Whether nothing at all is left out."""
        return self == HoldScope()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A hold as placed. ``number`` is given by the office and only grows."""

    number: int = 0
    authority: str
    matter: str
    scope: HoldScope
    by: str
    at: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The end of a hold, by somebody else than who placed it."""

    number: int = 0
    hold: int
    by: str
    at: datetime
    why: str


class Holds(Protocol):
    """A part of :class:`bridge.protocols.Office`: holds and their releases, only ever added."""

    async def place(self, hold: Hold) -> int:
        """Add a hold. Durable on return; gives its number.

        From then on nothing that it covers MUST be destroyed: see :meth:`fixed`.
        """

    async def release(self, release: Release) -> int | None:
        """Release a hold that stands. Durable on return; gives the release's number.

        None: it does not stand, or this person placed it; nothing was written.
        """

    async def holds(self, after: int = 0) -> tuple[Hold, ...]:
        """Every hold with a number above ``after``, released or not, in order."""

    async def releases(self, after: int = 0) -> tuple[Release, ...]:
        """Every release with a number above ``after``, in order."""

    async def standing(self) -> tuple[Hold, ...]:
        """The holds that nobody released, in order."""

    def fixed(self) -> AbstractAsyncContextManager[tuple[Hold, ...]]:
        """The holds that stand, while nobody can add or release any.

        Whoever destroys MUST do it inside: a hold that is committed before is among them, and one
        that comes after finds destroyed what was destroyed before it. It MUST be short: people's
        tools wait meanwhile.
        """

    async def aclose(self) -> None:
        """Give up the connection. MAY be repeated."""


class LegalHolds(Protocol):
    """The store's own legal holds, by an identity that may set them and nothing else.

    Raises only :class:`bridge.errors.ObjectStoreError`.
    """

    async def set(self, key: str, *, held: bool) -> bool:
        """Set or lift the hold on the object under ``key``; gives what is then read back.

        False: the store does not know of it, or nothing stands there. Repeating it is safe.
        """

    async def aclose(self) -> None:
        """Give up connections and threads."""
