"""Devices with real Olm accounts; their keys are signed by another library than ours."""

from __future__ import annotations

import json

import vodozemac

from bridge.rawjson.fields import JsonObject
from connectors.matrix.crypto.cross_signing import OlmDevice


def plain_canonical(document: JsonObject) -> bytes:
    """Canonical JSON of documents that hold neither fractions nor unusual text."""
    covered = {k: v for k, v in document.items() if k not in {"signatures", "unsigned"}}
    return json.dumps(covered, separators=(",", ":"), sort_keys=True).encode()


class OlmAccount:
    """A device's Olm account."""

    def __init__(self, user_id: str, device_id: str) -> None:
        self._account = vodozemac.Account()
        self.device = OlmDevice(
            user_id=user_id,
            device_id=device_id,
            ed25519=self._account.ed25519_key.to_base64(),
            curve25519=self._account.curve25519_key.to_base64(),
        )

    def device_keys(self) -> JsonObject:
        """``device_keys`` of ``/keys/upload``."""
        device = self.device
        document: JsonObject = {
            "user_id": device.user_id,
            "device_id": device.device_id,
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {
                f"curve25519:{device.device_id}": device.curve25519,
                f"ed25519:{device.device_id}": device.ed25519,
            },
        }
        return document | {"signatures": self._signatures(document)}

    def _signatures(self, document: JsonObject) -> JsonObject:
        signature = self._account.sign(plain_canonical(document)).to_base64()
        return {self.device.user_id: {f"ed25519:{self.device.device_id}": signature}}


def verifies(document: JsonObject, *, public: str, signature: str) -> bool:
    """Whether another library takes the signature."""
    try:
        vodozemac.Ed25519PublicKey.from_base64(public).verify_signature(
            plain_canonical(document), vodozemac.Ed25519Signature.from_base64(signature)
        )
    except ValueError:
        return False
    return True
