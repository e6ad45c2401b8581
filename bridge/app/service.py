"""A whole recorder from its settings: opened, started, and closed in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from bridge.app.adapters import (
    OFFICE,
    check_signing_key,
    is_store_used,
    lock_data_dir,
    open_journal,
    open_legal_holds,
    open_log,
    open_office,
    open_spool,
    open_store,
)
from bridge.app.alerting import channels_of
from bridge.app.anchors import outsiders_of
from bridge.app.backup.placing import refuse_unfinished
from bridge.app.opened import Opened
from bridge.app.places import place_of
from bridge.app.platforms import connectors_of
from bridge.app.policies import classifier_of
from bridge.app.probes import open_probe, watch_of
from bridge.app.recorder import Bridge
from bridge.clock import SystemClock
from bridge.protocols import Classifier, Clock, Connector, Entry
from config.settings import Settings
from storage.objects import LocalObjectStore
from storage.office.holds import SqliteHolds
from storage.office.people import SqlitePeople


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    tell: Callable[[str], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
    clock: Clock | None = None,
    classifier: Classifier | None = None,
    instead: Mapping[str, Connector] | None = None,
) -> AsyncIterator[Bridge]:
    """A started bridge; on leaving it is drained, stopped and closed, in that order.

    ``tell`` is given each new alarm once, ``say`` what an operator must know once.
    ``instead``: the connectors, where they are not those of the settings.

    Raises:
        ConfigError: what waiting cannot mend.
        JournalError: the journal cannot be opened.
    """
    clock = clock or SystemClock()
    check_signing_key(settings)
    channels = await asyncio.to_thread(channels_of, settings)
    async with AsyncExitStack() as stack:
        lock = lock_data_dir(settings)
        stack.callback(lock.close)
        await asyncio.to_thread(refuse_unfinished, settings.service.data_dir)
        connectors = dict(instead or {}) or connectors_of(settings, clock, say=say)
        for connector in connectors.values():
            stack.push_async_callback(connector.aclose)
        journal = await open_journal(settings, clock)
        stack.push_async_callback(journal.aclose)
        office = await open_office(settings)
        stack.push_async_callback(office.aclose)
        store = open_store(settings, clock)
        stack.push_async_callback(store.aclose)
        if isinstance(store, LocalObjectStore):
            await store.start(used=await is_store_used(settings))
        record_log = open_log(settings, clock, store)
        stack.push_async_callback(record_log.aclose)
        outsiders = await outsiders_of(settings, store=store, clock=clock)
        stack.push_async_callback(outsiders.aclose)
        probe = await asyncio.to_thread(open_probe, place_of(settings), clock)
        stack.push_async_callback(probe.aclose)
        holds = await SqliteHolds.open(settings.service.data_dir / OFFICE)
        stack.push_async_callback(holds.aclose)
        people = await SqlitePeople.open(settings.service.data_dir / OFFICE)
        stack.push_async_callback(people.aclose)
        legal_holds = open_legal_holds(settings, clock)
        if legal_holds is not None:
            stack.push_async_callback(legal_holds.aclose)
        spool = await open_spool(settings)
        opened = Opened(
            settings=settings,
            clock=clock,
            journal=journal,
            office=office,
            store=store,
            watch=watch_of(settings, probe, clock),
            record_log=record_log,
            outsiders=outsiders,
            spool=spool,
            holds=holds,
            legal_holds=legal_holds,
            trail=lambda until: people.trail_digest(until=until),
            connectors=connectors,
            classifier=classifier or classifier_of(settings),
            channels=channels,
            tell=tell,
        )
        bridge = Bridge(opened)
        stack.push_async_callback(bridge.stop)
        await bridge.start()
        yield bridge


async def entries_of(settings: Settings) -> tuple[Entry, ...]:
    """Every entry with content, in the order it came: for the demonstration and benchmarks."""
    journal = await open_journal(settings, SystemClock(), look=True)
    try:
        found: list[Entry] = []
        while page := await journal.after(found[-1].seq if found else 0, limit=500):
            found += page
        return tuple(found)
    finally:
        await journal.aclose()
