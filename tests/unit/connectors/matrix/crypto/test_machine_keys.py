import shutil
from datetime import timedelta
from pathlib import Path

from bridge.rawjson.fields import table
from connectors.matrix.crypto.cross_signing import Published
from connectors.matrix.crypto.values import KeyCounts
from tests.fakes.clock import FakeClock
from tests.unit.connectors.matrix.crypto.olm import verifies
from tests.unit.connectors.matrix.crypto.peer import (
    OWN,
    OWN_DEVICE,
    KeyServer,
    Peer,
    numbered,
    opened,
    said,
)


async def test_200_new_devices_in_a_row_are_heard(tmp_path: Path) -> None:
    """With keys replenished between, each of 200 devices that never wrote before is heard."""
    machine, server = await opened(tmp_path / "a.db"), KeyServer()
    for number in range(200):
        if number % 30 == 0:
            await server.filled(machine)
        peer = Peer(f"@p{number}:example.org", f"D{number}")
        peer.begin(machine.device, server.claim())
        report = await machine.take(numbered(peer.room_key(machine.device), after=number))
        assert report.counts == {"room_key": 1}
        [answer] = await machine.decrypt([peer.say("hello")])
        assert said(answer.clear) == "hello"
    await machine.aclose()


async def test_when_one_time_keys_are_used_up_the_fallback_key_is_left(tmp_path: Path) -> None:
    """200 new devices claim while nothing is uploaded: 50 one-time keys, then the fallback."""
    machine, server = await opened(tmp_path / "a.db"), KeyServer()
    await server.filled(machine)
    peers = [Peer(f"@p{number}:example.org", f"D{number}") for number in range(200)]
    for peer in peers:
        peer.begin(machine.device, server.claim())
    assert not server.one_time
    report = await machine.take(numbered(*(peer.room_key(machine.device) for peer in peers)))
    assert report.counts == {"room_key": 200}
    answers = await machine.decrypt([peer.say("hello") for peer in peers])
    assert [said(answer.clear) for answer in answers] == ["hello"] * 200
    await machine.aclose()


async def test_keys_are_topped_up_below_half_and_at_zero(tmp_path: Path) -> None:
    """Nothing is due while half of the keys are left; below it the server is given 50 again."""
    machine, server = await opened(tmp_path / "a.db"), KeyServer()
    await server.filled(machine)
    assert len(server.one_time) == 50
    for _ in range(25):
        server.claim()
    assert await server.filled(machine) is None
    server.claim()
    assert await server.filled(machine) is not None
    assert len(server.one_time) == 50
    server.one_time.clear()
    await server.filled(machine)
    assert len(server.one_time) == 50
    await machine.aclose()


async def test_all_that_is_uploaded_is_signed_by_the_device(tmp_path: Path) -> None:
    """The device and each key bear the device's signature, and the device is its own."""
    machine = await opened(tmp_path / "a.db")
    body = await machine.upload(None, with_device=True)
    assert body is not None
    published = Published.read({"device_keys": {OWN: {OWN_DEVICE: body["device_keys"]}}}, OWN)
    assert published.is_device(machine.device)
    keys = [*table(body, "one_time_keys").values(), *table(body, "fallback_keys").values()]
    assert len(keys) == 51
    for key in keys:
        assert isinstance(key, dict)
        signature = key["signatures"][OWN][f"ed25519:{OWN_DEVICE}"]
        assert verifies(key, public=machine.device.ed25519, signature=signature)
    [fallback] = table(body, "fallback_keys").values()
    assert isinstance(fallback, dict)
    assert fallback["fallback"] is True
    await machine.aclose()


async def test_keys_not_known_to_be_uploaded_are_given_again(tmp_path: Path) -> None:
    """Killed before the server answered, the recorder gives the same keys, and knows them."""
    machine = await opened(tmp_path / "a.db")
    body = await machine.upload(None, with_device=False)
    assert body is not None
    shutil.copytree(tmp_path, tmp_path.with_name("killed"))
    await machine.aclose()
    machine = await opened(tmp_path.with_name("killed") / "a.db")
    again = await machine.upload(KeyCounts(one_time=0, fallback_unused=False), with_device=False)
    assert again == body
    server = KeyServer()
    server.take(body)
    await machine.uploaded()
    assert await machine.upload(None, with_device=False) is None
    assert await machine.upload(server.counts(), with_device=False) is None
    peer = Peer()
    peer.begin(machine.device, server.claim())
    report = await machine.take(numbered(peer.room_key(machine.device)))
    assert report.counts == {"room_key": 1}
    await machine.aclose()


async def test_a_late_count_does_not_push_out_the_fallback_key_in_use(tmp_path: Path) -> None:
    """A new fallback key is made at most once an hour; the one before it still opens messages."""
    clock = FakeClock()
    machine, server = await opened(tmp_path / "a.db", clock=clock), KeyServer()
    await server.filled(machine)
    server.one_time.clear()
    first = Peer()
    first.begin(machine.device, server.claim())
    stale = KeyCounts(one_time=50, fallback_unused=False)
    for _ in range(3):
        assert await machine.upload(stale, with_device=False) is None
    clock.advance(timedelta(hours=1).total_seconds())
    body = await server.filled(machine)
    assert body is not None
    assert "fallback_keys" in body
    assert await machine.upload(stale, with_device=False) is None
    report = await machine.take(numbered(first.room_key(machine.device)))
    assert report.counts == {"room_key": 1}
    await machine.aclose()


async def test_the_device_stays_the_same(tmp_path: Path) -> None:
    """Opened again, the store has the same device, whose signatures are valid."""
    machine = await opened(tmp_path / "a.db")
    device = machine.device
    await machine.aclose()
    machine = await opened(tmp_path / "a.db")
    assert machine.device == device
    document: dict[str, object] = {"a": 1}
    signature = await machine.sign(b'{"a":1}')
    assert verifies(document, public=device.ed25519, signature=signature)
    await machine.aclose()
