"""The values every part speaks in. Frozen, keyword-only, with aware UTC times."""

from bridge.model.crypto import Crypto, DeviceTrust, Provenance
from bridge.model.delivery import Batch, Cursor, Loss, Presence, Sighting
from bridge.model.digest import Digest
from bridge.model.events import (
    Attachment,
    CaptureMethod,
    Event,
    EventKind,
    Relation,
    RelationType,
    Sender,
)
from bridge.model.groups import Group, GroupState, NoticeState, Particulars, Stream
from bridge.model.lines import LONGEST_LINE, unfit_line
from bridge.model.objects import ObjectInfo, ObjectReceipt, SealedRecord, SpooledFile
from bridge.model.time import require_utc
from bridge.model.timers import GroupTimer, Timer, shorter
from bridge.model.verdicts import (
    CONTEXT_MESSAGES,
    Context,
    Outcome,
    Reason,
    Utterance,
    Verdict,
)

__all__ = [
    "CONTEXT_MESSAGES",
    "LONGEST_LINE",
    "Attachment",
    "Batch",
    "CaptureMethod",
    "Context",
    "Crypto",
    "Cursor",
    "DeviceTrust",
    "Digest",
    "Event",
    "EventKind",
    "Group",
    "GroupState",
    "GroupTimer",
    "Loss",
    "NoticeState",
    "ObjectInfo",
    "ObjectReceipt",
    "Outcome",
    "Particulars",
    "Presence",
    "Provenance",
    "Reason",
    "Relation",
    "RelationType",
    "SealedRecord",
    "Sender",
    "Sighting",
    "SpooledFile",
    "Stream",
    "Timer",
    "Utterance",
    "Verdict",
    "require_utc",
    "shorter",
    "unfit_line",
]
