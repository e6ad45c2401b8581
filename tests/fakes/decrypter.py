"""A decrypter whose keys are plain words: `key SESSION` in a message lets SESSION open."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from bridge.errors import ConnectorError, ConnectorUnavailableError
from bridge.model import DeviceTrust, Event, EventKind, Provenance
from bridge.protocols import ImportedKeys, Opened, ToDevice

NO_KEY = "its key has not come"
MALFORMED = "it is malformed"


def key_message(session: str) -> bytes:
    """The message that brings the key of ``session``."""
    return f"key {session}".encode()


class ScriptedDecrypter:
    """See :class:`bridge.protocols.Decrypter`. Raises where a rule of taking is broken.

    ``kept`` outlives a crash: it is the store, given to the next one. One that ``starts_over`` has
    lost its own and is not told of what was taken before. ``fail_next`` makes the next taking fail
    before it did anything; ``open_faults`` and ``seek_faults`` are raised one by one, and seeking
    lasts until ``seek_gate`` is open. What is of a session in ``malformed`` no key opens. ``asked``
    has how many events each opening was of, ``sought`` what was asked for elsewhere, ``given`` all
    that was ever taken, each in its order.
    """

    def __init__(self, kept: ScriptedDecrypter | None = None) -> None:
        self.keys: set[str] = set(kept.keys) if kept else set()
        self.malformed: set[str] = set(kept.malformed) if kept else set()
        self.elsewhere: set[str] = set(kept.elsewhere) if kept else set()
        self.number: int = kept.number if kept else 0
        self.starts_over = False
        self.fail_next = False
        self.open_faults: list[ConnectorError] = []
        self.seek_faults: list[ConnectorError] = []
        self.seek_gate = asyncio.Event()
        self.seek_gate.set()
        self.given: list[bytes] = list(kept.given) if kept else []
        self.asked: list[int] = []
        self.sought: list[tuple[str, str]] = []
        self.troubles: tuple[str, ...] = ()
        self.ready = True
        self._fresh: set[str] = set()

    async def taken(self) -> int:
        """The number of the last message."""
        return self.number

    async def take(self, messages: Sequence[ToDevice]) -> None:
        """All or none; a gap in the numbers is a loss that nobody may cause."""
        if self.fail_next:
            self.fail_next = False
            raise ConnectorUnavailableError("The store of keys cannot be written.")
        for message in messages:
            if message.number <= self.number:
                continue
            if message.number != self.number + 1 and not self.starts_over:
                raise AssertionError(f"message {self.number + 1} was passed over")
            self.starts_over = False
            self.number = message.number
            self.given.append(message.raw)
            word, _, session = message.raw.decode().partition(" ")
            if word == "key":
                self._learn([session])

    async def open(self, events: Sequence[Event]) -> Sequence[Opened]:
        """Those whose key is there."""
        self.asked.append(len(events))
        if self.open_faults:
            raise self.open_faults.pop(0)
        return [self._opened(event) for event in events]

    def fresh(self) -> frozenset[str]:
        """New keys since the last call."""
        fresh, self._fresh = frozenset(self._fresh), set()
        return fresh

    async def seek(self, wanted: Sequence[tuple[str, str]]) -> None:
        """What is ``elsewhere`` is found."""
        self.sought += wanted
        await self.seek_gate.wait()
        if self.seek_faults:
            raise self.seek_faults.pop(0)
        self._learn(session for _, session in wanted if session in self.elsewhere)

    async def export_keys(self, file: Path, passphrase: bytes) -> int:
        """Not scripted."""
        raise NotImplementedError

    async def import_keys(self, file: Path, passphrase: bytes) -> ImportedKeys:
        """Not scripted."""
        raise NotImplementedError

    def _learn(self, sessions: Iterable[str]) -> None:
        new = set(sessions) - self.keys
        self.keys |= new
        self._fresh |= new

    def _opened(self, event: Event) -> Opened:
        crypto = event.crypto
        assert event.kind is EventKind.ENCRYPTED, "only encrypted events are asked for"
        assert crypto is not None, "an encrypted event says how"
        if crypto.session in self.malformed:
            return Opened(why=MALFORMED, final=True)
        if crypto.session not in self.keys:
            return Opened(why=NO_KEY)
        clear = f"clear {event.upstream_id}"
        return Opened(
            event=replace(
                event,
                kind=EventKind.MESSAGE,
                body=clear,
                crypto=replace(
                    crypto,
                    clear=clear.encode(),
                    trust=DeviceTrust.SIGNED,
                    provenance=Provenance.DIRECT,
                ),
            )
        )
