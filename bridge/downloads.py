"""Download orders as a loop: attachments come in beside the stream, earliest deadline first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

import structlog

from bridge.errors import (
    ConnectorRejectedError,
    ConnectorUnavailableError,
    JournalError,
    MunimentError,
    SpoolError,
    SpoolFullError,
)
from bridge.model import SpooledFile
from bridge.protocols import Clock, Connector, Download, DownloadOrder, Journal, Spool

log = structlog.get_logger(__name__)

IDLE_SECONDS = 0.5
GIVE_UP_AFTER = timedelta(days=7)
"""A platform that does not answer for so long past the deadline makes the loss final."""

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=10)


class Downloads:
    """A bounded number of workers; nothing waits for them but the seal, and only for a while."""

    def __init__(
        self,
        *,
        journal: Journal,
        spool: Spool,
        connectors: Mapping[str, Connector],
        clock: Clock,
        media_max_bytes: int,
        workers: int = 4,
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._connectors = connectors
        self._clock = clock
        self._media_max_bytes = media_max_bytes
        self._workers = workers
        self._landing = 0
        self._doubtful: set[str] = set()
        self.paused = False

    async def run(self) -> None:
        """Fetch until cancelled. First, files that no entry needs any more go."""
        await self.sweep()
        async with asyncio.TaskGroup() as group:
            for number in range(self._workers):
                group.create_task(self._work(), name=f"download {number}")

    async def sweep(self) -> None:
        """Remove spool files left by a crash between a receipt and the removal.

        Not while a file lands: until the journal has it, it looks as if nobody needed it.
        """
        names = await self._spool.names()
        if self._landing:
            return
        # Named before, needed after: what lands meanwhile is in neither.
        await self._spool.remove(names - await self._journal.spooled())

    async def _work(self) -> None:
        while True:
            try:
                fetched = await self.step()
            except JournalError:
                fetched = False
            if not fetched:
                await self._clock.sleep(IDLE_SECONDS)

    async def step(self) -> bool:
        """Fetch what is due first. False: nothing is due, or texts go first (``paused``)."""
        if self.paused:
            return False
        with suppress(SpoolError):  # it is tried again, and no attachment waits for it
            await self._clear_doubts()
        order = await self._journal.claim_download(now=self._clock.now())
        if order is None:
            return False
        try:
            await self._fetch(order)
        except JournalError:
            raise  # nothing is wrong with the attachment
        except (ConnectorRejectedError, SpoolFullError) as error:
            await self._failed(order, error, final=isinstance(error, ConnectorRejectedError))
        except MunimentError as error:
            given_up = self._clock.now() - order.due > GIVE_UP_AFTER
            await self._failed(order, error, final=given_up)
        finally:
            self._journal.release_download(order)
        return True

    async def _fetch(self, order: DownloadOrder) -> None:
        """Crash while fetching: the order is still there and the half-written file goes."""
        declared = order.attachment.size
        if declared is not None and declared > self._media_max_bytes:
            raise self._too_large(declared)
        connector = self._connectors.get(order.connector)
        if connector is None:
            raise ConnectorUnavailableError(f"Connector {order.connector} is not configured.")
        download = await connector.open_download(order.group_id, order.attachment)
        self._landing += 1
        try:
            await self._land(order, download)
        finally:
            self._landing -= 1
            await download.aclose()

    async def _land(self, order: DownloadOrder, download: Download) -> None:
        file = await self._spooled(download)
        try:
            wanted = await self._journal.downloaded(order, file, at=self._clock.now())
        except JournalError:
            # It may have happened: then the record needs the file, else the next try leaves
            # another. Only the journal can say, once it answers again.
            self._doubtful.add(file.name)
            raise
        if not wanted:
            await self._spool.remove(frozenset({file.name}))

    async def _clear_doubts(self) -> None:
        """Remove files whose order the journal did not see fulfilled after all.

        Whether or not there is another order: that of such a file may be destroyed with its entry.
        """
        if self._doubtful:
            doubtful = frozenset(self._doubtful)
            await self._spool.remove(doubtful - await self._journal.spooled())
            self._doubtful -= doubtful

    async def _spooled(self, download: Download) -> SpooledFile:
        if download.size is not None and download.size > self._media_max_bytes:
            raise self._too_large(download.size)
        writer = await self._spool.create()
        try:
            size = 0
            async for chunk in download.chunks():
                size += len(chunk)
                if size > self._media_max_bytes:
                    raise self._too_large(size)
                await writer.write(chunk)
            return await writer.commit()
        finally:
            await writer.abandon()

    def _too_large(self, size: int) -> ConnectorRejectedError:
        return ConnectorRejectedError(
            f"The attachment has {size} bytes or more;"
            f" [spool] media_max_bytes is {self._media_max_bytes}."
        )

    async def _failed(self, order: DownloadOrder, error: MunimentError, *, final: bool) -> None:
        now = self._clock.now()
        pause = min(FIRST_PAUSE * 2 ** min(order.attempts, 12), LONGEST_PAUSE)
        log.warning("attachment_not_fetched", error=type(error).__name__, final=final)
        await self._journal.download_failed(
            order, why=str(error), at=now, next_try=None if final else now + pause
        )
