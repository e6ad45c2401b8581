"""Other people's devices, with real Olm accounts, and the server's store of one-time keys."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import vodozemac

from bridge.model import DeviceTrust
from bridge.protocols import ToDevice
from bridge.rawjson.fields import JsonObject, table, text
from connectors.matrix.crypto import unpadded
from connectors.matrix.crypto.cross_signing import OlmDevice
from connectors.matrix.crypto.devices import Device, UserKeys, adopt
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.store import Transaction
from connectors.matrix.crypto.values import KeyCounts, MegolmRequest
from tests.fakes.clock import FakeClock

OWN = "@recorder:example.org"
OWN_DEVICE = "RECORDER"
ROOM = "!council:example.org"
KEY = b"k" * 32
OLM = "m.olm.v1.curve25519-aes-sha2"
MEGOLM = "m.megolm.v1.aes-sha2"


async def opened(file: Path, *, key: bytes = KEY, clock: FakeClock | None = None) -> Machine:
    """The recorder's machine on ``file``."""
    return await Machine.open(
        file,
        key=key,
        user_id=OWN,
        device_id=OWN_DEVICE,
        random=os.urandom,
        clock=clock or FakeClock(),
    )


def numbered(*messages: bytes, after: int = 0) -> list[ToDevice]:
    """Messages as the journal gives them."""
    return [
        ToDevice(number=number, raw=raw, at=datetime(2026, 3, 1, tzinfo=UTC))
        for number, raw in enumerate(messages, after + 1)
    ]


async def know(machine: Machine, peer: Peer, trust: DeviceTrust) -> None:
    """The server has shown the peer's device."""
    own = peer.device
    device = Device(
        user_id=own.user_id,
        device_id=own.device_id,
        curve25519=own.curve25519,
        ed25519=own.ed25519,
        trust=trust,
    )
    keys = UserKeys(user_id=own.user_id, master=None, devices=(device,))

    def adopted(transaction: Transaction) -> None:
        adopt(transaction, keys, own=machine.device)

    await machine.run(adopted)


class KeyServer:
    """What a homeserver keeps of our keys; it gives each one-time key once."""

    def __init__(self) -> None:
        self.one_time: dict[str, str] = {}
        self.fallback: str | None = None
        self.is_fallback_unused = False

    async def filled(self, machine: Machine) -> JsonObject | None:
        """Take what the machine has to upload now, as one round of upkeep."""
        body = await machine.upload(self.counts(), with_device=False)
        if body is not None:
            self.take(body)
            await machine.uploaded()
        return body

    def take(self, body: JsonObject) -> None:
        """``/keys/upload``."""
        for name, signed in table(body, "one_time_keys").items():
            assert isinstance(signed, dict)
            self.one_time[name] = str(signed["key"])
        for signed in table(body, "fallback_keys").values():
            assert isinstance(signed, dict)
            self.fallback = str(signed["key"])
            self.is_fallback_unused = True

    def counts(self) -> KeyCounts:
        """What ``/sync`` says of them."""
        return KeyCounts(one_time=len(self.one_time), fallback_unused=self.is_fallback_unused)

    def claim(self) -> str:
        """``/keys/claim``: a one-time key, or the fallback key again and again."""
        if self.one_time:
            return self.one_time.pop(next(iter(self.one_time)))
        assert self.fallback is not None
        self.is_fallback_unused = False
        return self.fallback


class Peer:
    """A device of another user."""

    def __init__(self, user_id: str = "@ada:example.org", device_id: str = "LAPTOP") -> None:
        self.account = vodozemac.Account()
        self.device = OlmDevice(
            user_id=user_id,
            device_id=device_id,
            ed25519=self.account.ed25519_key.to_base64(),
            curve25519=self.account.curve25519_key.to_base64(),
        )
        self.session: vodozemac.Session | None = None
        self.rotate()
        self._events = 0

    def rotate(self) -> None:
        """Begin a new Megolm session."""
        self.group = vodozemac.GroupSession()

    def begin(self, recipient: OlmDevice, one_time_key: str) -> None:
        """Begin a new Olm session."""
        self.session = self.account.create_outbound_session(
            vodozemac.Curve25519PublicKey.from_base64(recipient.curve25519),
            vodozemac.Curve25519PublicKey.from_base64(one_time_key),
        )

    def olm(
        self, recipient: OlmDevice, kind: str, content: JsonObject, /, **altered: object
    ) -> bytes:
        """An encrypted to-device message; ``altered`` replaces parts of what is encrypted."""
        payload: JsonObject = {
            "type": kind,
            "content": content,
            "sender": self.device.user_id,
            "recipient": recipient.user_id,
            "recipient_keys": {"ed25519": recipient.ed25519},
            "keys": {"ed25519": self.device.ed25519},
        }
        assert self.session is not None
        number, body = self.session.encrypt(json.dumps(payload | altered).encode()).to_parts()
        sealed = {"type": number, "body": unpadded.encode(body)}
        return self.plain(
            "m.room.encrypted",
            {
                "algorithm": OLM,
                "sender_key": self.device.curve25519,
                "ciphertext": {recipient.curve25519: sealed},
            },
        )

    def plain(self, kind: str, content: JsonObject) -> bytes:
        """A to-device message in the clear."""
        message = {"type": kind, "sender": self.device.user_id, "content": content}
        return json.dumps(message).encode()

    def room_key(self, recipient: OlmDevice, *, room_id: str = ROOM) -> bytes:
        """An ``m.room_key`` from the index that the session has now."""
        return self.olm(recipient, "m.room_key", self.room_key_content(room_id=room_id))

    def room_key_content(self, *, room_id: str = ROOM) -> JsonObject:
        """What an ``m.room_key`` says."""
        return {
            "algorithm": MEGOLM,
            "room_id": room_id,
            "session_id": self.group.session_id,
            "session_key": self.group.session_key.to_base64(),
        }

    def exported(self, *, at: int = 0, of: vodozemac.GroupSession | None = None) -> str:
        """The session's key as it is exported."""
        inbound = vodozemac.InboundGroupSession((of or self.group).session_key)
        key = inbound.export_at(max(at, inbound.first_known_index))
        assert key is not None
        return key.to_base64()

    def say(self, body: str, *, room_id: str = ROOM, inside: str | None = None) -> MegolmRequest:
        """An encrypted room event; ``inside`` is the room it was encrypted for."""
        event = {"type": "m.room.message", "room_id": inside or room_id, "content": {"body": body}}
        return self.event(json.dumps(event).encode(), room_id=room_id)

    def event(self, clear: bytes, *, room_id: str = ROOM) -> MegolmRequest:
        """An encrypted room event that holds ``clear``; without the deprecated fields."""
        self._events += 1
        content: JsonObject = {
            "algorithm": MEGOLM,
            "session_id": self.group.session_id,
            "ciphertext": self.group.encrypt(clear).to_base64(),
        }
        return MegolmRequest(
            room_id=room_id,
            event_id=f"${self.device.device_id}-{self._events}",
            sender=self.device.user_id,
            content=content,
        )


def said(clear: bytes | None) -> str | None:
    """The body of a decrypted message."""
    if clear is None:
        return None
    event: JsonObject = json.loads(clear)
    return text(table(event, "content"), "body")
