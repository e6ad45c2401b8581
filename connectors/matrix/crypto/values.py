"""The values that the machine takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import vodozemac

from bridge.model import DeviceTrust, Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCounts:
    """What the server has left of ours: one-time keys, and whether the fallback key is unused."""

    one_time: int
    fallback_unused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedKey:
    """A room key as it is exported, backed up and imported.

    ``session_key`` is in the export format. ``ed25519`` is the key that the sender's device
    claimed; '' where not known. ``forwarders`` are curve25519 keys.
    """

    room_id: str
    session_id: str
    sender_key: str
    ed25519: str
    session_key: str = field(repr=False)
    forwarders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A room key of the store. ``id`` is new with every change of it, and orders them.

    ``is_trusted``: the sender's own device gave it to us.
    """

    id: int
    key: ExportedKey
    first_index: int
    is_trusted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MegolmRequest:
    """An event to decrypt. ``content`` is its encrypted content, parsed."""

    room_id: str
    event_id: str
    sender: str
    content: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MegolmAnswer:
    """What became of a request: ``clear``, or ``why`` not (a sentence without content).

    ``clear`` is exactly what was decrypted. ``is_final``: no other key can mend it.
    """

    clear: bytes | None = field(default=None, repr=False)
    device_id: str | None = None
    trust: DeviceTrust | None = None
    provenance: Provenance | None = None
    why: str = ""
    is_final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wedged:
    """A device whose Olm messages we cannot decrypt, until a new session is begun with it."""

    user_id: str
    curve25519: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenReport:
    """What a take did. ``counts``: messages by what became of them. ``keys``: (room, session)."""

    counts: Mapping[str, int] = field(default_factory=dict)
    wedged: tuple[Wedged, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True, kw_only=True)
class RoomKey:
    """A room key in memory. ``number`` is the session's in the store; see store.sql."""

    number: int
    sender: str | None
    sender_key: str
    ed25519: str
    direct_index: int | None
    provenance: Provenance
    at: int
    session: vodozemac.InboundGroupSession = field(repr=False)
