"""What a server says of devices, and how much of it is believed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.model import DeviceTrust
from bridge.rawjson.fields import JsonObject, table
from connectors.matrix.crypto.cross_signing import CrossSigning, OlmDevice
from connectors.matrix.crypto.devices import (
    Change,
    adopt,
    changed_identities,
    crowded,
    device_by_key,
    devices_of,
    is_user_id,
    others_of_ours,
    read,
    trust_of,
    unread_of,
)
from connectors.matrix.crypto.signed_json import signed
from connectors.matrix.crypto.store import CryptoStore, Transaction
from tests.unit.connectors.matrix.crypto.account_server import USER, Randomness
from tests.unit.connectors.matrix.crypto.keys_scene import ALICE, BOB, DEVICE, identity
from tests.unit.connectors.matrix.crypto.olm_client import OlmClient

OURS = OlmClient(USER, DEVICE)


class Times:
    """The store's clock."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def times() -> Times:
    """The store's clock."""
    return Times()


@pytest.fixture
def transaction(tmp_path: Path, times: Times) -> Iterator[Transaction]:
    """A transaction of a new store."""
    store = CryptoStore.open(
        tmp_path / "keys.db",
        key=b"k" * 32,
        user_id=USER,
        device_id=DEVICE,
        random=Randomness(),
        now=lambda: times.now,
    )
    with store.transaction() as begun:
        yield begun
    store.close()


def answer(*devices: JsonObject, keys: CrossSigning | None = None, **more: JsonObject) -> bytes:
    """What a server answers."""
    by_user: dict[str, JsonObject] = {}
    for device in devices:
        by_user.setdefault(str(device["user_id"]), {})[str(device["device_id"])] = device
    body: JsonObject = {"device_keys": by_user}
    if keys is not None:
        upload = keys.upload()
        for usage in ("master", "self_signing"):
            body[f"{usage}_keys"] = {keys.user_id: table(upload, f"{usage}_key")}
    return json.dumps(body | more).encode()


def take(transaction: Transaction, raw: bytes, user_id: str = ALICE) -> Change:
    """Adopt an answer."""
    answers = read(raw, [user_id])
    assert answers is not None
    [keys] = answers
    return adopt(transaction, keys, own=OURS.device)


def known(transaction: Transaction, device: OlmDevice) -> tuple[str | None, DeviceTrust]:
    """What is known of a device with these keys."""
    return trust_of(transaction, device.user_id, device.curve25519, device.ed25519)


def other_key(device: OlmDevice) -> str:
    """An Ed25519 key that is not the device's."""
    return OlmClient(device.user_id, device.device_id).device.ed25519


def test_trust_is_what_the_signatures_say(transaction: Transaction) -> None:
    """No identity, an identity that did not sign, one that did: each is told apart."""
    alice = OlmClient(ALICE, "PHONE")
    keys = identity(ALICE, 1)
    assert known(transaction, alice.device) == (None, DeviceTrust.UNKNOWN)
    take(transaction, answer(alice.device_keys()))
    assert known(transaction, alice.device) == ("PHONE", DeviceTrust.NO_IDENTITY)
    take(transaction, answer(alice.device_keys(), keys=keys))
    assert known(transaction, alice.device) == ("PHONE", DeviceTrust.UNSIGNED)
    by_owner = signed(alice.device_keys(), user_id=ALICE, key=keys.self_signing)
    take(transaction, answer(by_owner, keys=keys))
    assert known(transaction, alice.device) == ("PHONE", DeviceTrust.SIGNED)


def test_a_device_belongs_to_its_user_with_both_its_keys(transaction: Transaction) -> None:
    """The same keys under another user are unknown; another Ed25519 key is invalid."""
    alice = OlmClient(ALICE, "PHONE")
    take(transaction, answer(alice.device_keys()))
    device = alice.device
    assert trust_of(transaction, BOB, device.curve25519, device.ed25519) == (
        None,
        DeviceTrust.UNKNOWN,
    )
    assert trust_of(transaction, ALICE, device.curve25519, other_key(device)) == (
        "PHONE",
        DeviceTrust.INVALID,
    )


def test_a_device_that_did_not_sign_itself(transaction: Transaction) -> None:
    """It is invalid, and its neighbour is not."""
    alice, forged = OlmClient(ALICE, "PHONE"), OlmClient(ALICE, "FORGED")
    document = forged.device_keys() | {"signatures": {}}
    take(transaction, answer(alice.device_keys(), document))
    assert known(transaction, forged.device) == ("FORGED", DeviceTrust.INVALID)
    assert known(transaction, alice.device) == ("PHONE", DeviceTrust.NO_IDENTITY)
    assert device_by_key(transaction, ALICE, forged.device.curve25519) is None


