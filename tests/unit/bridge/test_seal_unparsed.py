"""Whatever RFC 8785 JSON cannot carry still gets a number, a leaf and an object."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from bridge.lifecycle import EntryState
from bridge.model import Digest, Event, Relation, RelationType, Sender
from tests.fakes import samples
from tests.unit.bridge.house import House

RAW = b'{"event_id":"$1","odd":"\\ud800"}'
ODD: dict[str, Event] = {
    "a lone surrogate in the body": samples.event("$1", body="\ud800", raw=RAW),
    "a lone surrogate in a name": samples.event(
        "$1", sender=Sender(id="@ada:example.org", display_name="Ada\udfff"), raw=RAW
    ),
    "a lone surrogate in the target": samples.event(
        "$1", relates_to=Relation(type=RelationType.REPLY, upstream_id="$\ud800"), raw=RAW
    ),
    "a lone surrogate in the upstream's fields": samples.event(
        "$1", upstream=(("thread", "\ud800"),), raw=RAW
    ),
    "a file of 2**53 bytes": samples.event(
        "$1", attachments=[replace(samples.attachment(), size=2**53)], raw=RAW
    ),
}


@pytest.fixture
async def house(house: House) -> House:
    """One group is being recorded."""
    await house.admit()
    return house


@pytest.mark.parametrize("why", ODD)
async def test_what_json_cannot_carry_gets_leaf_and_object(house: House, why: str) -> None:
    """It is numbered, sealed as unparsed with its exact bytes, logged, and stored."""
    await house.hear(ODD[why], samples.event("$2"))
    await house.settle()
    odd, plain = await house.entries()
    assert (odd.n, odd.state) == (0, EntryState.STORED)
    assert odd.record is not None
    document = json.loads(odd.record.body)
    assert document["kind"] == "unparsed"
    assert base64.b64decode(document["raw"]) == RAW
    assert house.objects("records")[odd.record.key] == odd.record.body
    (seen, _), (stored, _) = await house.leaves("seen"), await house.leaves("stored")
    assert (seen["n"], seen["d"]) == (0, odd.record.digest.hex)
    assert stored["o"] == Digest.of(odd.record.body).hex
    assert (plain.n, plain.state) == (1, EntryState.STORED)
