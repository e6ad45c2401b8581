"""``muniment reconcile``: asked of a running ``run``, or done here under its lock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from bridge.app.adapters import open_journal, open_spool, open_store
from bridge.app.asking import Errand, Show, fulfil
from bridge.app.platforms import connectors_of
from bridge.app.reading import as_config_error
from bridge.app.rules import lifetimes, retentions
from bridge.clock import SystemClock
from bridge.errors import ConnectorError
from bridge.protocols import Clock, Connector, Journal, ObjectStore, Request, RequestKind, Spool
from bridge.reconcile import Advance, Reconciler, Report
from bridge.reconcile.fixity import FILE as FIXITY_FILE
from bridge.reconcile.fixity import keep_fixity
from bridge.reconcile.lineage import SeenStream
from bridge.reconcile.unclaimed import FILE as UNCLAIMED_FILE
from bridge.reconcile.unclaimed import write_unclaimed
from bridge.seal import Keeper
from config.secrets import read_key
from config.settings import Settings
from storage.objects import LocalObjectStore

log = structlog.get_logger(__name__)


async def reconcile(
    settings: Settings, *, source: bool, by: str, show: Show, clock: Clock | None = None
) -> Report:
    """Compare journal and store, or with ``source`` journal and platforms; puts what is missing.

    Raises:
        ConfigError: what waiting cannot mend.
        JournalError: the journal cannot be opened.
    """
    clock = clock or SystemClock()
    kind = RequestKind.RECONCILE_SOURCE if source else RequestKind.RECONCILE
    errand = Errand(
        request=Request(kind=kind, by=by, at=clock.now()),
        ended=lambda progress: progress.report,
        here=lambda advance: _compared(settings, kind, advance, clock),
    )
    return await fulfil(settings, errand, show=show, clock=clock)


async def _compared(
    settings: Settings, kind: RequestKind, advance: Advance, clock: Clock
) -> Report:
    """Under the lock, with parts of our own."""
    async with _parts(settings, kind, clock) as reconciler:
        report = await reconciler.compare(kind, advance)
        if report.complete and kind is RequestKind.RECONCILE:
            await _remember(settings, reconciler.succession.unclaimed)
        await _keep_fixity(settings, report)
        return report


async def _remember(settings: Settings, unclaimed: Sequence[SeenStream]) -> None:
    """For the next ``run``, which goes on with them once their groups are in the register."""
    file = settings.service.data_dir / UNCLAIMED_FILE
    try:
        await asyncio.to_thread(write_unclaimed, file, unclaimed)
    except OSError as error:
        log.warning("unclaimed_not_written", what=error.strerror)


async def _keep_fixity(settings: Settings, report: Report) -> None:
    """For the next ``run``, which tells people while the store does not fit."""
    try:
        await asyncio.to_thread(keep_fixity, settings.service.data_dir / FIXITY_FILE, report)
    except OSError as error:
        log.warning("fixity_not_written", what=error.strerror)


@asynccontextmanager
async def _parts(settings: Settings, kind: RequestKind, clock: Clock) -> AsyncIterator[Reconciler]:
    async with AsyncExitStack() as stack:
        connectors: dict[str, Connector] = {}
        if kind is RequestKind.RECONCILE_SOURCE:
            connectors = connectors_of(settings, clock)
            for connector in connectors.values():
                stack.push_async_callback(connector.aclose)
        journal = await open_journal(settings, clock)
        stack.push_async_callback(journal.aclose)
        store = open_store(settings, clock)
        stack.push_async_callback(store.aclose)
        if isinstance(store, LocalObjectStore):
            await store.start()
        spool = await open_spool(settings)
        for connector in connectors.values():
            await _sign_in(connector)
        yield await reconciler_of(
            settings,
            clock=clock,
            journal=journal,
            store=store,
            spool=spool,
            connectors=connectors,
        )


async def _sign_in(connector: Connector) -> None:
    """One that is refused or not answered gives no history, and its groups say so."""
    try:
        await connector.start()
    except ConnectorError:
        return


async def reconciler_of(
    settings: Settings,
    *,
    clock: Clock,
    journal: Journal,
    store: ObjectStore,
    spool: Spool,
    connectors: dict[str, Connector],
    wait: Callable[[], bool] = lambda: False,
) -> Reconciler:
    """The reconciler of these parts; ``wait`` makes it stand back while it says so."""
    with as_config_error():
        blind_key = await asyncio.to_thread(read_key, settings.keys.blind_key_file)
    keeper = Keeper(
        journal=journal,
        store=store,
        spool=spool,
        clock=clock,
        tenant=settings.service.tenant,
        retention=retentions(settings),
    )
    return Reconciler(
        journal=journal,
        store=store,
        keeper=keeper,
        connectors=connectors,
        clock=clock,
        blind_key=blind_key,
        lifetimes=lifetimes(settings),
        wait=wait,
    )
