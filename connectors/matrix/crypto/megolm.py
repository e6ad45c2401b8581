"""Room events decrypted. Synchronous, within a transaction of the store."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import vodozemac

from bridge.model import DeviceTrust, Provenance
from connectors.matrix.crypto.devices import trust_of
from connectors.matrix.crypto.guarded import GUARDED, OlmRefusedError
from connectors.matrix.crypto.inbound import load
from connectors.matrix.crypto.olm_account import MEGOLM
from connectors.matrix.crypto.refusals import StoreDamagedError
from connectors.matrix.crypto.store import StoreUnavailableError, Transaction, is_of_store
from connectors.matrix.crypto.values import MegolmAnswer, MegolmRequest, RoomKey

NO_KEY = "no key came for its session"
TOO_LATE = "its session's key begins at a later message"
NOT_BY_KEY = "it does not decrypt with its session's key"
KEY_DAMAGED = "its session's key in the store cannot be read"
MALFORMED = "it is malformed"
UNKNOWN_ALGORITHM = "its algorithm is not known"
REPLAY = "another event was encrypted with the same index of its session: a replay"
OTHER_ROOM = "it was encrypted for another room"
NOT_AN_EVENT = "what was encrypted is no event"


class _Inside(msgspec.Struct):
    """What a decrypted event says of where it belongs."""

    room_id: str


_INSIDE = msgspec.json.Decoder(_Inside)


class MegolmSlice:
    """The events of one transaction; who owns which device is asked once."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._trust: dict[tuple[str, int], tuple[str | None, DeviceTrust]] = {}

    def decrypt(self, requests: Sequence[MegolmRequest]) -> list[MegolmAnswer]:
        """One answer each, in order. The same event decrypts again."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: MegolmRequest) -> MegolmAnswer:
        try:
            return self._decrypted(request)
        except StoreUnavailableError:
            raise
        except Exception as error:
            if is_of_store(error):
                raise
            # Whatever it is, it is this event's (a text that no store takes): its neighbours open.
            return MegolmAnswer(why=MALFORMED, is_final=True)

    def _decrypted(self, request: MegolmRequest) -> MegolmAnswer:
        content = request.content
        if content.get("algorithm") != MEGOLM:
            return MegolmAnswer(why=UNKNOWN_ALGORITHM, is_final=True)
        session_id, ciphertext = content.get("session_id"), content.get("ciphertext")
        if not isinstance(session_id, str) or not isinstance(ciphertext, str):
            return MegolmAnswer(why=MALFORMED, is_final=True)
        try:
            with GUARDED:
                message = vodozemac.MegolmMessage.from_base64(ciphertext)
        except OlmRefusedError:
            return MegolmAnswer(why=MALFORMED, is_final=True)
        try:
            key = load(self._transaction, request.room_id, session_id)
        except StoreDamagedError:
            return MegolmAnswer(why=KEY_DAMAGED)
        if key is None:
            return MegolmAnswer(why=self._missing(request, session_id))
        return self._opened(request, key, message)

    def _opened(
        self, request: MegolmRequest, key: RoomKey, message: vodozemac.MegolmMessage
    ) -> MegolmAnswer:
        try:
            with GUARDED:
                decrypted = key.session.decrypt(message)
        except OlmRefusedError:
            is_late = message.message_index() < key.session.first_known_index
            return MegolmAnswer(why=TOO_LATE if is_late else NOT_BY_KEY)
        clear, index = decrypted.plaintext, decrypted.message_index
        try:
            inside = _INSIDE.decode(clear)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return MegolmAnswer(why=NOT_AN_EVENT, is_final=True)
        if inside.room_id != request.room_id:
            return MegolmAnswer(why=OTHER_ROOM, is_final=True)
        if self._is_replay(key, index, request):
            return MegolmAnswer(why=REPLAY, is_final=True)
        device_id, trust = self._trust_of(request.sender, key)
        is_direct = key.direct_index is not None and index >= key.direct_index
        return MegolmAnswer(
            clear=clear,
            device_id=device_id,
            trust=trust,
            provenance=Provenance.DIRECT if is_direct else key.provenance,
        )

    def _is_replay(self, key: RoomKey, index: int, request: MegolmRequest) -> bool:
        """Whether another event used the index before; else this one has now."""
        inserted = self._transaction.execute(
            "INSERT OR IGNORE INTO played (session, idx, sender, event_id) VALUES (?, ?, ?, ?)",
            (key.number, index, request.sender, request.event_id),
        )
        if inserted.rowcount == 1:
            return False
        (first,) = self._transaction.execute(
            "SELECT event_id FROM played WHERE session = ? AND idx = ? AND sender = ?",
            (key.number, index, request.sender),
        ).fetchone()
        return bool(first != request.event_id)

    def _trust_of(self, sender: str, key: RoomKey) -> tuple[str | None, DeviceTrust]:
        """The device a key came from. Whose it is was proved when it came, if it came directly."""
        found = self._trust.get((sender, key.number))
        if found is None:
            found = self._trust[sender, key.number] = self._asked(sender, key)
        return found

    def _asked(self, sender: str, key: RoomKey) -> tuple[str | None, DeviceTrust]:
        if key.sender is not None and key.sender != sender:
            return None, DeviceTrust.MISMATCH
        device_id, trust = trust_of(
            self._transaction, sender, key.sender_key, key.ed25519, at=key.at
        )
        return device_id, trust if key.direct_index is not None else DeviceTrust.UNPROVED

    def _missing(self, request: MegolmRequest, session_id: str) -> str:
        sender_key = request.content.get("sender_key")
        row = self._transaction.execute(
            "SELECT code FROM withheld WHERE sender = ? AND ((room_id = ? AND session_id = ?)"
            " OR (room_id = '' AND session_id = '' AND sender_key = ?)) ORDER BY room_id DESC",
            (
                request.sender,
                request.room_id,
                session_id,
                sender_key if isinstance(sender_key, str) else "",
            ),
        ).fetchone()
        return f"its sender withholds the key ({row[0]})" if row is not None else NO_KEY
