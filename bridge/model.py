"""The values every part speaks in. Frozen, keyword-only, with aware UTC times."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NewType

Cursor = NewType("Cursor", bytes)
"""A connector's place in its platform. Opaque to everyone but that connector."""


class Outcome(StrEnum):
    """What is to become of a message. Only ``discard`` cannot be undone."""

    CAPTURE = "capture"
    REVIEW = "review"
    DISCARD = "discard"


class EventKind(StrEnum):
    """What happened, in the words of the record format."""

    MESSAGE = "message"
    EDIT = "edit"
    REDACTION = "redaction"
    REACTION = "reaction"
    POLL = "poll"
    POLL_ANSWER = "poll_answer"
    LOCATION = "location"
    CONTACT = "contact"
    STICKER = "sticker"
    CALL = "call"
    MEMBERSHIP = "membership"
    GROUP = "group"
    PIN = "pin"
    TIMER = "timer"
    ROSTER = "roster"
    NOTICE = "notice"
    MEDIA = "media"
    SERVICE = "service"
    ENCRYPTED = "encrypted"
    UNPARSED = "unparsed"
    UNKNOWN = "unknown"


class RelationType(StrEnum):
    """How one event refers to another."""

    REPLY = "reply"
    THREAD = "thread"
    EDIT = "edit"
    REDACTION = "redaction"
    REACTION = "reaction"
    DECRYPTED = "decrypted"
    RESCUED = "rescued"
    MEDIA = "media"


class CaptureMethod(StrEnum):
    """How an event reached us."""

    LIVE = "live"
    BACKFILL = "backfill"
    RESCUE = "rescue"
    IMPORT = "import"


class Presence(StrEnum):
    """Where the recorder stands towards a group, as the platform says."""

    INVITED = "invited"
    JOINED = "joined"
    LEFT = "left"
    REMOVED = "removed"


