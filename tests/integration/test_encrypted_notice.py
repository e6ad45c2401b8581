"""Our keys and an encrypted notice at a real homeserver; another's client reads it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest_asyncio

from bridge.clock import SystemClock
from bridge.demo.homeserver import Homeserver
from bridge.model import DeviceTrust
from bridge.rawjson.fields import JsonObject, count, decode, table, tables, text, texts
from connectors.matrix.crypto.devices import trust_of
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.upkeep import Upkeep
from connectors.matrix.crypto.values import KeyCounts, MegolmRequest, Wedged
from connectors.matrix.http import Endpoint, MatrixHttp, path
from tests.fakes.clock import FakeClock
from tests.servers.synapse import MARKS
from tests.unit.connectors.matrix.crypto.olm_client import OlmClient

pytestmark = MARKS

ENCRYPTION: JsonObject = {
    "type": "m.room.encryption",
    "state_key": "",
    "content": {"algorithm": "m.megolm.v1.aes-sha2"},
}
NOTICE: JsonObject = {"msgtype": "m.notice", "body": "This group is recorded."}


class Person:
    """An account that is signed in on one device."""

    def __init__(self, http: MatrixHttp, user_id: str, device_id: str) -> None:
        self.http = http
        self.user_id = user_id
        self.device_id = device_id
        self.since = ""

    async def ask(self, method: str, *parts: str, body: JsonObject) -> JsonObject:
        """The answer."""
        return decode(await self.http.request(method, path(*parts), body=body)) or {}

    async def sync(self) -> JsonObject:
        """What came since the last."""
        query = {"since": self.since, "timeout": "0"} if self.since else {"timeout": "0"}
        answer = decode(await self.http.request("GET", path("sync"), query=query)) or {}
        self.since = text(answer, "next_batch") or ""
        return answer


@pytest_asyncio.fixture
async def people(homeserver: Homeserver) -> AsyncIterator[Callable[[str], Person]]:
    """The two accounts of this test."""
    async with AsyncExitStack() as stack:
        made: dict[str, Person] = {}
        once = secrets.token_hex(4)
        for part in ("recorder", "reader"):
            name = f"notice-{part}-{once}"
            account = await homeserver.register(name, f"password of {name}", name)
            http = MatrixHttp(Endpoint(homeserver=homeserver.url))
            stack.push_async_callback(http.aclose)
            http.token = account.access_token
            made[part] = Person(http, account.user_id, account.device_id)
        yield made.__getitem__


@pytest_asyncio.fixture
async def machine(people: Callable[[str], Person], tmp_path: Path) -> AsyncIterator[Machine]:
    """The recorder's keys."""
    recorder = people("recorder")
    opened = await Machine.open(
        tmp_path / "keys.db",
        key=secrets.token_bytes(32),
        user_id=recorder.user_id,
        device_id=recorder.device_id,
        random=secrets.token_bytes,
        clock=SystemClock(),
    )
    yield opened
    await opened.aclose()


def told(answer: JsonObject) -> KeyCounts:
    """What a sync tells of our keys."""
    counts = table(answer, "device_one_time_keys_count")
    return KeyCounts(
        one_time=count(counts, "signed_curve25519") or 0,
        fallback_unused="signed_curve25519" in texts(answer, "device_unused_fallback_key_types"),
    )


async def test_a_notice_that_another_client_reads(
    people: Callable[[str], Person], machine: Machine
) -> None:
    """Keys are published and replenished, devices asked for, a key shared, the notice read."""
    recorder, reader = people("recorder"), people("reader")
    client = OlmClient(reader.user_id, reader.device_id)
    body: JsonObject = {
        "device_keys": client.device_keys(),
        "one_time_keys": client.one_time_keys(1),
        "fallback_keys": client.fallback_keys(),
    }
    await reader.ask("POST", "keys", "upload", body=body)
    upkeep = Upkeep(http=recorder.http, machine=machine, clock=SystemClock())
    assert await upkeep.publish_device()
    assert told(await recorder.sync()) == KeyCounts(one_time=50, fallback_unused=True)

    made = await reader.ask(
        "POST",
        "createRoom",
        body={"initial_state": [ENCRYPTION], "invite": [recorder.user_id]},
    )
    room_id = text(made, "room_id") or ""
    await recorder.ask("POST", "rooms", room_id, "join", body={})
    encrypted = await upkeep.outbound.encrypted(
        room_id, "m.room.message", NOTICE, [reader.user_id, recorder.user_id]
    )
    assert encrypted.left_out == 0
    await upkeep.outbound.send(encrypted)
    sent = await recorder.ask(
        "PUT", "rooms", room_id, "send", "m.room.encrypted", "one", body=encrypted.content
    )

    answer = await reader.sync()
    for message in tables(table(answer, "to_device"), "events"):
        client.receive(message)
    timeline = table(table(table(table(answer, "rooms"), "join"), room_id), "timeline")
    [event] = [each for each in tables(timeline, "events") if each["type"] == "m.room.encrypted"]
    assert client.read(room_id, table(event, "content"))["content"] == NOTICE

    request = MegolmRequest(
        room_id=room_id,
        event_id=text(sent, "event_id") or "",
        sender=recorder.user_id,
        content=table(event, "content"),
    )
    [echo] = await machine.decrypt([request])
    assert echo.clear is not None
    await upkeep.work()
    device = client.device
    assert await machine.run(
        lambda transaction: trust_of(transaction, device.user_id, device.curve25519, device.ed25519)
    ) == (device.device_id, DeviceTrust.NO_IDENTITY)
    assert upkeep.troubles == ()


async def test_keys_that_are_claimed(people: Callable[[str], Person], machine: Machine) -> None:
    """All of them and the fallback key; the next sync tells it, and there are new ones.

    A session that is begun anew reaches a device over its fallback key.
    """
    recorder, reader = people("recorder"), people("reader")
    client = OlmClient(reader.user_id, reader.device_id)
    body: JsonObject = {
        "device_keys": client.device_keys(),
        "fallback_keys": client.fallback_keys(),
    }
    await reader.ask("POST", "keys", "upload", body=body)
    clock = FakeClock()
    upkeep = Upkeep(http=recorder.http, machine=machine, clock=clock)
    assert await upkeep.publish_device()
    wanted: JsonObject = {recorder.user_id: {recorder.device_id: "signed_curve25519"}}
    for _ in range(51):
        claimed = await reader.ask("POST", "keys", "claim", body={"one_time_keys": wanted})
        assert table(table(claimed, "one_time_keys"), recorder.user_id)
    counts = told(await recorder.sync())
    assert counts == KeyCounts(one_time=0, fallback_unused=False)
    upkeep.after_sync(counts, [], [])
    wedged = Wedged(user_id=reader.user_id, curve25519=client.device.curve25519)
    upkeep.wedged([wedged])
    clock.advance(60)
    await upkeep.work()
    assert told(await recorder.sync()).one_time == 50
    [dummy] = tables(table(await reader.sync(), "to_device"), "events")
    assert client.receive(dummy)["type"] == "m.dummy"
