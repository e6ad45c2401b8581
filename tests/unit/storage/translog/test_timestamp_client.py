"""What the client does with authorities that are slow, broken or dishonest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from bridge.errors import AnchorError, AnchorRejectedError, AnchorUnavailableError
from storage.translog.post import Outside
from storage.translog.timestamps import (
    LARGEST_TOKEN,
    QUERY,
    HttpTimestampAuthority,
    check_timestamp,
    nonce_of,
    read_roots,
)
from tests.fakes.heads import SampleLog
from tests.servers.scripted import Scripted, ScriptedServer, scripted_server
from tests.servers.silent import silent_server
from tests.servers.tsa import REPLY, Authority, make_authority, tsa_server

NOTE = SampleLog().head(8).note


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One for all: making keys takes a while."""
    return make_authority(tmp_path_factory.mktemp("tsa") / "authority")


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """Somebody who answers what he is told."""
    async with scripted_server() as one:
        yield one


def query(message: bytes) -> bytes:
    """A request over a message, with a nonce."""
    builder = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256)
    return builder.cert_request(cert_request=True).build().as_bytes()


async def refused(url: str, authority: Authority, *, seconds: float = 15.0) -> AnchorError:
    """Why no token was taken."""
    outside = Outside(url=url, seconds=seconds)
    client = HttpTimestampAuthority(outside, roots=read_roots(authority.root))
    with pytest.raises(AnchorError) as caught:
        await client.stamp(NOTE)
    await client.aclose()
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("chain", [1, 2])
async def test_the_token_is_kept_as_it_came(authority: Authority, chain: int) -> None:
    """Byte for byte, several certificates out of order included."""
    sent: list[bytes] = []
    async with scripted_server() as server:

        async def decide(body: bytes) -> Scripted:
            sent.append(await asyncio.to_thread(authority.reply, body, chain=chain))
            return Scripted(content_type=REPLY, body=sent[-1])

        server.decide = decide
        client = HttpTimestampAuthority(
            Outside(url=server.url + "/tsa"), roots=read_roots(authority.root)
        )
        stamp = await client.stamp(NOTE)
        await client.aclose()
        assert (server.paths, server.types) == (["/tsa"], [QUERY])
    assert stamp.token == sent[0]
    assert check_timestamp(stamp.token, NOTE, read_roots(authority.root)).at == stamp.at


async def test_without_roots_it_is_kept_unchecked(authority: Authority) -> None:
    """The stamp says that nobody checked its signature."""
    async with tsa_server(authority) as server:
        client = HttpTimestampAuthority(Outside(url=server.url))
        assert not (await client.stamp(NOTE)).trusted
        await client.aclose()


async def test_an_old_token_is_refused(server: ScriptedServer, authority: Authority) -> None:
    """One over the same note for another request: its nonce is not the one asked with."""
    token = await asyncio.to_thread(authority.reply, query(NOTE), chain=2)
    assert nonce_of(token)
    server.answers = [Scripted(content_type=REPLY, body=token)]
    assert "its nonce is not ours" in str(await refused(server.url, authority))


async def test_a_token_over_another_note_is_refused(
    server: ScriptedServer, authority: Authority
) -> None:
    """It proves nothing of this one."""
    token = await asyncio.to_thread(authority.reply, query(NOTE + b"\n"))
    server.answers = [Scripted(content_type=REPLY, body=token)]
    assert "not over the SHA-256" in str(await refused(server.url, authority))


async def test_another_authority_is_refused(authority: Authority) -> None:
    """Its root is not the configured one."""
    other = await asyncio.to_thread(make_authority, authority.folder / "other")
    async with tsa_server(other) as server:
        assert "do not lead to" in str(await refused(server.url, authority))


@pytest.mark.parametrize("body", [b"", b"<html>Welcome</html>", b"\x30\x80", b"x" * 9000])
async def test_garbage_is_refused(
    server: ScriptedServer, authority: Authority, body: bytes
) -> None:
    """A 200 with anything else in it."""
    server.answers = [Scripted(content_type=REPLY, body=body)]
    assert isinstance(await refused(server.url, authority), AnchorRejectedError)


async def test_a_huge_reply_is_not_read(server: ScriptedServer, authority: Authority) -> None:
    """Over the limit it is no token."""
    server.answers = [Scripted(content_type=REPLY, body=b"0" * (LARGEST_TOKEN + 1))]
    assert str(LARGEST_TOKEN) in str(await refused(server.url, authority))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, AnchorRejectedError),
        (403, AnchorRejectedError),
        (404, AnchorRejectedError),
        (429, AnchorUnavailableError),
        (500, AnchorUnavailableError),
        (503, AnchorUnavailableError),
    ],
)
async def test_statuses(
    server: ScriptedServer, authority: Authority, status: int, kind: type[AnchorError]
) -> None:
    """What it refuses an operator must mend; its own trouble passes."""
    server.answers = [Scripted(status=status, body=b"SECRET WORDS")]
    error = await refused(server.url, authority)
    assert type(error) is kind
    assert "SECRET" not in str(error)


async def test_the_wait_has_an_end(authority: Authority) -> None:
    """An authority that hangs is unavailable after the time that a request may take."""
    with silent_server() as silent:
        error = await refused(silent.url, authority, seconds=0.05)
    assert isinstance(error, AnchorUnavailableError)
