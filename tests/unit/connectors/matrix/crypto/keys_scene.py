"""The recorder's keys between a store of their own and a server of keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge.model import DeviceTrust
from bridge.rawjson.fields import table
from connectors.matrix.crypto.cross_signing import CrossSigning
from connectors.matrix.crypto.devices import trust_of
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.outbound import Outbound
from connectors.matrix.crypto.signed_json import signed
from connectors.matrix.crypto.signing_key import SigningKey
from connectors.matrix.crypto.upkeep import Upkeep
from connectors.matrix.http import Endpoint, MatrixHttp
from tests.fakes.clock import FakeClock
from tests.unit.connectors.matrix.crypto.account_server import USER, Randomness
from tests.unit.connectors.matrix.crypto.keys_server import KeysServer
from tests.unit.connectors.matrix.crypto.olm_client import OlmClient

ALICE: Final = "@alice:dept.example"
BOB: Final = "@bob:dept.example"
ROOM: Final = "!room:dept.example"
DEVICE: Final = "RECORDER"


@dataclass(slots=True, kw_only=True)
class KeysScene:
    """A recorder that is signed in; its device is not published yet."""

    server: KeysServer
    clock: FakeClock
    http: MatrixHttp
    machine: Machine
    upkeep: Upkeep

    @property
    def outbound(self) -> Outbound:
        """What the recorder sends."""
        return self.upkeep.outbound

    def restart(self) -> None:
        """Forget what is not in the store."""
        self.upkeep = Upkeep(http=self.http, machine=self.machine, clock=self.clock)

    async def work(self, seconds: float = 0.0) -> None:
        """Do what is due ``seconds`` later."""
        self.clock.advance(seconds)
        await self.upkeep.work()

    def troubles(self) -> tuple[str, ...]:
        """What is told of now."""
        return self.upkeep.troubles

    async def knows(self, client: OlmClient) -> tuple[str | None, DeviceTrust]:
        """What the recorder knows of a device."""
        each = client.device
        return await self.machine.run(
            lambda transaction: trust_of(transaction, each.user_id, each.curve25519, each.ed25519)
        )


@asynccontextmanager
async def keys_scene(folder: Path) -> AsyncIterator[KeysScene]:
    """A new one, with a new store."""
    clock = FakeClock()
    async with KeysServer() as server:
        http = MatrixHttp(Endpoint(homeserver=server.url))
        http.token = server.sign_in(USER, DEVICE)
        machine = await Machine.open(
            folder / "keys.db",
            key=b"k" * 32,
            user_id=USER,
            device_id=DEVICE,
            random=Randomness(),
            clock=clock,
        )
        upkeep = Upkeep(http=http, machine=machine, clock=clock)
        try:
            yield KeysScene(server=server, clock=clock, http=http, machine=machine, upkeep=upkeep)
        finally:
            await machine.aclose()
            await http.aclose()


def identity(user_id: str, seed: int) -> CrossSigning:
    """Somebody's cross-signing keys."""
    return CrossSigning(
        user_id=user_id,
        master=SigningKey(seed=bytes([seed]) * 32),
        self_signing=SigningKey(seed=bytes([seed + 1]) * 32),
        user_signing=SigningKey(seed=bytes([seed + 2]) * 32),
    )


def publish_identity(server: KeysServer, keys: CrossSigning, *clients: OlmClient) -> None:
    """Show an identity; it signs these devices."""
    for usage in ("master", "self_signing"):
        document = table(keys.upload(), f"{usage}_key")
        server.identities[usage] = server.identities.get(usage, {}) | {keys.user_id: document}
    for client in clients:
        own = server.of(client.device.user_id, client.device.device_id)
        own.keys = signed(own.keys, user_id=keys.user_id, key=keys.self_signing)
