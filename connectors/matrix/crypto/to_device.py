"""What messages to our device alone do. Synchronous, within one transaction of the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from enum import StrEnum

import vodozemac

from bridge.model import Provenance
from bridge.protocols import ToDevice
from bridge.rawjson.fields import JsonObject, decode, text
from connectors.matrix.crypto import strangers
from connectors.matrix.crypto.exported_keys import is_room_id
from connectors.matrix.crypto.guarded import GUARDED, OlmRefusedError, curve25519
from connectors.matrix.crypto.inbound import Candidate, Kept, keep
from connectors.matrix.crypto.olm_account import MEGOLM
from connectors.matrix.crypto.olm_sessions import (
    OlmFault,
    OlmFaultError,
    OlmPayload,
    decrypt,
    forget_old,
)
from connectors.matrix.crypto.refusals import StoreRefusedError
from connectors.matrix.crypto.store import StoreUnavailableError, Transaction, is_of_store
from connectors.matrix.crypto.values import TakenReport, Wedged

NO_OLM = "m.no_olm"
CODES = frozenset({"m.unverified", "m.blacklisted", "m.unauthorised", "m.unavailable", NO_OLM})
OTHER_CODE = "other"
LONGEST_NAME = 255
"""Of rooms and sessions, in characters: nobody is to fill the store with longer ones."""


class Became(StrEnum):
    """What became of a message that was no Olm fault."""

    ROOM_KEY = "room_key"
    ROOM_KEY_KNOWN = "room_key_known"
    ROOM_KEY_OF_ANOTHER = "room_key_of_another"
    ROOM_KEY_TOO_MANY = "room_key_too_many"
    FORWARD_REFUSED = "forward_refused"
    PLAIN_KEY_REFUSED = "plain_key_refused"
    SECRET_REFUSED = "secret_refused"  # noqa: S105 - a count's name
    WITHHELD = "withheld"
    DUMMY = "dummy"
    IGNORED = "ignored"
    MALFORMED = "malformed"


class StumbledError(Exception):
    """A message that we cannot handle. The transaction is undone; it is taken without it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Taking:
    """Messages taken in order, and what came of them."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._counts: Counter[str] = Counter()
        self._wedged: dict[Wedged, None] = {}
        self._keys: dict[tuple[str, str], None] = {}

    def take(self, messages: Sequence[ToDevice], passed_over: Collection[int]) -> TakenReport:
        """Take those after the last one taken; ``passed_over`` count as malformed.

        Crash before the commit: none was taken. After it: none is taken again.

        Raises:
            StumbledError: one of them cannot be handled.
        """
        (taken,) = self._transaction.execute("SELECT taken FROM meta").fetchone()
        for message in messages:
            if message.number <= taken:
                continue
            if message.number in passed_over:
                self._counts[Became.MALFORMED] += 1
            else:
                self._take_one(message)
            taken = message.number
        self._transaction.execute("UPDATE meta SET taken = ?", (taken,))
        forget_old(self._transaction)
        strangers.forget_old(self._transaction)
        return TakenReport(
            counts=dict(self._counts), wedged=tuple(self._wedged), keys=tuple(self._keys)
        )

    def _take_one(self, message: ToDevice) -> None:
        try:
            self._counts[self._became(message.raw)] += 1
        except OlmFaultError as error:
            self._counts[error.fault] += 1
        except (StoreRefusedError, StoreUnavailableError):
            raise
        except Exception as error:
            if is_of_store(error):
                raise
            # Whatever it is, it is this message's: its neighbours MUST NOT be lost with it.
            raise StumbledError(message.number) from error

    def _became(self, raw: bytes) -> str:
        message = decode(raw)
        content = message.get("content") if message is not None else None
        if message is None or not isinstance(content, dict):
            return Became.MALFORMED
        sender, kind = text(message, "sender"), text(message, "type")
        if sender is None or kind is None:
            return Became.MALFORMED
        match kind:
            case "m.room.encrypted":
                return self._encrypted(sender, content)
            case "m.room_key.withheld" | "org.matrix.room_key.withheld":
                return self._withheld(sender, content)
            case "m.room_key" | "m.forwarded_room_key":
                return Became.PLAIN_KEY_REFUSED
            case "m.secret.send":
                return Became.SECRET_REFUSED
            case _:
                return Became.IGNORED

    def _encrypted(self, sender: str, content: JsonObject) -> str:
        try:
            payload = decrypt(self._transaction, sender, content)
        except OlmFaultError as error:
            if error.fault is OlmFault.UNDECRYPTABLE:
                self._wedged[Wedged(user_id=sender, curve25519=error.sender_key)] = None
            raise
        match payload.kind:
            case "m.room_key":
                return self._room_key(payload)
            case "m.forwarded_room_key":
                # We never ask for one: whoever passes a key on unasked may have made it.
                return Became.FORWARD_REFUSED
            case "m.room_key.withheld":
                return self._withheld(sender, payload.content)
            case "m.dummy":
                return Became.DUMMY
            case "m.secret.send":
                # We never ask for one: what comes unasked is not ours to take.
                return Became.SECRET_REFUSED
            case _:
                return Became.IGNORED

    def _room_key(self, payload: OlmPayload) -> str:
        content = payload.content
        room_id, session_id = _names(content)
        try:
            with GUARDED:
                key = vodozemac.SessionKey(text(content, "session_key") or "")
                session = vodozemac.InboundGroupSession(key)
                is_named = session.session_id == session_id
        except OlmRefusedError:
            return Became.MALFORMED
        if not is_named or not room_id:
            return Became.MALFORMED
        if not strangers.may_give_key(self._transaction, payload.sender):
            return Became.ROOM_KEY_TOO_MANY
        candidate = Candidate(
            room_id=room_id,
            session_id=session_id,
            sender=payload.sender,
            sender_key=payload.sender_key,
            ed25519=payload.ed25519,
            provenance=Provenance.DIRECT,
            session=session,
        )
        return self._kept(candidate, payload.sender)

    def _kept(self, candidate: Candidate, sender: str) -> str:
        match kept := keep(self._transaction, candidate):
            case Kept.NEW | Kept.BETTER:
                self._keys[candidate.room_id, candidate.session_id] = None
                if kept is Kept.NEW:
                    strangers.gave_key(self._transaction, sender)
                return Became.ROOM_KEY
            case Kept.OF_ANOTHER:
                return Became.ROOM_KEY_OF_ANOTHER
            case _:
                return Became.ROOM_KEY_KNOWN

    def _withheld(self, sender: str, content: JsonObject) -> str:
        """A sender says that it does not share a key. Its own words are not kept."""
        code = text(content, "code")
        try:
            sender_key = curve25519(text(content, "sender_key")).to_base64()
        except OlmRefusedError:
            return Became.MALFORMED
        room_id, session_id = _names(content)
        if code == NO_OLM:
            # It could not reach us by Olm: a session that we begin lets it.
            room_id = session_id = ""
            self._wedged[Wedged(user_id=sender, curve25519=sender_key)] = None
        elif not room_id or not session_id:
            return Became.MALFORMED
        strangers.withholds(
            self._transaction,
            sender,
            room_id=room_id,
            session_id=session_id,
            sender_key=sender_key,
            code=code if code in CODES else OTHER_CODE,
        )
        return Became.WITHHELD


def _names(content: JsonObject) -> tuple[str, str]:
    """The room and the session of a key, empty where it is none of this algorithm."""
    room_id, session_id = text(content, "room_id") or "", text(content, "session_id") or ""
    if text(content, "algorithm") != MEGOLM or not is_room_id(room_id):
        return "", ""
    return room_id, session_id[:LONGEST_NAME]
