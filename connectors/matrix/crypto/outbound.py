"""Encrypted events of our own: each under a key that only it has, shared with those it is for.

The order of effects: our own copy of the key is durable, the key is handed to the devices, the
event is sent (by the caller). A crash before the last costs nothing: the next try has a new key.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias, TypeVar

import structlog
import vodozemac

from bridge.errors import ConnectorError, ConnectorRejectedError
from bridge.model import DeviceTrust
from bridge.rawjson.fields import JsonObject, table, text
from connectors.matrix.crypto.devices import (
    Device,
    device_by_key,
    devices_of,
    is_user_id,
    unread_of,
)
from connectors.matrix.crypto.directory import CLAIMED, Directory, Parcel
from connectors.matrix.crypto.guarded import OlmRefusedError
from connectors.matrix.crypto.inbound import keep_own
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.olm_account import MEGOLM
from connectors.matrix.crypto.olm_sessions import begin, encrypt, has_session
from connectors.matrix.crypto.signed_json import is_signed
from connectors.matrix.crypto.store import Transaction
from connectors.matrix.crypto.strangers import is_tracked
from connectors.matrix.crypto.tracking import Tracking
from connectors.matrix.crypto.values import Wedged
from connectors.matrix.http import is_of_the_account

log = structlog.get_logger(__name__)

SHARED_MS = 3_000
"""How long our homeserver waits for those of other users before an event goes out."""

CLAIMS = 250
"""One-time keys claimed at a time."""

PARCEL = 100
"""Devices written to at a time, and in one transaction."""

REVIVED_MS = int(timedelta(hours=1).total_seconds() * 1000)
RELATION = "m.relates_to"

_Letter: TypeAlias = tuple[Device, JsonObject]
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Encrypted:
    """An event to send, after its ``parcels``. ``left_out``: devices that cannot be given its key.

    Those of a user beyond as many as are read are counted; those that the server did not tell us
    of are not.
    """

    content: JsonObject = field(repr=False)
    parcels: tuple[Parcel, ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Revival:
    """``parcels`` to send, and our names of the ``devices`` that learn by them."""

    parcels: tuple[Parcel, ...] = ()
    devices: tuple[str, ...] = ()


class Outbound:
    """What we send, encrypted. A device that cannot be written to costs the others nothing."""

    def __init__(self, *, machine: Machine, directory: Directory, tracking: Tracking) -> None:
        self._machine = machine
        self._directory = directory
        self._tracking = tracking

    async def encrypted(
        self, room_id: str, event_type: str, content: JsonObject, users: Collection[str]
    ) -> Encrypted:
        """Encrypt one event for all devices of ``users``, verified or not.

        Our own copy of its key is durable on return, so that its echo opens.

        Raises:
            ConnectorError: the store of keys cannot be used.
        """
        own = self._machine.device
        others = frozenset(each for each in users if each != own.user_id and is_user_id(each))
        self._tracking.track(others)
        while await self._tracking.step(others, now=True, patience_ms=SHARED_MS):
            pass
        devices, unread = await self._machine.run(
            lambda transaction: (devices_of(transaction, others), unread_of(transaction, others))
        )
        valid = [each for each in devices if each.trust is not DeviceTrust.INVALID]
        await self._open(valid)
        sealed, key = await self._machine.run(
            lambda transaction: _sealed(transaction, room_id, event_type, content)
        )
        letters: list[_Letter] = []
        for part in _parts(valid, PARCEL):
            letters += await self._machine.run(_writing(part, "m.room_key", key))
        left_out = len(devices) - len(letters) + unread
        if left_out:
            log.warning("devices_left_out", count=left_out)
        own_ids: JsonObject = {"sender_key": own.curve25519, "device_id": own.device_id}
        return Encrypted(
            content=sealed | own_ids,
            parcels=await asyncio.to_thread(_parcels, letters),
            left_out=left_out,
        )

    async def send(self, encrypted: Encrypted) -> None:
        """Hand the key over. MUST come before the event.

        Raises:
            ConnectorUnavailableError: the server does not answer; send it again, or another.
            ConnectorRejectedError: our account is refused.
        """
        for parcel in encrypted.parcels:
            await self.deliver(parcel)

    async def deliver(self, parcel: Parcel) -> None:
        """Send one parcel. One that is refused costs the others nothing: it is logged.

        Raises:
            ConnectorError: as :meth:`send`.
        """
        try:
            await self._directory.send(parcel)
        except ConnectorRejectedError as error:
            if is_of_the_account(error):
                raise
            log.warning("parcel_refused", code=error.code)

    async def revive(self, wedged: Collection[Wedged]) -> Revival:
        """Begin new Olm sessions with devices whose messages we cannot decrypt.

        What is given is to be sent, and then :meth:`revived` to be told of: only by that they
        hear of it. At most once an hour a device; one that is not known is passed over. Devices
        of users that are not tracked are asked for, and not written down.

        Raises:
            ConnectorError: nothing was begun.
        """
        due = await self._machine.run(lambda transaction: _due(transaction, wedged))
        devices, unknown = await self._machine.run(lambda transaction: _found(transaction, due))
        if unknown:
            shown = await self._tracking.glance({each.user_id for each in unknown})
            devices += {_wedged(each): each for each in shown if _wedged(each) in unknown}.values()
        devices = devices[:CLAIMS]
        if not devices:
            return Revival()
        claimed = await self._directory.claim(devices)
        letters = await self._machine.run(_reviving(devices, claimed))
        return Revival(
            parcels=await asyncio.to_thread(_parcels, letters),
            devices=tuple(_name(_wedged(device)) for device, _ in letters),
        )

    async def revived(self, devices: Collection[str]) -> None:
        """These were told of their new sessions: within the hour they are given no other.

        Raises:
            ConnectorError: the store of keys cannot be used.
        """
        await self._machine.run(lambda transaction: _remember(transaction, devices))

    async def _open(self, devices: Sequence[Device]) -> None:
        """Begin Olm sessions with those that have none, as far as that can be."""
        new = await self._machine.run(
            lambda transaction: [each for each in devices if not has_session(transaction, each.olm)]
        )
        for part in _parts(new, CLAIMS):
            try:
                claimed = await self._directory.claim(part, patience_ms=SHARED_MS)
            except ConnectorError as error:
                log.warning("keys_not_claimed", error=type(error).__name__, count=len(part))
                continue
            await self._machine.run(_beginning(part, claimed))


def _beginning(
    devices: Sequence[Device], claimed: JsonObject
) -> Callable[[Transaction], list[Device]]:
    """Begin sessions with what was claimed; gives those with whom it could be."""

    def work(transaction: Transaction) -> list[Device]:
        begun: list[Device] = []
        for device in devices:
            one_time_key = _one_time_key(device, claimed)
            if one_time_key is None:
                continue
            try:
                begin(transaction, device.olm, one_time_key)
            except OlmRefusedError:
                continue
            begun.append(device)
        return begun

    return work


def _writing(
    devices: Sequence[Device], kind: str, content: JsonObject
) -> Callable[[Transaction], list[_Letter]]:
    """A message for each of those with whom there is a session."""

    def work(transaction: Transaction) -> list[_Letter]:
        letters: list[_Letter] = []
        for device in devices:
            try:
                letters.append((device, encrypt(transaction, device.olm, kind, content)))
            except OlmRefusedError:
                continue
        return letters

    return work


def _reviving(
    devices: Sequence[Device], claimed: JsonObject
) -> Callable[[Transaction], list[_Letter]]:
    def work(transaction: Transaction) -> list[_Letter]:
        begun = _beginning(devices, claimed)(transaction)
        letters = _writing(begun, "m.dummy", {})(transaction)
        # Without a one-time key it is not tried again within the hour either.
        told = {_name(_wedged(device)) for device, _ in letters}
        _remember(transaction, {_name(_wedged(device)) for device in devices} - told)
        return letters

    return work


def _remember(transaction: Transaction, devices: Collection[str]) -> None:
    transaction.executemany(
        "INSERT OR REPLACE INTO unwedged (device, at) VALUES (?, ?)",
        [(device, transaction.now_ms) for device in devices],
    )


def _due(transaction: Transaction, wedged: Collection[Wedged]) -> list[Wedged]:
    """Those that were not begun anew within the hour."""
    oldest = transaction.now_ms - REVIVED_MS
    transaction.execute("DELETE FROM unwedged WHERE at <= ?", (oldest,))
    statement = "SELECT 1 FROM unwedged WHERE device = ?"
    return [
        each for each in wedged if transaction.execute(statement, (_name(each),)).fetchone() is None
    ]


def _found(
    transaction: Transaction, wedged: Collection[Wedged]
) -> tuple[list[Device], frozenset[Wedged]]:
    """Their devices, and those that are not known since their user is not tracked."""
    found = {each: device_by_key(transaction, each.user_id, each.curve25519) for each in wedged}
    unknown = [each for each, device in found.items() if device is None]
    return [device for device in found.values() if device is not None], frozenset(
        each for each in unknown if not is_tracked(transaction, each.user_id)
    )


def _wedged(device: Device) -> Wedged:
    return Wedged(user_id=device.user_id, curve25519=device.curve25519)


def _name(wedged: Wedged) -> str:
    """Of the device, not of the key alone: others may show it too."""
    return f"{wedged.user_id} {wedged.curve25519}"


def _one_time_key(device: Device, claimed: JsonObject) -> str | None:
    """The key that the device itself signed, if there is one."""
    keys = table(table(claimed, device.user_id), device.device_id)
    for name, document in keys.items():
        if name.startswith(f"{CLAIMED}:") and isinstance(document, dict):
            is_its_own = is_signed(
                document,
                user_id=device.user_id,
                key_id=f"ed25519:{device.device_id}",
                public=device.ed25519,
            )
            return text(document, "key") if is_its_own else None
    return None


def _sealed(
    transaction: Transaction, room_id: str, event_type: str, content: JsonObject
) -> tuple[JsonObject, JsonObject]:
    """The encrypted content, and the content of the message that gives its key."""
    session = vodozemac.GroupSession()
    key: JsonObject = {
        "algorithm": MEGOLM,
        "room_id": room_id,
        "session_id": session.session_id,
        "session_key": session.session_key.to_base64(),
    }
    keep_own(transaction, room_id, session)
    clear = json.dumps({"type": event_type, "content": content, "room_id": room_id}).encode()
    sealed: JsonObject = {
        "algorithm": MEGOLM,
        "ciphertext": session.encrypt(clear).to_base64(),
        "session_id": session.session_id,
    }
    if RELATION in content:
        sealed[RELATION] = content[RELATION]
    return sealed, key


def _parcels(letters: Sequence[_Letter]) -> tuple[Parcel, ...]:
    """The letters in parcels. No two are alike, so that each is named by what is in it."""
    parcels: list[Parcel] = []
    for part in _parts(letters, PARCEL):
        messages: dict[str, JsonObject] = {}
        for device, content in part:
            messages.setdefault(device.user_id, {})[device.device_id] = content
        body: JsonObject = {"messages": messages}
        digest = hashlib.sha256(json.dumps(body).encode()).hexdigest()
        parcels.append(Parcel(key=digest[:32], body=body))
    return tuple(parcels)


def _parts(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
