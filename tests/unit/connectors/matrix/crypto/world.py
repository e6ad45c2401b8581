"""The recorder's machine among other people's devices."""

from __future__ import annotations

from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.values import TakenReport
from tests.unit.connectors.matrix.crypto.peer import ROOM, KeyServer, Peer, numbered


class World:
    """The machine, its keys at the server, and how much was sent to it so far."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.server = KeyServer()
        self.sent = 0

    async def peer(self, user_id: str = "@ada:example.org", device_id: str = "LAPTOP") -> Peer:
        """A device that has begun an Olm session with us."""
        await self.server.filled(self.machine)
        peer = Peer(user_id, device_id)
        peer.begin(self.machine.device, self.server.claim())
        return peer

    async def take(self, *messages: bytes) -> TakenReport:
        """Messages reach us."""
        report = await self.machine.take(numbered(*messages, after=self.sent))
        self.sent += len(messages)
        return report

    async def withheld(self) -> list[tuple[str, int]]:
        """How many sessions are kept from us, by the code that was given."""
        found = "SELECT code, count(*) FROM withheld GROUP BY code ORDER BY code"
        return await self.machine.run(lambda transaction: transaction.execute(found).fetchall())

    async def share(self, peer: Peer, *, room_id: str = ROOM) -> TakenReport:
        """The peer gives us its key as it is now."""
        return await self.take(peer.room_key(self.machine.device, room_id=room_id))
