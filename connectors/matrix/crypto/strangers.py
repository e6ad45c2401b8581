"""How much those may leave with us whom we do not know: anybody may write to our device.

Who is tracked shares an encrypted room with us. Of all others a bounded number of keys and of
words about keys is kept. Synchronous, within a transaction of the store.
"""

from __future__ import annotations

from datetime import timedelta

from connectors.matrix.crypto.devices import TOLD_MS
from connectors.matrix.crypto.store import Transaction

MOST_KEYS = 200
"""Room keys taken of one such user within :data:`COUNTED_MS`."""
MOST_KEYS_OF_SERVER = 2_000
"""The same of all such users of one server, but for our own: it makes users as it likes."""
COUNTED_MS = int(timedelta(days=7) / timedelta(milliseconds=1))
MOST_WITHHELD = 200
"""Sessions that one user, tracked or not, withholds from us; the oldest are forgotten first."""
MOST_WITHHELD_OF_ALL = 2_000
"""The same of all who are not tracked."""
IDLE_MS = int(timedelta(days=30) / timedelta(milliseconds=1))
"""After which an Olm session is forgotten, if it is of a device that we were never shown."""


def is_tracked(transaction: Transaction, user_id: str) -> bool:
    """Whether the user shares an encrypted room with us, or is ourselves."""
    found = transaction.execute("SELECT 1 FROM tracked WHERE user_id = ?", (user_id,))
    return user_id == transaction.user_id or found.fetchone() is not None


def may_give_key(transaction: Transaction, sender: str) -> bool:
    """Whether one more room key of this user is kept."""
    if is_tracked(transaction, sender):
        return True
    return all(_given(transaction, name) < most for name, most in _limits(transaction, sender))


def gave_key(transaction: Transaction, sender: str) -> None:
    """A room key that was not there before was kept of this user."""
    if is_tracked(transaction, sender):
        return
    transaction.executemany(
        "INSERT INTO unasked (name, keys, since) VALUES (?1, 1, ?2)"
        " ON CONFLICT (name) DO UPDATE SET keys = iif(since < ?3, 1, keys + 1),"
        " since = iif(since < ?3, ?2, since)",
        [
            (name, transaction.now_ms, transaction.now_ms - COUNTED_MS)
            for name, _ in _limits(transaction, sender)
        ],
    )


def withholds(
    transaction: Transaction,
    sender: str,
    *,
    room_id: str,
    session_id: str,
    sender_key: str,
    code: str,
) -> None:
    """Write down that this user does not share a key with us."""
    transaction.execute(
        "INSERT OR REPLACE INTO withheld (room_id, session_id, sender, sender_key, code, at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (room_id, session_id, sender, sender_key, code, transaction.now_ms),
    )
    transaction.execute(
        "DELETE FROM withheld WHERE (room_id, session_id, sender, sender_key) IN"
        " (SELECT room_id, session_id, sender, sender_key FROM withheld"
        " WHERE sender = ? ORDER BY at DESC LIMIT -1 OFFSET ?)",
        (sender, MOST_WITHHELD),
    )


def forget_old(transaction: Transaction) -> None:
    """Forget what is beyond its time or its number. MUST follow every taking of messages."""
    now = transaction.now_ms
    transaction.execute("DELETE FROM unasked WHERE since < ?", (now - COUNTED_MS,))
    transaction.execute("DELETE FROM withheld WHERE at < ?", (now - TOLD_MS,))
    transaction.execute(
        "DELETE FROM withheld WHERE (room_id, session_id, sender, sender_key) IN"
        " (SELECT room_id, session_id, sender, sender_key FROM withheld"
        " WHERE sender NOT IN (SELECT user_id FROM tracked) ORDER BY at DESC LIMIT -1 OFFSET ?)",
        (MOST_WITHHELD_OF_ALL,),
    )
    transaction.execute(
        "DELETE FROM olm_session WHERE used_at < ? AND NOT EXISTS"
        " (SELECT 1 FROM device WHERE device.curve25519 = olm_session.sender_key)",
        (now - IDLE_MS,),
    )


def _limits(transaction: Transaction, sender: str) -> tuple[tuple[str, int], ...]:
    """Under which names the user's keys are counted, the server's first, and how many are kept."""
    own, server = _server(transaction.user_id), _server(sender)
    of_user = (sender, MOST_KEYS)
    return (of_user,) if server == own else ((server, MOST_KEYS_OF_SERVER), of_user)


def _given(transaction: Transaction, name: str) -> int:
    found = transaction.execute(
        "SELECT keys FROM unasked WHERE name = ? AND since >= ?",
        (name, transaction.now_ms - COUNTED_MS),
    ).fetchone()
    return int(found[0]) if found is not None else 0


def _server(user_id: str) -> str:
    """The name of a user's server; never that of a user, which begins with ``@``."""
    return user_id.partition(":")[2]
