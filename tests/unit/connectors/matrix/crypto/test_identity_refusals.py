"""The recorder's identity is never put in another's place."""

from __future__ import annotations

import pytest

from bridge.model import DeviceTrust
from bridge.rawjson.fields import JsonObject, table
from connectors.matrix.crypto.recovery_key import RecoveryKey
from connectors.matrix.crypto.refusals import (
    AuthenticationAskedError,
    DeviceMismatchError,
    DeviceNotPublishedError,
    IdentityMismatchError,
    RecoveryKeyMissingError,
    SecretDamagedError,
    SecretsMissingError,
    SignatureRefusedError,
    StorageOfAnotherError,
    WrongRecoveryKeyError,
)
from connectors.matrix.crypto.secret_storage import (
    DEFAULT_KEY,
    SecretName,
    description_type,
)
from tests.unit.connectors.matrix.crypto.account_server import (
    USAGES,
    USER,
    FakeAccountServer,
    Randomness,
)
from tests.unit.connectors.matrix.crypto.olm import OlmAccount
from tests.unit.connectors.matrix.crypto.recorder import (
    ELEMENTS,
    OTHER_KEY,
    Recorder,
    by_another_client,
    refused,
)


async def test_an_identity_and_no_recovery_key() -> None:
    """Refused by name with the remedy; the standing can still be told."""
    recorder = Recorder()
    by_another_client(recorder.server)
    await refused(recorder, RecoveryKeyMissingError)
    assert "recovery_key_file" in RecoveryKeyMissingError.hint
    standing = await recorder.start().standing()
    assert standing.device.trust is DeviceTrust.UNSIGNED
    assert standing.master == ELEMENTS.master.public


async def test_a_wrong_recovery_key() -> None:
    """Named, and nothing is changed, whether the account has an identity or only a storage."""
    recorder = Recorder(key=RecoveryKey(raw=b"w" * 32))
    by_another_client(recorder.server)
    await refused(recorder, WrongRecoveryKeyError)
    recorder.server.keys.clear()
    await refused(recorder, WrongRecoveryKeyError)


async def test_a_storage_of_another_client() -> None:
    """Without an identity a storage that is there is not hidden behind one of ours."""
    recorder = Recorder()
    by_another_client(recorder.server)
    recorder.server.keys.clear()
    await refused(recorder, StorageOfAnotherError)
    del recorder.server.data[description_type("element")]
    recorder.keeper.key = OTHER_KEY
    await refused(recorder, StorageOfAnotherError)


async def test_a_secret_of_another_client() -> None:
    """A secret kept under another key is not overwritten."""
    recorder = Recorder(key=RecoveryKey(raw=b"w" * 32))
    by_another_client(recorder.server)
    recorder.server.keys.clear()
    del recorder.server.data[DEFAULT_KEY]
    stored = recorder.server.data[SecretName.MASTER]
    with pytest.raises(StorageOfAnotherError):
        await recorder.start().establish()
    assert recorder.server.data[SecretName.MASTER] == stored
    assert not recorder.server.keys


async def test_an_identity_without_storage() -> None:
    """An identity whose keys are nowhere stored cannot be joined."""
    recorder = Recorder(key=OTHER_KEY)
    by_another_client(recorder.server)
    del recorder.server.data[SecretName.USER_SIGNING]
    assert "user_signing" in await refused(recorder, SecretsMissingError)
    recorder.server.data.clear()
    await refused(recorder, SecretsMissingError)


@pytest.mark.parametrize(
    "content", [{"encrypted": {"element": {"iv": "AA"}}}, {"encrypted": {"element": 3}}]
)
async def test_a_damaged_secret(content: JsonObject) -> None:
    """What cannot be read is named."""
    recorder = Recorder(key=OTHER_KEY)
    by_another_client(recorder.server)
    recorder.server.data[SecretName.MASTER] = content
    assert SecretName.MASTER in await refused(recorder, SecretDamagedError)


async def test_a_secret_that_is_no_key() -> None:
    """A stored text that is no private key is named."""
    recorder = Recorder(key=OTHER_KEY)
    storage = by_another_client(recorder.server)
    recorder.server.data[SecretName.MASTER] = storage.encrypted(
        SecretName.MASTER, "no key", Randomness()
    )
    await refused(recorder, SecretDamagedError)


async def test_an_identity_that_was_reset() -> None:
    """Keys published that are not those in the storage: refused, and never reset by us."""
    recorder = Recorder()
    await recorder.start().establish()
    recorder.server.devices["DEVICE"] = recorder.olm.device_keys()
    upload = ELEMENTS.upload()
    for usage in USAGES:
        recorder.server.keys[usage] = table(upload, f"{usage}_key")
    assert "master" in await refused(recorder, IdentityMismatchError)
    recorder.server.keys["master"] = {"user_id": USER}
    await refused(recorder, IdentityMismatchError)


async def test_a_server_that_shows_another_device() -> None:
    """We sign only the keys of our own Olm account, whatever the server shows under our id."""
    recorder = Recorder()
    recorder.server.devices["DEVICE"] = OlmAccount(USER, "DEVICE").device_keys()
    await refused(recorder, DeviceMismatchError)
    assert (await recorder.start().standing()).device.trust is DeviceTrust.INVALID


async def test_a_device_that_is_gone() -> None:
    """A device that was deleted, or never published, is named before anything is made."""
    recorder = Recorder()
    recorder.server.devices.clear()
    await refused(recorder, DeviceNotPublishedError)
    standing = await recorder.start().standing()
    assert standing.device.trust is DeviceTrust.UNKNOWN
    assert standing.master is None


async def test_a_password_that_is_asked_for() -> None:
    """A server that asks first is given the password; without one it is said."""
    recorder = Recorder(FakeAccountServer(asks_first=True))
    assert (await recorder.start().establish()).is_signed
    assert recorder.server.passwords_sent == 1
    poor = Recorder(FakeAccountServer(asks_first=True, has_password=False))
    with pytest.raises(AuthenticationAskedError):
        await poor.start().establish()
    assert "password_file" in AuthenticationAskedError.hint


class _Racing(FakeAccountServer):
    """Another client publishes its identity just before ours arrives."""

    async def upload_identity(self, body: JsonObject, *, with_password: bool) -> None:
        if not self.keys:
            upload = ELEMENTS.upload()
            self.keys = {usage: table(upload, f"{usage}_key") for usage in USAGES}
        await super().upload_identity(body, with_password=with_password)


async def test_an_identity_published_meanwhile() -> None:
    """Asked for the password because another came first, we do not give it."""
    server = _Racing()
    recorder = Recorder(server)
    with pytest.raises(IdentityMismatchError):
        await recorder.start().establish()
    assert server.passwords_sent == 0
    assert table(server.keys["master"], "keys") == {ELEMENTS.master.key_id: ELEMENTS.master.public}


async def test_a_signature_that_is_not_kept() -> None:
    """A 200 is not believed: the signature must be shown."""
    recorder = Recorder()
    recorder.server.keeps_signatures = False
    with pytest.raises(SignatureRefusedError):
        await recorder.start().establish()
    recorder.server.keeps_signatures = True
    assert (await recorder.start().establish()).is_signed
