"""Another person's client: a device with a real Olm account, written without our own code."""

from __future__ import annotations

import base64
import json
from typing import Protocol, cast

import vodozemac

from bridge.rawjson.fields import JsonObject, table, text
from connectors.matrix.crypto.cross_signing import OlmDevice
from tests.unit.connectors.matrix.crypto.olm import plain_canonical

OLM = "m.olm.v1.curve25519-aes-sha2"
MEGOLM = "m.megolm.v1.aes-sha2"


class _WithFallback(Protocol):
    @property
    def fallback_key(self) -> dict[str, vodozemac.Curve25519PublicKey]: ...

    def generate_fallback_key(self) -> None: ...


class OlmClient:
    """It refuses what was not meant for it, or is not from whom it says."""

    def __init__(self, user_id: str, device_id: str) -> None:
        self._account = vodozemac.Account()
        self._sessions: dict[str, list[vodozemac.Session]] = {}
        self.device = OlmDevice(
            user_id=user_id,
            device_id=device_id,
            ed25519=self._account.ed25519_key.to_base64(),
            curve25519=self._account.curve25519_key.to_base64(),
        )
        self.received: list[JsonObject] = []
        self.room_keys: dict[tuple[str, str], vodozemac.InboundGroupSession] = {}

    def device_keys(self) -> JsonObject:
        """``device_keys`` of ``/keys/upload``."""
        device = self.device
        return self.signed(
            {
                "user_id": device.user_id,
                "device_id": device.device_id,
                "algorithms": [OLM, MEGOLM],
                "keys": {
                    f"curve25519:{device.device_id}": device.curve25519,
                    f"ed25519:{device.device_id}": device.ed25519,
                },
            }
        )

    def one_time_keys(self, count: int) -> JsonObject:
        """New ones."""
        self._account.generate_one_time_keys(count)
        keys = {
            f"signed_curve25519:{key_id}": self.signed({"key": key.to_base64()})
            for key_id, key in self._account.one_time_keys.items()
        }
        self._account.mark_keys_as_published()
        return dict(keys)

    def fallback_keys(self) -> JsonObject:
        """A new one."""
        account = cast("_WithFallback", self._account)
        account.generate_fallback_key()
        keys = {
            f"signed_curve25519:{key_id}": self.signed({"key": key.to_base64(), "fallback": True})
            for key_id, key in account.fallback_key.items()
        }
        self._account.mark_keys_as_published()
        return dict(keys)

    def signed(self, document: JsonObject) -> JsonObject:
        """With the device's signature."""
        signature = self._account.sign(plain_canonical(document)).to_base64()
        key_id = f"ed25519:{self.device.device_id}"
        return document | {"signatures": {self.device.user_id: {key_id: signature}}}

    def forget_sessions(self) -> None:
        """As a client does whose store was put back."""
        self._sessions.clear()

    def receive(self, message: JsonObject) -> JsonObject:
        """Take a to-device message; its payload, checked."""
        content = table(message, "content")
        assert message["type"] == "m.room.encrypted"
        assert content["algorithm"] == OLM
        sender_key = text(content, "sender_key") or ""
        sealed = table(table(content, "ciphertext"), self.device.curve25519)
        payload = cast("JsonObject", json.loads(self._opened(sender_key, sealed)))
        assert payload["sender"] == message["sender"]
        assert payload["recipient"] == self.device.user_id
        assert table(payload, "recipient_keys") == {"ed25519": self.device.ed25519}
        self.received.append(payload)
        if payload["type"] == "m.room_key":
            key = table(payload, "content")
            assert key["algorithm"] == MEGOLM
            session_key = vodozemac.SessionKey(text(key, "session_key") or "")
            session = vodozemac.InboundGroupSession(session_key)
            assert session.session_id == key["session_id"]
            self.room_keys[str(key["room_id"]), session.session_id] = session
        return payload

    def read(self, room_id: str, content: JsonObject) -> JsonObject:
        """The event in an encrypted one. KeyError: its key was not given."""
        assert content["algorithm"] == MEGOLM
        session = self.room_keys[room_id, str(content["session_id"])]
        message = vodozemac.MegolmMessage.from_base64(text(content, "ciphertext") or "")
        event = cast("JsonObject", json.loads(session.decrypt(message).plaintext))
        assert event["room_id"] == room_id
        return event

    def write(self, to: OlmDevice, one_time_key: str, kind: str, content: JsonObject) -> JsonObject:
        """The content of a to-device message, in a new session begun with ``one_time_key``."""
        session = self._account.create_outbound_session(
            vodozemac.Curve25519PublicKey.from_base64(to.curve25519),
            vodozemac.Curve25519PublicKey.from_base64(one_time_key),
        )
        self._sessions.setdefault(to.curve25519, []).insert(0, session)
        payload = {
            "type": kind,
            "content": content,
            "sender": self.device.user_id,
            "recipient": to.user_id,
            "recipient_keys": {"ed25519": to.ed25519},
            "keys": {"ed25519": self.device.ed25519},
        }
        message_type, body = session.encrypt(json.dumps(payload).encode()).to_parts()
        sealed = {"type": message_type, "body": base64.b64encode(body).rstrip(b"=").decode()}
        return {
            "algorithm": OLM,
            "sender_key": self.device.curve25519,
            "ciphertext": {to.curve25519: sealed},
        }

    def _opened(self, sender_key: str, sealed: JsonObject) -> bytes:
        body = text(sealed, "body") or ""
        if sealed["type"] == 0:
            prekey = vodozemac.PreKeyMessage.from_base64(body)
            for session in self._sessions.get(sender_key, []):
                if session.session_matches(prekey):
                    return session.decrypt(prekey.to_any())
            sender = vodozemac.Curve25519PublicKey.from_base64(sender_key)
            session, clear = self._account.create_inbound_session(sender, prekey)
            self._sessions.setdefault(sender_key, []).insert(0, session)
            return clear
        data = base64.b64decode(body + "=" * (-len(body) % 4))
        message = vodozemac.AnyOlmMessage.normal(data)
        for session in self._sessions.get(sender_key, []):
            try:
                return session.decrypt(message)
            except ValueError:
                continue
        raise LookupError("no session opens it")
