from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.audits import Audits
from bridge.model import Digest, NoticeState, Outcome
from bridge.protocols.probe import Enforcement, StoreVerdict
from tests.fakes import samples
from tests.unit.bridge.house import Document, House, stopped, until

VERDICT = StoreVerdict(
    store="s3://bucket",
    lock_mode="governance",
    retention=Enforcement.ENFORCED,
    at=samples.NOW,
    by="doctor",
)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A recorder with one group."""
    made = House(tmp_path)
    await made.open()
    await made.admit()
    yield made
    await made.close()


def _audits(house: House, verdict: StoreVerdict | None = None) -> Audits:
    return Audits(
        journal=house.journal,
        clock=house.clock,
        random_bytes=house.random,
        head=lambda: house.publisher.head,
        probed=lambda: verdict,
    )


async def _publish(house: House, *names: str) -> None:
    await house.hear(*(samples.event(name) for name in names))
    await house.settle()
    await house.publisher.round()


def _audits_of(house: House) -> list[Document]:
    return [act for act in house.documents("acts") if act["kind"] == "audit"]


async def test_an_audit_says_how_far_the_log_is(house: House) -> None:
    """It has the day, the published size and root, the counts of each stream, and the store."""
    house.says("$2", Outcome.DISCARD)
    await _publish(house, "$1", "$2")
    head = house.publisher.head
    assert head is not None
    await _audits(house, VERDICT).round()
    await house.settle()
    (act,) = _audits_of(house)
    (entry, *_) = await house.entries()
    assert act["log"] == {"size": head.size, "root": base64.b64encode(head.root).decode()}
    assert act["streams"] == [{"s": entry.stream.id, "n": 1, "seen": 2}]
    assert (act["day"], act["by"]) == ("2026-03-01", "bridge")
    assert act["store"] == {
        "lock_mode": "governance",
        "retention": "enforced",
        "at": "2026-03-01T09:00:00.000Z",
    }
    assert len(str(act["salt"])) == 43


async def test_an_audit_has_one_leaf(house: House) -> None:
    """Its leaf names the key it stands under and its bytes."""
    await _publish(house, "$1")
    await _audits(house).round()
    await house.settle()
    (leaf,) = await house.leaves("audit")
    (key,) = [key for key, data in house.objects("acts").items() if b'"kind":"audit"' in data]
    assert leaf["p"] == Digest.of(f"v1/demo/{key}".encode()).hex
    assert leaf["o"] == Digest.of(house.objects("acts")[key]).hex


async def test_one_audit_a_day(house: House) -> None:
    """Whoever asks again, and whatever process it is, a day has one audit, and the next its own."""
    await _publish(house, "$1")
    audits = _audits(house)
    await audits.round()
    await audits.round()
    await house.restart()
    await house.publisher.begin()
    await _audits(house).round()
    await house.settle()
    assert len(_audits_of(house)) == 1
    house.later(days=1)
    await _publish(house, "$2")
    await _audits(house).round()
    await house.settle()
    first, second = _audits_of(house)
    assert (first["day"], second["day"]) == ("2026-03-01", "2026-03-02")
    assert second["streams"] == [
        {**each, "n": 1, "seen": 2}
        for each in first["streams"]  # type: ignore[attr-defined]
    ]


async def test_nothing_is_audited_before_it_is_published(house: House) -> None:
    """Without a checkpoint there is nothing to be counted."""
    await house.hear(samples.event("$1"))
    await house.settle()
    await _audits(house).round()
    await house.settle()
    assert _audits_of(house) == []


async def test_an_audit_waits_for_no_group(tmp_path: Path) -> None:
    """It holds nothing that was said: a group that was not told yet does not hold it up."""
    house = House(tmp_path)
    await house.open()
    await house.admit(samples.group(notice=NoticeState.DUE))
    await house.hear(samples.event("$1"))
    await house.settle()
    await house.publisher.round()
    await _audits(house).round()
    await house.settle()
    assert [act["kind"] for act in house.documents("acts")] == ["audit"]
    await house.close()


async def test_a_journal_that_fails_is_asked_again(house: House) -> None:
    """What stands in the way is told, and the next round does it."""
    await _publish(house, "$1")
    audits = _audits(house)
    journal, house.journal = house.journal, house.journal
    await journal.aclose()
    failing = house.start(audits.run)
    await until(lambda: "closed" in audits.health)
    await stopped(failing)
    await house.open()
    await house.publisher.begin()
    audits = _audits(house)
    house.clock.slept.clear()
    running = house.start(audits.run)
    await until(lambda: bool(house.clock.slept))
    await stopped(running)
    assert not audits.health
    await house.settle()
    assert len(_audits_of(house)) == 1
