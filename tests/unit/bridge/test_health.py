"""What is wrong now, in a file and on a port, without anything that was written."""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from bridge.demo.ports import free_ports
from bridge.health import METRICS_TYPE, STUCK_SECONDS, Alarm, HealthMonitor
from bridge.health_file import FILE, STALE, Health, read_health
from bridge.protocols import Voucher
from bridge.rounds import Turns
from tests.fakes.clock import START, FakeClock
from tests.unit.bridge.house import stopped, until

HOST = "127.0.0.1"


class _Alarms:
    """What the parts say."""

    def __init__(self, *alarms: Alarm | str) -> None:
        self.now = alarms
        self.told: list[str] = []

    async def ask(self) -> tuple[Alarm, ...]:
        return tuple(
            Alarm(part="store", trouble="not storing", sentence=each)
            if isinstance(each, str)
            else each
            for each in self.now
        )


def _monitor(folder: Path, alarms: _Alarms) -> tuple[HealthMonitor, FakeClock]:
    clock = FakeClock()
    monitor = HealthMonitor(
        file=folder / FILE, clock=clock, alarms=alarms.ask, tell=alarms.told.append
    )
    return monitor, clock


async def _read(folder: Path, clock: FakeClock) -> Health | None:
    def read() -> Health | None:
        return read_health(folder / FILE, now=clock.now())

    return await asyncio.to_thread(read)


async def _text(port: int, path: str) -> tuple[int, str, bytes]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{HOST}:{port}{path}") as response,
    ):
        return response.status, response.headers["Content-Type"], await response.read()


async def _get(port: int, path: str) -> tuple[int, dict[str, object]]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{HOST}:{port}{path}") as response,
    ):
        body: dict[str, object] = await response.json()
        return response.status, body


async def test_the_file_says_what_is_wrong(tmp_path: Path) -> None:
    """The file follows the alarms, names the process, and is the owner's alone."""
    alarms = _Alarms()
    monitor, clock = _monitor(tmp_path, alarms)
    running = asyncio.create_task(monitor.run())
    await until(lambda: len(clock.slept) == 1)
    good = await _read(tmp_path, clock)
    assert good is not None
    assert (good.pid, good.alarms) == (os.getpid(), ())
    assert good.at.startswith("2026-03-01T09:00:0")
    alarms.now = ("matrix: no answer",)
    rounds = len(clock.slept)
    await until(lambda: len(clock.slept) >= rounds + 2)
    await stopped(running)
    bad = await _read(tmp_path, clock)
    assert bad is not None
    assert bad.alarms == monitor.alarms == ("matrix: no answer",)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert alarms.told == ["matrix: no answer"]


async def test_who_vouches_for_the_log_stands_in_the_file(tmp_path: Path) -> None:
    """Each with the time of its newest proof, if there is one, and what is in the way."""
    vouchers = (
        Voucher(kind="witness", name="witness.example.org/w1", at=START),
        Voucher(kind="timestamp", name="tsa.example.org", trouble="It does not answer."),
    )
    clock = FakeClock()
    monitor = HealthMonitor(
        file=tmp_path / FILE,
        clock=clock,
        alarms=_Alarms().ask,
        tell=lambda _: None,
        anchors=lambda: vouchers,
    )
    running = asyncio.create_task(monitor.run())
    await until((tmp_path / FILE).exists)
    await stopped(running)
    health = await _read(tmp_path, clock)
    assert health is not None
    assert health.anchors == vouchers


async def test_an_alarm_is_told_once_each_time_it_comes(tmp_path: Path) -> None:
    """The terminal gets one line for each alarm, and another when it comes back."""
    alarms = _Alarms("one", "two")
    monitor, clock = _monitor(tmp_path, alarms)
    running = asyncio.create_task(monitor.run())
    for now in (("one",), ("one", "two"), ()):
        rounds = len(clock.slept)
        await until(lambda rounds=rounds: len(clock.slept) >= rounds + 2)  # type: ignore[misc]
        alarms.now = now
    await stopped(running)
    assert alarms.told == ["one", "two", "two"]


def test_the_last_word_of_a_process_that_was_killed_does_not_count(tmp_path: Path) -> None:
    """Health that nobody renews is none after a few rounds."""
    file = tmp_path / FILE
    file.write_bytes(f'{{"pid":1,"at":"{START.isoformat()}"}}'.encode())
    fresh = START + STALE - timedelta(seconds=1)
    assert read_health(file, now=fresh) == Health(pid=1, at=START.isoformat())
    assert read_health(file, now=START + STALE) is None


async def test_a_stop_leaves_no_health_behind(tmp_path: Path) -> None:
    """Nobody runs any more, and the file does not say otherwise; twice is no mistake."""
    monitor, clock = _monitor(tmp_path, _Alarms())
    running = asyncio.create_task(monitor.run())
    await until(lambda: len(clock.slept) == 1)
    await stopped(running)
    await monitor.aclose()
    await monitor.aclose()
    assert await _read(tmp_path, clock) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"pid":"x"}',
        b"\xff",
        b'{"pid":1,"at":"yesterday"}',
        b'{"pid":1,"at":"2026-03-01T09:00:00"}',
    ],
)
def test_a_file_that_is_no_health_is_none(tmp_path: Path, data: bytes) -> None:
    """A damaged file is read as if nobody ran."""
    file = tmp_path / FILE
    file.write_bytes(data)
    assert read_health(file, now=START) is None