def test_a_copy_of_a_valid_device_changes_nothing_of_it(transaction: Transaction) -> None:
    """A device that bears another's keys without a signature is not taken for it."""
    alice = OlmClient(ALICE, "PHONE")
    copy = alice.device_keys() | {
        "device_id": "COPY",
        "keys": {
            "curve25519:COPY": alice.device.curve25519,
            "ed25519:COPY": alice.device.ed25519,
        },
    }
    take(transaction, answer(alice.device_keys(), copy))
    assert known(transaction, alice.device) == ("PHONE", DeviceTrust.NO_IDENTITY)


def test_keys_of_a_device_never_change(transaction: Transaction) -> None:
    """Other keys under its name, or none of its own signatures, are refused and counted."""
    alice, swapped = OlmClient(ALICE, "PHONE"), OlmClient(ALICE, "PHONE")
    take(transaction, answer(alice.device_keys()))
    assert take(transaction, answer(swapped.device_keys())) == Change(refused=1)
    bare = alice.device_keys() | {"signatures": {}}
    assert take(transaction, answer(bare)) == Change(refused=1)
    assert known(transaction, alice.device) == ("PHONE", DeviceTrust.NO_IDENTITY)
    assert known(transaction, swapped.device) == (None, DeviceTrust.UNKNOWN)


def test_keys_of_our_own_device_are_ours(transaction: Transaction) -> None:
    """What a server shows under the name of our device is taken only if it is ours."""
    false = OlmClient(USER, DEVICE)
    assert take(transaction, answer(false.device_keys()), USER) == Change(refused=1)
    assert take(transaction, answer(OURS.device_keys()), USER) == Change()
    assert known(transaction, OURS.device) == (DEVICE, DeviceTrust.NO_IDENTITY)


def test_a_device_that_is_signed_out(transaction: Transaction) -> None:
    """Nothing is shared with it any more; what it sent stays its own; its name may come again."""
    alice, next_one = OlmClient(ALICE, "PHONE"), OlmClient(ALICE, "PHONE")
    take(transaction, answer(alice.device_keys()))
    take(transaction, answer(OlmClient(ALICE, "LAPTOP").device_keys()))
    assert [each.device_id for each in devices_of(transaction, [ALICE])] == ["LAPTOP"]
    assert known(transaction, alice.device) == ("PHONE", DeviceTrust.NO_IDENTITY)
    assert take(transaction, answer(next_one.device_keys())) == Change()
    assert known(transaction, next_one.device) == ("PHONE", DeviceTrust.NO_IDENTITY)


def test_silence_is_no_absence(transaction: Transaction) -> None:
    """A user that an answer does not name keeps its devices."""
    alice = OlmClient(ALICE, "PHONE")
    take(transaction, answer(alice.device_keys()))
    take(transaction, b'{"device_keys":{}}')
    assert [each.device_id for each in devices_of(transaction, [ALICE])] == ["PHONE"]


def test_users_of_servers_that_failed_are_left_out() -> None:
    """They count as not answered."""
    raw = answer(OlmClient(ALICE, "PHONE").device_keys(), failures={"far.example": {}})
    answers = read(raw, [ALICE, "@x:far.example"])
    assert answers is not None
    assert [each.user_id for each in answers] == [ALICE]


def test_an_identity_that_is_replaced(transaction: Transaction, times: Times) -> None:
    """It is told of for seven days, after a restart too; one that is hidden stays known."""
    take(transaction, answer(OlmClient(ALICE, "PHONE").device_keys(), keys=identity(ALICE, 1)))
    take(transaction, answer(OlmClient(ALICE, "PHONE").device_keys()))
    assert changed_identities(transaction) == ()
    assert take(transaction, answer(keys=identity(ALICE, 5))) == Change(identity=True)
    assert take(transaction, answer(keys=identity(ALICE, 5))) == Change()
    assert changed_identities(transaction) == (ALICE,)
    times.now += timedelta(days=7, seconds=1)
    assert changed_identities(transaction) == ()


def test_what_a_replaced_identity_signed(transaction: Transaction) -> None:
    """It is told apart from what the first one signed, whenever it is asked."""
    alice = OlmClient(ALICE, "PHONE")
    for seed, trust in ((1, DeviceTrust.SIGNED), (5, DeviceTrust.CHANGED)):
        keys = identity(ALICE, seed)
        by_owner = signed(alice.device_keys(), user_id=ALICE, key=keys.self_signing)
        take(transaction, answer(by_owner, keys=keys))
        assert known(transaction, alice.device) == ("PHONE", trust)
    unsigned = OlmClient(ALICE, "LAPTOP")
    take(transaction, answer(unsigned.device_keys(), keys=identity(ALICE, 5)))
    assert known(transaction, unsigned.device) == ("LAPTOP", DeviceTrust.UNSIGNED)


