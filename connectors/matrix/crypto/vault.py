"""The account's secret storage at the server, opened with the recovery key."""

from __future__ import annotations

from typing import Self

from connectors.matrix.crypto.ports import IdentityServer
from connectors.matrix.crypto.recovery_key import RandomBytes, RecoveryKey
from connectors.matrix.crypto.refusals import (
    IdentityRefusedError,
    SecretsMissingError,
    StorageOfAnotherError,
)
from connectors.matrix.crypto.secret_storage import (
    DEFAULT_KEY,
    SecretName,
    StorageKey,
    default_key,
    default_key_id,
    description_type,
    key_ids,
)


class Vault:
    """Secrets by name. Whoever holds one has shown that the recovery key is the right one."""

    def __init__(self, server: IdentityServer, key: StorageKey, random: RandomBytes) -> None:
        """``key``: one that fits its description; see :meth:`opened` and :meth:`founded`."""
        self._server = server
        self._key = key
        self._random = random

    @classmethod
    async def opened(
        cls, server: IdentityServer, recovery_key: RecoveryKey, random: RandomBytes
    ) -> Self:
        """The storage of an account that has an identity.

        The default key is tried first, then every other under which the identity is stored.

        Raises:
            WrongRecoveryKeyError: the recovery key opens none of them.
            SecretDamagedError: none can be read.
            SecretsMissingError: there is no storage.
        """
        default = default_key_id(await server.account_data(DEFAULT_KEY))
        stored = key_ids(await server.account_data(SecretName.SELF_SIGNING))
        refusal: IdentityRefusedError | None = None
        for key_id in dict.fromkeys((*((default,) if default else ()), *stored)):
            description = await server.account_data(description_type(key_id))
            if description is None:
                continue
            key = StorageKey(key_id=key_id, recovery_key=recovery_key)
            try:
                key.check(description)
            except IdentityRefusedError as error:
                refusal = refusal or error
            else:
                return cls(server, key, random)
        raise refusal or SecretsMissingError(
            "The account has an identity and no secret storage that holds it."
        )

    @classmethod
    async def founded(
        cls, server: IdentityServer, recovery_key: RecoveryKey, random: RandomBytes
    ) -> Self:
        """The storage of an account without an identity; begun where there is none.

        Crash before the description is kept: the next start begins anew, with the same id. Crash
        after it: the next start finds it, since the id follows from the recovery key.

        Raises:
            WrongRecoveryKeyError: the account has a storage that the recovery key does not open.
            StorageOfAnotherError: it has one whose key is not described.
        """
        default = default_key_id(await server.account_data(DEFAULT_KEY))
        key = StorageKey.own(recovery_key)
        if default is not None:
            key = StorageKey(key_id=default, recovery_key=recovery_key)
        description = await server.account_data(description_type(key.key_id))
        if description is not None:
            key.check(description)
        elif default is not None:
            raise StorageOfAnotherError("The account's secret storage has no key.")
        else:
            kind = description_type(key.key_id)
            await server.put_account_data(kind, key.description(random))
        return cls(server, key, random)

    async def secret(self, name: SecretName) -> str | None:
        """A secret; None where it is not kept under this key.

        Raises:
            SecretDamagedError: it cannot be read.
        """
        content = await self._server.account_data(name)
        return self._key.decrypted(name, content) if content is not None else None

    async def keep(self, name: SecretName, secret: str) -> None:
        """Keep a secret in place of what this key kept under the name.

        Raises:
            StorageOfAnotherError: it is kept under another key; nothing was changed.
        """
        content = await self._server.account_data(name)
        if set(key_ids(content)) - {self._key.key_id}:
            raise StorageOfAnotherError(f"The account keeps {name} under another recovery key.")
        await self._server.put_account_data(name, self._key.encrypted(name, secret, self._random))

    async def make_default(self) -> None:
        """Let other clients of the account find this key, where none is the default."""
        if default_key_id(await self._server.account_data(DEFAULT_KEY)) is None:
            await self._server.put_account_data(DEFAULT_KEY, default_key(self._key.key_id))
