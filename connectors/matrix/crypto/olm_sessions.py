"""Olm: messages between two devices. Synchronous, within a transaction of the store.

A message is decrypted once: the library destroys its key. What a message does and the session as
it is afterwards are therefore written in one transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

import vodozemac

from bridge.rawjson.fields import JsonObject, count, decode, table, text
from connectors.matrix.crypto import unpadded
from connectors.matrix.crypto.cross_signing import OlmDevice
from connectors.matrix.crypto.guarded import GUARDED, OlmRefusedError, curve25519
from connectors.matrix.crypto.olm_account import OLM, account, device, save
from connectors.matrix.crypto.signed_json import canonical
from connectors.matrix.crypto.store import Transaction

MOST_SESSIONS = 20
"""Sessions kept that one device began, and as many that we began with it; the oldest go first."""
REMEMBERED_MS = int(timedelta(days=30) / timedelta(milliseconds=1))
_PREKEY, _NORMAL = 0, 1


class OlmFault(StrEnum):
    """Why an Olm message is not taken."""

    MALFORMED = "malformed"
    UNKNOWN_ALGORITHM = "unknown_algorithm"
    NOT_FOR_US = "not_for_us"
    REPEATED = "repeated"
    UNDECRYPTABLE = "undecryptable"
    FALSE_SENDER = "false_sender"
    FALSE_RECIPIENT = "false_recipient"


class OlmFaultError(Exception):
    """A message that is not taken. Never leaves this package."""

    def __init__(self, fault: OlmFault, *, sender_key: str = "") -> None:
        """``sender_key``: the device it came from, where that is known."""
        super().__init__(fault.value)
        self.fault = fault
        self.sender_key = sender_key


@dataclass(frozen=True, slots=True, kw_only=True)
class OlmPayload:
    """A message as its sender's device encrypted it; ``sender`` and the keys are proved by it."""

    sender: str
    sender_key: str
    ed25519: str
    kind: str
    content: JsonObject = field(repr=False)


def decrypt(transaction: Transaction, sender: str, content: JsonObject) -> OlmPayload:
    """What an ``m.room.encrypted`` to our device holds. One that comes again changes nothing.

    Raises:
        OlmFaultError: it is not taken. Where it was decrypted, its session stands as it is now.
    """
    if text(content, "algorithm") != OLM:
        raise OlmFaultError(OlmFault.UNKNOWN_ALGORITHM)
    try:
        sender_key = curve25519(text(content, "sender_key"))
    except OlmRefusedError:
        raise OlmFaultError(OlmFault.MALFORMED) from None
    ours = device(transaction)
    message = table(content, "ciphertext").get(ours.curve25519)
    if not isinstance(message, dict):
        raise OlmFaultError(OlmFault.NOT_FOR_US)
    kind, body = count(message, "type"), text(message, "body")
    if kind not in {_PREKEY, _NORMAL} or body is None:
        raise OlmFaultError(OlmFault.MALFORMED)
    digest = hashlib.sha256(f"{kind}{sender_key.to_base64()}{body}".encode()).digest()[:16]
    if transaction.execute("SELECT 1 FROM heard WHERE digest = ?", (digest,)).fetchone():
        raise OlmFaultError(OlmFault.REPEATED)
    opened = _opened_prekey if kind == _PREKEY else _opened_normal
    session_id, clear = opened(transaction, sender_key, body)
    transaction.execute(
        "INSERT INTO heard (digest, at) VALUES (?, ?)", (digest, transaction.now_ms)
    )
    payload = _checked(clear, sender=sender, sender_key=sender_key.to_base64(), ours=ours)
    transaction.execute(
        "UPDATE olm_session SET ed25519 = ?"
        " WHERE sender_key = ? AND session_id = ? AND ed25519 = ''",
        (payload.ed25519, payload.sender_key, session_id),
    )
    return payload


def forget_old(transaction: Transaction) -> None:
    """Forget which messages were heard long ago."""
    oldest = transaction.now_ms - REMEMBERED_MS
    transaction.execute("DELETE FROM heard WHERE at < ?", (oldest,))


