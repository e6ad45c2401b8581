"""The requests for key backups, and what is made of answers that nobody expects."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.errors import ConnectorError, ConnectorRejectedError, ConnectorUnavailableError
from bridge.rawjson.fields import JsonObject
from connectors.matrix.crypto.backup_ports import BackupEntry, BackupVersion
from connectors.matrix.crypto.backup_server import HomeserverBackups
from connectors.matrix.http import Endpoint, MatrixHttp

ROOM = "!a/b%2f..:dept.example"
QUOTED = "!a%2Fb%252f..:dept.example"
SESSION = "+/" * 21 + "A"


@dataclass
class Scripted:
    """A server that gives one answer to everything, and remembers what it was asked."""

    status: int = 200
    body: bytes = b"{}"
    asked: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[JsonObject] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """The answer."""
        self.asked.append((request.method, request.raw_path))
        sent = await request.read()
        if sent:
            self.bodies.append(json.loads(sent))
        return web.Response(status=self.status, body=self.body)

    def refuses(self, status: int, code: str) -> None:
        """Refuse everything from now on."""
        self.status, self.body = status, json.dumps({"errcode": code}).encode()


@pytest.fixture
def script() -> Scripted:
    """What the server answers."""
    return Scripted()


@pytest_asyncio.fixture
async def backups(script: Scripted) -> AsyncIterator[HomeserverBackups]:
    """The account's backups at that server."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.answer)
    async with TestServer(app) as server:
        http = MatrixHttp(Endpoint(homeserver=str(server.make_url("")).rstrip("/")))
        yield HomeserverBackups(http)
        await http.aclose()


async def entries(backups: HomeserverBackups, room_id: str | None = None) -> list[BackupEntry]:
    """All entries."""
    return [entry async for entry in backups.entries("3", room_id=room_id)]


async def test_the_requests(script: Scripted, backups: HomeserverBackups) -> None:
    """Each is made as specified; no id can leave its place in the address."""
    root = "/_matrix/client/v3/room_keys"
    script.body = b'{"version":"3","algorithm":"a","auth_data":{"public_key":"p"}}'
    current = BackupVersion(version="3", algorithm="a", auth_data={"public_key": "p"})
    assert await backups.current() == current
    assert await backups.create(algorithm="a", auth_data={"public_key": "p"}) == "3"
    await backups.describe(current)
    assert await backups.put("3", {ROOM: {"sessions": {}}})
    assert await entries(backups) == []
    assert await entries(backups, ROOM) == []
    assert await backups.entry("3", ROOM, SESSION) is not None
    session = "%2B%2F" * 21 + "A"
    assert script.asked == [
        ("GET", f"{root}/version"),
        ("POST", f"{root}/version"),
        ("PUT", f"{root}/version/3"),
        ("PUT", f"{root}/keys?version=3"),
        ("GET", f"{root}/keys?version=3"),
        ("GET", f"{root}/keys/{QUOTED}?version=3"),
        ("GET", f"{root}/keys/{QUOTED}/{session}?version=3"),
    ]
    described: JsonObject = {"algorithm": "a", "auth_data": {"public_key": "p"}}
    assert script.bodies == [
        described,
        described | {"version": "3"},
        {"rooms": {ROOM: {"sessions": {}}}},
    ]


async def test_what_is_not_there(script: Scripted, backups: HomeserverBackups) -> None:
    """That the server knows no backup, room or session is an answer, not a failure."""
    script.refuses(404, "M_NOT_FOUND")
    assert await backups.current() is None
    assert await entries(backups) == []
    assert await backups.entry("3", ROOM, SESSION) is None
    assert await backups.put("3", {}) is False
    script.refuses(403, "M_WRONG_ROOM_KEYS_VERSION")
    assert await backups.put("3", {}) is False


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "M_UNRECOGNIZED", ConnectorRejectedError),
        (403, "M_FORBIDDEN", ConnectorRejectedError),
        (429, "M_LIMIT_EXCEEDED", ConnectorUnavailableError),
        (500, "M_UNKNOWN", ConnectorUnavailableError),
    ],
)
async def test_refusals(
    script: Scripted,
    backups: HomeserverBackups,
    *,
    status: int,
    code: str,
    expected: type[ConnectorError],
) -> None:
    """Any other refusal is told as it is, so that no backup is taken for a missing one."""
    script.refuses(status, code)
    with pytest.raises(expected):
        await backups.current()
    with pytest.raises(expected):
        await backups.put("3", {})
    with pytest.raises(expected):
        await backups.entry("3", ROOM, SESSION)
    with pytest.raises(expected):
        await entries(backups)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"version":7}', b'{"version":""}'])
async def test_what_no_homeserver_answers(
    script: Scripted, backups: HomeserverBackups, body: bytes
) -> None:
    """It settles nothing: whether there is a backup stays open."""
    script.body = body
    with pytest.raises(ConnectorUnavailableError):
        await backups.current()
    with pytest.raises(ConnectorUnavailableError):
        await backups.create(algorithm="a", auth_data={})


async def test_an_answer_is_left_in_the_middle(
    script: Scripted, backups: HomeserverBackups
) -> None:
    """Whoever has enough stops, and nothing stays open."""
    sessions = ",".join(f'"{number}":{{"n":{number}}}' for number in range(5_000))
    script.body = f'{{"rooms":{{"{ROOM}":{{"sessions":{{{sessions}}}}}}}}}'.encode()
    found = backups.entries("3")
    assert await anext(found) == BackupEntry(room_id=ROOM, session_id="0", data={"n": 0})
    await found.aclose()
    assert len(await entries(backups)) == 5_000
