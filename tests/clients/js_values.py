"""What the JavaScript client says: events, devices, identities."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from bridge.canonical.json import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is signed in. ``client`` is the number of this session in its process."""

    client: int
    user_id: str
    device_id: str
    access_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An event of ours, and the Megolm session that encrypted it; None where nothing did."""

    event_id: str
    session_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An event of somebody else, as the client shows it: decrypted, or with its failure.

    ``failure`` is a DecryptionFailureCode, ``shield`` and ``shield_reason`` what a person is
    shown beside it. ``redacts`` is the event that a redaction, or an encrypted event's relation,
    is about.
    """

    room_id: str
    event_id: str
    sender: str
    type: str
    state_key: str | None
    wire_type: str
    session_id: str | None
    content: Mapping[str, Json]
    relates_to: Mapping[str, Json] | None
    redacts: str | None
    failure: str | None
    shield: str | None
    shield_reason: str | None

    @property
    def body(self) -> str | None:
        """Its text, if it has one."""
        body = self.content.get("body")
        return body if isinstance(body, str) else None

    @property
    def encrypted(self) -> bool:
        """Whether it came encrypted."""
        return self.wire_type == "m.room.encrypted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device of somebody, and what this client makes of it.

    ``known``: the crypto has it. ``signed_by_owner``: its owner's self-signing key signed it.
    ``cross_signing_verified``: that, and the owner's identity is verified by us. ``verified``: any
    way, also locally.
    """

    device_id: str
    name: str | None
    ed25519: str | None
    curve25519: str | None
    known: bool
    signed_by_owner: bool
    cross_signing_verified: bool
    locally_verified: bool
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person's cross-signing identity as this client sees it."""

    published: bool
    verified: bool
    verified_before: bool
    needs_approval: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """A notice that a room key was not sent to us (``m.room_key.withheld``), and why."""

    room_id: str | None
    session_id: str | None
    code: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """How many keys a backup held, and how many were taken in."""

    imported: int
    total: int


class _Event(msgspec.Struct):
    room_id: str
    event_id: str
    sender: str
    type: str
    wire_type: str
    content: msgspec.Raw
    relates_to: msgspec.Raw
    state_key: str | None = None
    session_id: str | None = None
    redacts: str | None = None
    failure: str | None = None
    shield: str | None = None
    shield_reason: str | None = None


def received(document: bytes) -> Received:
    """An event of the stream."""
    event = msgspec.json.decode(document, type=_Event)
    content: Mapping[str, Json] = json.loads(bytes(event.content))
    relates_to: Mapping[str, Json] | None = json.loads(bytes(event.relates_to))
    return Received(
        room_id=event.room_id,
        event_id=event.event_id,
        sender=event.sender,
        type=event.type,
        state_key=event.state_key,
        wire_type=event.wire_type,
        session_id=event.session_id,
        content=content,
        relates_to=relates_to,
        redacts=event.redacts,
        failure=event.failure,
        shield=event.shield,
        shield_reason=event.shield_reason,
    )
