"""What the client does with witnesses that are ahead, behind, slow, broken or dishonest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.demo.ports import free_ports
from bridge.errors import AnchorError, AnchorRejectedError, AnchorUnavailableError
from bridge.notekeys import Algorithm
from bridge.protocols import Clock
from storage.signer import Ed25519Signer
from storage.translog.cosignature import cosign
from storage.translog.note import Note, NoteSignature, signature_lines, signature_of
from storage.translog.post import Outside
from storage.translog.witness_client import LARGEST_REPLY, HttpWitness
from storage.translog.witness_wire import SIZE, AddCheckpoint
from tests.fakes.anchors import WITNESS
from tests.fakes.clock import START, FakeClock
from tests.fakes.heads import SampleLog, signer_for
from tests.servers.certificate import loopback_certificate
from tests.servers.scripted import Scripted, ScriptedServer, scripted_server
from tests.servers.silent import silent_server
from tests.servers.witness import RunningWitness, witness_server

SIGNER = signer_for(WITNESS, algorithm=Algorithm.COSIGNATURE)
NOW = int(START.timestamp())


@pytest.fixture
def sample() -> SampleLog:
    """The log to be witnessed."""
    return SampleLog()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """Somebody who answers what he is told."""
    async with scripted_server() as one:
        yield one


@pytest.fixture
async def running(tmp_path: Path, sample: SampleLog) -> AsyncIterator[RunningWitness]:
    """The program's own witness."""
    async with witness_server(tmp_path / "witness.db", FakeClock(), sample.verifier) as one:
        yield one


def client_of(
    url: str, sample: SampleLog, *, clock: Clock | None = None, outside: Outside | None = None
) -> HttpWitness:
    """A client that expects the sample witness's key."""
    return HttpWitness(
        outside or Outside(url=url),
        verifier=SIGNER.verifier,
        consistency=sample.consistency,
        clock=clock or FakeClock(),
    )


def line_over(note: bytes, *, signer: Ed25519Signer = SIGNER, time: int = NOW) -> NoteSignature:
    """A cosignature as a witness makes it."""
    return cosign(Note.parse(note).text, time=time, signer=signer)


async def refused(client: HttpWitness, sample: SampleLog, size: int = 8) -> AnchorError:
    """Why a head was not cosigned."""
    try:
        with pytest.raises(AnchorError) as caught:
            await client.cosign(sample.head(size))
    finally:
        await client.aclose()
    assert caught.value.hint
    return caught.value


async def test_the_first_request_is_the_one_of_the_specification(
    server: ScriptedServer, sample: SampleLog
) -> None:
    """POST <prefix>/add-checkpoint, from size 0, with an empty proof."""
    head = sample.head(8)
    server.answers = [Scripted(body=signature_lines((line_over(head.note),)))]
    client = client_of(server.url + "/some/prefix/", sample)
    await client.cosign(head)
    await client.aclose()
    assert server.paths == ["/some/prefix/add-checkpoint"]
    assert server.asked == [b"old 0\n\n" + head.note]


async def test_a_witness_that_knows_more_is_asked_from_there(
    running: RunningWitness, sample: SampleLog
) -> None:
    """Another client, or an earlier life of ours, brought it to 5: it says so, and we go on."""
    first = client_of(running.url, sample)
    await first.cosign(sample.head(5))
    await first.aclose()
    second = client_of(running.url, sample)
    assert second.cosigned(sample.head(9).note + (await second.cosign(sample.head(9))).line)
    await second.aclose()


async def test_what_it_signed_is_remembered(server: ScriptedServer, sample: SampleLog) -> None:
    """The next request begins where the last one ended, with the proof between both."""
    for size in (5, 9):
        head = sample.head(size)
        server.answers.append(Scripted(body=signature_lines((line_over(head.note),))))
    server.answers.pop(0)
    client = client_of(server.url, sample)
    await client.cosign(sample.head(5))
    await client.cosign(sample.head(9))
    await client.aclose()
    request = AddCheckpoint.parse(server.asked[1])
    assert (request.old, request.proof) == (5, await sample.consistency(5, 9))


async def test_a_witness_ahead_of_us_is_an_alarm(
    running: RunningWitness, sample: SampleLog
) -> None:
    """It has signed more leaves than the log now has: the log was put back."""
    ahead = client_of(running.url, sample)
    await ahead.cosign(sample.head(50))
    await ahead.aclose()
    error = await refused(client_of(running.url, sample), sample)
    assert isinstance(error, AnchorRejectedError)
    assert "has signed this log with 50 leaves; it now has 8" in str(error)


@pytest.mark.parametrize(("shared", "size"), [(0, 8), (0, 12), (5, 12)])
async def test_a_second_history_is_an_alarm(
    running: RunningWitness, sample: SampleLog, shared: int, size: int
) -> None:
    """Whatever they share, a log that does not extend what was signed gets nothing."""
    client = client_of(running.url, sample)
    await client.cosign(sample.head(8))
    await client.aclose()
    other = SampleLog(seed=2, shared=shared)
    error = await refused(client_of(running.url, other), other, size)
    assert isinstance(error, AnchorRejectedError)
    assert "signed" in str(error)


