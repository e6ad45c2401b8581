"""What every time-stamping authority promises, on the fake and on the client against openssl."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.protocols import TimestampAuthority
from storage.translog.post import Outside
from storage.translog.timestamps import HttpTimestampAuthority, read_roots
from tests.fakes.anchors import FakeAuthority
from tests.fakes.clock import FakeClock
from tests.fakes.heads import SampleLog
from tests.servers.tsa import make_authority, tsa_server


@pytest.fixture(params=["fake", "openssl"])
async def authority(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[TimestampAuthority]:
    """An authority that is trusted."""
    if request.param == "fake":
        yield FakeAuthority(FakeClock(datetime.now(UTC)))
        return
    made = make_authority(tmp_path / "authority")
    async with tsa_server(made) as server:
        client = HttpTimestampAuthority(Outside(url=server.url), roots=read_roots(made.root))
        yield client
        await client.aclose()


async def test_a_note_is_dated(authority: TimestampAuthority) -> None:
    """The token says when, and that its signature was checked."""
    stamp = await authority.stamp(SampleLog().head(5).note)
    assert stamp.trusted
    assert abs(stamp.at - datetime.now(UTC)) < timedelta(minutes=5)
    assert stamp.token


async def test_each_answer_is_another(authority: TimestampAuthority) -> None:
    """Asked twice about the same note, it gives two tokens: both prove it."""
    note = SampleLog().head(5).note
    first, second = await authority.stamp(note), await authority.stamp(note)
    assert first.token != second.token
    assert first.at <= second.at


async def test_it_has_a_name(authority: TimestampAuthority) -> None:
    """By that name operators speak of it: a host, without a path or a secret."""
    assert authority.name in {"tsa.example.org", "127.0.0.1"}
