"""What the minimal witness signs, what it refuses, and what it never forgets."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from bridge.errors import ConfigError
from bridge.notekeys import Algorithm, NoteVerifier
from storage.translog.checkpoint import Checkpoint, sign_checkpoint
from storage.translog.cosignature import cosigned_at
from storage.translog.malformed import NoteError
from storage.translog.note import Note, parse_signature_lines, sign
from storage.translog.witness_memory import WitnessMemory
from storage.translog.witness_rules import Remembered
from storage.translog.witness_server import Answer, MinimalWitness
from storage.translog.witness_wire import LARGEST_REQUEST, SIZE, AddCheckpoint
from tests.fakes.anchors import WITNESS
from tests.fakes.clock import START, FakeClock
from tests.fakes.heads import ORIGIN, SampleLog, signer_for
from tests.patience import PATIENCE
from tests.servers.witness import RunningWitness, by_origin, witness_server

SIGNER = signer_for(WITNESS, algorithm=Algorithm.COSIGNATURE)


@pytest.fixture
def sample() -> SampleLog:
    """A log that the witness knows."""
    return SampleLog()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An empty memory."""
    path = tmp_path / "witness.db"
    WitnessMemory.create(path, key=SIGNER.verifier.line)
    return path


@pytest.fixture
def witness(file: Path, sample: SampleLog) -> Iterator[MinimalWitness]:
    """A witness of the sample log alone."""
    memory = opened(file)
    yield witness_of(memory, sample)
    memory.close()


def opened(file: Path) -> WitnessMemory:
    """The memory, as after a start."""
    return WitnessMemory.open(file, key=SIGNER.verifier.line)


def witness_of(memory: WitnessMemory, *logs: SampleLog) -> MinimalWitness:
    """A witness of these logs."""
    known = by_origin([log.verifier for log in logs])
    return MinimalWitness(signer=SIGNER, logs=known, memory=memory)


def request(sample: SampleLog, old: int, new: int) -> AddCheckpoint:
    """What an honest client sends."""
    proof = sample.proof(old, new) if old <= new else ()
    return AddCheckpoint(old=old, proof=proof, note=sample.head(new).note)


def asked(witness: MinimalWitness, sample: SampleLog, old: int, new: int) -> Answer:
    """An honest request, answered."""
    body = (request(sample, old, new)).encode()
    return witness.add_checkpoint(body, START)


def signed(answer: Answer, note: bytes) -> bool:
    """Whether the answer is the witness's line over this note."""
    try:
        (line,) = parse_signature_lines(answer.body)
        return cosigned_at(Note.parse(note).text, line, SIGNER.verifier) == START.timestamp()
    except NoteError:
        return False


def test_a_log_is_followed(witness: MinimalWitness, sample: SampleLog) -> None:
    """From nothing on, each head with the proof from the last one; the same head again too."""
    last = 0
    for size in (0, 1, 1, 2, 255, 256, 257, 1000, 1000):
        answer = asked(witness, sample, last, size)
        assert answer.status == 200
        assert signed(answer, sample.head(size).note)
        last = size


@pytest.mark.parametrize("old", [0, 1, 4, 6, 7, 9])
def test_another_old_size_is_told_the_right_one(
    witness: MinimalWitness, sample: SampleLog, old: int
) -> None:
    """409, with the size alone, in its own type."""
    asked(witness, sample, 0, 5)
    answer = asked(witness, sample, old, 9)
    assert (answer.status, answer.content_type, answer.body) == (409, SIZE, b"5\n")


def test_a_smaller_head_is_never_signed(witness: MinimalWitness, sample: SampleLog) -> None:
    """Whatever old size the request gives."""
    asked(witness, sample, 0, 9)
    for old in (0, 4, 5):
        assert (asked(witness, sample, old, 5)).status == 409
    lie = replace(request(sample, 0, 5), old=9)
    assert witness.add_checkpoint(lie.encode(), START).status == 400
    assert (asked(witness, sample, 9, 10)).status == 200