@pytest.mark.parametrize(
    ("status", "what"),
    [
        (400, "does not understand"),
        (403, "does not accept the log's signature"),
        (404, "does not know this log"),
        (422, "does not extend"),
        (418, "answers 418"),
        (204, "answers 204"),
    ],
)
async def test_refusals_are_explained(
    server: ScriptedServer, sample: SampleLog, status: int, what: str
) -> None:
    """Each status has its sentence; the witness's own words are not repeated."""
    server.answers = [Scripted(status=status, body=b"" if status == 204 else b"SECRET WORDS")]
    error = await refused(client_of(server.url, sample), sample)
    assert isinstance(error, AnchorRejectedError)
    assert what in str(error)
    assert "SECRET" not in str(error)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_trouble_of_its_own_passes(
    server: ScriptedServer, sample: SampleLog, status: int
) -> None:
    """Such a witness is asked again later."""
    server.answers = [Scripted(status=status)]
    error = await refused(client_of(server.url, sample), sample)
    assert isinstance(error, AnchorUnavailableError)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b"5\n"),
        (SIZE, b""),
        (SIZE, b"five\n"),
        (SIZE, b"05\n"),
        (SIZE, b"-1\n"),
        (SIZE, b"5\n\n"),
        (SIZE, b"9" * 4000),
    ],
)
async def test_a_conflict_must_tell_the_size(
    server: ScriptedServer, sample: SampleLog, content_type: str, body: bytes
) -> None:
    """A 409 without a size in its one form leads nowhere."""
    server.answers = [Scripted(status=409, content_type=content_type, body=body)]
    error = await refused(client_of(server.url, sample), sample)
    assert "without telling its size" in str(error)
    assert len(server.asked) == 1


async def test_a_witness_that_never_agrees_is_not_asked_for_ever(
    server: ScriptedServer, sample: SampleLog
) -> None:
    """It names another size each time: three requests are enough for one round."""
    server.answers = [
        Scripted(status=409, content_type=SIZE, body=b"%d\n" % size) for size in (3, 4, 5, 6)
    ]
    error = await refused(client_of(server.url, sample), sample)
    assert isinstance(error, AnchorUnavailableError)
    assert len(server.asked) == 3


async def test_a_witness_that_forgets_is_an_alarm(
    server: ScriptedServer, sample: SampleLog
) -> None:
    """It signed 5 for us and says 3: its memory was put back, so its signature proves little."""
    line = signature_lines((line_over(sample.head(5).note),))
    server.answers = [
        Scripted(body=line),
        Scripted(status=409, content_type=SIZE, body=b"3\n"),
    ]
    client = client_of(server.url, sample)
    await client.cosign(sample.head(5))
    error = await refused(client, sample)
    assert isinstance(error, AnchorRejectedError)
    assert "signed 5 leaves and remembers 3" in str(error)


async def test_the_same_size_again_is_a_contradiction(
    server: ScriptedServer, sample: SampleLog
) -> None:
    """Told the size that was asked from: it has another root of it."""
    server.answers = [
        Scripted(status=409, content_type=SIZE, body=b"8\n"),
        Scripted(status=409, content_type=SIZE, body=b"8\n"),
    ]
    error = await refused(client_of(server.url, sample), sample)
    assert "signed another log of 8 leaves" in str(error)


def _lies(sample: SampleLog) -> dict[str, bytes]:
    note, other = sample.head(8).note, SampleLog(seed=2).head(8).note
    namesake = signer_for(WITNESS, seed=2, algorithm=Algorithm.COSIGNATURE)
    good = line_over(note)
    damaged = NoteSignature(
        name=good.name, key_hash=good.key_hash, data=good.data[:-1] + bytes([good.data[-1] ^ 1])
    )
    short = NoteSignature(name=good.name, key_hash=good.key_hash, data=good.data[:-1])
    plain = signer_for(WITNESS)
    return {
        "nothing": b"",
        "a page": b"<html><body>Welcome</body></html>",
        "binary": bytes(range(256)),
        "another checkpoint": signature_lines((line_over(other),)),
        "another key of the name": signature_lines((line_over(note, signer=namesake),)),
        "the log's own line": signature_lines((signature_of(note_text(note), sample.signer),)),
        "a plain signature": signature_lines((signature_of(note_text(note), plain),)),
        "damaged": signature_lines((damaged,)),
        "short": signature_lines((short,)),
        "good and damaged": signature_lines((good, damaged)),
        "without its newline": signature_lines((good,))[:-1],
        "a whole note": note + signature_lines((good,)),
        "from the future": signature_lines((line_over(note, time=NOW + 3600),)),
        "before the head": signature_lines((line_over(note, time=NOW - 3600),)),
        "at the epoch": signature_lines((line_over(note, time=0),)),
        "at no time": signature_lines((line_over(note, time=2**62),)),
    }


