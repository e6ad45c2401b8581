"""Each bad answer of a homeserver becomes one error of ours, and the next call goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.demo.ports import free_ports
from bridge.errors import (
    ConnectorError,
    ConnectorRejectedError,
    ConnectorUnavailableError,
    EnvelopeError,
)
from bridge.model import Attachment
from connectors.matrix.http import Endpoint, MatrixHttp, path
from tests.fakes.clock import FakeClock
from tests.fakes.homeserver import CLERK, RECORDER, FakeHomeserver, Reply
from tests.fakes.intake import Intake, Sign, matrix_connector

WORDS = "words of the server"
HTML = f"<html><body>{WORDS}</body></html>".encode()
WAITS = "The homeserver asks us to wait (429)."
NOT_JSON = "The sync response cannot be split: an object was expected."
NO_CODE = "The homeserver refuses {} without a code."
TOO_LARGE = "The homeserver sent a response of over 33554432 bytes."


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """An answer, and what is to become of it. ``hint`` is a part of the hint."""

    reply: Reply
    error: type[ConnectorError]
    message: str
    hint: str
    retry_after: float | None = None
    code: str = ""


def refusal(code: str) -> bytes:
    """A refusal in the form that homeservers give it."""
    return f'{{"errcode":"{code}","error":"{WORDS}"}}'.encode()


def waiting(retry_after: float | None, body: bytes = HTML, **headers: str) -> Bad:
    """A request to wait."""
    return Bad(
        reply=Reply(
            status=429,
            body=body,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        ),
        error=ConnectorUnavailableError,
        message=WAITS,
        hint="tries again by itself",
        retry_after=retry_after,
    )


def unanswered(reply: Reply, reason: str) -> Bad:
    """No answer that means anything."""
    return Bad(
        reply=reply, error=ConnectorUnavailableError, message=reason, hint="tries again by itself"
    )


def refused(status: int, code: str, body: bytes) -> Bad:
    """A refusal."""
    said = f"The homeserver refuses {status} {code}." if code else NO_CODE.format(status)
    return Bad(
        reply=Reply(status=status, body=body),
        error=ConnectorRejectedError,
        message=said,
        hint="Check the account",
        code=code,
    )


def unsplit(body: bytes, message: str) -> Bad:
    """A body that cannot be split."""
    return Bad(reply=Reply(body=body), error=EnvelopeError, message=message, hint="group by group")


BAD = {
    "429": waiting(1.5, b'{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1500}'),
    "429 from a proxy": waiting(7.0, Retry_After="7"),
    "429 with a date": waiting(None, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"),
    "429 without a time": waiting(None, b"{}"),
    "429 for ever": waiting(3600.0, b'{"retry_after_ms":900719925474099}'),
    "429 beyond numbers": waiting(None, b'{"retry_after_ms":' + b"9" * 4000 + b"}"),
    "429 below zero": waiting(None, b'{"retry_after_ms":-5}'),
    "500": unanswered(Reply(status=500, body=refusal("M_UNKNOWN")), "The homeserver answers 500."),
    "502": unanswered(Reply(status=502, body=HTML), "The homeserver answers 502."),
    "hangs up": unanswered(Reply(cut=0), "does not answer (ServerDisconnectedError)."),
    "breaks off": unanswered(
        Reply(body=b'{"next_batch":"s1"}', cut=9), "does not answer (ClientPayloadError)."
    ),
    "redirect": Bad(
        reply=Reply(status=302, headers={"Location": "/elsewhere"}),
        error=ConnectorRejectedError,
        message="The homeserver redirects us (302); redirects are not followed.",
        hint="[[matrix]] homeserver",
    ),
    "403": refused(403, "M_FORBIDDEN", refusal("M_FORBIDDEN")),
    "401": refused(401, "M_UNKNOWN_TOKEN", refusal("M_UNKNOWN_TOKEN")),
    "404 of a proxy": refused(404, "", HTML),
    "no code but words": refused(400, "", refusal(WORDS)),
    "a code without end": refused(400, "", refusal("M" * 5000)),
    "HTML": unsplit(HTML, NOT_JSON),
    "nothing": unsplit(b"", NOT_JSON),
    "truncated": unsplit(b'{"next_batch":"s1","rooms":{"jo', "The sync response cannot be split"),
    "no token": unsplit(b'{"rooms":{}}', "it has no next_batch"),
    "50 MB": unsplit(b" " * 50_000_000, TOO_LARGE),
}


@pytest.fixture
async def server() -> AsyncIterator[FakeHomeserver]:
    """A homeserver that can misbehave."""
    async with FakeHomeserver() as server:
        yield server


@pytest.fixture
async def intake(server: FakeHomeserver, tmp_path: Path) -> AsyncIterator[Intake]:
    """A recorder with a token."""
    sign = Sign(
        homeserver=server.url, user_id=RECORDER, folder=tmp_path, access_token=server.issue()
    )
    intake = Intake(lambda: matrix_connector(sign, FakeClock()))
    await intake.start()
    yield intake
    await intake.connector.aclose()


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
async def test_a_bad_answer(server: FakeHomeserver, intake: Intake, bad: Bad) -> None:
    """The error says what is wrong and what to do, and neither the token nor the answer's text."""
    fault = server.answer("/sync", bad.reply, times=None)
    with pytest.raises(ConnectorError) as caught:
        await intake.take()
    error = caught.value
    assert type(error) is bad.error
    assert bad.message in str(error)
    assert bad.hint in error.hint
    (token,) = server.tokens
    assert token not in f"{error!r} {error} {error.hint}"
    assert WORDS not in f"{error!r} {error} {error.hint}"
    assert getattr(error, "retry_after", None) == bad.retry_after
    assert getattr(error, "code", "") == bad.code
    assert server.asked("/elsewhere") == []
    fault.times = 0
    room = server.world.room("After")
    server.world.member(room, RECORDER, "invite", sender=CLERK)
    await intake.until(lambda: bool(intake.sightings(room)))


