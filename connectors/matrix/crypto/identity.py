"""The recorder's identity: made once, found again on every machine, never put in another's place.

The order of effects, and what the next start finds after a crash behind each:

1. The recovery key is durable on disk. Nothing at the server yet: the key is taken as it is.
2. Its description is in the account data. Its id follows from the key: found and checked.
3. The three private keys are in secret storage, one by one. Those kept are taken, the rest made.
4. The storage key is the default one. As before.
5. The public keys are published, so that all they need to be found again is stored already:
   they are read from secret storage and compared. The server may have kept only some of them;
   the same body, sent again, adds the rest.
6. Our device is signed. The same signature, sent again, changes nothing.

Before 5 nobody has seen the identity; from 5 on it is never made anew. A step whose answer was
lost counts as one not taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.model import DeviceTrust
from connectors.matrix.crypto.cross_signing import (
    CrossSigning,
    OlmDevice,
    Published,
    Usage,
    from_seed_text,
    new_key,
    seed_text,
)
from connectors.matrix.crypto.ports import IdentityServer, RecoveryKeyKeeper
from connectors.matrix.crypto.recovery_key import RandomBytes, RecoveryKey
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
)
from connectors.matrix.crypto.secret_storage import DEFAULT_KEY, SecretName
from connectors.matrix.crypto.signing_key import SigningKey
from connectors.matrix.crypto.vault import Vault

_NAMES = {
    Usage.MASTER: SecretName.MASTER,
    Usage.SELF_SIGNING: SecretName.SELF_SIGNING,
    Usage.USER_SIGNING: SecretName.USER_SIGNING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSeen:
    """A device of our account as others see it."""

    device_id: str
    trust: DeviceTrust


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who we are to others: the account's master key, our device, and the account's others."""

    master: str | None
    device: DeviceSeen
    others: tuple[DeviceSeen, ...]

    @property
    def is_signed(self) -> bool:
        """Whether others are shown our device as that of a verified owner."""
        return self.device.trust is DeviceTrust.SIGNED


