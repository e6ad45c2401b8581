"""What ``doctor`` says of a Matrix account's devices, by the homeserver's word."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from bridge.app import examine, new_folder, open_journal, read_settings
from bridge.app.backed_up import note_backup
from bridge.app.examination import WITHHELD, Finding
from bridge.app.platforms import connectors_of
from bridge.clock import SystemClock
from bridge.health_file import FILE, Health
from bridge.model import GroupState
from bridge.protocols import Connector
from config.settings import Settings, parse
from connectors.matrix.crypto.upkeep import Upkeep
from tests.fakes import samples
from tests.fakes.homeserver import PASSWORD, RECORDER, FakeHomeserver
from tests.patience import PATIENCE
from tests.unit.connectors.matrix.crypto.olm import OlmAccount

TABLE = """
[[matrix]]
name = "town"
homeserver = "{}"
user_id = "{}"
"""


@pytest.fixture
async def server() -> AsyncIterator[FakeHomeserver]:
    """The account's homeserver."""
    async with FakeHomeserver() as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path, server: FakeHomeserver) -> Settings:
    """A folder as ``init`` makes it, with an account that has a password."""
    return _settings(tmp_path / "m", server, "password_file", PASSWORD)


def _settings(folder: Path, server: FakeHomeserver, name: str, secret: str) -> Settings:
    new_folder(folder, tenant="demo", log_origin="example.org", random_bytes=samples.seeded())
    with (folder / "muniment.toml").open("a") as file:
        file.write(TABLE.format(server.url, RECORDER) + f'{name} = "recorder.secret"\n')
    (folder / "recorder.secret").touch(mode=0o600)
    (folder / "recorder.secret").write_text(secret)
    return read_settings(folder / "muniment.toml")


async def _found(settings: Settings) -> dict[str, Finding]:
    return {each.check: each for each in await examine(settings)}


async def test_missing_back_ups_are_a_warning(settings: Settings) -> None:
    """And no fault: a department may have means of its own."""
    found = (await _found(settings))["back-up"]
    assert (found.passed, found.warned) == (None, True)
    assert "[backup] recipient" in found.fact
    assert "muniment backup" in found.remedy


async def test_a_back_up_of_today_is_in_order(settings: Settings) -> None:
    """By the note that `backup` leaves."""
    now = SystemClock().now()
    await asyncio.to_thread(settings.service.data_dir.mkdir, mode=0o700)
    await asyncio.to_thread(note_backup, settings.service.data_dir, now)
    config = settings.service.data_dir.parent / "muniment.toml"
    text = (await asyncio.to_thread(config.read_text)).replace("#recipient =", "recipient =")
    given = await asyncio.to_thread(parse, text, config, {})
    assert (await _found(given))["back-up"].passed


async def _run_once(settings: Settings) -> Connector:
    """Start the recorder's connector until its device is signed; gives it."""
    await asyncio.to_thread(settings.service.data_dir.mkdir, mode=0o700)
    (connector,) = (
        await asyncio.to_thread(connectors_of, settings, SystemClock(), say=lambda _: None)
    ).values()
    await connector.start()
    async with asyncio.timeout(PATIENCE):
        while connector.decrypter is not None and not connector.decrypter.ready:  # noqa: ASYNC110 - no event is set by it
            await asyncio.sleep(0.01)
    return connector


def _health(settings: Settings, *alarms: str, age: timedelta = timedelta()) -> None:
    at = (SystemClock().now() - age).isoformat()
    settings.service.data_dir.mkdir(mode=0o700, exist_ok=True)
    data = msgspec.json.encode(Health(pid=1, at=at, alarms=alarms))
    (settings.service.data_dir / FILE).write_bytes(data)


