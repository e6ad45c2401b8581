"""An account's cross-signing keys, and what the server publishes of accounts. Pure.

The master key signs the self-signing and the user-signing key; the self-signing key signs the
account's devices. A device is its owner's only where that chain holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from bridge.model import DeviceTrust
from bridge.rawjson.fields import JsonObject, table, text, texts
from connectors.matrix.crypto import unpadded
from connectors.matrix.crypto.signed_json import covered, is_signed, signed
from connectors.matrix.crypto.signing_key import ALGORITHM, SEED_BYTES, SigningKey


class Usage(StrEnum):
    """What a cross-signing key is for."""

    MASTER = "master"
    SELF_SIGNING = "self_signing"
    USER_SIGNING = "user_signing"


@dataclass(frozen=True, slots=True, kw_only=True)
class OlmDevice:
    """A device as its own Olm account has it: the public keys, unpadded base64."""

    user_id: str
    device_id: str
    ed25519: str
    curve25519: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossSigning:
    """The three private keys of an account."""

    user_id: str
    master: SigningKey
    self_signing: SigningKey
    user_signing: SigningKey

    def upload(self) -> JsonObject:
        """The body of ``/keys/device_signing/upload``.

        The same keys give the same body, so that sent again it changes nothing.
        """
        return {f"{usage}_key": self._document(usage) for usage in Usage}

    def signature(self, device: JsonObject) -> JsonObject:
        """The body of ``/keys/signatures/upload`` that signs ``device`` as it is published.

        Whether it is our device MUST have been checked before.
        """
        device_id = text(device, "device_id")
        if device_id is None:
            raise RuntimeError("a device without an id cannot be signed")
        own = signed(covered(device), user_id=self.user_id, key=self.self_signing)
        return {self.user_id: {device_id: own}}

    def key(self, usage: Usage) -> SigningKey:
        """The key for ``usage``."""
        match usage:
            case Usage.MASTER:
                return self.master
            case Usage.SELF_SIGNING:
                return self.self_signing
            case Usage.USER_SIGNING:
                return self.user_signing

    def _document(self, usage: Usage) -> JsonObject:
        key = self.key(usage)
        document: JsonObject = {
            "user_id": self.user_id,
            "usage": [usage.value],
            "keys": {key.key_id: key.public},
        }
        if usage is Usage.MASTER:
            return document
        return signed(document, user_id=self.user_id, key=self.master)


def seed_text(key: SigningKey) -> str:
    """A private key as it is kept in secret storage."""
    return unpadded.encode(key.seed)


def from_seed_text(secret: str) -> SigningKey | None:
    """The key in a stored secret, or None where it holds none."""
    seed = unpadded.decode(secret)
    return SigningKey(seed=seed) if seed is not None and len(seed) == SEED_BYTES else None


def new_key(random: Callable[[int], bytes]) -> SigningKey:
    """A key nobody else has."""
    return SigningKey(seed=random(SEED_BYTES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What the server says of one account, every key with its signatures checked.

    ``unreadable``: keys that are there and are none; never taken for absent ones, lest an identity
    be made in place of one that we cannot read. ``is_whole``: the master key signed the
    self-signing key.
    """

    user_id: str
    keys: Mapping[Usage, str]
    unreadable: frozenset[Usage]
    is_whole: bool
    devices: Mapping[str, JsonObject]

    @classmethod
    def read(cls, answer: JsonObject, user_id: str) -> Self:
        """What ``/keys/query`` answered of ``user_id``. MUST NOT raise."""
        keys: dict[Usage, str] = {}
        unreadable: set[Usage] = set()
        is_whole = False
        for usage in Usage:
            document = table(answer, f"{usage}_keys").get(user_id)
            if document is None:
                continue
            public = _public(document, usage, user_id)
            if public is None:
                unreadable.add(usage)
                continue
            keys[usage] = public
            if usage is Usage.SELF_SIGNING and isinstance(document, dict):
                is_whole = _is_by(document, user_id, keys.get(Usage.MASTER))
        devices = table(table(answer, "device_keys"), user_id)
        return cls(
            user_id=user_id,
            keys=keys,
            unreadable=frozenset(unreadable),
            is_whole=is_whole,
            devices={name: each for name, each in devices.items() if isinstance(each, dict)},
        )

    @property
    def has_identity(self) -> bool:
        """Whether there is any cross-signing key, readable or not."""
        return bool(self.keys or self.unreadable)

    def shows(self, keys: CrossSigning) -> bool:
        """Whether all three keys published are these."""
        return self.is_whole and all(self.keys.get(each) == keys.key(each).public for each in Usage)

    def trust(self, device_id: str) -> DeviceTrust:
        """What the signatures of a device say."""
        device = self.devices.get(device_id)
        if device is None:
            return DeviceTrust.UNKNOWN
        if self.device_key(device_id) is None:
            return DeviceTrust.INVALID
        if not self.has_identity:
            return DeviceTrust.NO_IDENTITY
        by_owner = self.is_whole and _is_by(device, self.user_id, self.keys.get(Usage.SELF_SIGNING))
        return DeviceTrust.SIGNED if by_owner else DeviceTrust.UNSIGNED

    def device_key(self, device_id: str) -> str | None:
        """The Ed25519 key of a device that signed itself with it; else None."""
        device = self.devices.get(device_id, {})
        key_id = f"{ALGORITHM}:{device_id}"
        public = text(table(device, "keys"), key_id)
        is_its_own = (
            public is not None
            and text(device, "user_id") == self.user_id
            and text(device, "device_id") == device_id
            and is_signed(device, user_id=self.user_id, key_id=key_id, public=public)
        )
        return public if is_its_own else None

    def is_device(self, device: OlmDevice) -> bool:
        """Whether the keys published for ``device`` are those of its own Olm account."""
        found = table(self.devices.get(device.device_id, {}), "keys")
        return (
            self.user_id == device.user_id
            and self.device_key(device.device_id) == device.ed25519
            and text(found, f"curve25519:{device.device_id}") == device.curve25519
        )


def _public(document: object, usage: Usage, user_id: str) -> str | None:
    """The public key in a published one; its name MUST be the key, as the specification says."""
    if not isinstance(document, dict) or text(document, "user_id") != user_id:
        return None
    keys = table(document, "keys")
    if usage not in texts(document, "usage") or len(keys) != 1:
        return None
    [(key_id, public)] = keys.items()
    if not isinstance(public, str) or key_id != f"{ALGORITHM}:{public}":
        return None
    decoded = unpadded.decode(public)
    return public if decoded is not None and len(decoded) == SEED_BYTES else None


def _is_by(document: JsonObject, user_id: str, public: str | None) -> bool:
    return public is not None and is_signed(
        document, user_id=user_id, key_id=f"{ALGORITHM}:{public}", public=public
    )