async def test_an_unsplit_body_is_on_the_error(server: FakeHomeserver, intake: Intake) -> None:
    """The bytes that could not be split are there to be kept; of too many, the beginning."""
    server.answer("/sync", Reply(body=HTML))
    with pytest.raises(EnvelopeError) as caught:
        await intake.take()
    assert caught.value.body == HTML
    await intake.until(lambda: b"slices" not in (intake.cursor or b"slices"))
    server.answer("/sync", Reply(body=b"x" * 40_000_000))
    with pytest.raises(EnvelopeError) as caught:
        await intake.take()
    assert caught.value.body == b"x" * 65_536


async def test_a_rest_between_bad_parts_is_no_answer(
    server: FakeHomeserver, intake: Intake
) -> None:
    """While no part of the stream is due, the platform is not heard."""
    server.answer("/sync", Reply(body=HTML), times=None)
    while not intake.batches:
        with suppress(EnvelopeError):
            await intake.take()
    assert [(each.answered, each.events) for each in intake.batches] == [(False, ())]


async def test_nobody_listens(tmp_path: Path) -> None:
    """A homeserver that is not there is one that does not answer."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    sign = Sign(homeserver=url, user_id=RECORDER, folder=tmp_path, access_token="secret")
    connector = matrix_connector(sign, FakeClock())
    with pytest.raises(ConnectorUnavailableError, match=f"The homeserver {url} does not answer"):
        await connector.start()
    await connector.aclose()


async def test_a_download_cut_short(server: FakeHomeserver) -> None:
    """A file whose transfer breaks is no shorter file."""
    server.answer("/media/download", Reply(body=bytes(200_000), cut=100_000))
    http = MatrixHttp(Endpoint(homeserver=server.url))
    download = await http.stream(
        path("s", "m", base="/_matrix/client/v1/media/download"), seconds=9
    )
    with pytest.raises(ConnectorUnavailableError, match="ClientPayloadError"):
        await anext(chunk async for chunk in download.chunks() if not chunk)
    await download.aclose()
    await http.aclose()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, refusal("M_UNKNOWN_TOKEN"), ConnectorUnavailableError),
        (401, refusal("M_MISSING_TOKEN"), ConnectorUnavailableError),
        (403, refusal("M_USER_LOCKED"), ConnectorUnavailableError),
        (403, HTML, ConnectorUnavailableError),
        (404, HTML, ConnectorUnavailableError),
        (403, refusal("M_FORBIDDEN"), ConnectorRejectedError),
        (404, refusal("M_NOT_FOUND"), ConnectorRejectedError),
        (302, b"", ConnectorRejectedError),
    ],
)
async def test_a_refused_file_or_notice(
    server: FakeHomeserver, intake: Intake, status: int, body: bytes, error: type[ConnectorError]
) -> None:
    """Only a refusal of this file, or of this notice, is an end; one of the account is not."""
    reply = Reply(status=status, body=body)
    server.answer("/media/download", reply)
    with pytest.raises(error):
        await intake.connector.open_download("!r:x", Attachment(url="mxc://town.example/file"))
    server.answer("/send/", reply)
    if error is ConnectorUnavailableError or status == 302:
        with pytest.raises(ConnectorRejectedError):
            await intake.connector.announce("!r:x", "Recorded.", key="key")
    else:
        said = await intake.connector.announce("!r:x", "Recorded.", key="key")
        assert said.refusal is not None


async def test_a_compressed_download_has_no_size(server: FakeHomeserver) -> None:
    """The size of a compressed transfer is not passed for that of the file."""
    import gzip

    packed = gzip.compress(bytes(100_000))
    reply = Reply(body=packed, headers={"Content-Encoding": "gzip"})
    server.answer("/media/download", reply)
    http = MatrixHttp(Endpoint(homeserver=server.url))
    download = await http.stream(
        path("s", "m", base="/_matrix/client/v1/media/download"), seconds=9
    )
    assert download.size is None
    assert b"".join([chunk async for chunk in download.chunks()]) == bytes(100_000)
    await download.aclose()
    await http.aclose()


async def test_two_requests_at_once_share_a_session(server: FakeHomeserver) -> None:
    """The first requests of all, made at the same time, leave no connection behind."""
    http = MatrixHttp(Endpoint(homeserver=server.url))
    http.token = server.issue()
    route = path("account", "whoami")
    first, second = await asyncio.gather(http.request("GET", route), http.request("GET", route))
    assert first == second
    await http.aclose()
    await http.aclose()


def test_an_id_stays_in_its_place() -> None:
    """Whatever stands in an id, it is one part of the path."""
    assert path("rooms", "!a/b?c#d:e", "state") == (
        "/_matrix/client/v3/rooms/%21a%2Fb%3Fc%23d%3Ae/state"
    )
