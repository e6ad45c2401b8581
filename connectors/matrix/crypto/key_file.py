"""The recovery key in a file of mode 0600."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bridge.errors import ConfigError
from connectors.matrix.crypto.recovery_key import RecoveryKey, read_key, write_key


class KeyFile:
    """See :class:`connectors.matrix.crypto.ports.RecoveryKeyKeeper`.

    ``given``: an operator named the file, so that it must be there; no key is made in its place.
    """

    def __init__(self, file: Path, *, given: bool) -> None:
        self.file = file
        self._given = given

    async def load(self) -> RecoveryKey | None:
        """The key in the file."""
        key = await asyncio.to_thread(read_key, self.file)
        if key is None and self._given:
            raise ConfigError(
                f"There is no recovery key in {self.file}.",
                hint="Correct [[matrix]] recovery_key_file, or leave it out to have a key made.",
            )
        return key

    async def keep(self, key: RecoveryKey) -> None:
        """Write the file, once."""
        await asyncio.to_thread(write_key, self.file, key)