def test_a_device_is_not_known_after_it_was_signed_out(
    transaction: Transaction, times: Times
) -> None:
    """What it sent up to then counts as before, what came later does not; shown again, it does."""
    alice = OlmClient(ALICE, "PHONE")
    device = alice.device
    take(transaction, answer(alice.device_keys()))
    take(transaction, answer(OlmClient(ALICE, "LAPTOP").device_keys()))
    then = transaction.now_ms
    for at, trust in ((then, DeviceTrust.NO_IDENTITY), (then + 1, DeviceTrust.UNKNOWN)):
        found = trust_of(transaction, ALICE, device.curve25519, device.ed25519, at=at)
        assert found == ("PHONE", trust)
    times.now += timedelta(days=1)
    take(transaction, answer(OlmClient(ALICE, "THIRD").device_keys()))
    late = trust_of(transaction, ALICE, device.curve25519, device.ed25519, at=then + 1)
    assert late == ("PHONE", DeviceTrust.UNKNOWN)
    take(transaction, answer(alice.device_keys()))
    late = trust_of(transaction, ALICE, device.curve25519, device.ed25519, at=then + 1)
    assert late == ("PHONE", DeviceTrust.NO_IDENTITY)


def test_a_user_with_devices_without_end(
    transaction: Transaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many are read as a person can have, each time the same; the others are counted."""
    monkeypatch.setattr("connectors.matrix.crypto.devices.MOST_DEVICES", 3)
    transaction.execute("INSERT INTO tracked (user_id) VALUES (?)", (ALICE,))
    clients = [OlmClient(ALICE, f"D{number}") for number in range(5)]
    for shown in (clients, clients[::-1]):
        take(transaction, answer(*(each.device_keys() for each in shown)))
        found = [each.device_id for each in devices_of(transaction, [ALICE])]
        assert found == ["D0", "D1", "D2"]
    assert crowded(transaction) == (ALICE,)
    assert unread_of(transaction, [ALICE, BOB]) == 2
    take(transaction, answer(clients[4].device_keys()))
    assert crowded(transaction) == ()


def test_other_devices_of_our_account(transaction: Transaction) -> None:
    """They are named until they are signed out."""
    second = OlmClient(USER, "SECOND")
    take(transaction, answer(OURS.device_keys(), second.device_keys()), USER)
    assert others_of_ours(transaction, OURS.device) == ("SECOND",)
    take(transaction, answer(OURS.device_keys()), USER)
    assert others_of_ours(transaction, OURS.device) == ()


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b'{"device_keys":[]}', b'{"device_keys":{', b"\xff"]
)
def test_an_answer_that_is_none(raw: bytes) -> None:
    """It says nothing of anybody."""
    assert read(raw, [ALICE]) is None


@pytest.mark.parametrize(
    "device",
    [
        None,
        7,
        {},
        {"keys": []},
        {"keys": {"curve25519:PHONE": "AAAA", "ed25519:PHONE": "AAAA"}},
        {"keys": {"curve25519:PHONE": 1, "ed25519:PHONE": None}},
        {"keys": {"curve25519:OTHER": "A" * 43, "ed25519:OTHER": "A" * 43}},
        {"keys": {"curve25519:PHONE": "A" * 43, "ed25519:PHONE": "A" * 43}, "signatures": 1.5},
    ],
)
def test_hostile_devices(transaction: Transaction, device: object) -> None:
    """They cost their neighbours nothing, and are never valid."""
    alice = OlmClient(ALICE, "LAPTOP")
    devices = {"PHONE": device, "LAPTOP": alice.device_keys()}
    take(transaction, json.dumps({"device_keys": {ALICE: devices}}).encode())
    assert known(transaction, alice.device) == ("LAPTOP", DeviceTrust.NO_IDENTITY)
    valid = [
        each.device_id
        for each in devices_of(transaction, [ALICE])
        if each.trust is not DeviceTrust.INVALID
    ]
    assert valid == ["LAPTOP"]


@pytest.mark.parametrize(
    ("user_id", "is_one"),
    [
        (ALICE, True),
        ("@a:[::1]:8448", True),
        ("@A/b=c:x", True),
        ("", False),
        ("@", False),
        ("@a", False),
        ("@a:", False),
        ("@:x", False),
        ("a:x", False),
        ("@a b:x", False),
        ("@a\n:x", False),
        ("@" + "a" * 255 + ":x", False),
        ("@\ud800:x", False),
    ],
)
def test_who_can_be_asked_for(user_id: str, *, is_one: bool) -> None:
    """A name that a server would refuse is never asked for: it would cost its neighbours."""
    assert is_user_id(user_id) is is_one