def require_utc(moment: datetime, name: str) -> None:
    """Refuse a naive or non-UTC time: it would move by the machine's zone."""
    if moment.tzinfo is not UTC and moment.utcoffset() != timedelta(0):
        raise ValueError(f"{name} must be an aware UTC time, got {moment!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A digest with its algorithm, so that bytes never travel without saying what they are."""

    algorithm: str = "sha256"
    value: bytes

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """SHA-256 of ``data``."""
        return cls(value=hashlib.sha256(data).digest())

    @property
    def hex(self) -> str:
        """Lower-case hex, as every format writes it."""
        return self.value.hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who did it: the platform's id, and the name shown at that time."""

    id: str
    display_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A reference to another event by its platform id."""

    type: RelationType
    upstream_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file an event offers. ``url`` is for the connector alone; ``size`` is as declared."""

    url: str
    name: str | None = None
    declared_type: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A disappearing-message timer: its length in seconds, and the rule it comes from.

    It runs from event time; ``from_receipt`` means that it starts when the message is read, and
    so for us not before we received it.
    """

    seconds: float
    basis: str
    from_receipt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTimer:
    """The timers of a group as they now stand; told at its beginning and at each change.

    ``standing`` ends what was said before too, so that pending entries are planned anew;
    ``default`` runs only for what is said from now on. None: no such timer runs.
    """

    group_id: str
    standing: Timer | None = None
    default: Timer | None = None

    @property
    def shortest(self) -> Timer | None:
        """The one that a message said now disappears by."""
        return shorter(self.standing, self.default)


def shorter(one: Timer | None, other: Timer | None) -> Timer | None:
    """Whichever of two timers ends first; None where neither runs."""
    if one is None or other is None:
        return one or other
    return other if other.seconds < one.seconds else one


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened to a message, as one connector saw it.

    ``raw`` is the exact upstream bytes and is never re-serialised. ``upstream`` holds further
    platform facts as (name, value) pairs. ``timer`` is the shortest that ran when it was seen;
    ``own_timer`` is the part of it that no change of the group's standing timer moves.
    ``missing`` says why the content did not reach us, where the platform shows that much; the
    journal then records a gap.
    """

    group_id: str
    upstream_id: str
    revision: str | None = None
    kind: EventKind
    sender: Sender | None = None
    sent_at: datetime | None = None
    observed_at: datetime
    body: str | None = None
    relates_to: Relation | None = None
    attachments: tuple[Attachment, ...] = ()
    timer: Timer | None = None
    own_timer: Timer | None = None
    upstream: tuple[tuple[str, str], ...] = ()
    method: CaptureMethod = CaptureMethod.LIVE
    missing: str | None = None
    raw: bytes = field(repr=False)

    def __post_init__(self) -> None:
        require_utc(self.observed_at, "observed_at")
        if self.sent_at is not None:
            require_utc(self.sent_at, "sent_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A loss the connector can name: what could not be had, and between which times."""

    group_id: str
    why: str
    since: datetime | None = None
    until: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What the platform told us about a group itself. Applying it twice changes nothing.

    ``encrypted`` is None where this does not show it: only a part of the group's state was seen.
    """

    group_id: str
    presence: Presence
    at: datetime
    name: str | None = None
    by: str | None = None
    encrypted: bool | None = None
    successor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One delivery. All it holds, and its cursor, are committed together or not at all.

    ``cursor`` is None only for events the bridge derives itself. ``unlisted`` counts events of
    groups that are not approved; nothing else of them is kept.
    """

    connector: str
    platform: str
    cursor: Cursor | None
    events: tuple[Event, ...] = ()
    losses: tuple[Loss, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    timers: tuple[GroupTimer, ...] = ()
    unlisted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why: a code of the policy, the rule that gave it, and the span of the text it read."""

    code: str
    rule: str
    start: int = 0
    end: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An outcome with its reasons. ``context`` holds the upstream ids of messages it leaned on.

    ``policy`` is name@version. ``restricted`` marks SECRET or above: sealed and logged, not stored.
    """

    outcome: Outcome
    score: float
    reasons: tuple[Reason, ...]
    policy: str
    model: str
    markings: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    restricted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """A message as the classifier reads it. ``outcome`` and ``score`` are set once decided."""

    upstream_id: str
    kind: EventKind
    sender_id: str
    sent_at: datetime
    body: str = ""
    relates_to: Relation | None = None
    attachments: int = 0
    outcome: Outcome | None = None
    score: float = 0.0
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What surrounds a message: earlier ones of the group, oldest first, and what it refers to."""

    before: tuple[Utterance, ...] = ()
    target: Utterance | None = None
    capture_all: bool = False


class GroupState(StrEnum):
    """Where a group stands in the register; ``status`` and the console use these words."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    ACTIVE = "active"
    NOT_RECORDING = "not_recording"
    PAUSED = "paused"
    REMOVED = "removed"
    CLOSED = "closed"


class NoticeState(StrEnum):
    """Whether the group has been told. Nothing of it is stored while the notice is ``due``."""

    DUE = "due"
    POSTED = "posted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group as the register has it. ``note`` says in words why it is not recording.

    ``listed`` groups are approved by the settings file and by nothing else. ``notices`` counts
    the notices settled so far. ``timer`` is what a message said now disappears by.
    """

    connector: str
    platform: str
    group_id: str
    name: str | None
    state: GroupState
    notice: NoticeState = NoticeState.DUE
    presence: Presence | None = None
    note: str = ""
    capture_all: bool = False
    listed: bool = False
    notices: int = 0
    timer: Timer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The numbered events of one group. ``id`` and ``gid`` are blinded (:mod:`bridge.keys`)."""

    id: str
    gid: str
    connector: str
    platform: str
    group_id: str
    group_name: str | None
    capture_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRecord:
    """Record bytes as fixed in the journal, their digest, and their key below ``v1/<tenant>/``."""

    body: bytes = field(repr=False)
    digest: Digest
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledFile:
    """A file in the spool. ``size`` in bytes and ``digest`` are of the clear bytes."""

    name: str
    size: int
    digest: Digest
    sniffed_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectReceipt:
    """What the store said of an object: proof that it is there, not that it was us."""

    key: str
    digest: Digest
    retain_until: datetime | None = None
    existed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """An object as the store lists or heads it. ``digest`` is the one kept with it, if any."""

    key: str
    size: int
    modified_at: datetime
    digest: Digest | None = None
    retain_until: datetime | None = None
