"""Cross-signing keys: made, published, and checked from the master key down to a device."""

from __future__ import annotations

import pytest

from bridge.model import DeviceTrust
from bridge.rawjson.fields import JsonObject, table, text
from connectors.matrix.crypto.cross_signing import (
    CrossSigning,
    Published,
    Usage,
    from_seed_text,
    new_key,
    seed_text,
)
from connectors.matrix.crypto.signing_key import SigningKey
from tests.unit.connectors.matrix.crypto.account_server import USER, Randomness
from tests.unit.connectors.matrix.crypto.olm import OlmAccount, verifies

KEYS = CrossSigning(
    user_id=USER,
    master=SigningKey(seed=b"m" * 32),
    self_signing=SigningKey(seed=b"s" * 32),
    user_signing=SigningKey(seed=b"u" * 32),
)
OTHERS = CrossSigning(
    user_id=USER,
    master=SigningKey(seed=b"M" * 32),
    self_signing=SigningKey(seed=b"S" * 32),
    user_signing=SigningKey(seed=b"U" * 32),
)
OLM = OlmAccount(USER, "DEVICE")


def _answer(
    keys: CrossSigning | None = KEYS, *, device: JsonObject | None = None, **change: object
) -> JsonObject:
    answer: JsonObject = {"device_keys": {USER: {"DEVICE": device or OLM.device_keys()}}}
    if keys is not None:
        upload = keys.upload()
        for usage in Usage:
            answer[f"{usage}_keys"] = {USER: upload[f"{usage}_key"]}
    return answer | change


def _signed_device(keys: CrossSigning = KEYS, device: JsonObject | None = None) -> JsonObject:
    """The device with its own signature and that of its owner, as a server shows it."""
    stored = device or OLM.device_keys()
    added = table(table(keys.signature(stored), USER), "DEVICE")
    both = table(table(stored, "signatures"), USER) | table(table(added, "signatures"), USER)
    return stored | {"signatures": {USER: both}}


def _trust(answer: JsonObject) -> DeviceTrust:
    return Published.read(answer, USER).trust("DEVICE")


def test_what_is_uploaded() -> None:
    """Three keys named by themselves; another library takes the master key's signatures."""
    upload = KEYS.upload()
    assert upload == KEYS.upload()
    assert set(upload) == {"master_key", "self_signing_key", "user_signing_key"}
    for usage in Usage:
        document = table(upload, f"{usage}_key")
        public = KEYS.key(usage).public
        assert document["user_id"] == USER
        assert document["usage"] == [usage.value]
        assert document["keys"] == {f"ed25519:{public}": public}
    for usage in (Usage.SELF_SIGNING, Usage.USER_SIGNING):
        document = table(upload, f"{usage}_key")
        signatures = table(table(document, "signatures"), USER)
        signature = text(signatures, KEYS.master.key_id)
        assert signature is not None
        assert verifies(document, public=KEYS.master.public, signature=signature)
    assert "signatures" not in table(upload, "master_key")


def test_a_device_is_signed_as_it_is_published() -> None:
    """The body has the device's keys, our signature alone, and nothing unsigned."""
    device = OLM.device_keys() | {"unsigned": {"device_display_name": "Recorder"}}
    own = table(table(KEYS.signature(device), USER), "DEVICE")
    assert "unsigned" not in own
    [(key_id, signature)] = table(table(own, "signatures"), USER).items()
    assert key_id == KEYS.self_signing.key_id
    assert isinstance(signature, str)
    assert verifies(own, public=KEYS.self_signing.public, signature=signature)


def test_a_device_without_id_is_a_mistake_of_ours() -> None:
    """What was never checked is never signed."""
    with pytest.raises(RuntimeError):
        KEYS.signature({})