def test_a_contradiction_is_kept_as_evidence(
    file: Path, witness: MinimalWitness, sample: SampleLog
) -> None:
    """The same size with another root, signed by the log: 409, and the note is worth keeping."""
    asked(witness, sample, 0, 5)
    other = SampleLog(seed=2)
    for _ in range(2):
        answer = asked(witness, other, 5, 5)
        assert (answer.status, answer.body) == (409, b"5\n")
    memory = opened(file)
    assert memory.contradictions(ORIGIN) == (other.head(5).note,)
    assert memory.last(ORIGIN).root == sample.head(5).root
    memory.close()


@pytest.mark.parametrize("shared", [0, 3])
def test_a_forked_history_is_refused(
    witness: MinimalWitness, sample: SampleLog, shared: int
) -> None:
    """A proof from other leaves does not lead from what was signed: 422, and nothing moves."""
    asked(witness, sample, 0, 5)
    other = SampleLog(seed=2, shared=shared)
    assert (asked(witness, other, 5, 9)).status == 422
    assert (asked(witness, sample, 5, 9)).status == 200


def test_proofs_are_checked(witness: MinimalWitness, sample: SampleLog) -> None:
    """Missing, too long, re-ordered or damaged: 422; from nothing there must be none."""
    asked(witness, sample, 0, 5)
    good = request(sample, 5, 300)
    bad = [
        good.proof[:-1],
        good.proof[1:],
        (*good.proof, good.proof[-1]),
        good.proof[::-1],
        (bytes(32), *good.proof[1:]),
        (),
    ]
    for proof in bad:
        answer = witness.add_checkpoint(replace(good, proof=proof).encode(), START)
        assert answer.status == 422
    assert witness.add_checkpoint(good.encode(), START).status == 200


def test_from_nothing_there_is_no_proof(witness: MinimalWitness, sample: SampleLog) -> None:
    """The first head is taken on trust, so anything that looks like a proof is a mistake."""
    first = replace(request(sample, 0, 5), proof=(bytes(32),))
    assert witness.add_checkpoint(first.encode(), START).status == 422


def test_who_asks_is_known(witness: MinimalWitness, sample: SampleLog) -> None:
    """An unknown log: 404. A known one with another key, or a damaged signature: 403."""
    unknown = SampleLog(origin="elsewhere.example.org/log")
    assert (asked(witness, unknown, 0, 5)).status == 404
    thief = signer_for(ORIGIN, seed=2)
    forged = sign_checkpoint(sample.checkpoint(5), thief)
    body = AddCheckpoint(old=0, proof=(), note=forged)
    assert witness.add_checkpoint(body.encode(), START).status == 403
    # The thief's line beside the log's own is one of an unknown key, which is not looked at.
    both = sample.head(5).note + forged.rpartition(b"\n\n")[2]
    body = AddCheckpoint(old=0, proof=(), note=both)
    assert witness.add_checkpoint(body.encode(), START).status == 200


def test_a_log_may_have_two_keys(file: Path, sample: SampleLog) -> None:
    """While a log changes its key, the witness knows the old and the new one."""
    memory = opened(file)
    new = SampleLog()
    new.signer = signer_for(ORIGIN, seed=2)
    witness = witness_of(memory, sample, new)
    assert (asked(witness, sample, 0, 5)).status == 200
    assert (asked(witness, new, 5, 9)).status == 200
    memory.close()


def test_what_is_no_checkpoint_is_refused(witness: MinimalWitness, sample: SampleLog) -> None:
    """Signed by the log, and yet no tree head of three lines: 400."""
    for text in (
        f"{ORIGIN}\n",
        f"{ORIGIN}\n05\nAAAA\n",
        f"{ORIGIN}\n5\nAAAA\n",
        sample.checkpoint(5).text.decode() + "an extension\n",
    ):
        note = sign(text.encode(), sample.signer)
        body = AddCheckpoint(old=0, proof=(), note=note).encode()
        assert witness.add_checkpoint(body, START).status == 400
    empty = Checkpoint(origin=ORIGIN, size=0, root=bytes(32))
    body = AddCheckpoint(old=0, proof=(), note=sign(empty.text, sample.signer)).encode()
    assert witness.add_checkpoint(body, START).status == 400


