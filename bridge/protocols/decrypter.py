"""What opens a connector's encrypted events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bridge.model import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDevice:
    """A message to our device alone, as the journal has it; ``number`` orders them, from 1."""

    number: int
    raw: bytes = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What became of an encrypted event: itself with its content, or why there is none yet.

    ``event`` has the content, ``crypto.clear`` included, and ``raw`` unchanged. ``why`` is a
    sentence without content, for operators. ``final``: no key that may yet come can mend it.
    """

    event: Event | None = None
    why: str = ""
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedKeys:
    """What a file of keys brought, in keys.

    ``known``: not better than what we had, or not to be trusted in its place. ``unreadable``:
    entries that are no keys of ours.
    """

    new: int
    known: int = 0
    unreadable: int = 0


class KeyFiles(Protocol):
    """Room keys out to files and in from them. Never blocks the event loop.

    Raises only :class:`bridge.errors.ConnectorError`.
    """

    async def export_keys(self, file: Path, passphrase: bytes) -> int:
        """Write all keys to a new file (0600), encrypted; gives how many. MUST NOT replace one."""

    async def import_keys(self, file: Path, passphrase: bytes) -> ImportedKeys:
        """Take keys from an exported file. MUST be safe to repeat."""


class Decrypter(KeyFiles, Protocol):
    """The keys of one connector's account, in a store of their own. Never blocks the event loop.

    Raises only :class:`bridge.errors.ConnectorError`.
    """

    async def taken(self) -> int:
        """Number of the last to-device message taken; 0 before the first. MAY wait to sign in."""

    async def take(self, messages: Sequence[ToDevice]) -> None:
        """Take messages, in order, in one transaction with the number of the last.

        MUST pass over those taken before. One that is malformed MUST cost its neighbours nothing:
        it is told of under :attr:`troubles` or logged, and counts as taken.
        """

    async def open(self, events: Sequence[Event]) -> Sequence[Opened]:
        """Decrypt events of kind ``encrypted``, one answer each, in order.

        MUST be repeatable: the same event opens again.
        """

    def fresh(self) -> frozenset[str]:
        """Sessions whose key came since this was last asked; asking forgets them."""

    async def seek(self, wanted: Sequence[tuple[str, str]]) -> None:
        """Look elsewhere (a backup at the server) for keys of (group, session). MAY take long.

        What is found shows under :meth:`fresh`.
        """

    @property
    def ready(self) -> bool:
        """Whether senders can be expected to share their keys with us."""

    @property
    def troubles(self) -> tuple[str, ...]:
        """What is wrong now, in sentences with their remedy; nothing of content, nothing secret."""
