"""Our device's Olm account: its keys, and those that others begin sessions with.

Synchronous: everything here runs within a transaction of the store.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol, cast

import vodozemac

from bridge.rawjson.fields import JsonObject
from connectors.matrix.crypto.cross_signing import OlmDevice
from connectors.matrix.crypto.guarded import GUARDED, OlmRefusedError
from connectors.matrix.crypto.refusals import StoreDamagedError
from connectors.matrix.crypto.signed_json import canonical
from connectors.matrix.crypto.store import Transaction
from connectors.matrix.crypto.values import KeyCounts

OLM = "m.olm.v1.curve25519-aes-sha2"
MEGOLM = "m.megolm.v1.aes-sha2"
FALLBACK_PAUSE_MS = int(timedelta(hours=1) / timedelta(milliseconds=1))
"""The library keeps the newest fallback key and the one before it. A count that is out of date
would push out the one that messages under way are encrypted to."""


class _FallbackAccount(Protocol):
    """What the library's stub leaves out of an account."""

    @property
    def fallback_key(self) -> dict[str, vodozemac.Curve25519PublicKey]: ...

    def generate_fallback_key(self) -> None: ...


def account(transaction: Transaction) -> vodozemac.Account:
    """The account; made where the store has none.

    Raises:
        StoreDamagedError: what the store has is none.
    """
    loaded = transaction.loaded
    if loaded.account is None:
        row = transaction.execute("SELECT pickle FROM account").fetchone()
        if row is None:
            loaded.account = vodozemac.Account()
            save(transaction)
        else:
            try:
                with GUARDED:
                    loaded.account = vodozemac.Account.from_pickle(row[0], transaction.pickle_key)
            except OlmRefusedError:
                raise StoreDamagedError("The device's own keys cannot be read.") from None
    return loaded.account


def save(transaction: Transaction) -> None:
    """Write the account as it is now. MUST follow whatever changes it, in its transaction."""
    transaction.execute(
        "INSERT INTO account (one, pickle) VALUES (1, ?)"
        " ON CONFLICT (one) DO UPDATE SET pickle = excluded.pickle",
        (account(transaction).pickle(transaction.pickle_key),),
    )


def device(transaction: Transaction) -> OlmDevice:
    """Our device's public keys."""
    own = account(transaction)
    return OlmDevice(
        user_id=transaction.user_id,
        device_id=transaction.device_id,
        ed25519=own.ed25519_key.to_base64(),
        curve25519=own.curve25519_key.to_base64(),
    )


def sign(transaction: Transaction, message: bytes) -> str:
    """The device's signature, unpadded base64."""
    return account(transaction).sign(message).to_base64()


def upload(
    transaction: Transaction, counts: KeyCounts | None, *, with_device: bool
) -> JsonObject | None:
    """The body of ``/keys/upload``, or None where nothing is due.

    Keys that were made and not yet :func:`uploaded` are in it again: whether they reached the
    server is not known. ``counts`` is None where the server has not told them; keys are then made
    for a device that never had any.
    """
    _replenish(transaction, counts)
    own = account(transaction)
    body: JsonObject = {}
    if with_device:
        body["device_keys"] = _device_keys(transaction)
    fallback = cast("_FallbackAccount", own).fallback_key
    for name, keys in (("one_time_keys", own.one_time_keys), ("fallback_keys", fallback)):
        if keys:
            mark: JsonObject = {"fallback": True} if keys is fallback else {}
            body[name] = {
                f"signed_curve25519:{key_id}": _signed(transaction, {"key": key.to_base64()} | mark)
                for key_id, key in keys.items()
            }
    return body or None


def uploaded(transaction: Transaction) -> None:
    """The server took the keys of the last :func:`upload`."""
    account(transaction).mark_keys_as_published()
    save(transaction)
    transaction.execute("UPDATE account SET is_published = 1")


def _replenish(transaction: Transaction, counts: KeyCounts | None) -> None:
    own = account(transaction)
    is_published, fallback_at = transaction.execute(
        "SELECT is_published, fallback_at FROM account"
    ).fetchone()
    if counts is None:
        if is_published:
            return
        counts = KeyCounts(one_time=0, fallback_unused=False)
    most = own.max_number_of_one_time_keys
    missing = most - counts.one_time - len(own.one_time_keys)
    is_due = counts.one_time < most // 2 and missing > 0
    if is_due:
        own.generate_one_time_keys(missing)
    with_fallback = cast("_FallbackAccount", own)
    elapsed = FALLBACK_PAUSE_MS if fallback_at is None else abs(transaction.now_ms - fallback_at)
    is_fallback_due = (
        not counts.fallback_unused
        and not with_fallback.fallback_key
        and elapsed >= FALLBACK_PAUSE_MS
    )
    if is_fallback_due:
        with_fallback.generate_fallback_key()
        transaction.execute("UPDATE account SET fallback_at = ?", (transaction.now_ms,))
    if is_due or is_fallback_due:
        save(transaction)


def _device_keys(transaction: Transaction) -> JsonObject:
    own = device(transaction)
    return _signed(
        transaction,
        {
            "user_id": own.user_id,
            "device_id": own.device_id,
            "algorithms": [OLM, MEGOLM],
            "keys": {
                f"curve25519:{own.device_id}": own.curve25519,
                f"ed25519:{own.device_id}": own.ed25519,
            },
        },
    )


def _signed(transaction: Transaction, document: JsonObject) -> JsonObject:
    signature = sign(transaction, canonical(document))
    key_id = f"ed25519:{transaction.device_id}"
    return document | {"signatures": {transaction.user_id: {key_id: signature}}}
