"""``muniment reconcile``: asked of a running ``run``, or done here under its lock."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO

from bridge.app.adapters import (
    as_config_error,
    connectors_of,
    lock_data_dir,
    open_journal,
    open_office,
    open_spool,
    open_store,
)
from bridge.app.rules import lifetimes, retentions
from bridge.clock import SystemClock
from bridge.errors import ConfigError, ConnectorError
from bridge.protocols import Clock, Connector, Journal, ObjectStore, Request, RequestKind, Spool
from bridge.reconcile import (
    FILE,
    Advance,
    Progress,
    Reconciler,
    Report,
    read_progress,
)
from bridge.seal import Keeper
from config.secrets import read_key
from config.settings import Settings
from storage.objects import LocalObjectStore

LOOK_SECONDS = 0.5
WAITING = "waiting for `muniment run` to take it up"

Show = Callable[[Progress], None]
"""Is given how far it is, now and then."""


async def reconcile(
    settings: Settings, *, source: bool, by: str, show: Show, clock: Clock | None = None
) -> Report:
    """Compare journal and store, or with ``source`` journal and platforms; puts what is missing.

    A running ``run`` does it, since it alone writes the journal. If it ends before the request is
    done, or none runs, this process takes the lock and does it.

    Raises:
        ConfigError: what waiting cannot mend.
        JournalError: the journal cannot be opened.
    """
    clock = clock or SystemClock()
    kind = RequestKind.RECONCILE_SOURCE if source else RequestKind.RECONCILE
    number = 0
    lock = await asyncio.to_thread(_free_lock, settings)
    if lock is None:
        asked = Request(kind=kind, by=by, at=clock.now())
        office = await open_office(settings)
        try:
            number = await office.ask(asked)
        finally:
            await office.aclose()
        answer = await _watched(settings, number, asked, show, clock)
        if isinstance(answer, Report):
            return answer
        lock = answer
    try:
        return await _done_here(settings, kind, number, show, clock)
    finally:
        lock.close()


def _free_lock(settings: Settings) -> IO[bytes] | None:
    """The lock of the data directory, or None where another process has it.

    Raises:
        ConfigError: the data directory cannot be used.
    """
    try:
        return lock_data_dir(settings)
    except ConfigError:
        if _is_held(settings.service.data_dir / "run.lock"):
            return None
        raise


def _is_held(path: Path) -> bool:
    try:
        with path.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


async def _watched(
    settings: Settings, number: int, asked: Request, show: Show, clock: Clock
) -> Report | IO[bytes]:
    """What the running process reports; or its lock, once it ended without doing it."""
    file = settings.service.data_dir / FILE
    since = asked.at.isoformat()
    while True:
        progress = await asyncio.to_thread(read_progress, file)
        # A file of before the question is of another office, whose numbers began anew.
        if progress is not None and progress.at >= since and progress.number == number:
            show(progress)
            if progress.report is not None:
                return progress.report
        else:
            show(Progress(number=number, at=since, phase=WAITING))
        lock = await asyncio.to_thread(_free_lock, settings)
        if lock is not None:
            return lock
        await clock.sleep(LOOK_SECONDS)


async def _done_here(
    settings: Settings, kind: RequestKind, number: int, show: Show, clock: Clock
) -> Report:
    """Under the lock, with parts of our own."""
    advance = Advance()

    async def showing() -> None:
        while True:
            show(
                Progress(
                    number=number,
                    at=clock.now().isoformat(),
                    phase=advance.phase,
                    done=advance.done,
                    total=advance.total,
                )
            )
            await clock.sleep(LOOK_SECONDS)

    async with _parts(settings, kind, clock) as (journal, reconciler):
        shown = asyncio.create_task(showing())
        try:
            report = await reconciler.compare(kind, advance)
        finally:
            shown.cancel()
            await asyncio.gather(shown, return_exceptions=True)
        if number > await journal.requests_taken():
            await journal.take_request(number)
        return report


@asynccontextmanager
async def _parts(
    settings: Settings, kind: RequestKind, clock: Clock
) -> AsyncIterator[tuple[Journal, Reconciler]]:
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
        yield (
            journal,
            await reconciler_of(
                settings,
                clock=clock,
                journal=journal,
                store=store,
                spool=spool,
                connectors=connectors,
            ),
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
