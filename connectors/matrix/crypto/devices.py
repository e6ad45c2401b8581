"""Whose devices there are, what keys they have, and what is known of them.

:func:`read` takes what ``/keys/query`` answers, and is pure; the rest works on the tables
``device`` and ``identity``. What a server says of a device is taken only as far as the device
signed it; what it says of an identity, as it was seen first.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from bridge.model import DeviceTrust
from bridge.rawjson.fields import JsonObject, decode, table, text
from connectors.matrix.crypto import unpadded
from connectors.matrix.crypto.cross_signing import OlmDevice, Published, Usage
from connectors.matrix.crypto.store import Transaction

KEY_BYTES = 32
LONGEST_USER = 255
LONGEST_DEVICE = 512
MOST_DEVICES = 200
"""Devices of one user that are read; nobody is to make the recorder write to any number of them."""
TOLD_MS = int(timedelta(days=7).total_seconds() * 1000)
"""How long it is told of that an identity was replaced, or a key withheld."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device as the server shows it; the public keys are unpadded base64."""

    user_id: str
    device_id: str
    curve25519: str
    ed25519: str
    trust: DeviceTrust

    @property
    def olm(self) -> OlmDevice:
        """Its keys alone."""
        return OlmDevice(
            user_id=self.user_id,
            device_id=self.device_id,
            ed25519=self.ed25519,
            curve25519=self.curve25519,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UserKeys:
    """What the server says of one user.

    ``devices`` is None where it says nothing of them. ``malformed``: devices without keys;
    ``unread``: those beyond as many as are read.
    """

    user_id: str
    master: str | None
    devices: tuple[Device, ...] | None
    malformed: int = 0
    unread: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a server's word changed, in counts; ``refused``: devices that came with other keys."""

    identity: bool = False
    refused: int = 0


def is_user_id(user_id: str) -> bool:
    """Whether a server can be asked of it: one that cannot be would cost its neighbours."""
    local, colon, server = user_id[1:].partition(":")
    return (
        user_id.startswith("@")
        and bool(local and colon and server)
        and len(user_id.encode(errors="replace")) <= LONGEST_USER
        and user_id.isprintable()
        and " " not in user_id
    )


def read(raw: bytes, asked: Collection[str]) -> tuple[UserKeys, ...] | None:
    """What an answer says of those ``asked``; users of servers that did not answer are left out.

    None: it is no such answer. MUST NOT raise. Checks every signature: not for the event loop.
    """
    answer = decode(raw)
    if answer is None or not isinstance(answer.get("device_keys"), dict):
        return None
    failures = table(answer, "failures")
    return tuple(
        _user(answer, user_id) for user_id in asked if user_id.partition(":")[2] not in failures
    )


def adopt(transaction: Transaction, keys: UserKeys, *, own: OlmDevice) -> Change:
    """Take what the server says of a user. Devices it no longer shows stay known as gone.

    The keys of a device never change: other ones under its name are refused while it is shown.
    """
    change = _adopt_master(transaction, keys)
    if keys.devices is None:
        return Change(identity=change)
    known = {
        device_id: (curve25519, ed25519, DeviceTrust(trust), bool(gone))
        for device_id, curve25519, ed25519, trust, gone in transaction.execute(
            "SELECT device_id, curve25519, ed25519, trust, gone FROM device WHERE user_id = ?",
            (keys.user_id,),
        )
    }
    refused = 0
    for device in keys.devices:
        before = known.pop(device.device_id, None)
        if before is not None and _is_other(before, device):
            refused += 1
            continue
        if _is_false_copy(device, own):
            refused += 1
            continue
        if before != (device.curve25519, device.ed25519, device.trust, False):
            _put(transaction, device)
    shown = [device_id for device_id, (_, _, _, gone) in known.items() if not gone]
    transaction.executemany(
        "UPDATE device SET gone = ? WHERE user_id = ? AND device_id = ?",
        [(transaction.now_ms, keys.user_id, device_id) for device_id in shown],
    )
    transaction.execute(
        "UPDATE tracked SET unread = ? WHERE user_id = ?", (keys.unread, keys.user_id)
    )
    return Change(identity=change, refused=refused)


def trust_of(
    transaction: Transaction, user_id: str, curve25519: str, ed25519: str, *, at: int = 0
) -> tuple[str | None, DeviceTrust]:
    """The device of ``user_id`` that has these keys, and what is known of it.

    ``at``: when it sent. One that was no longer shown by then is not known; what it sent before
    counts as it was last. A device with this Curve25519 key and another Ed25519 key is told of as
    invalid.
    """
    found = transaction.execute(
        "SELECT device_id, ed25519, trust, gone FROM device WHERE user_id = ? AND curve25519 = ?"
        " ORDER BY ed25519 = ? DESC, trust = ?, gone, device_id LIMIT 1",
        (user_id, curve25519, ed25519, DeviceTrust.INVALID.value),
    ).fetchone()
    if found is None:
        return None, DeviceTrust.UNKNOWN
    device_id, published, named, gone = found
    trust = DeviceTrust(named)
    if published != ed25519:
        trust = DeviceTrust.INVALID
    elif 0 < gone < at:
        trust = DeviceTrust.UNKNOWN
    elif trust is DeviceTrust.SIGNED and _was_replaced(transaction, user_id):
        trust = DeviceTrust.CHANGED
    return device_id, trust


def devices_of(transaction: Transaction, user_ids: Collection[str]) -> tuple[Device, ...]:
    """The devices that are shown of these users, valid or not."""
    return tuple(
        Device(
            user_id=user_id,
            device_id=device_id,
            curve25519=curve25519,
            ed25519=ed25519,
            trust=DeviceTrust(trust),
        )
        for user_id in sorted(user_ids)
        for device_id, curve25519, ed25519, trust in transaction.execute(
            "SELECT device_id, curve25519, ed25519, trust FROM device"
            " WHERE user_id = ? AND gone = 0 ORDER BY device_id",
            (user_id,),
        )
    )


def device_by_key(transaction: Transaction, user_id: str, curve25519: str) -> Device | None:
    """The valid device of ``user_id`` that is shown with this key."""
    for device in devices_of(transaction, [user_id]):
        if device.curve25519 == curve25519 and device.trust is not DeviceTrust.INVALID:
            return device
    return None


def others_of_ours(transaction: Transaction, own: OlmDevice) -> tuple[str, ...]:
    """The devices of our own account besides ours."""
    devices = devices_of(transaction, [own.user_id])
    return tuple(each.device_id for each in devices if each.device_id != own.device_id)


def changed_identities(transaction: Transaction) -> tuple[str, ...]:
    """The users whose identity was replaced within the last seven days."""
    found = transaction.execute(
        "SELECT user_id FROM identity WHERE before IS NOT NULL AND since > ? ORDER BY user_id",
        (transaction.now_ms - TOLD_MS,),
    )
    return tuple(user_id for (user_id,) in found)


def crowded(transaction: Transaction) -> tuple[str, ...]:
    """The users who have more devices than are read."""
    found = transaction.execute("SELECT user_id FROM tracked WHERE unread > 0 ORDER BY user_id")
    return tuple(user_id for (user_id,) in found)


def unread_of(transaction: Transaction, user_ids: Collection[str]) -> int:
    """How many devices of these users are not read."""
    unread = dict(transaction.execute("SELECT user_id, unread FROM tracked WHERE unread > 0"))
    return sum(unread.get(user_id, 0) for user_id in user_ids)


def _was_replaced(transaction: Transaction, user_id: str) -> bool:
    """Whether the user's identity is another one than we saw before."""
    found = transaction.execute(
        "SELECT 1 FROM identity WHERE user_id = ? AND before IS NOT NULL", (user_id,)
    )
    return found.fetchone() is not None


def _user(answer: JsonObject, user_id: str) -> UserKeys:
    published = Published.read(answer, user_id)
    master = published.keys.get(Usage.MASTER)
    if not isinstance(table(answer, "device_keys").get(user_id), dict):
        return UserKeys(user_id=user_id, master=master, devices=None)
    # By name, so that the same ones are read each time.
    names = sorted(published.devices)
    devices = [_device(published, device_id) for device_id in names[:MOST_DEVICES]]
    readable = tuple(device for device in devices if device is not None)
    return UserKeys(
        user_id=user_id,
        master=master,
        devices=readable,
        malformed=len(devices) - len(readable),
        unread=len(names[MOST_DEVICES:]),
    )


def _device(published: Published, device_id: str) -> Device | None:
    keys = table(published.devices[device_id], "keys")
    curve25519 = _key(keys, f"curve25519:{device_id}")
    ed25519 = _key(keys, f"ed25519:{device_id}")
    if curve25519 is None or ed25519 is None or not _is_device_id(device_id):
        return None
    return Device(
        user_id=published.user_id,
        device_id=device_id,
        curve25519=curve25519,
        ed25519=ed25519,
        trust=published.trust(device_id),
    )


def _is_device_id(device_id: str) -> bool:
    """Whether it can be repeated to a server and to an operator."""
    return 0 < len(device_id) <= LONGEST_DEVICE and device_id.isprintable()


def _key(keys: JsonObject, name: str) -> str | None:
    """A public key in its one way of writing, by which it is compared."""
    decoded = unpadded.decode(text(keys, name) or "")
    return unpadded.encode(decoded) if decoded is not None and len(decoded) == KEY_BYTES else None


def _is_other(before: tuple[str, str, DeviceTrust, bool], device: Device) -> bool:
    curve25519, ed25519, trust, gone = before
    if gone or trust is DeviceTrust.INVALID:
        return False
    is_same = (curve25519, ed25519) == (device.curve25519, device.ed25519)
    # Signed by itself once: a copy without the signature says nothing against it.
    return not is_same or device.trust is DeviceTrust.INVALID


def _is_false_copy(device: Device, own: OlmDevice) -> bool:
    """Whether it bears the name of our device, and has not our keys."""
    if (device.user_id, device.device_id) != (own.user_id, own.device_id):
        return False
    return (device.curve25519, device.ed25519) != (own.curve25519, own.ed25519)


def _put(transaction: Transaction, device: Device) -> None:
    transaction.execute(
        "INSERT INTO device (user_id, device_id, curve25519, ed25519, trust)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (user_id, device_id) DO UPDATE SET gone = 0,"
        " curve25519 = excluded.curve25519, ed25519 = excluded.ed25519, trust = excluded.trust",
        (device.user_id, device.device_id, device.curve25519, device.ed25519, device.trust.value),
    )


def _adopt_master(transaction: Transaction, keys: UserKeys) -> bool:
    """Whether the user's identity is another one than before. One that is hidden stays known."""
    if keys.master is None:
        return False
    found = transaction.execute(
        "SELECT master FROM identity WHERE user_id = ?", (keys.user_id,)
    ).fetchone()
    before: str | None = found[0] if found is not None else None
    if before == keys.master:
        return False
    transaction.execute(
        "INSERT OR REPLACE INTO identity (user_id, master, since, before) VALUES (?, ?, ?, ?)",
        (keys.user_id, keys.master, transaction.now_ms, before),
    )
    return before is not None
