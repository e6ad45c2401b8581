"""What every part promises. Adapters keep these promises; contract suites test them.

MUST, MUST NOT and MAY are used as in RFC 2119. Unless a method says otherwise it may be
cancelled at any time and then has either happened or not; repeating it is safe.
"""

from bridge.protocols.classifier import Classifier
from bridge.protocols.clock import Clock
from bridge.protocols.connector import Announcement, Connector, Download
from bridge.protocols.journal import (
    Appended,
    DownloadOrder,
    DownloadState,
    Entry,
    Journal,
    MediaState,
    Placement,
    PlacementKind,
    Sealing,
    StoredProof,
    Tally,
    TallyGroup,
)
from bridge.protocols.office import GroupStep, Office, StepKind
from bridge.protocols.store import ObjectBody, ObjectStore, Spool, SpoolWriter

__all__ = [
    "Announcement",
    "Appended",
    "Classifier",
    "Clock",
    "Connector",
    "Download",
    "DownloadOrder",
    "DownloadState",
    "Entry",
    "GroupStep",
    "Journal",
    "MediaState",
    "ObjectBody",
    "ObjectStore",
    "Office",
    "Placement",
    "PlacementKind",
    "Sealing",
    "Spool",
    "SpoolWriter",
    "StepKind",
    "StoredProof",
    "Tally",
    "TallyGroup",
]
