"""What compares journal and store, and takes the requests of other processes."""

from __future__ import annotations

from bridge.app.catalog import answering as answering_catalog
from bridge.app.keys import answering
from bridge.app.opened import Opened
from bridge.app.parts.publishing import Publishing
from bridge.app.parts.recording import Recording
from bridge.app.reading import as_config_error
from bridge.app.rules import lifetimes
from bridge.pressure import Measure
from bridge.reconcile import FILE, Reconciler, Reconciliation
from config.secrets import read_key


def reconciliation_of(
    opened: Opened, recording: Recording, publishing: Publishing
) -> Reconciliation:
    """Wire it. While live messages must come first, it waits.

    Raises:
        ConfigError: the blinding key cannot be read.
    """
    settings, connectors = opened.settings, opened.connectors
    with as_config_error():
        blind_key = read_key(settings.keys.blind_key_file)
    return Reconciliation(
        reconciler=Reconciler(
            journal=opened.journal,
            store=opened.store,
            keeper=recording.keeper,
            connectors=connectors,
            clock=opened.clock,
            blind_key=blind_key,
            lifetimes=lifetimes(settings),
            wait=lambda: Measure.LIVE_FIRST in recording.pressure.measures,
        ),
        journal=opened.journal,
        office=opened.office,
        clock=opened.clock,
        file=settings.service.data_dir / FILE,
        answering=answering_catalog(publishing.indexer, answering(connectors)),
    )
