"""What every witness promises, on the fake and on the client against the program's own witness."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.errors import AnchorRejectedError
from bridge.protocols import Witness
from storage.translog.cosignature import witnessed_at
from storage.translog.note import Note
from storage.translog.post import Outside
from storage.translog.witness_client import HttpWitness
from tests.fakes.anchors import WITNESS, FakeWitness
from tests.fakes.clock import START, FakeClock
from tests.fakes.heads import SampleLog, signer_for
from tests.servers.witness import witness_server


@pytest.fixture
def clock() -> FakeClock:
    """Both sides have the same."""
    return FakeClock()


@pytest.fixture
def sample() -> SampleLog:
    """The log to be witnessed."""
    return SampleLog()


@pytest.fixture(params=["fake", "http"])
async def witness(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock, sample: SampleLog
) -> AsyncIterator[Witness]:
    """A witness that has signed nothing."""
    if request.param == "fake":
        yield FakeWitness(clock)
        return
    async with witness_server(tmp_path / "witness.db", clock, sample.verifier) as server:
        client = HttpWitness(
            Outside(url=server.url + "/"),
            verifier=server.verifier,
            consistency=sample.consistency,
            clock=clock,
        )
        yield client
        await client.aclose()


async def test_it_bears_the_name_of_its_key(witness: Witness) -> None:
    """By that name operators speak of it."""
    assert witness.name == WITNESS


@pytest.mark.parametrize("size", [0, 1, 7, 300])
async def test_its_line_belongs_under_the_note(
    witness: Witness, sample: SampleLog, size: int
) -> None:
    """Note and line together are a note that the witness's key verifies, dated as it says."""
    head = sample.head(size)
    cosignature = await witness.cosign(head)
    note = Note.parse(head.note + cosignature.line)
    assert note.encode() == head.note + cosignature.line
    assert [one.name for one in note.signatures] == [sample.verifier.name, WITNESS]
    assert cosignature.at == START
    assert witness.cosigned(note.encode())
    assert not witness.cosigned(head.note)


async def test_it_follows_the_log(witness: Witness, sample: SampleLog, clock: FakeClock) -> None:
    """Head after head, each later than the last; one of the same size again is fine."""
    times = []
    for size in (1, 2, 2, 255, 256, 257, 700):
        times.append((await witness.cosign(sample.head(size))).at)
        clock.advance(1)
    assert times == sorted(times)
    assert len(set(times)) == len(times)


async def test_a_smaller_head_is_refused(witness: Witness, sample: SampleLog) -> None:
    """A log that was put back does not get a signature."""
    await witness.cosign(sample.head(20))
    with pytest.raises(AnchorRejectedError):
        await witness.cosign(sample.head(19))
    assert (await witness.cosign(sample.head(21))).line


async def test_another_root_of_the_same_size_is_refused(
    witness: Witness, sample: SampleLog
) -> None:
    """Two histories of one log: only the first is signed."""
    await witness.cosign(sample.head(20))
    with pytest.raises(AnchorRejectedError):
        await witness.cosign(SampleLog(seed=2).head(20))


async def test_a_foreign_line_is_not_its_own(witness: Witness, sample: SampleLog) -> None:
    """Lines of others, damaged ones and no note at all say nothing of this witness."""
    head = sample.head(3)
    other = await FakeWitness(FakeClock(), name="witness.example.org/w2").cosign(head)
    mine = await witness.cosign(head)
    assert not witness.cosigned(head.note + other.line)
    assert witness.cosigned(head.note + other.line + mine.line)
    assert not witness.cosigned(sample.head(4).note + mine.line)
    assert not witness.cosigned(b"")
    stranger = signer_for("x").verifier
    assert Note.parse(head.note).of(stranger) == ()


async def test_what_the_fake_signs_verifies(clock: FakeClock, sample: SampleLog) -> None:
    """The fake's key is a real one."""
    fake, head = FakeWitness(clock), sample.head(5)
    line = (await fake.cosign(head)).line
    at = witnessed_at(Note.parse(head.note + line), fake.signer.verifier)
    assert at == int(START.timestamp())
