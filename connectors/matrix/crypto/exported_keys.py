"""Room keys as JSON, in files of exported keys and in the backup at the server. Pure.

What comes in is whatever somebody wrote: a key is taken only where it is one, and is that of the
session it is said to be of. Who sent it first is only claimed.
"""

from __future__ import annotations

import vodozemac

from bridge.rawjson.fields import JsonObject, table, text, texts
from connectors.matrix.crypto import unpadded
from connectors.matrix.crypto.guarded import GUARDED, OlmRefusedError
from connectors.matrix.crypto.values import ExportedKey

ALGORITHM = "m.megolm.v1.aes-sha2"
PUBLIC_BYTES = 32
LONGEST_SESSION_KEY = 512
LONGEST_ROOM_ID = 255
MOST_FORWARDERS = 64


def session_data(key: ExportedKey) -> JsonObject:
    """What of a key is encrypted for the backup, where room and session stand beside it."""
    claimed = _signing(key.ed25519)
    return {
        "algorithm": ALGORITHM,
        "forwarding_curve25519_key_chain": list(key.forwarders),
        "sender_key": key.sender_key,
        "sender_claimed_keys": {"ed25519": claimed} if claimed else {},
        "session_key": key.session_key,
    }


def exported(key: ExportedKey) -> JsonObject:
    """A key as it stands in a file."""
    return session_data(key) | {"room_id": key.room_id, "session_id": key.session_id}


def read_exported(fields: JsonObject) -> ExportedKey | None:
    """The key that stands in a file; None where it is none. MUST NOT raise."""
    room_id, session_id = text(fields, "room_id"), text(fields, "session_id")
    if room_id is None or session_id is None:
        return None
    return read_session_data(fields, room_id=room_id, session_id=session_id)


def read_session_data(fields: JsonObject, *, room_id: str, session_id: str) -> ExportedKey | None:
    """The key of this session; None where it is none. MUST NOT raise."""
    sender_key = _public(text(fields, "sender_key"))
    session_key = text(fields, "session_key")
    if (
        text(fields, "algorithm") != ALGORITHM
        or not is_room_id(room_id)
        or sender_key is None
        or session_key is None
        or not _is_of(session_key, session_id)
    ):
        return None
    forwarders = texts(fields, "forwarding_curve25519_key_chain")[:MOST_FORWARDERS]
    known = (_public(each) for each in forwarders)
    return ExportedKey(
        room_id=room_id,
        session_id=session_id,
        sender_key=sender_key,
        ed25519=_signing(text(table(fields, "sender_claimed_keys"), "ed25519")) or "",
        session_key=session_key,
        forwarders=tuple(each for each in known if each is not None),
    )


def is_session_id(session_id: str) -> bool:
    """Whether a Megolm session can have this id. Others stand in events as anybody likes."""
    return _public(session_id) == session_id


def is_room_id(room_id: str) -> bool:
    """Whether a room can have this id: a server refuses a whole upload for one that cannot."""
    try:
        size = len(room_id.encode())
    except UnicodeEncodeError:
        return False
    return room_id.startswith("!") and room_id.isprintable() and size <= LONGEST_ROOM_ID


def _is_of(session_key: str, session_id: str) -> bool:
    """Whether ``session_key`` is a key of this very session: its id is its public key."""
    if len(session_key) > LONGEST_SESSION_KEY or not session_key.isascii():
        return False
    try:
        with GUARDED:
            key = vodozemac.ExportedSessionKey(session_key)
            return vodozemac.InboundGroupSession.import_session(key).session_id == session_id
    except OlmRefusedError:
        return False


def _public(key: str | None) -> str | None:
    """A public key as we write it; None where it is none."""
    decoded = unpadded.decode(key) if key is not None else None
    is_one = decoded is not None and len(decoded) == PUBLIC_BYTES
    return unpadded.encode(decoded) if decoded is not None and is_one else None


def _signing(key: str | None) -> str | None:
    """An Ed25519 key as we write it; None where it is none.

    Clients refuse a whole file where one claimed key is no point of the curve.
    """
    public = _public(key)
    if public is None:
        return None
    try:
        with GUARDED:
            vodozemac.Ed25519PublicKey.from_base64(public)
    except OlmRefusedError:
        return None
    return public