def note_text(note: bytes) -> bytes:
    """What is signed of a note."""
    return Note.parse(note).text


LIES = tuple(_lies(SampleLog()))


@pytest.mark.parametrize("lie", LIES)
async def test_what_proves_nothing_is_refused(
    server: ScriptedServer, sample: SampleLog, lie: str
) -> None:
    """Only a line of the configured key over this very head, at a time that can be, is taken."""
    server.answers = [Scripted(body=_lies(sample)[lie])]
    error = await refused(client_of(server.url, sample), sample)
    assert isinstance(error, AnchorRejectedError)


async def test_lines_of_others_are_left_out(server: ScriptedServer, sample: SampleLog) -> None:
    """A witness with several keys answers with all; only the configured one's line is kept."""
    head = sample.head(8)
    second = signer_for("witness.example.org/w2", algorithm=Algorithm.COSIGNATURE)
    mine = line_over(head.note)
    both = (line_over(head.note, signer=second), mine)
    server.answers = [Scripted(body=signature_lines(both))]
    client = client_of(server.url, sample)
    assert (await client.cosign(head)).line == signature_lines((mine,))
    await client.aclose()


async def test_after_a_lie_it_is_asked_as_before(server: ScriptedServer, sample: SampleLog) -> None:
    """A refused answer moves nothing on."""
    head = sample.head(8)
    good = Scripted(body=signature_lines((line_over(head.note),)))
    server.answers = [Scripted(body=b"garbage"), good]
    client = client_of(server.url, sample)
    with pytest.raises(AnchorRejectedError):
        await client.cosign(head)
    assert (await client.cosign(head)).line
    await client.aclose()
    assert server.asked[0] == server.asked[1]


async def test_a_huge_reply_is_not_read(server: ScriptedServer, sample: SampleLog) -> None:
    """Over the limit it is no answer, whatever its first bytes are."""
    body = signature_lines((line_over(sample.head(8).note),)) + b"x" * LARGEST_REPLY
    server.answers = [Scripted(body=body)]
    error = await refused(client_of(server.url, sample), sample)
    assert isinstance(error, AnchorRejectedError)
    assert str(LARGEST_REPLY) in str(error)


async def test_redirects_are_not_followed(server: ScriptedServer, sample: SampleLog) -> None:
    """The log is shown to nobody but whom the operator named."""
    server.answers = [Scripted(status=307, location=server.url + "/elsewhere")]
    error = await refused(client_of(server.url, sample), sample)
    assert "redirects" in str(error)
    assert server.paths == ["/add-checkpoint"]


async def test_nobody_there(sample: SampleLog) -> None:
    """A closed port, and a name that does not exist."""
    (port,) = free_ports(1)
    error = await refused(client_of(f"http://127.0.0.1:{port}", sample), sample)
    assert isinstance(error, AnchorUnavailableError)
    assert "127.0.0.1 does not answer" in str(error)


async def test_a_witness_that_hangs_can_be_left(sample: SampleLog) -> None:
    """It took the request and says nothing: whoever waits may stop waiting."""
    with silent_server() as silent:
        client = client_of(silent.url, sample)
        asking = asyncio.create_task(client.cosign(sample.head(8)))
        assert await asyncio.to_thread(silent.asked.wait, 30)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await client.aclose()


async def test_the_wait_has_an_end(sample: SampleLog) -> None:
    """A witness that hangs is unavailable after the time that a request may take."""
    with silent_server() as silent:
        outside = Outside(url=silent.url, seconds=0.05)
        error = await refused(client_of(silent.url, sample, outside=outside), sample)
    assert isinstance(error, AnchorUnavailableError)


async def test_its_certificate_is_checked(tmp_path: Path, sample: SampleLog) -> None:
    """Without its authority in ca_file it is not trusted; a missing ca_file is named."""
    context, ca_file = await asyncio.to_thread(loopback_certificate, tmp_path)
    server = await asyncio.start_server(_closing, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        error = await refused(client_of(url, sample), sample)
        assert "certificate of 127.0.0.1 is not trusted" in str(error)
        outside = Outside(url=url, ca_file=ca_file)
        error = await refused(client_of(url, sample, outside=outside), sample)
        assert "does not answer" in str(error)
        outside = Outside(url=url, ca_file=tmp_path / "missing.pem")
        error = await refused(client_of(url, sample, outside=outside), sample)
        assert "No certificates can be read" in str(error)
    finally:
        server.close()
        await server.wait_closed()


async def _closing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def test_clocks_may_differ_a_little(server: ScriptedServer, sample: SampleLog) -> None:
    """Some minutes either way are no lie."""
    for minutes in (-9, 9):
        head = sample.head(8)
        time = int((START + timedelta(minutes=minutes)).timestamp())
        server.answers = [Scripted(body=signature_lines((line_over(head.note, time=time),)))]
        client = client_of(server.url, sample)
        assert (await client.cosign(head)).at == START + timedelta(minutes=minutes)
        await client.aclose()
