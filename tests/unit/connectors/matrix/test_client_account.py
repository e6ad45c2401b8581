"""Signing in: once, as the same device, with the session kept from other eyes."""

from __future__ import annotations

import json
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError
from connectors.matrix.client import MatrixConnector
from tests.fakes.clock import FakeClock
from tests.fakes.homeserver import PASSWORD, RECORDER, FakeHomeserver, Reply
from tests.fakes.intake import Sign, matrix_connector

UNKNOWN_TOKEN = Reply(status=401, body=b'{"errcode":"M_UNKNOWN_TOKEN"}')


@pytest.fixture
async def server() -> AsyncIterator[FakeHomeserver]:
    """A homeserver."""
    async with FakeHomeserver() as server:
        yield server


@pytest.fixture
def sign(server: FakeHomeserver, tmp_path: Path) -> Sign:
    """Sign in by password."""
    return Sign(homeserver=server.url, user_id=RECORDER, folder=tmp_path, password=PASSWORD)


async def started(sign: Sign) -> MatrixConnector:
    """A connector that was started and closed, or the error of its start."""
    connector = matrix_connector(sign, FakeClock())
    try:
        await connector.start()
    finally:
        await connector.aclose()
    return connector


def session_file(sign: Sign) -> Path:
    """Where the session is kept."""
    return sign.folder / "matrix-town.session"


async def test_a_password_gives_a_session_of_our_own(server: FakeHomeserver, sign: Sign) -> None:
    """The session is kept in a file that only we can read."""
    await started(sign)
    file = session_file(sign)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    session = json.loads(file.read_bytes())
    assert server.tokens == {session["access_token"]: session["device_id"]}
    assert [entry.name for entry in sign.folder.iterdir()] == [file.name]


async def test_a_left_over_file_does_not_loosen_it(sign: Sign) -> None:
    """What a crash left behind, readable by others, is not how the session is kept."""
    left = session_file(sign).with_name(f"{session_file(sign).name}.new")
    left.write_bytes(b"")
    left.chmod(0o644)
    await started(sign)
    assert stat.S_IMODE(session_file(sign).stat().st_mode) == 0o600


async def test_a_restart_uses_the_session_again(server: FakeHomeserver, sign: Sign) -> None:
    """The second start signs in to nothing new."""
    await started(sign)
    await started(sign)
    assert len(server.asked("/login")) == 1
    assert len(server.asked("/whoami")) == 1


async def test_a_token_that_ended_is_replaced_for_the_same_device(
    server: FakeHomeserver, sign: Sign
) -> None:
    """With a password a new token is had, and the device stays the same."""
    await started(sign)
    (device,) = server.tokens.values()
    server.tokens.clear()
    await started(sign)
    assert list(server.tokens.values()) == [device]
    assert server.tokens.keys() == {json.loads(session_file(sign).read_bytes())["access_token"]}


async def test_a_token_that_ended_while_running(server: FakeHomeserver, sign: Sign) -> None:
    """A later 401 is a refusal with its code; started again, the connector goes on."""
    connector = matrix_connector(sign, FakeClock())
    await connector.start()
    (device,) = server.tokens.values()
    server.tokens.clear()
    with pytest.raises(ConnectorRejectedError) as refusal:
        await connector.receive(None)
    assert refusal.value.code == "M_UNKNOWN_TOKEN"
    await connector.start()
    assert (await connector.receive(None)).cursor is not None
    assert list(server.tokens.values()) == [device]
    await connector.aclose()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"user_id":"@recorder:town.example"}', b"\xff\x00", b"null"],
)
async def test_a_broken_session_file(server: FakeHomeserver, sign: Sign, content: bytes) -> None:
    """A session that cannot be read is made anew."""
    session_file(sign).write_bytes(content)
    await started(sign)
    assert len(server.tokens) == 1


async def test_the_session_of_another_account(server: FakeHomeserver, sign: Sign) -> None:
    """With another user configured, the old session and its device are not used."""
    old = {"user_id": "@old:town.example", "device_id": "OLD", "access_token": server.issue("OLD")}
    session_file(sign).write_bytes(json.dumps(old).encode())
    await started(sign)
    assert server.asked("/whoami") == []
    assert len(set(server.tokens.values())) == 2
    assert json.loads(session_file(sign).read_bytes())["user_id"] == RECORDER