class Identity:
    """The account's cross-signing keys and our device's place under them.

    One procedure at a time per account: that the account is the recorder's own is the operator's
    part. Our device's keys MUST have been uploaded before.
    """

    def __init__(
        self,
        *,
        server: IdentityServer,
        keeper: RecoveryKeyKeeper,
        device: OlmDevice,
        random: RandomBytes,
    ) -> None:
        self._server = server
        self._keeper = keeper
        self._device = device
        self._random = random

    async def standing(self) -> Standing:
        """How we stand now. Changes nothing; for ``doctor`` and ``/readyz``.

        Raises:
            ConnectorUnavailableError: the server does not answer.
        """
        return self._standing(await self._query())

    async def establish(self) -> Standing:
        """Have our device signed by the account's identity. MUST be safe to repeat after a crash.

        Raises:
            IdentityRefusedError: it cannot be without taking another's place; see its kinds.
            ConfigError: the recovery key cannot be read or kept.
            ConnectorUnavailableError: the server does not answer; begin again.
        """
        published = await self._query()
        self._check_device(published)
        keys = await (self._found(published) if published.has_identity else self._create())
        if not published.shows(keys):
            await self._publish(keys)
            published = await self._query()
        if published.trust(self._device.device_id) is not DeviceTrust.SIGNED:
            self._check_device(published)
            device = published.devices[self._device.device_id]
            await self._server.upload_signatures(keys.signature(device))
            published = await self._query()
        standing = self._standing(published)
        if not published.shows(keys) or not standing.is_signed:
            raise SignatureRefusedError("The homeserver does not show the signature of our device.")
        return standing

    async def check_name(self) -> None:
        """Before our device is published: that the server has no other keys under its name.

        Raises:
            DeviceMismatchError: it has; publishing ours would put them in their place.
        """
        published = await self._query()
        if self._device.device_id in published.devices:
            self._check_device(published)

    async def _query(self) -> Published:
        return Published.read(await self._server.query_keys(), self._device.user_id)

    def _check_device(self, published: Published) -> None:
        """Never sign what the server shows us, unless it is what our Olm account has."""
        device_id = self._device.device_id
        if device_id not in published.devices:
            raise DeviceNotPublishedError(f"The homeserver has no keys of our device {device_id}.")
        if not published.is_device(self._device):
            raise DeviceMismatchError(f"The homeserver has other keys of our device {device_id}.")

    async def _create(self) -> CrossSigning:
        """Steps 1 to 4. Whatever of them was done before is found and taken."""
        recovery_key = await self._keeper.load()
        if recovery_key is None:
            if await self._server.account_data(DEFAULT_KEY) is not None:
                raise StorageOfAnotherError(
                    "The account has a secret storage, and we have no recovery key."
                )
            recovery_key = RecoveryKey.make(self._random)
            await self._keeper.keep(recovery_key)
        vault = await Vault.founded(self._server, recovery_key, self._random)
        found: dict[Usage, SigningKey] = {}
        for usage, name in _NAMES.items():
            key = await _stored(vault, name)
            if key is None:
                key = new_key(self._random)
                await vault.keep(name, seed_text(key))
            found[usage] = key
        await vault.make_default()
        return self._keys(found)

    async def _found(self, published: Published) -> CrossSigning:
        """The identity that is published, from secret storage."""
        recovery_key = await self._keeper.load()
        if recovery_key is None:
            raise RecoveryKeyMissingError("The account has an identity, and we no recovery key.")
        vault = await Vault.opened(self._server, recovery_key, self._random)
        found: dict[Usage, SigningKey] = {}
        for usage, name in _NAMES.items():
            key = await _stored(vault, name)
            if key is None:
                raise SecretsMissingError(f"The account's secret storage does not hold {name}.")
            found[usage] = key
        keys = self._keys(found)
        self._check_ours(keys, published)
        return keys

    def _keys(self, found: dict[Usage, SigningKey]) -> CrossSigning:
        return CrossSigning(
            user_id=self._device.user_id,
            master=found[Usage.MASTER],
            self_signing=found[Usage.SELF_SIGNING],
            user_signing=found[Usage.USER_SIGNING],
        )

    def _check_ours(self, keys: CrossSigning, published: Published) -> None:
        """What is published is ours or a part of ours; what is missing may be added."""
        if published.unreadable:
            raise IdentityMismatchError("The account's published identity cannot be read.")
        for usage in Usage:
            public = published.keys.get(usage)
            is_missing = public is None and usage is not Usage.MASTER
            if not is_missing and public != keys.key(usage).public:
                raise IdentityMismatchError(
                    f"The account's {usage} key is not the one in its secret storage."
                )

    async def _publish(self, keys: CrossSigning) -> None:
        """Step 5. With the password a server replaces an identity: sent only where none would be.

        Servers ask for it at the first upload, or only for a change. Between our look and our
        upload another client of the account could still publish one: a recorder has an account
        of its own.
        """
        body = keys.upload()
        try:
            await self._server.upload_identity(body, with_password=False)
        except AuthenticationAskedError:
            published = await self._query()
            if published.has_identity:
                self._check_ours(keys, published)
            await self._server.upload_identity(body, with_password=True)

    def _standing(self, published: Published) -> Standing:
        own = self._device.device_id
        trust = published.trust(own)
        if trust is not DeviceTrust.UNKNOWN and not published.is_device(self._device):
            trust = DeviceTrust.INVALID
        return Standing(
            master=published.keys.get(Usage.MASTER),
            device=DeviceSeen(device_id=own, trust=trust),
            others=tuple(
                DeviceSeen(device_id=each, trust=published.trust(each))
                for each in sorted(published.devices)
                if each != own
            ),
        )


async def _stored(vault: Vault, name: SecretName) -> SigningKey | None:
    secret = await vault.secret(name)
    if secret is None:
        return None
    key = from_seed_text(secret)
    if key is None:
        raise SecretDamagedError(f"The stored secret {name} is no private key.")
    return key
