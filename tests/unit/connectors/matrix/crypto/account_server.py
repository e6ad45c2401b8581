"""One account at a homeserver that checks what it is given, and may die at any request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from bridge.errors import ConfigError, ConnectorRejectedError
from bridge.rawjson.fields import JsonObject, table, text
from connectors.matrix.crypto.recovery_key import RecoveryKey
from connectors.matrix.crypto.refusals import AuthenticationAskedError
from connectors.matrix.crypto.unpadded import encode
from tests.unit.connectors.matrix.crypto.olm import verifies

USER: Final = "@recorder:dept.example"
USAGES = ("master", "self_signing", "user_signing")


class CrashedError(Exception):
    """The process ended here."""


@dataclass
class Crashes:
    """Ends the process at the ``at``-th act, before it takes effect or after.

    ``at_every``: after each act that changes something.
    """

    at: int | None = None
    is_after: bool = False
    at_every: bool = False
    acts: list[str] = field(default_factory=list)

    def before(self, act: str) -> None:
        """Called when an act begins."""
        self.acts.append(act)
        if self.at == len(self.acts) and not self.is_after:
            raise CrashedError(act)

    def after(self) -> None:
        """Called when an act has had its effect."""
        if self.at_every or (self.at == len(self.acts) and self.is_after):
            raise CrashedError(self.acts[-1])


class Randomness:
    """Bytes that are never the same twice, and always the same from one run to the next."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, size: int) -> bytes:
        """So many of them."""
        self._count += 1
        return self._count.to_bytes(size, "big")


class FakeKeeper:
    """See :class:`connectors.matrix.crypto.ports.RecoveryKeyKeeper`."""

    def __init__(self, key: RecoveryKey | None = None, crashes: Crashes | None = None) -> None:
        self.key = key
        self.crashes = crashes or Crashes()

    async def load(self) -> RecoveryKey | None:
        """The key."""
        return self.key

    async def keep(self, key: RecoveryKey) -> None:
        """Keep it, once."""
        self.crashes.before("keep")
        if self.key is not None:
            raise ConfigError("a recovery key is there")
        self.key = key
        self.crashes.after()


class FakeAccountServer:
    """See :class:`connectors.matrix.crypto.ports.IdentityServer`.

    It asks for the password where an upload changes an identity that is there, as Synapse does,
    and with ``asks_first`` at the first upload too, as older servers do. ``keeps_only``: it dies
    having kept this many of the keys of an upload.
    """

    def __init__(
        self, *, has_password: bool = True, asks_first: bool = False, crashes: Crashes | None = None
    ) -> None:
        self.has_password = has_password
        self.asks_first = asks_first
        self.crashes = crashes or Crashes()
        self.keeps_only: int | None = None
        self.keeps_signatures = True
        self.data: dict[str, JsonObject] = {}
        self.devices: dict[str, JsonObject] = {}
        self.keys: dict[str, JsonObject] = {}
        self.masters: list[str] = []
        self.passwords_sent = 0

    async def account_data(self, kind: str) -> JsonObject | None:
        """What was put last."""
        self.crashes.before(f"get {kind}")
        return self.data.get(kind) or None

    async def put_account_data(self, kind: str, content: JsonObject) -> None:
        """Replace it."""
        self.crashes.before(f"put {kind}")
        self.data[kind] = content
        self.crashes.after()

    async def query_keys(self) -> JsonObject:
        """Everything published."""
        self.crashes.before("query")
        published: JsonObject = {"device_keys": {USER: dict(self.devices)}}
        for usage, document in self.keys.items():
            published[f"{usage}_keys"] = {USER: document}
        return published

    async def upload_identity(self, body: JsonObject, *, with_password: bool) -> None:
        """Check the signatures, and that nothing is replaced without a password."""
        self.crashes.before("upload identity")
        given = {usage: table(body, f"{usage}_key") for usage in USAGES}
        is_change = any(self.keys.get(usage) != each for usage, each in given.items())
        if is_change and (self.keys or self.asks_first):
            if not (with_password and self.has_password):
                raise AuthenticationAskedError("password")
            self.passwords_sent += 1
        master = _only_key(given["master"])
        for usage in ("self_signing", "user_signing"):
            _require_signature(given[usage], master)
        if master not in self.masters:
            self.masters.append(master)
        for place, (usage, document) in enumerate(given.items()):
            if place == self.keeps_only:
                raise CrashedError("half of an upload")
            self.keys[usage] = document
        self.crashes.after()

    async def upload_signatures(self, body: JsonObject) -> None:
        """Add signatures of devices as they are published; answer 200 whatever comes of it."""
        self.crashes.before("upload signatures")
        self_signing = _only_key(self.keys["self_signing"])
        for device_id, document in table(body, USER).items():
            assert isinstance(document, dict)
            stored = self.devices[device_id]
            bare = {k: v for k, v in stored.items() if k != "signatures"}
            assert {k: v for k, v in document.items() if k != "signatures"} == bare
            _require_signature(document, self_signing)
            if self.keeps_signatures:
                own = table(table(stored, "signatures"), USER)
                added = table(table(document, "signatures"), USER)
                self.devices[device_id] = stored | {"signatures": {USER: own | added}}
        self.crashes.after()


def _only_key(document: JsonObject) -> str:
    [(key_id, public)] = table(document, "keys").items()
    if not isinstance(public, str) or key_id != f"ed25519:{public}":
        raise ConnectorRejectedError("invalid key", code="M_INVALID_PARAM")
    return public


def _require_signature(document: JsonObject, public: str) -> None:
    signature = text(table(table(document, "signatures"), USER), f"ed25519:{public}")
    if signature is None or not verifies(document, public=public, signature=signature):
        raise ConnectorRejectedError("invalid signature", code="M_INVALID_SIGNATURE")


def elsewhere(seed: int) -> str:
    """A private key that another client might have stored."""
    return encode(bytes([seed]) * 32)