@pytest.mark.parametrize(
    "body", [b"", b"\n", b"old 0\n\n", b"old 0\n\n\n\n", b"\xff" * 100, b"GET / HTTP/1.1\r\n\r\n"]
)
def test_garbage_is_refused(witness: MinimalWitness, body: bytes) -> None:
    """400, whatever it is."""
    assert witness.add_checkpoint(body, START).status == 400


def test_it_remembers_before_it_signs(file: Path, sample: SampleLog) -> None:
    """A key that cannot sign any more leaves the head remembered; asked again it is signed."""
    memory = opened(file)
    known = by_origin([sample.verifier])
    broken = MinimalWitness(signer=BrokenSigner(), logs=known, memory=memory)
    with pytest.raises(RuntimeError, match="no signing today"):
        asked(broken, sample, 0, 5)
    assert memory.last(ORIGIN) == Remembered(size=5, root=sample.head(5).root)
    memory.close()
    memory = opened(file)
    again = witness_of(memory, sample)
    assert (asked(again, sample, 0, 9)).body == b"5\n"
    assert signed(asked(again, sample, 5, 9), sample.head(9).note)
    memory.close()


class BrokenSigner:
    """A key that is gone by the time it is needed."""

    @property
    def verifier(self) -> NoteVerifier:
        """Whose it was."""
        return SIGNER.verifier

    def sign(self, message: bytes) -> bytes:
        """Gone."""
        raise RuntimeError("no signing today")


def test_whatever_is_asked_one_history_is_signed(file: Path, sample: SampleLog) -> None:
    """Honest, forked, old and damaged requests at random, with restarts: sizes never go back."""
    seeded = random.Random(7)
    logs = (sample, SampleLog(seed=2), SampleLog(seed=3, shared=20))
    memory, history, last, signed_count = opened(file), None, 0, 0
    for _ in range(400):
        log = seeded.choice(logs)
        old = seeded.choice((last, seeded.randrange(40)))
        new = max(old, last + seeded.randrange(-2, 4))
        body = bytearray(request(log, old, max(new, 0)).encode())
        if seeded.random() < 0.3:
            body[seeded.randrange(len(body))] ^= 1 << seeded.randrange(8)
        answer = witness_of(memory, sample).add_checkpoint(bytes(body), START)
        assert answer.status in {200, 400, 403, 404, 409, 422}
        if answer.status == 200:
            signed_count += 1
            assert new >= last
            last = new
            fits = {i for i, each in enumerate(logs) if each.head(new).root == log.head(new).root}
            history = fits if history is None else history & fits
            assert history
        if seeded.random() < 0.05:
            memory.close()
            memory = opened(file)
    assert signed_count > 20
    assert memory.last(ORIGIN).size == last
    memory.close()


def test_two_processes_never_sign_two_histories(file: Path, sample: SampleLog) -> None:
    """Two witnesses on one memory, asked at once for heads that contradict: one is signed."""
    other = SampleLog(seed=2)
    memories = [opened(file) for _ in range(2)]
    barrier = threading.Barrier(2)

    def ask(memory: WitnessMemory, body: bytes, log: SampleLog) -> int:
        witness = witness_of(memory, log)
        barrier.wait(PATIENCE)
        return witness.add_checkpoint(body, START).status

    pool = ThreadPoolExecutor(2)
    for size in range(1, 30):
        bodies = [(request(log, 0, size)).encode() for log in (sample, other)]
        answers = list(pool.map(ask, memories, bodies, (sample, other)))
        assert sorted(answers) == ([200, 409] if size == 1 else [409, 409])
    pool.shutdown()
    for memory in memories:
        memory.close()


