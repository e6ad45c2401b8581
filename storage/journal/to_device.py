"""Messages to our device alone, as one delivery brings them: numbered, sealed, each once."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from storage.journal.cipher import JournalCipher
from storage.journal.committer import Transaction

COLUMN = "to_device"
REMEMBERED_MS = 7 * 24 * 3600 * 1000
"""How long it is known of a message that is gone that it came."""


@dataclass(frozen=True, slots=True)
class PreparedMessage:
    """A message with everything computed that does not depend on the database."""

    digest: bytes
    sealed: bytes


def prepare_message(
    cipher: JournalCipher, blind_key: bytes, connector: str, raw: bytes
) -> PreparedMessage:
    """Digest and sealed bytes; the digest, and so the seal, is of this connector alone."""
    named = COLUMN.encode() + b"\0" + connector.encode() + b"\0" + raw
    digest = hmac.digest(blind_key, named, "sha256")
    return PreparedMessage(digest=digest, sealed=cipher.seal_bytes(raw, column=COLUMN, row=digest))


async def write_messages(
    transaction: Transaction, connector: str, messages: Sequence[PreparedMessage], *, at_ms: int
) -> None:
    """Number what is new, in the transaction of the cursor that goes past it.

    Crash before the commit: the platform delivers them again. After it: they are here, and the
    repeat of a delivery whose answer was lost changes nothing.
    """
    await transaction.run("to_device_forget", connector, at_ms - REMEMBERED_MS)
    asked = msgspec.json.encode([message.digest.hex() for message in messages]).decode()
    known = set(await transaction.rows("to_device_known", bytes, asked))
    last = next(iter(await transaction.rows("to_device_last", int, connector)), 0)
    rows = []
    for message in messages:
        if message.digest not in known:
            known.add(message.digest)
            last += 1
            rows.append((connector, last, message.digest, at_ms, message.sealed))
    if rows:
        await transaction.many("to_device_insert", rows)
        await transaction.run("to_device_last_set", connector, last)


async def drop(transaction: Transaction, connector: str, through: int) -> None:
    """Destroy what the decrypter has, which so was given to it."""
    await transaction.run("to_device_given_set", connector, through)
    await transaction.run("to_device_drop", connector, through)


async def resume(transaction: Transaction, connector: str, taken: int) -> None:
    """Destroy what was taken, or, if another journal gave it, number anew what waits here.

    A number is known to be given before it is given. So a decrypter that took a higher one took it
    from a journal that this one is not, or is older than: what waits here under its numbers may be
    anything. Everything dropped was given, so what waits only ever moves up, over no other number.
    """
    given = next(iter(await transaction.rows("to_device_given", int, connector)), 0)
    if taken <= given:
        await drop(transaction, connector, taken)
        return
    for first in await transaction.rows("to_device_first", int, connector):
        await transaction.run("to_device_lift", connector, taken + 1 - first)
        await transaction.run("to_device_settle", connector)
    await transaction.run("to_device_follow", connector, taken)
