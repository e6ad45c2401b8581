"""The recorder's identity: made once, found again, whatever happens between."""

from __future__ import annotations

import pytest

from bridge.model import DeviceTrust
from connectors.matrix.crypto.identity import DeviceSeen
from connectors.matrix.crypto.recovery_key import RecoveryKey
from connectors.matrix.crypto.secret_storage import (
    DEFAULT_KEY,
    SecretName,
    StorageKey,
    default_key,
    default_key_id,
    description_type,
)
from tests.unit.connectors.matrix.crypto.account_server import (
    CrashedError,
    Crashes,
    FakeAccountServer,
    Randomness,
)
from tests.unit.connectors.matrix.crypto.recorder import (
    ELEMENTS,
    OTHER_KEY,
    Recorder,
    by_another_client,
)


async def test_a_fresh_account() -> None:
    """Keys are made, kept in secret storage under a new recovery key, published; we are signed."""
    recorder = Recorder()
    standing = await recorder.start().establish()
    assert standing.is_signed
    assert standing.others == ()
    assert recorder.server.masters == [standing.master]
    assert recorder.server.passwords_sent == 0
    assert recorder.keeper.key is not None
    own = StorageKey.own(recorder.keeper.key)
    assert default_key_id(recorder.server.data[DEFAULT_KEY]) == own.key_id
    own.check(recorder.server.data[description_type(own.key_id)])
    for name in (SecretName.MASTER, SecretName.SELF_SIGNING, SecretName.USER_SIGNING):
        assert own.decrypted(name, recorder.server.data[name])


async def test_the_next_start_changes_nothing() -> None:
    """Established once, the identity is only looked at."""
    recorder = Recorder()
    first = await recorder.start().establish()
    recorder.server.crashes.acts.clear()
    assert await recorder.start().establish() == first
    acts = recorder.server.crashes.acts
    assert all(act == "query" or act.startswith("get ") for act in acts)


async def test_an_order_that_can_be_taken_up() -> None:
    """The recovery key is on disk first; secrets are stored before any key is published."""
    recorder = Recorder()
    await recorder.start().establish()
    effects = [
        each for each in recorder.server.crashes.acts if not each.startswith(("get", "query"))
    ]
    assert effects[0] == "keep"
    assert effects[1].startswith("put m.secret_storage.key.")
    assert effects[2:] == [
        "put m.cross_signing.master",
        "put m.cross_signing.self_signing",
        "put m.cross_signing.user_signing",
        "put m.secret_storage.default_key",
        "upload identity",
        "upload signatures",
    ]


@pytest.mark.parametrize("asks_first", [False, True])
@pytest.mark.parametrize("is_after", [False, True])
async def test_a_crash_at_any_act(*, is_after: bool, asks_first: bool) -> None:
    """Wherever the process dies, the next start ends with the one identity, and we are signed."""
    whole = Recorder(FakeAccountServer(asks_first=asks_first))
    await whole.start().establish()
    for at in range(1, len(whole.server.crashes.acts) + 1):
        crashes = Crashes(at=at, is_after=is_after)
        recorder = Recorder(FakeAccountServer(asks_first=asks_first, crashes=crashes))
        try:
            await recorder.start().establish()
        except CrashedError:
            kept = recorder.keeper.key
            crashes.at = None
            standing = await recorder.start().establish()
            assert standing.is_signed
            assert kept in {None, recorder.keeper.key}
        assert len(recorder.server.masters) == 1
        assert recorder.server.passwords_sent <= asks_first


async def test_a_crash_at_every_act() -> None:
    """A process that dies after every single effect comes to the same end."""
    crashes = Crashes(at_every=True)
    recorder = Recorder(FakeAccountServer(crashes=crashes))
    for _ in range(8):
        with pytest.raises(CrashedError):
            await recorder.start().establish()
    assert (await recorder.start().establish()).is_signed
    assert len(recorder.server.masters) == 1


@pytest.mark.parametrize("keeps_only", [1, 2])
async def test_half_of_an_upload(keeps_only: int) -> None:
    """Where the server kept some of the keys, the rest are added, with the password if asked."""
    recorder = Recorder()
    recorder.server.keeps_only = keeps_only
    with pytest.raises(CrashedError):
        await recorder.start().establish()
    recorder.server.keeps_only = None
    assert (await recorder.start().establish()).is_signed
    assert recorder.server.passwords_sent == 1
    assert len(recorder.server.masters) == 1


async def test_a_replaced_machine() -> None:
    """A new device with the recovery key is signed by the same identity; the old one is seen."""
    first = Recorder()
    before = await first.start().establish()
    second = Recorder(first.server, device_id="SECOND", key=first.keeper.key)
    standing = await second.start().establish()
    assert standing.is_signed
    assert standing.master == before.master
    assert standing.others == (DeviceSeen(device_id="DEVICE", trust=DeviceTrust.SIGNED),)


async def test_the_identity_of_another_client() -> None:
    """With its recovery key we join the identity that an official set up, and change nothing."""
    recorder = Recorder(key=OTHER_KEY)
    by_another_client(recorder.server)
    before = (dict(recorder.server.keys), dict(recorder.server.data))
    standing = await recorder.start().establish()
    assert standing.is_signed
    assert standing.master == ELEMENTS.master.public
    assert (recorder.server.keys, recorder.server.data) == before


async def test_secrets_under_a_key_that_is_not_the_default() -> None:
    """The recovery key may be that of any key under which the identity is stored."""
    recorder = Recorder(key=OTHER_KEY)
    by_another_client(recorder.server)
    recorder.server.data[DEFAULT_KEY] = default_key("newer")
    newer = StorageKey(key_id="newer", recovery_key=RecoveryKey(raw=b"n" * 32))
    recorder.server.data[description_type("newer")] = newer.description(Randomness())
    assert (await recorder.start().establish()).is_signed
