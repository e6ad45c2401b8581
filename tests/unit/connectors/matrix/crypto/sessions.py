"""Megolm sessions and their keys, made by another library than reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

import vodozemac

from connectors.matrix.crypto.signing_key import SigningKey
from connectors.matrix.crypto.unpadded import encode
from connectors.matrix.crypto.values import ExportedKey

ROOM = "!planning:dept.example"
SENDER_KEY = encode(bytes(range(32)))
ED25519 = SigningKey(seed=bytes(range(32, 64))).public
FORWARDER = encode(bytes(range(64, 96)))


@dataclass
class Sender:
    """Somebody's session in a room."""

    room_id: str = ROOM
    group: vodozemac.GroupSession = field(default_factory=vodozemac.GroupSession)

    def __post_init__(self) -> None:
        self.inbound = vodozemac.InboundGroupSession(self.group.session_key)

    def key(self, index: int = 0, *, forwarders: tuple[str, ...] = ()) -> ExportedKey:
        """Its key from ``index`` on."""
        exported = self.inbound.export_at(index)
        assert exported is not None
        return ExportedKey(
            room_id=self.room_id,
            session_id=self.group.session_id,
            sender_key=SENDER_KEY,
            ed25519=ED25519,
            session_key=exported.to_base64(),
            forwarders=forwarders,
        )


def keys(count: int, room_id: str = ROOM) -> list[ExportedKey]:
    """Keys of so many sessions."""
    return [Sender(room_id).key() for _ in range(count)]
