"""Acts: what people or the bridge do that no platform event shows."""

from __future__ import annotations

import json

from bridge.canonical import act_bytes
from bridge.canonical.json import Json
from tests.fakes import samples


def test_an_act() -> None:
    """Kind, time, doer, salt and the fields of its kind, to the last byte."""
    data = act_bytes(
        salt=bytes(32),
        kind="step",
        at=samples.NOW,
        by="ada",
        details={"step": "pause", "why": "leak", "group": {"id": "!g"}},
    )
    expected = (
        '{"at":"2026-03-01T09:00:00.000Z","by":"ada","group":{"id":"!g"},"kind":"step",'
        f'"salt":"{"A" * 43}","step":"pause","v":1,"why":"leak"}}'
    )
    assert data == expected.encode()


def test_absent_details_are_left_out_and_false_is_not_absent() -> None:
    """A detail that is None is no field; false, zero and empty are."""
    data = act_bytes(
        salt=bytes(32),
        kind="notice",
        at=samples.NOW,
        by="bridge",
        details={"refusal": None, "pinned": False, "total": 0, "text": ""},
    )
    act = json.loads(data)
    assert "refusal" not in act
    assert (act["pinned"], act["total"], act["text"]) == (False, 0, "")


def test_details_cannot_take_the_place_of_the_frame() -> None:
    """A detail named like a field of the frame does not replace it."""
    forged: dict[str, Json] = {"v": 9, "salt": "", "kind": "open", "at": "never", "by": "nobody"}
    data = act_bytes(salt=bytes(32), kind="close", at=samples.NOW, by="bridge", details=forged)
    act = json.loads(data)
    assert (act["v"], act["kind"], act["by"]) == (1, "close", "bridge")
    assert act["salt"] == "A" * 43
    assert act["at"] == "2026-03-01T09:00:00.000Z"
