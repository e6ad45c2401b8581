"""What every part promises. Adapters keep these promises; contract suites test them.

MUST, MUST NOT and MAY are used as in RFC 2119. Unless a method says otherwise it may be
cancelled at any time and then has either happened or not; repeating it is safe.
"""

from bridge.protocols.classifier import Classifier
from bridge.protocols.clock import Clock
from bridge.protocols.connector import Announcement, Connector, Download, PastEvent
from bridge.protocols.decrypter import Decrypter, ImportedKeys, KeyFiles, Opened, ToDevice
from bridge.protocols.journal import Journal
from bridge.protocols.journal_values import (
    Appended,
    Decryption,
    DownloadOrder,
    DownloadState,
    EarlierStream,
    Entry,
    KeptObject,
    ManifestPlace,
    MediaState,
    Placement,
    PlacementKind,
    Saying,
    Sealing,
    StoredProof,
    Tally,
    TallyGroup,
    Unopened,
    UnopenedGroup,
)
from bridge.protocols.office import (
    GroupStep,
    KeyTransfer,
    Office,
    Request,
    RequestKind,
    StepKind,
)
from bridge.protocols.store import ObjectBody, ObjectStore, Spool, SpoolWriter

__all__ = [
    "Announcement",
    "Appended",
    "Classifier",
    "Clock",
    "Connector",
    "Decrypter",
    "Decryption",
    "Download",
    "DownloadOrder",
    "DownloadState",
    "EarlierStream",
    "Entry",
    "GroupStep",
    "ImportedKeys",
    "Journal",
    "KeptObject",
    "KeyFiles",
    "KeyTransfer",
    "ManifestPlace",
    "MediaState",
    "ObjectBody",
    "ObjectStore",
    "Office",
    "Opened",
    "PastEvent",
    "Placement",
    "PlacementKind",
    "Request",
    "RequestKind",
    "Saying",
    "Sealing",
    "Spool",
    "SpoolWriter",
    "StepKind",
    "StoredProof",
    "Tally",
    "TallyGroup",
    "ToDevice",
    "Unopened",
    "UnopenedGroup",
]
