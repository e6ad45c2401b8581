"""What every part promises. Adapters keep these promises; contract suites test them.

MUST, MUST NOT and MAY are used as in RFC 2119. Unless a method says otherwise it may be
cancelled at any time and then has either happened or not; repeating it is safe.
"""

from bridge.protocols.classifier import Classifier
from bridge.protocols.clock import Clock
from bridge.protocols.connector import Announcement, Connector, Download, PastEvent
from bridge.protocols.decrypter import Decrypter, ImportedKeys, KeyFiles, Opened, ToDevice
from bridge.protocols.evidence import Evidence, KeptUntil, StoredVersion
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
from bridge.protocols.log import (
    Anchor,
    CheckpointPlace,
    CheckpointStore,
    Head,
    RecordLog,
    Signer,
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
    "Anchor",
    "Announcement",
    "Appended",
    "CheckpointPlace",
    "CheckpointStore",
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
    "Evidence",
    "GroupStep",
    "Head",
    "ImportedKeys",
    "Journal",
    "KeptObject",
    "KeptUntil",
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
    "RecordLog",
    "Request",
    "RequestKind",
    "Saying",
    "Sealing",
    "Signer",
    "Spool",
    "SpoolWriter",
    "StepKind",
    "StoredProof",
    "StoredVersion",
    "Tally",
    "TallyGroup",
    "ToDevice",
    "Unopened",
    "UnopenedGroup",
]