def has_session(transaction: Transaction, recipient: OlmDevice) -> bool:
    """Whether :func:`encrypt` can reach the device."""
    return next(_sessions_with(transaction, recipient), None) is not None


def begin(transaction: Transaction, recipient: OlmDevice, one_time_key: str) -> None:
    """Begin a session with a device, which messages to it are then encrypted with.

    ``one_time_key`` MUST have been checked to be the device's own. That its Curve25519 key is, it
    only says: another device that has it is not written to in this session.

    Raises:
        OlmRefusedError: one of the two is no key.
    """
    theirs = curve25519(recipient.curve25519)
    one_time = curve25519(one_time_key)
    with GUARDED:
        session = account(transaction).create_outbound_session(theirs, one_time)
    _keep(transaction, theirs.to_base64(), session, ed25519=recipient.ed25519)


def encrypt(
    transaction: Transaction, recipient: OlmDevice, kind: str, content: JsonObject
) -> JsonObject:
    """The content of an ``m.room.encrypted`` for one device.

    Raises:
        OlmRefusedError: there is no session with it, or nothing can be encrypted.
    """
    session = next(_sessions_with(transaction, recipient), None)
    if session is None:
        raise OlmRefusedError("no session")
    ours = device(transaction)
    payload = canonical(
        {
            "type": kind,
            "content": content,
            "sender": ours.user_id,
            "recipient": recipient.user_id,
            "recipient_keys": {"ed25519": recipient.ed25519},
            "keys": {"ed25519": ours.ed25519},
        }
    )
    with GUARDED:
        message_type, body = session.encrypt(payload).to_parts()
    _write(transaction, recipient.curve25519, session)
    return {
        "algorithm": OLM,
        "sender_key": ours.curve25519,
        "ciphertext": {recipient.curve25519: {"type": message_type, "body": unpadded.encode(body)}},
    }


def _opened_prekey(
    transaction: Transaction, sender_key: vodozemac.Curve25519PublicKey, body: str
) -> tuple[str, bytes]:
    """A message that begins a session, or belongs to one whose beginning was not answered yet.

    Gives the session too.
    """
    theirs = sender_key.to_base64()
    try:
        with GUARDED:
            message = vodozemac.PreKeyMessage.from_base64(body)
            session_id = message.session_id()
    except OlmRefusedError:
        raise OlmFaultError(OlmFault.MALFORMED) from None
    known = next(_sessions(transaction, theirs, session_id), None)
    try:
        if known is not None:
            with GUARDED:
                clear = known.decrypt(message.to_any())
            _keep(transaction, theirs, known)
            return session_id, clear
        own = account(transaction)
        with GUARDED:
            session, clear = own.create_inbound_session(sender_key, message)
    except OlmRefusedError:
        raise OlmFaultError(OlmFault.UNDECRYPTABLE, sender_key=theirs) from None
    # The one-time key is gone from the account: both are in the same transaction.
    save(transaction)
    _keep(transaction, theirs, session)
    return session.session_id, clear


def _opened_normal(
    transaction: Transaction, sender_key: vodozemac.Curve25519PublicKey, body: str
) -> tuple[str, bytes]:
    theirs = sender_key.to_base64()
    data = unpadded.decode(body)
    if data is None:
        raise OlmFaultError(OlmFault.MALFORMED)
    try:
        with GUARDED:
            message = vodozemac.AnyOlmMessage.normal(data)
    except OlmRefusedError:
        raise OlmFaultError(OlmFault.MALFORMED) from None
    for session in _sessions(transaction, theirs):
        try:
            with GUARDED:
                clear = session.decrypt(message)
        except OlmRefusedError:
            continue
        _keep(transaction, theirs, session)
        return session.session_id, clear
    raise OlmFaultError(OlmFault.UNDECRYPTABLE, sender_key=theirs)


