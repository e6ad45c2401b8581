"""What encrypted groups need of the operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from connectors.matrix.crypto.key_file import KeyFile
from connectors.matrix.crypto.recovery_key import RandomBytes, RecoveryKey


@dataclass(frozen=True, slots=True, kw_only=True)
class CryptoSettings:
    """What one account needs.

    ``folder`` takes the store of keys, encrypted with ``key`` (32 bytes), and a recovery key that
    is made where no ``recovery_key_file`` is named; ``tell`` is then told once where it stands.
    """

    folder: Path
    key: bytes = field(repr=False)
    recovery_key_file: Path | None
    random: RandomBytes
    tell: Callable[[str], None]

    def store(self, name: str) -> Path:
        """The store of keys of the connector of this name."""
        return self.folder / f"matrix-{name}.crypto.db"

    def keeper(self, name: str) -> KeyFile:
        """Where its recovery key is kept."""
        if self.recovery_key_file is not None:
            return KeyFile(self.recovery_key_file, given=True)
        return _ToldKeyFile(self.folder / f"matrix-{name}.recovery-key", tell=self.tell)


class _ToldKeyFile(KeyFile):
    """Tells where a new recovery key stands, once: only the operator can keep a copy of it."""

    def __init__(self, file: Path, *, tell: Callable[[str], None]) -> None:
        super().__init__(file, given=False)
        self._tell = tell

    async def keep(self, key: RecoveryKey) -> None:
        """Write the file, then tell."""
        await super().keep(key)
        self._tell(
            f"A recovery key was made: {self.file}. Keep a copy of it elsewhere: without it a "
            "replaced machine cannot come back as the same verified identity."
        )
