"""What one recorder runs on: its settings, and everything that was opened for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bridge.alerts import Channel
from bridge.app.anchors import Outsiders
from bridge.audits import TrailDigest
from bridge.protocols import Classifier, Clock, Connector, ObjectStore, RecordLog
from bridge.protocols.holds import Holds, LegalHolds
from bridge.store_watch import StoreWatch
from config.settings import Settings
from storage.journal import SqliteJournal
from storage.office import SqliteOffice
from storage.spool import FileSpool


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Open, and closed by whoever opened it, after the recorder has stopped."""

    settings: Settings
    clock: Clock
    journal: SqliteJournal
    office: SqliteOffice
    store: ObjectStore
    record_log: RecordLog
    outsiders: Outsiders
    watch: StoreWatch
    spool: FileSpool
    holds: Holds
    legal_holds: LegalHolds | None
    trail: TrailDigest
    connectors: dict[str, Connector]
    classifier: Classifier
    channels: tuple[Channel, ...] = ()
    """By which people are told of alarms."""
    tell: Callable[[str], None]
    """Is given each new alarm once."""