def test_the_chain_that_holds() -> None:
    """Master, self-signing, device: signed."""
    published = Published.read(_answer(device=_signed_device()), USER)
    assert published.trust("DEVICE") is DeviceTrust.SIGNED
    assert published.shows(KEYS)
    assert not published.shows(OTHERS)
    assert published.is_device(OLM.device)
    assert published.trust("ANOTHER") is DeviceTrust.UNKNOWN


def test_chains_that_do_not_hold() -> None:
    """A missing link, or one of another's making, leaves the device unsigned."""
    assert _trust(_answer()) is DeviceTrust.UNSIGNED
    assert _trust(_answer(None)) is DeviceTrust.NO_IDENTITY
    assert _trust(_answer(device=_signed_device(OTHERS))) is DeviceTrust.UNSIGNED
    no_master = _answer(device=_signed_device())
    del no_master["master_keys"]
    assert _trust(no_master) is DeviceTrust.UNSIGNED
    mixed = _answer(device=_signed_device(OTHERS))
    mixed["self_signing_keys"] = {USER: OTHERS.upload()["self_signing_key"]}
    assert _trust(mixed) is DeviceTrust.UNSIGNED
    by_master = CrossSigning(
        user_id=USER,
        master=KEYS.master,
        self_signing=KEYS.master,
        user_signing=KEYS.user_signing,
    )
    assert _trust(_answer(device=_signed_device(by_master))) is DeviceTrust.UNSIGNED


def test_devices_that_are_not_their_own() -> None:
    """A device that did not sign itself, or stands under another id, is invalid."""
    device = OLM.device_keys()
    changed = device | {"algorithms": []}
    assert _trust(_answer(device=_signed_device(device=changed))) is DeviceTrust.INVALID
    assert _trust(_answer(device={"device_id": "DEVICE"})) is DeviceTrust.INVALID
    elsewhere = OlmAccount(USER, "OTHER").device_keys()
    assert _trust(_answer(device=elsewhere)) is DeviceTrust.INVALID
    other_user = OlmAccount("@other:dept.example", "DEVICE").device_keys()
    assert _trust(_answer(device=other_user)) is DeviceTrust.INVALID


def test_whether_it_is_our_device() -> None:
    """Both keys must be those of our Olm account, under our user."""
    other = Published.read(_answer(device=OlmAccount(USER, "DEVICE").device_keys()), USER)
    assert not other.is_device(OLM.device)
    assert not Published.read(_answer(), "@other:dept.example").is_device(OLM.device)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"user_id": USER, "usage": ["master"], "keys": {}},
        {"user_id": USER, "usage": ["self_signing"], "keys": {"ed25519:AA": "AA"}},
        {"user_id": USER, "usage": ["master"], "keys": {"ed25519:AA": "AA"}},
        {"user_id": USER, "usage": ["master"], "keys": {"ed25519:AA": KEYS.master.public}},
        {"user_id": USER, "usage": ["master"], "keys": {KEYS.master.key_id: 3}},
        KEYS.upload()["self_signing_key"],
        table(OTHERS.upload(), "master_key") | {"user_id": "@other:dept.example"},
    ],
)
def test_a_master_key_that_is_none(document: object) -> None:
    """What cannot be read counts as there: it is neither taken nor taken for absent."""
    published = Published.read(_answer(None, master_keys={USER: document}), USER)
    assert published.unreadable == {Usage.MASTER}
    assert published.has_identity
    assert not published.keys


@pytest.mark.parametrize("answer", [{}, {"device_keys": 3}, {"device_keys": {USER: {"D": 1}}}])
def test_answers_of_no_use(answer: JsonObject) -> None:
    """An answer without our account says nothing, and raises nothing."""
    published = Published.read(answer, USER)
    assert not published.has_identity
    assert not published.devices


def test_private_keys_as_secrets() -> None:
    """A seed comes back from its text; what is none gives none."""
    key = new_key(Randomness())
    assert from_seed_text(seed_text(key)) == key
    assert from_seed_text("AAAA") is None
    assert from_seed_text("not base64!") is None
