"""The backup of the account's room keys, kept up to date. Trouble with it holds up nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from bridge.errors import (
    ConfigError,
    ConnectorError,
    ConnectorRejectedError,
    ConnectorUnavailableError,
    MunimentError,
)
from bridge.pauses import Pauses
from bridge.protocols import Clock
from connectors.matrix.crypto.backup import KeyBackup
from connectors.matrix.crypto.backup_ports import BackupServer
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.ports import IdentityServer, RecoveryKeyKeeper
from connectors.matrix.crypto.recovery_key import RandomBytes
from connectors.matrix.crypto.vault import Vault

log = structlog.get_logger(__name__)

LONGEST_PAUSE = 3600.0
REST = 10.0
"""Seconds between two uploads: what came in between goes together."""

REFUSED_REST = 3600.0
"""Seconds until keys are offered again that the server refused."""

_WORK, _REFUSED = "work", "refused"


class Safekeeping:
    """One account's backup, opened when it is first needed. One procedure at a time.

    ``master``: the account's master key as it was last found; None until our device is signed,
    and nothing is done before.
    """

    def __init__(
        self,
        *,
        backups: BackupServer,
        server: IdentityServer,
        keeper: RecoveryKeyKeeper,
        machine: Machine,
        random: RandomBytes,
        clock: Clock,
    ) -> None:
        self._backups = backups
        self._server = server
        self._keeper = keeper
        self._machine = machine
        self._random = random
        self._pauses = Pauses(clock, longest=LONGEST_PAUSE)
        self._lock = asyncio.Lock()
        self._backup: KeyBackup | None = None
        self.master: str | None = None
        self.troubles: tuple[str, ...] = ()

    async def work(self) -> None:
        """Back up what is new; into a store without a key, first take all that is backed up.

        MUST NOT raise: what fails is told of and tried again later.
        """
        if self._pauses.left(_WORK):
            return
        try:
            async with self._lock:
                is_opened = self._backup is None
                backup = await self._opened()
                if is_opened and not await self._machine.keys(after=0, limit=1, unbacked=False):
                    await self._restored(backup, None)
                if not self._pauses.left(_REFUSED):
                    backup.reconsider()
                    self._pauses.succeeded(_REFUSED, rest=REFUSED_REST)
                await backup.upload()
        except (ConnectorError, ConfigError) as error:
            self._failed(error)
            return
        self._pauses.succeeded(_WORK, rest=REST)
        self.troubles = ()

    @property
    def left(self) -> float:
        """Seconds until :meth:`work` would do something."""
        return self._pauses.left(_WORK)

    async def finish(self) -> None:
        """Back up what came last, once, where a backup is open and nothing is wrong with it.

        MUST NOT raise: what is not backed up now is at the next start.
        """
        async with self._lock:
            if self._backup is None or self.troubles:
                return
            try:
                await self._backup.upload()
            except (ConnectorError, ConfigError) as error:
                self._failed(error)

    async def restore(self, sessions: Sequence[tuple[str, str]]) -> None:
        """Take the keys of these (room, session) from the backup, as far as they are in it.

        Of a backup that cannot be used nothing is taken; why not is told of.

        Raises:
            ConnectorUnavailableError: not now.
        """
        async with self._lock:
            try:
                await self._restored(await self._opened(), sessions)
            except (ConnectorRejectedError, ConfigError) as error:
                self._failed(error)

    async def _opened(self) -> KeyBackup:
        if self._backup is not None:
            return self._backup
        recovery_key = await self._keeper.load()
        if self.master is None or recovery_key is None:
            raise ConnectorUnavailableError("The account's key backup is not open yet.")
        vault = await Vault.opened(self._server, recovery_key, self._random)
        backup = KeyBackup(
            server=self._backups,
            vault=vault,
            keys=self._machine,
            master=self.master,
            random=self._random,
        )
        await backup.establish()
        self._backup = backup
        return backup

    async def _restored(
        self, backup: KeyBackup, sessions: Sequence[tuple[str, str]] | None
    ) -> None:
        found = await backup.restore(sessions)
        if found.keys or found.unreadable:
            log.info("keys_restored", keys=found.keys, unreadable=found.unreadable)

    def _failed(self, error: MunimentError) -> None:
        sentence = f"{error} {error.hint}"
        if self.troubles != (sentence,):
            log.warning("keys_not_backed_up", what=str(error))
        self.troubles = (sentence,)
        self._pauses.failed(_WORK, least=getattr(error, "retry_after", None) or 0.0)
