"""Room keys: what decrypts the messages of one sender's session in one room.

Synchronous, within a transaction of the store. A key that reaches further back replaces the one
that is there; nothing ever makes a key worse, or another's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum

import vodozemac

from bridge.model import Provenance
from connectors.matrix.crypto.guarded import GUARDED, OlmRefusedError
from connectors.matrix.crypto.olm_account import device
from connectors.matrix.crypto.refusals import StoreDamagedError
from connectors.matrix.crypto.store import Transaction
from connectors.matrix.crypto.values import ExportedKey, KeyRow, RoomKey

_ALL = """
SELECT number, room_id, session_id, sender_key, ed25519, forwarders, direct_index, pickle
FROM inbound WHERE number > ? ORDER BY number LIMIT ?
"""
_UNBACKED = """
SELECT number, room_id, session_id, sender_key, ed25519, forwarders, direct_index, pickle
FROM inbound WHERE number > ? AND is_backed_up = 0 ORDER BY number LIMIT ?
"""


class Kept(StrEnum):
    """What became of a key."""

    NEW = "new"
    BETTER = "better"
    PROVED = "proved"
    """It reaches no further, and shows who the sender is."""
    KNOWN = "known"
    OF_ANOTHER = "of_another"
    """Another device gave this session's key first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A key that came. ``sender``: who it was proved to come from; None where it is claimed."""

    room_id: str
    session_id: str
    sender: str | None = None
    sender_key: str
    ed25519: str
    provenance: Provenance
    forwarders: tuple[str, ...] = ()
    session: vodozemac.InboundGroupSession = field(repr=False)


def load(transaction: Transaction, room_id: str, session_id: str) -> RoomKey | None:
    """The key of a session, or None.

    Raises:
        StoreDamagedError: it cannot be read.
    """
    held = transaction.loaded.room_keys.get((room_id, session_id))
    if held is not None:
        transaction.loaded.room_keys.move_to_end((room_id, session_id))
        return held
    row = transaction.execute(
        "SELECT session, sender, sender_key, ed25519, direct_index, provenance, at, pickle"
        " FROM inbound WHERE room_id = ? AND session_id = ?",
        (room_id, session_id),
    ).fetchone()
    if row is None:
        return None
    key = RoomKey(
        number=row[0],
        sender=row[1],
        sender_key=row[2],
        ed25519=row[3],
        direct_index=row[4],
        provenance=Provenance(row[5]),
        at=row[6],
        session=_unpickled(transaction, session_id, row[7]),
    )
    transaction.loaded.keep(room_id, session_id, key)
    return key


def keep(transaction: Transaction, candidate: Candidate) -> Kept:
    """Take a key, as far as it adds to what is there."""
    try:
        known = load(transaction, candidate.room_id, candidate.session_id)
    except StoreDamagedError:
        # Nothing can be made of the damaged one: whatever comes is better.
        transaction.execute(
            "DELETE FROM inbound WHERE room_id = ? AND session_id = ?",
            (candidate.room_id, candidate.session_id),
        )
        known = None
    if known is None:
        _insert(transaction, candidate)
        return Kept.NEW
    was_proved = known.direct_index is not None
    kept = _merged(known, candidate)
    if not was_proved and known.direct_index is not None:
        known.at = transaction.now_ms
    if kept in {Kept.BETTER, Kept.PROVED}:
        _update(transaction, candidate, known)
    return kept


def keep_own(transaction: Transaction, room_id: str, session: vodozemac.GroupSession) -> None:
    """Keep the key of a session that we send with. MUST come before its first message."""
    ours = device(transaction)
    keep(
        transaction,
        Candidate(
            room_id=room_id,
            session_id=session.session_id,
            sender=ours.user_id,
            sender_key=ours.curve25519,
            ed25519=ours.ed25519,
            provenance=Provenance.DIRECT,
            session=vodozemac.InboundGroupSession(session.session_key),
        ),
    )


def import_keys(
    transaction: Transaction, keys: tuple[ExportedKey, ...], provenance: Provenance
) -> tuple[tuple[str, str], ...]:
    """Take exported keys; gives (room, session) of those that were new or better.

    One that is malformed is passed over.
    """
    found: list[tuple[str, str]] = []
    for key in keys:
        try:
            with GUARDED:
                exported = vodozemac.ExportedSessionKey(key.session_key)
                session = vodozemac.InboundGroupSession.import_session(exported)
                is_named = session.session_id == key.session_id
        except OlmRefusedError:
            continue
        if not is_named:
            continue
        candidate = Candidate(
            room_id=key.room_id,
            session_id=key.session_id,
            sender_key=key.sender_key,
            ed25519=key.ed25519,
            provenance=provenance,
            forwarders=key.forwarders,
            session=session,
        )
        if keep(transaction, candidate) in {Kept.NEW, Kept.BETTER}:
            found.append((key.room_id, key.session_id))
    return tuple(found)


def rows(transaction: Transaction, *, after: int, limit: int, unbacked: bool) -> tuple[KeyRow, ...]:
    """Keys in the order they came or changed; damaged ones are left out.

    Fewer than ``limit`` may come while there are more: none come when there are no more.
    """
    last = after
    while True:
        found = transaction.execute(_UNBACKED if unbacked else _ALL, (last, limit)).fetchall()
        read = tuple(row for row in (_row(transaction, each) for each in found) if row is not None)
        if read or len(found) < limit:
            return read
        last = found[-1][0]


