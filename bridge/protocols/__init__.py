"""What every part promises. Adapters keep these promises; contract suites test them.

MUST, MUST NOT and MAY are used as in RFC 2119. Unless a method says otherwise it may be
cancelled at any time and then has either happened or not; repeating it is safe.
"""

from bridge.protocols.anchors import (
    Cosignature,
    Published,
    Stamp,
    TimestampAuthority,
    Voucher,
    Witness,
)
from bridge.protocols.classifier import Classifier
from bridge.protocols.clock import Clock
from bridge.protocols.connector import Announcement, Connector, Download, PastEvent
from bridge.protocols.counts import Counting, Counts
from bridge.protocols.decisions import (
    DecisionFacts,
    Judgement,
    PersonDecision,
    Reviewed,
    Via,
    WaitingDecision,
)
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
    SeenCount,
    StoredProof,
    Tally,
    TallyGroup,
    Unopened,
    UnopenedGroup,
)
from bridge.protocols.leaves import Leaves
from bridge.protocols.log import (
    LARGEST_CHECKPOINT,
    Anchor,
    CheckpointPlace,
    CheckpointStore,
    Head,
    RecordLog,
    Signer,
)
from bridge.protocols.office import (
    DecisionOrder,
    GroupStep,
    KeyTransfer,
    Label,
    Office,
    Request,
    RequestKind,
    StepKind,
)
from bridge.protocols.store import ObjectBody, ObjectStore, Spool, SpoolWriter

__all__ = [
    "LARGEST_CHECKPOINT",
    "Anchor",
    "Announcement",
    "Appended",
    "CheckpointPlace",
    "CheckpointStore",
    "Classifier",
    "Clock",
    "Connector",
    "Cosignature",
    "Counting",
    "Counts",
    "DecisionFacts",
    "DecisionOrder",
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
    "Judgement",
    "KeptObject",
    "KeptUntil",
    "KeyFiles",
    "KeyTransfer",
    "Label",
    "Leaves",
    "ManifestPlace",
    "MediaState",
    "ObjectBody",
    "ObjectStore",
    "Office",
    "Opened",
    "PastEvent",
    "PersonDecision",
    "Placement",
    "PlacementKind",
    "Published",
    "RecordLog",
    "Request",
    "RequestKind",
    "Reviewed",
    "Saying",
    "Sealing",
    "SeenCount",
    "Signer",
    "Spool",
    "SpoolWriter",
    "Stamp",
    "StepKind",
    "StoredProof",
    "StoredVersion",
    "Tally",
    "TallyGroup",
    "TimestampAuthority",
    "ToDevice",
    "Unopened",
    "UnopenedGroup",
    "Via",
    "Voucher",
    "WaitingDecision",
    "Witness",
]
