"""What happened to a message, as one connector saw it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bridge.model.crypto import Crypto
from bridge.model.time import require_utc
from bridge.model.timers import Timer


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
    """A file an event offers. ``url`` is for the connector alone; ``size`` is as declared.

    ``secret``: what the connector needs to decrypt it, where it is encrypted.
    """

    url: str
    name: str | None = None
    declared_type: str | None = None
    size: int | None = None
    secret: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened to a message, as one connector saw it.

    ``raw`` is the exact upstream bytes and is never re-serialised. ``upstream`` holds further
    platform facts as (name, value) pairs. ``timer`` is the shortest that ran when it was seen;
    ``own_timer`` is the part of it that no change of the group's standing timer moves.
    ``crypto`` is there for an event that was encrypted, or should have been.
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
    crypto: Crypto | None = None
    raw: bytes = field(repr=False)

    def __post_init__(self) -> None:
        require_utc(self.observed_at, "observed_at")
        if self.sent_at is not None:
            require_utc(self.sent_at, "sent_at")