async def test_a_given_token_is_used_and_not_kept(server: FakeHomeserver, sign: Sign) -> None:
    """A token from the settings is checked; no session file is made."""
    given = server.issue()
    await started(replace(sign, password=None, access_token=given))
    assert not session_file(sign).exists()
    assert [seen.authorization for seen in server.seen] == [f"Bearer {given}"]


async def test_a_given_token_that_ended(sign: Sign) -> None:
    """Without a password the operator is asked for another token."""
    with pytest.raises(ConnectorRejectedError) as refusal:
        await started(replace(sign, password=None, access_token="syt_old"))
    assert refusal.value.code == "M_UNKNOWN_TOKEN"
    assert "access_token_file" in refusal.value.hint
    assert "syt_old" not in f"{refusal.value!r}{refusal.value.hint}"


async def test_a_token_of_another_user(server: FakeHomeserver, sign: Sign) -> None:
    """A token that is not the recorder's is refused before anything is received."""
    mistaken = replace(
        sign, user_id="@other:town.example", password=None, access_token=server.issue()
    )
    with pytest.raises(ConnectorRejectedError, match="another user") as refusal:
        await started(mistaken)
    assert "user_id" in refusal.value.hint


async def test_a_wrong_password(sign: Sign) -> None:
    """The refusal names the field and the code, and not the password."""
    with pytest.raises(ConnectorRejectedError) as refusal:
        await started(replace(sign, password="wrong horse"))
    said = f"{refusal.value} {refusal.value.hint}"
    assert "user_id" in said
    assert "password_file" in said
    assert refusal.value.code == "M_FORBIDDEN"
    assert "horse" not in said
    assert not session_file(sign).exists()


@pytest.mark.parametrize(
    "body",
    [b"<html>portal</html>", b"", b"[]", b" " * 40_000_000],
    ids=["a page", "nothing", "a list", "40 MB of nothing"],
)
@pytest.mark.parametrize("path", ["/whoami", "/login"])
async def test_something_else_answers(
    server: FakeHomeserver, sign: Sign, path: str, body: bytes
) -> None:
    """A portal in place of the homeserver is waited out: it says nothing of the account."""
    if path == "/whoami":
        await started(sign)
    server.answer(path, Reply(body=body))
    with pytest.raises(ConnectorUnavailableError, match="no homeserver") as error:
        await started(sign)
    assert "[[matrix]] homeserver" in error.value.hint
    await started(sign)


async def test_a_session_that_cannot_be_kept(server: FakeHomeserver, sign: Sign) -> None:
    """A disk that takes no session is waited out, and no try makes another device."""
    blocked = replace(sign, folder=sign.folder / "missing")
    connector = matrix_connector(blocked, FakeClock())
    for _ in range(2):
        with pytest.raises(ConnectorUnavailableError, match="cannot be kept") as error:
            await connector.start()
        assert "data_dir" in error.value.hint
    assert len(server.tokens) == 1
    blocked.folder.mkdir()
    await connector.start()
    assert len(set(server.tokens.values())) == 1
    assert session_file(blocked).exists()
    await connector.aclose()


async def test_a_sign_in_that_gives_no_token(server: FakeHomeserver, sign: Sign) -> None:
    """An answer without a token or a device is refused."""
    server.answer("/login", Reply(body=b'{"access_token":5}'))
    with pytest.raises(ConnectorRejectedError, match="no token"):
        await started(sign)


async def test_trouble_at_the_check_is_not_a_new_sign_in(
    server: FakeHomeserver, sign: Sign
) -> None:
    """While the homeserver does not answer, the session is neither dropped nor replaced."""
    await started(sign)
    before = session_file(sign).read_bytes()
    for reply in (Reply(status=503), Reply(cut=0), Reply(status=403, body=b"{}")):
        fault = server.answer("/whoami", reply, times=None)
        with pytest.raises((ConnectorUnavailableError, ConnectorRejectedError)):
            await started(sign)
        fault.times = 0
    assert len(server.asked("/login")) == 1
    assert session_file(sign).read_bytes() == before