def _sessions(
    transaction: Transaction, sender_key: str, session_id: str | None = None
) -> Iterator[vodozemac.Session]:
    """The sessions of a key, the one used last first."""
    rows = transaction.execute(
        "SELECT session_id, pickle FROM olm_session"
        " WHERE sender_key = ? AND session_id = coalesce(?, session_id) ORDER BY used DESC",
        (sender_key, session_id),
    ).fetchall()
    yield from _unpickled(transaction, rows)


def _sessions_with(transaction: Transaction, recipient: OlmDevice) -> Iterator[vodozemac.Session]:
    """The sessions with a device, the one used last first.

    Who else shows its Curve25519 key has sessions of his own, which it cannot read.
    """
    rows = transaction.execute(
        "SELECT session_id, pickle FROM olm_session"
        " WHERE sender_key = ? AND ed25519 = ? ORDER BY used DESC",
        (recipient.curve25519, recipient.ed25519),
    ).fetchall()
    yield from _unpickled(transaction, rows)


def _unpickled(
    transaction: Transaction, rows: list[tuple[str, str]]
) -> Iterator[vodozemac.Session]:
    """One that is damaged is passed over."""
    for name, pickle in rows:
        try:
            with GUARDED:
                session = vodozemac.Session.from_pickle(pickle, transaction.pickle_key)
        except OlmRefusedError:
            continue
        if session.session_id == name:
            yield session


def _keep(
    transaction: Transaction, sender_key: str, session: vodozemac.Session, *, ed25519: str = ""
) -> None:
    """Write a session as the one used last. ``ed25519``: of a new one, where we begin it."""
    transaction.execute(
        "INSERT INTO olm_session"
        " (sender_key, session_id, pickle, used, used_at, ed25519, is_begun) VALUES"
        " (?1, ?2, ?3, (SELECT coalesce(max(used), 0) + 1 FROM olm_session"
        " WHERE sender_key = ?1), ?4, ?5, ?5 != '')"
        " ON CONFLICT (sender_key, session_id) DO UPDATE SET"
        " pickle = excluded.pickle, used = excluded.used, used_at = excluded.used_at",
        (
            sender_key,
            session.session_id,
            session.pickle(transaction.pickle_key),
            transaction.now_ms,
            ed25519,
        ),
    )
    # Who came had the key. Who was written to may show another's, and pushes out his own alone.
    transaction.execute(
        "DELETE FROM olm_session WHERE number IN (SELECT number FROM olm_session"
        " WHERE sender_key = ?1 AND is_begun = (?2 != '') AND (?2 = '' OR ed25519 = ?2)"
        " ORDER BY used DESC LIMIT -1 OFFSET ?3)",
        (sender_key, ed25519, MOST_SESSIONS),
    )


def _write(transaction: Transaction, sender_key: str, session: vodozemac.Session) -> None:
    """Write a session that a message was sent with; which one is used last is theirs to say."""
    transaction.execute(
        "UPDATE olm_session SET pickle = ? WHERE sender_key = ? AND session_id = ?",
        (session.pickle(transaction.pickle_key), sender_key, session.session_id),
    )


def _checked(clear: bytes, *, sender: str, sender_key: str, ours: OlmDevice) -> OlmPayload:
    """The payload, which MUST name its sender and us: else it was sent to or by another."""
    payload = decode(clear)
    if payload is None:
        raise OlmFaultError(OlmFault.MALFORMED, sender_key=sender_key)
    ed25519 = unpadded.decode(text(table(payload, "keys"), "ed25519") or "")
    if text(payload, "sender") != sender or not ed25519:
        raise OlmFaultError(OlmFault.FALSE_SENDER)
    named = (text(payload, "recipient"), text(table(payload, "recipient_keys"), "ed25519"))
    if named != (ours.user_id, ours.ed25519):
        raise OlmFaultError(OlmFault.FALSE_RECIPIENT)
    kind, content = text(payload, "type"), payload.get("content")
    if kind is None or not isinstance(content, dict):
        raise OlmFaultError(OlmFault.MALFORMED)
    return OlmPayload(
        sender=sender,
        sender_key=sender_key,
        ed25519=unpadded.encode(ed25519),
        kind=kind,
        content=content,
    )
