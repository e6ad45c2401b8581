"""Keys of encrypted groups: how they come, and the store of them, which outlives every process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from bridge.errors import ConnectorUnavailableError
from bridge.model import Crypto, DeviceTrust, Event, EventKind, Provenance
from bridge.protocols import Clock, Decrypter, ImportedKeys, Opened, ToDevice
from tests.fakes.decrypter import NO_KEY
from tests.simulation.plan import FaultKind
from tests.simulation.weather import Weather

LAPSES = 0.02
"""How often the disk of the keys fails of itself, before it did something or after."""

ALGORITHM = "m.simulated"


def session_of(group_id: str, key: int) -> str:
    """A key is of one group."""
    return f"{group_id} {key}"


@dataclass(slots=True, kw_only=True)
class Senders:
    """What those who speak in encrypted groups know. ``elsewhere`` are keys in a backup."""

    clear: dict[str, Event] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)

    def encrypted(self, event: Event, session: str) -> Event:
        """The same event as the platform has it."""
        self.clear[event.upstream_id] = event
        return replace(
            event,
            kind=EventKind.ENCRYPTED,
            body=None,
            attachments=(),
            crypto=Crypto(algorithm=ALGORITHM, session=session),
        )


@dataclass(slots=True, kw_only=True)
class KeyStore:
    """What is on the disk: the keys, the number of the last message taken, and all of them."""

    sessions: set[str] = field(default_factory=set)
    number: int = 0
    given: list[bytes] = field(default_factory=list)


class SimDecrypter:
    """One process's hold of the keys. What came with a commit that it did not live to see is kept.

    Its disk is the journal's; a backup is as far away as the platform.
    """

    def __init__(
        self, *, store: KeyStore, senders: Senders, clock: Clock, weather: Weather, random: Random
    ) -> None:
        self._store = store
        self._senders = senders
        self._clock = clock
        self._weather = weather
        self._draw = random
        self._fresh: set[str] = set()
        self.ready = True
        self.troubles: tuple[str, ...] = ()

    async def taken(self) -> int:
        """The number of the last message."""
        await self._work()
        return self._store.number

    async def take(self, messages: Sequence[ToDevice]) -> None:
        """All in one commit, whose answer may be lost; one that is passed over is a loss."""
        await self._work()
        store = self._store
        for message in messages:
            if message.number > store.number:
                assert message.number == store.number + 1, f"passed over: {store.number + 1}"
                store.number = message.number
                store.given.append(message.raw)
                self._learn([message.raw.decode().removeprefix("key ")])
        await self._work()

    async def open(self, events: Sequence[Event]) -> Sequence[Opened]:
        """Those whose key is there."""
        await self._work()
        return [self._opened(event) for event in events]

    def fresh(self) -> frozenset[str]:
        """New keys since the last call of this process."""
        fresh, self._fresh = frozenset(self._fresh), set()
        return fresh

    async def seek(self, wanted: Sequence[tuple[str, str]]) -> None:
        """What is in the backup is found, if it can be reached."""
        for _, session in wanted:
            await self._clock.sleep(self._draw.uniform(0.001, 0.2))
            if self._on(FaultKind.PLATFORM) and self._draw.random() < 0.3:
                raise ConnectorUnavailableError("502")
            if session in self._senders.elsewhere:
                self._learn([session])

    async def export_keys(self, file: Path, passphrase: bytes) -> int:
        """Nobody asks for it here."""
        raise NotImplementedError

    async def import_keys(self, file: Path, passphrase: bytes) -> ImportedKeys:
        """Nobody asks for it here."""
        raise NotImplementedError

    def _learn(self, sessions: Iterable[str]) -> None:
        new = set(sessions) - self._store.sessions
        self._store.sessions |= new
        self._fresh |= new

    def _opened(self, event: Event) -> Opened:
        assert event.kind is EventKind.ENCRYPTED, "asked for what is in the clear"
        assert event.crypto is not None
        if event.crypto.session not in self._store.sessions:
            return Opened(why=NO_KEY)
        clear = self._senders.clear[event.upstream_id]
        assert clear.body is not None
        crypto = replace(
            event.crypto,
            clear=clear.body.encode(),
            trust=DeviceTrust.SIGNED,
            provenance=Provenance.DIRECT,
        )
        opened = replace(
            event, kind=clear.kind, body=clear.body, attachments=clear.attachments, crypto=crypto
        )
        return Opened(event=opened)

    def _on(self, kind: FaultKind) -> bool:
        return self._weather.on(kind, self._clock.monotonic()) is not None

    async def _work(self) -> None:
        """In the thread of the keys; the process may die before or after any commit."""
        await self._clock.sleep(self._draw.choice((0.0, 0.0, 0.002, 0.05, 0.3)))
        if self._on(FaultKind.JOURNAL) or self._draw.random() < LAPSES:
            raise ConnectorUnavailableError("The disk of the keys is full.")


if TYPE_CHECKING:
    _decrypter: type[Decrypter] = SimDecrypter
