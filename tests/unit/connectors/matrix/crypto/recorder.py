"""A machine with the recorder on it, and an account that another client set up."""

from __future__ import annotations

import pytest

from bridge.rawjson.fields import table
from connectors.matrix.crypto.cross_signing import CrossSigning, OlmDevice
from connectors.matrix.crypto.identity import Identity
from connectors.matrix.crypto.recovery_key import RandomBytes, RecoveryKey
from connectors.matrix.crypto.refusals import IdentityRefusedError
from connectors.matrix.crypto.secret_storage import (
    DEFAULT_KEY,
    SecretName,
    StorageKey,
    default_key,
    description_type,
)
from connectors.matrix.crypto.signing_key import SigningKey
from tests.unit.connectors.matrix.crypto.account_server import (
    USAGES,
    USER,
    FakeAccountServer,
    FakeKeeper,
    Randomness,
    elsewhere,
)
from tests.unit.connectors.matrix.crypto.olm import OlmAccount

OTHER_KEY = RecoveryKey(raw=b"o" * 32)
ELEMENTS = CrossSigning(
    user_id=USER,
    master=SigningKey(seed=b"M" * 32),
    self_signing=SigningKey(seed=b"S" * 32),
    user_signing=SigningKey(seed=b"U" * 32),
)


class Recorder:
    """A machine with the recorder on it: its device, its recovery key, its account."""

    def __init__(
        self,
        server: FakeAccountServer | None = None,
        *,
        device_id: str = "DEVICE",
        key: RecoveryKey | None = None,
        random: RandomBytes | None = None,
    ) -> None:
        self.server = server or FakeAccountServer()
        self.keeper = FakeKeeper(key, self.server.crashes)
        self.olm = OlmAccount(USER, device_id)
        self.random = random or Randomness()
        self.server.devices[device_id] = self.olm.device_keys()

    @property
    def device(self) -> OlmDevice:
        """Our device."""
        return self.olm.device

    def start(self) -> Identity:
        """The procedure, as a new process has it."""
        return Identity(
            server=self.server, keeper=self.keeper, device=self.device, random=self.random
        )


async def refused(recorder: Recorder, error: type[IdentityRefusedError]) -> str:
    """What is said, having made sure that nothing was changed."""
    server = recorder.server
    before = (dict(server.keys), dict(server.data), dict(server.devices), recorder.keeper.key)
    with pytest.raises(error) as refusal:
        await recorder.start().establish()
    after = (dict(server.keys), dict(server.data), dict(server.devices), recorder.keeper.key)
    assert after == before
    assert server.passwords_sent == 0
    return str(refusal.value)


def by_another_client(server: FakeAccountServer, key: RecoveryKey = OTHER_KEY) -> StorageKey:
    """An identity and a storage that somebody else set up."""
    storage, random = StorageKey(key_id="element", recovery_key=key), Randomness()
    server.data[DEFAULT_KEY] = default_key("element")
    server.data[description_type("element")] = storage.description(random)
    for name, seed in zip(
        (SecretName.MASTER, SecretName.SELF_SIGNING, SecretName.USER_SIGNING), b"MSU", strict=True
    ):
        server.data[name] = storage.encrypted(name, elsewhere(seed), random)
    upload = ELEMENTS.upload()
    for usage in USAGES:
        server.keys[usage] = table(upload, f"{usage}_key")
    return storage
