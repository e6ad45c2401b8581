"""Our identity at a real homeserver: made, signed, found again with the recovery key alone."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from bridge.demo.homeserver import Homeserver
from bridge.errors import ConnectorRejectedError
from bridge.model import DeviceTrust
from bridge.rawjson.fields import decode, table, text
from connectors.matrix.crypto.cross_signing import CrossSigning, Usage
from connectors.matrix.crypto.identity import Identity
from connectors.matrix.crypto.key_file import KeyFile
from connectors.matrix.crypto.recovery_key import RecoveryKey, write_key
from connectors.matrix.crypto.refusals import (
    AuthenticationAskedError,
    DeviceNotPublishedError,
    RecoveryKeyMissingError,
    WrongRecoveryKeyError,
)
from connectors.matrix.crypto.server import HomeserverIdentity
from connectors.matrix.crypto.signing_key import SigningKey
from connectors.matrix.http import Endpoint, MatrixHttp, path
from tests.servers.synapse import MARKS
from tests.unit.connectors.matrix.crypto.olm import OlmAccount, verifies

pytestmark = MARKS


class Machine:
    """A machine with a device of its own, signed in by password."""

    def __init__(self, http: MatrixHttp, user_id: str, password: str, folder: Path) -> None:
        self.http = http
        self.user_id = user_id
        self.password = password
        self.folder = folder
        self.server = HomeserverIdentity(http, user_id=user_id, password=None)
        self.olm = OlmAccount(user_id, "")

    async def sign_in(self) -> None:
        """Have a device; it has no keys yet."""
        body: dict[str, object] = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self.user_id},
            "password": self.password,
        }
        answer = decode(await self.http.request("POST", path("login"), body=body)) or {}
        self.http.token = text(answer, "access_token")
        self.olm = OlmAccount(self.user_id, text(answer, "device_id") or "")

    async def publish_device(self) -> None:
        """Upload the device's keys."""
        body = {"device_keys": self.olm.device_keys()}
        await self.http.request("POST", path("keys", "upload"), body=body)

    def identity(self, file: str = "recovery.key") -> Identity:
        """The procedure, with the recovery key in ``file``."""
        return Identity(
            server=self.server,
            keeper=KeyFile(self.folder / file, given=False),
            device=self.olm.device,
            random=secrets.token_bytes,
        )


@pytest_asyncio.fixture
async def machine(
    homeserver: Homeserver, tmp_path: Path
) -> AsyncIterator[Callable[[str], Awaitable[Machine]]]:
    """New machines for an account; the account is made with the first."""
    accounts: set[str] = set()
    async with AsyncExitStack() as stack:

        async def made(name: str) -> Machine:
            if name not in accounts:
                await homeserver.register(name, f"password of {name}", name)
                accounts.add(name)
            http = MatrixHttp(Endpoint(homeserver=homeserver.url))
            stack.push_async_callback(http.aclose)
            one = Machine(http, homeserver.user_id(name), f"password of {name}", tmp_path)
            await one.sign_in()
            await one.publish_device()
            return one

        yield made


async def test_a_fresh_account(machine: Callable[[str], Awaitable[Machine]]) -> None:
    """Made without a password; the server shows both signatures, which another library takes."""
    one = await machine("signer-fresh")
    assert (await one.identity().standing()).device.trust is DeviceTrust.NO_IDENTITY
    standing = await one.identity().establish()
    assert standing.is_signed
    assert await one.identity().establish() == standing

    answer = await one.server.query_keys()
    keys = table(table(answer, "self_signing_keys"), one.user_id)
    [(key_id, public)] = table(keys, "keys").items()
    assert isinstance(public, str)
    device_id = one.olm.device.device_id
    device = table(table(table(answer, "device_keys"), one.user_id), device_id)
    signatures = table(table(device, "signatures"), one.user_id)
    assert set(signatures) == {f"ed25519:{device_id}", key_id}
    signature = text(signatures, key_id)
    assert signature is not None
    assert verifies(device, public=public, signature=signature)
    master = table(table(answer, "master_keys"), one.user_id)
    assert list(table(master, "keys").values()) == [standing.master]


async def test_a_replaced_machine(machine: Callable[[str], Awaitable[Machine]]) -> None:
    """A second device with only the recovery key is signed by the same identity."""
    first = await machine("signer-replaced")
    before = await first.identity().establish()
    second = await machine("signer-replaced")
    assert (await second.identity().standing()).device.trust is DeviceTrust.UNSIGNED
    standing = await second.identity().establish()
    assert standing.is_signed
    assert standing.master == before.master
    assert [
        each.trust for each in standing.others if each.device_id == before.device.device_id
    ] == [DeviceTrust.SIGNED]


async def test_a_machine_without_the_right_recovery_key(
    machine: Callable[[str], Awaitable[Machine]],
) -> None:
    """A wrong recovery key and a missing one are named; the identity stays as it is."""
    first = await machine("signer-wrong")
    before = await first.identity().establish()
    second = await machine("signer-wrong")
    with pytest.raises(RecoveryKeyMissingError):
        await second.identity("missing.key").establish()
    wrong = RecoveryKey.make(secrets.token_bytes)
    await asyncio.to_thread(write_key, second.folder / "wrong.key", wrong)
    with pytest.raises(WrongRecoveryKeyError):
        await second.identity("wrong.key").establish()
    assert (await second.identity().standing()).device.trust is DeviceTrust.UNSIGNED
    assert await first.identity().standing() == await first.identity().establish()
    assert (await first.identity().standing()).master == before.master


async def test_a_device_that_was_never_published(
    machine: Callable[[str], Awaitable[Machine]],
) -> None:
    """Nothing is made for a device that the server does not know."""
    one = await machine("signer-unpublished")
    one.olm = OlmAccount(one.user_id, "NOWHERE")
    with pytest.raises(DeviceNotPublishedError):
        await one.identity().establish()
    assert (await one.identity().standing()).master is None


async def test_a_password_is_asked_for_a_change(
    machine: Callable[[str], Awaitable[Machine]],
) -> None:
    """The server asks before an identity is replaced, and takes the password in one request."""
    one = await machine("signer-change")
    await one.identity().establish()
    other = CrossSigning(
        user_id=one.user_id,
        master=SigningKey(seed=secrets.token_bytes(32)),
        self_signing=SigningKey(seed=secrets.token_bytes(32)),
        user_signing=SigningKey(seed=secrets.token_bytes(32)),
    )
    with pytest.raises(AuthenticationAskedError):
        await one.server.upload_identity(other.upload(), with_password=False)
    with pytest.raises(AuthenticationAskedError):
        await one.server.upload_identity(other.upload(), with_password=True)
    wrong = HomeserverIdentity(one.http, user_id=one.user_id, password="wrong")
    with pytest.raises(ConnectorRejectedError) as refusal:
        await wrong.upload_identity(other.upload(), with_password=True)
    assert refusal.value.code == "M_FORBIDDEN"
    right = HomeserverIdentity(one.http, user_id=one.user_id, password=one.password)
    await right.upload_identity(other.upload(), with_password=True)
    assert (await one.identity().standing()).master == other.key(Usage.MASTER).public