async def test_the_port_answers(tmp_path: Path) -> None:
    """Alive always, ready only without alarms, and nothing else is served."""
    alarms = _Alarms()
    monitor, clock = _monitor(tmp_path, alarms)
    (port,) = free_ports(1)
    assert await monitor.serve(HOST, port) is None
    assert await _get(port, "/healthz") == (200, {"alive": True})
    assert await _get(port, "/readyz") == (200, {"ready": True, "alarms": []})
    alarms.now = ("a bare sentence about @someone:example.org",)
    running = asyncio.create_task(monitor.run())
    await until(lambda: len(clock.slept) == 1)
    assert await _get(port, "/readyz") == (503, {"ready": False, "alarms": ["store: not storing"]})
    assert (await _get(port, "/healthz"))[0] == 200
    await stopped(running)
    await monitor.aclose()


async def test_the_port_names_the_part_and_its_kind_of_trouble_only(tmp_path: Path) -> None:
    """Who may ask the port need not know which server and account; the file's owner does."""
    sentence = "office: https://matrix.example.org refuses @recorder:example.org."
    office = Alarm(part="office", trouble="not receiving", sentence=sentence)
    again = Alarm(part="office", trouble="not receiving", sentence="office: something else.")
    alarms = _Alarms(office, again, Alarm(part="store", trouble="not storing", sentence="full"))
    monitor, clock = _monitor(tmp_path, alarms)
    (port,) = free_ports(1)
    assert await monitor.serve(HOST, port) is None
    running = asyncio.create_task(monitor.run())
    await until(lambda: len(clock.slept) == 1)
    shown = ["office: not receiving", "store: not storing"]
    assert await _get(port, "/readyz") == (503, {"ready": False, "alarms": shown})
    told = await _read(tmp_path, clock)
    assert told is not None
    assert told.alarms == tuple(alarms.told) == (sentence, "office: something else.", "full")
    await stopped(running)
    await monitor.aclose()


async def test_a_busy_port_is_an_alarm_and_no_end(tmp_path: Path) -> None:
    """The problem is given back in words with the setting's name."""
    monitor, _ = _monitor(tmp_path, _Alarms())
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        problem = await monitor.serve(HOST, port)
    assert problem is not None
    assert f"[service] metrics {HOST}:{port}" in problem
    await monitor.aclose()


async def test_a_loop_that_stands_still_is_told_to_whoever_restarts(tmp_path: Path) -> None:
    """Only once it is overdue for long; alarms, and loops that never began, are no reason."""
    clock = FakeClock()
    triage, writer = Turns(clock), Turns(clock)
    monitor = HealthMonitor(
        file=tmp_path / FILE,
        clock=clock,
        alarms=_Alarms("the store is away").ask,
        tell=lambda _: None,
        turns=lambda: {"triage": triage, "writer": writer},
    )
    (port,) = free_ports(1)
    assert await monitor.serve(HOST, port) is None
    triage.next_within(60)
    clock.advance(60 + STUCK_SECONDS)
    assert await _get(port, "/healthz") == (200, {"alive": True})
    clock.advance(1)
    assert await _get(port, "/healthz") == (503, {"alive": False, "stuck": ["triage"]})
    triage.next_within(60)
    assert await _get(port, "/healthz") == (200, {"alive": True})
    await monitor.aclose()


async def test_the_one_who_looks_may_stand_still_too(tmp_path: Path) -> None:
    """A round of its own that never ends is told like any other loop's."""
    clock = FakeClock()
    asked = asyncio.Event()

    async def never() -> tuple[Alarm, ...]:
        asked.set()
        await asyncio.Event().wait()
        return ()

    monitor = HealthMonitor(file=tmp_path / FILE, clock=clock, alarms=never, tell=lambda _: None)
    (port,) = free_ports(1)
    assert await monitor.serve(HOST, port) is None
    running = asyncio.create_task(monitor.run())
    await asked.wait()
    clock.advance(2 + STUCK_SECONDS)
    assert await _get(port, "/healthz") == (503, {"alive": False, "stuck": ["health"]})
    await stopped(running)
    await monitor.aclose()


async def test_the_page_for_prometheus_is_served_as_it_is(tmp_path: Path) -> None:
    """Its bytes, with the type that Prometheus asks for; without one there is no such page."""

    async def page() -> bytes:
        return b"muniment_late_total 0.0\n"

    for metrics, expected in ((page, 200), (None, 404)):
        monitor = HealthMonitor(
            file=tmp_path / FILE,
            clock=FakeClock(),
            alarms=_Alarms().ask,
            tell=lambda _: None,
            metrics=metrics,
        )
        (port,) = free_ports(1)
        assert await monitor.serve(HOST, port) is None
        status, kind, body = await _text(port, "/metrics")
        assert status == expected
        if metrics is not None:
            assert (kind, body) == (METRICS_TYPE, b"muniment_late_total 0.0\n")
        await monitor.aclose()
