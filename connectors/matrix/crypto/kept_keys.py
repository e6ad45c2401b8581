"""The room keys of an account that is not signed in: for files of keys while nobody records."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from bridge.errors import ConnectorRejectedError
from bridge.protocols import Clock, ImportedKeys, KeyFiles
from connectors.matrix.crypto.key_files import export_keys, import_keys
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.recovery_key import RandomBytes
from connectors.matrix.crypto.refusals import StoreDamagedError
from connectors.matrix.crypto.settings import CryptoSettings
from connectors.matrix.crypto.store import StoreUnavailableError


class KeptKeys:
    """See :class:`bridge.protocols.KeyFiles`. Nobody else MUST have the store open."""

    def __init__(self, machine: Machine, *, random: RandomBytes) -> None:
        """Use :meth:`open`."""
        self._machine = machine
        self._random = random

    @classmethod
    async def open(
        cls, settings: CryptoSettings, *, name: str, user_id: str, clock: Clock
    ) -> KeptKeys:
        """The keys of a connector, for the device whose they are, whoever is signed in.

        Raises:
            ConnectorRejectedError: there are none yet, or they are not this account's.
            ConnectorUnavailableError: they cannot be read now.
        """
        file = settings.store(name)
        device_id = await asyncio.to_thread(_owner, file)
        if device_id is None:
            raise ConnectorRejectedError(
                f"The connector {name} has no keys yet: there is no {file}.",
                hint="Start `muniment run` once, so that it signs in, then ask again.",
            )
        machine = await Machine.open(
            file,
            key=settings.key,
            user_id=user_id,
            device_id=device_id,
            random=settings.random,
            clock=clock,
        )
        return cls(machine, random=settings.random)

    async def export_keys(self, file: Path, passphrase: bytes) -> int:
        """Write all keys to a new file."""
        return await export_keys(self._machine, file, passphrase, random=self._random)

    async def import_keys(self, file: Path, passphrase: bytes) -> ImportedKeys:
        """Take keys from a file. The next start opens what waited for them."""
        return await import_keys(self._machine, file, passphrase)

    async def aclose(self) -> None:
        """Close the store."""
        await self._machine.aclose()


def _owner(file: Path) -> str | None:
    """The device whose keys a store has; None where there is no store, and none is made."""
    if not file.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)) as db:
            if db.execute("PRAGMA user_version").fetchone() == (0,):
                return None  # its first start did not come to its end
            row = db.execute("SELECT device_id FROM meta").fetchone()
    except sqlite3.OperationalError as error:
        raise StoreUnavailableError(
            f"The store of keys {file.name} cannot be used now ({error})."
        ) from None
    except sqlite3.DatabaseError:
        raise StoreDamagedError(f"The store of keys {file.name} is damaged.") from None
    if row is None:
        raise StoreDamagedError(f"The store of keys {file.name} does not say whose it is.")
    return str(row[0])


def _conforms(keys: KeptKeys) -> KeyFiles:
    return keys