def test_a_memory_belongs_to_its_key(file: Path, tmp_path: Path) -> None:
    """A lost, foreign or damaged one is refused: a witness that forgets signs two histories."""
    key = SIGNER.verifier.line
    with pytest.raises(ConfigError, match="does not exist"):
        WitnessMemory.open(tmp_path / "lost.db", key=key)
    other = signer_for("witness.example.org/w2", algorithm=Algorithm.COSIGNATURE)
    with pytest.raises(ConfigError, match="another key"):
        WitnessMemory.open(file, key=other.verifier.line)
    with pytest.raises(ConfigError, match="cannot be made"):
        WitnessMemory.create(file, key=key)
    empty = tmp_path / "empty.db"
    empty.touch()
    with pytest.raises(ConfigError, match="no memory of a witness"):
        WitnessMemory.open(empty, key=key)
    text = tmp_path / "text.db"
    text.write_text("this is no database, whatever its name may say" * 100)
    with pytest.raises(ConfigError, match="cannot be used"):
        WitnessMemory.open(text, key=key)
    assert file.stat().st_mode & 0o077 == 0


def test_evidence_does_not_fill_the_disk(file: Path) -> None:
    """A log that contradicts itself a thousand times has made its point."""
    with sqlite3.connect(file) as connection:
        connection.executemany(
            "INSERT INTO contradiction VALUES ('log', 1, ?, '')",
            ((str(i).encode(),) for i in range(1000)),
        )
    connection.close()
    memory = opened(file)
    memory.keep_contradiction("log", size=1, note=b"one more", at=START)
    assert len(memory.contradictions("log")) == 1000
    memory.close()


@pytest.fixture
async def running(tmp_path: Path, sample: SampleLog) -> AsyncIterator[RunningWitness]:
    """The witness behind HTTP."""
    async with witness_server(tmp_path / "served.db", FakeClock(), sample.verifier) as one:
        yield one


async def test_only_its_one_call_is_answered(running: RunningWitness, sample: SampleLog) -> None:
    """Other paths and methods are not there, and too large a body is not read."""
    async with aiohttp.ClientSession() as session:
        for path, method, status in (
            ("/", "GET", 404),
            ("/add-checkpoint", "GET", 405),
            ("/add-checkpoint/", "POST", 404),
        ):
            async with session.request(method, running.url + path) as response:
                assert response.status == status
        large = b"old 0\n\n" + b"x" * LARGEST_REQUEST
        async with session.post(running.url + "/add-checkpoint", data=large) as response:
            assert response.status == 413
        body = (request(sample, 0, 5)).encode()
        async with session.post(running.url + "/add-checkpoint", data=body) as response:
            assert response.status == 200
            assert response.content_type == "text/plain"


async def test_a_memory_that_fails_signs_nothing(
    running: RunningWitness, sample: SampleLog, tmp_path: Path
) -> None:
    """Whoever asks is told to come again; the operator is told why, without a traceback."""
    with sqlite3.connect(tmp_path / "served.db") as connection:
        connection.execute("DROP TABLE head")
    connection.close()
    body = (request(sample, 0, 5)).encode()
    async with aiohttp.ClientSession() as session:
        with capture_logs() as logged:
            async with session.post(running.url + "/add-checkpoint", data=body) as response:
                assert (response.status, await response.text()) == (503, "ask again later\n")
    (said,) = logged
    assert (said["event"], said["status"]) == ("not_cosigned", 503)
    assert "memory cannot be used" in said["why"]


async def test_many_at_once_are_decided_one_by_one(
    running: RunningWitness, sample: SampleLog
) -> None:
    """Twenty clients bring heads of one history: whatever is signed, the largest is remembered."""
    bodies = [(request(sample, 0, size)).encode() for size in range(1, 21)]
    async with aiohttp.ClientSession() as session:

        async def post(body: bytes) -> int:
            async with session.post(running.url + "/add-checkpoint", data=body) as response:
                return response.status

        statuses = await asyncio.gather(*(post(body) for body in bodies))
    assert sorted(statuses) == [200] + [409] * 19