async def test_before_the_first_start(settings: Settings) -> None:
    """The device is there and has no keys yet: that is no fault, and the remedy is to start."""
    found = await _found(settings)
    assert found["town"].passed
    device = found["town: device"]
    assert (device.passed, "has not published its keys" in device.fact) == (None, True)
    assert "muniment run" in device.remedy
    assert found["town: other devices"].passed
    assert found["keys withheld"].passed is None
    assert not list(settings.service.data_dir.glob("*.crypto.db"))


async def test_beside_a_running_recorder(settings: Settings, server: FakeHomeserver) -> None:
    """The device is signed; nothing of the other process's store is touched."""
    connector = await _run_once(settings)
    (store,) = settings.service.data_dir.glob("*.crypto.db")
    before = await asyncio.to_thread(store.stat)
    device = (await _found(settings))["town: device"]
    assert device.passed
    assert device.fact.endswith("is signed by the account's identity")
    assert await asyncio.to_thread(store.stat) == before
    for document in server.keys.devices.values():
        own = f"ed25519:{document['device_id']}"
        signatures = msgspec.convert(document["signatures"], dict[str, dict[str, str]])
        document["signatures"] = {RECORDER: {own: signatures[RECORDER][own]}}
    unsigned = (await _found(settings))["town: device"]
    assert (unsigned.passed, "is not signed" in unsigned.fact) == (False, True)
    assert "muniment status" in unsigned.remedy
    server.keys.identity.clear()
    nobody = (await _found(settings))["town: device"]
    assert (nobody.passed, "no identity" in nobody.fact) == (False, True)
    for document in server.keys.devices.values():
        document["keys"] = {}
    broken = (await _found(settings))["town: device"]
    assert (broken.passed, "did not sign itself" in broken.fact) == (False, True)
    await connector.aclose()


async def test_another_device_of_the_account(settings: Settings, server: FakeHomeserver) -> None:
    """Whoever has it reads along: it is named."""
    phone = json.dumps(OlmAccount(RECORDER, "PHONE").device_keys())
    server.keys.devices["PHONE"] = json.loads(phone)
    others = (await _found(settings))["town: other devices"]
    assert (others.passed, others.fact) == (False, "PHONE")
    assert "sign them out" in others.remedy


async def test_a_token_whose_device_is_not_told(tmp_path: Path, server: FakeHomeserver) -> None:
    """The finding says that it cannot be told, and how it could be."""
    settings = await asyncio.to_thread(
        _settings, tmp_path / "m", server, "access_token_file", server.issue("")
    )
    device = (await _found(settings))["town: device"]
    assert device.passed is None
    assert "password" in device.remedy


async def test_keys_that_senders_withhold(settings: Settings) -> None:
    """A running recorder says so in its alarms; one that was killed says nothing."""
    alarm = f"Senders {WITHHELD} from us within the last seven days (m.unverified 3)."
    await asyncio.to_thread(_health, settings, "The store is full.", alarm)
    found = (await _found(settings))["keys withheld"]
    assert (found.passed, found.fact) == (False, alarm)
    await asyncio.to_thread(_health, settings, "The store is full.")
    assert (await _found(settings))["keys withheld"].passed
    await asyncio.to_thread(_health, settings, alarm, age=timedelta(minutes=1))
    assert (await _found(settings))["keys withheld"].passed is None


def test_the_alarm_is_found_by_its_words() -> None:
    """The connector's sentence has the words that are looked for."""
    assert any(
        isinstance(each, str) and WITHHELD in each
        for each in Upkeep._troubles.__code__.co_consts  # white-box: its words tie the two
    )


async def test_a_group_that_is_not_heard_fails_the_examination(settings: Settings) -> None:
    """What the register says of a group that cannot be read, doctor says too."""
    journal = await open_journal(settings, SystemClock())
    note = "cannot be read: privacy mode is on"
    group = samples.group(state=GroupState.NOT_RECORDING, note=note)
    await journal.set_group(group, expect=None)
    await journal.aclose()
    found = await _found(settings)
    (unheard,) = (each for check, each in found.items() if check.startswith("group "))
    assert (unheard.passed, note in unheard.fact) == (False, True)