def _row(
    transaction: Transaction, row: tuple[int, str, str, str, str, str, int | None, str]
) -> KeyRow | None:
    number, room_id, session_id, sender_key, ed25519, forwarders, direct_index, pickle = row
    try:
        session = _unpickled(transaction, session_id, pickle)
    except StoreDamagedError:
        return None
    exported = session.export_at(session.first_known_index)
    if exported is None:
        return None
    return KeyRow(
        id=number,
        key=ExportedKey(
            room_id=room_id,
            session_id=session_id,
            sender_key=sender_key,
            ed25519=ed25519,
            session_key=exported.to_base64(),
            forwarders=tuple(json.loads(forwarders)),
        ),
        first_index=session.first_known_index,
        is_trusted=direct_index is not None,
    )


def _unpickled(
    transaction: Transaction, session_id: str, pickle: str
) -> vodozemac.InboundGroupSession:
    try:
        with GUARDED:
            session = vodozemac.InboundGroupSession.from_pickle(pickle, transaction.pickle_key)
            name = session.session_id
    except OlmRefusedError:
        name = None
    if name != session_id:
        raise StoreDamagedError("A room key in the store cannot be read.")
    return session


def _merged(known: RoomKey, candidate: Candidate) -> Kept:
    """Change ``known`` by what the candidate adds.

    A session's sender is the first that proved to be it; a key that reaches further back and leads
    to the same later keys is taken from anyone, since only the sender's own can.
    """
    is_direct = candidate.provenance is Provenance.DIRECT
    is_same = candidate.sender_key == known.sender_key
    first, new_first = known.session.first_known_index, candidate.session.first_known_index
    is_one = _is_one_chain(known.session, candidate.session)
    kept = Kept.KNOWN if is_same else Kept.OF_ANOTHER
    if is_direct and known.direct_index is None and (is_same or not is_one):
        # Signed by the session's own key, which an export is not: it wins where they differ.
        known.sender, known.sender_key = candidate.sender, candidate.sender_key
        known.ed25519 = candidate.ed25519
        known.direct_index = new_first
        kept = Kept.PROVED
    elif not is_one:
        return kept
    elif (
        is_direct and is_same and known.direct_index is not None and new_first < known.direct_index
    ):
        known.direct_index = new_first
        kept = Kept.PROVED
    if new_first < first or not is_one:
        known.session = candidate.session
        known.provenance = _of_earlier(known, candidate)
        kept = Kept.BETTER
    return kept


def _of_earlier(known: RoomKey, candidate: Candidate) -> Provenance:
    """Where the part of a key comes from that its sender did not give us."""
    is_same = candidate.sender_key == known.sender_key
    if candidate.provenance is Provenance.DIRECT and not is_same:
        return Provenance.FORWARDED
    return candidate.provenance


def _is_one_chain(one: vodozemac.InboundGroupSession, other: vodozemac.InboundGroupSession) -> bool:
    """Whether both lead to the same keys from where both have begun."""
    index = max(one.first_known_index, other.first_known_index)
    ones, others = one.export_at(index), other.export_at(index)
    return ones is not None and others is not None and ones.to_base64() == others.to_base64()


def _insert(transaction: Transaction, candidate: Candidate) -> None:
    first = candidate.session.first_known_index
    transaction.execute(
        "INSERT INTO inbound (number, room_id, session_id, sender, sender_key, ed25519, pickle,"
        " first_index, direct_index, provenance, forwarders, is_backed_up, at)"
        " VALUES ((SELECT coalesce(max(number), 0) + 1 FROM inbound),"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            candidate.room_id,
            candidate.session_id,
            candidate.sender,
            candidate.sender_key,
            candidate.ed25519,
            candidate.session.pickle(transaction.pickle_key),
            first,
            first if candidate.provenance is Provenance.DIRECT else None,
            candidate.provenance.value,
            json.dumps(candidate.forwarders),
            int(candidate.provenance is Provenance.BACKUP),
            transaction.now_ms,
        ),
    )
    _is_given(transaction, candidate)


def _update(transaction: Transaction, candidate: Candidate, key: RoomKey) -> None:
    is_from_backup = candidate.provenance is Provenance.BACKUP
    transaction.execute(
        "UPDATE inbound SET number = (SELECT max(number) + 1 FROM inbound), sender = ?,"
        " sender_key = ?, ed25519 = ?, pickle = ?, first_index = ?, direct_index = ?,"
        " provenance = ?, is_backed_up = ?, at = ? WHERE session = ?",
        (
            key.sender,
            key.sender_key,
            key.ed25519,
            key.session.pickle(transaction.pickle_key),
            key.session.first_known_index,
            key.direct_index,
            key.provenance.value,
            int(is_from_backup),
            key.at,
            key.number,
        ),
    )
    _is_given(transaction, candidate)


def _is_given(transaction: Transaction, candidate: Candidate) -> None:
    """What is there is withheld no longer; who gave it himself can reach us by Olm."""
    transaction.execute(
        "DELETE FROM withheld WHERE room_id = ? AND session_id = ?",
        (candidate.room_id, candidate.session_id),
    )
    transaction.execute(
        "DELETE FROM withheld"
        " WHERE room_id = '' AND session_id = '' AND sender = ? AND sender_key = ?",
        (candidate.sender, candidate.sender_key),
    )
