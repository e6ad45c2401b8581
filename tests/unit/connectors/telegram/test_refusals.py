"""What a Bot API server says instead of an answer becomes one error of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bridge.errors import ConnectorUnavailableError, EnvelopeError
from connectors.telegram.refusals import RefusedError, is_of_the_account
from tests.servers.bot_api import Fault, FaultKind
from tests.unit.connectors.telegram.answering import Answering, answering
from tests.unit.connectors.telegram.api_scene import Scene, api_scene, client, failure

WORDS = "words of the server"


@pytest.fixture(name="scene")
async def _scene() -> AsyncIterator[Scene]:
    async with api_scene() as scene:
        yield scene


@pytest.fixture(name="other")
async def _other() -> AsyncIterator[Answering]:
    async with answering() as server:
        yield server


def _status(status: int, description: str) -> Fault:
    return Fault(kind=FaultKind.STATUS, status=status, description=description, times=1)


async def test_a_flood_names_its_wait(scene: Scene) -> None:
    """429: the seconds that the platform asks for are those that are waited."""
    scene.server.faults.set(Fault(kind=FaultKind.FLOOD, retry_after=17, times=1))
    error = await failure(scene.api.call("getMe"))
    assert isinstance(error, ConnectorUnavailableError)
    assert error.retry_after == 17


@pytest.mark.parametrize(
    ("body", "header", "wait"),
    [
        (b"<html>", "9", 9.0),
        (b"<html>", "999999999", 3600.0),
        (b"<html>", "99999999999", None),
        (b"<html>", "soon", None),
        (b'{"ok":false,"parameters":{"retry_after":-3}}', "", None),
        (b'{"ok":false,"parameters":{"retry_after":"5"}}', "6", 6.0),
        (b'{"ok":false,"parameters":[]}', "0", None),
        (b'{"ok":false,"parameters":{"retry_after":100000000}}', "1", 3600.0),
    ],
)
async def test_an_odd_wait_is_drawn_into_bounds(
    other: Answering, body: bytes, header: str, wait: float | None
) -> None:
    """429 by a proxy, or with a wait that is none, waits an hour at most."""
    other.answer(429, body, Retry_After=header)
    async with client(other.url) as api:
        error = await failure(api.call("getMe"))
    assert isinstance(error, ConnectorUnavailableError)
    assert error.retry_after == wait


@pytest.mark.parametrize(
    ("status", "description", "code"),
    [
        (401, "Unauthorized", "revoked"),
        (404, "Not Found", "revoked"),
        (404, "Not Found: method not found", "404"),
        (403, "Forbidden: bot was kicked from the supergroup chat", "kicked"),
        (403, "Forbidden: bot is not a member of the channel chat", "kicked"),
        (403, "Forbidden: the group chat was deleted", "kicked"),
        (403, "Forbidden: bots can't send messages to bots", "forbidden"),
        (409, "Conflict: terminated by other getUpdates request; make sure", "other_poller"),
        (409, "Conflict: can't use getUpdates method while webhook is active", "webhook_set"),
        (409, "Conflict: terminated by setWebhook request", "webhook_set"),
        (400, "Bad Request: chat not found", "chat_not_found"),
        (400, "Bad Request: not enough rights to send text messages to the chat", "no_rights"),
        (400, "Bad Request: have no rights to send a message", "no_rights"),
        (400, "Bad Request: need administrator rights in the channel chat", "no_rights"),
        (400, "Bad Request: CHAT_WRITE_FORBIDDEN", "no_rights"),
        (400, "Bad Request: file is too big", "file_too_big"),
        (
            400,
            "Bad Request: wrong file_id or the file is temporarily unavailable",
            "file_unavailable",
        ),
        (400, f"Bad Request: {WORDS}", "400"),
        (400, "Bad Request: bad webhook: An HTTPS URL must be provided", "bad_webhook"),
        (413, "Request Entity Too Large", "413"),
    ],
)
async def test_a_refusal_has_a_name(scene: Scene, status: int, description: str, code: str) -> None:
    """A refusal is told by a name of ours, with a remedy, and never in the server's words."""
    scene.server.faults.set(_status(status, description))
    error = await failure(scene.api.call("getMe"))
    assert isinstance(error, RefusedError)
    assert (error.status, error.code) == (status, code)
    of_the_account = {"revoked", "other_poller", "webhook_set", "bad_webhook"}
    assert is_of_the_account(error) is (code in of_the_account)
    assert error.hint
    assert WORDS not in str(error) + error.hint
    assert str(error).endswith(f" ({status}).")


async def test_a_revoked_token_is_refused(scene: Scene) -> None:
    """With a new token at BotFather, a poll that waits and every later request are refused."""
    waiting = await scene.polling()
    scene.server.world.revoke(scene.bot)
    for asking in (waiting, scene.api.call("getMe")):
        error = await failure(asking)
        assert isinstance(error, RefusedError)
        assert error.code == "revoked"
        assert "token_file" in error.hint


async def test_a_second_poller_is_named(scene: Scene) -> None:
    """Of two programs with one token the one that waited is told of the other."""
    waiting = await scene.polling()
    async with client(scene.server.url, scene.bot.token) as second:
        await second.get_updates(offset=None, seconds=0)
    error = await failure(waiting)
    assert isinstance(error, RefusedError)
    assert error.code == "other_poller"


async def test_a_webhook_of_somebody_else_is_named(scene: Scene) -> None:
    """While a webhook is set updates cannot be asked for."""
    await scene.api.call("setWebhook", url="http://127.0.0.1:9/")
    error = await failure(scene.updates())
    assert isinstance(error, RefusedError)
    assert error.code == "webhook_set"
    await scene.api.call("deleteWebhook")
    assert len(await scene.updates()) == 2


async def test_a_group_that_moved_names_where_to(scene: Scene) -> None:
    """A request about a group that became a supergroup is told the new number."""
    group = scene.server.group("Old", scene.anna)
    scene.anna.add(group, scene.bot)
    new = scene.anna.migrate(group)
    error = await failure(scene.api.call("getChat", chat_id=group.id))
    assert isinstance(error, RefusedError)
    assert (error.code, error.migrated_to) == ("migrated", new.id)


async def test_out_of_a_group_is_kicked(scene: Scene) -> None:
    """Thrown out of the group, the bot is told so when it asks about it."""
    scene.anna.kick(scene.room, scene.bot)
    error = await failure(scene.api.call("getChat", chat_id=scene.room.id))
    assert isinstance(error, RefusedError)
    assert (error.status, error.code) == (403, "kicked")


@pytest.mark.parametrize("kind", [FaultKind.NOT_JSON, FaultKind.INVALID_JSON])
async def test_an_answer_that_is_none_is_unavailable(scene: Scene, kind: FaultKind) -> None:
    """A page of a proxy or half an answer to a method settles nothing."""
    scene.server.faults.set(Fault(kind=kind, times=1))
    error = await failure(scene.api.call("getMe"))
    assert type(error) is ConnectorUnavailableError


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'"x"', b'{"ok":true}', b'{"ok":false,"result":1}', b"\xff", b"[" * 9999],
)
async def test_an_odd_200_is_unavailable(other: Answering, body: bytes) -> None:
    """Whatever a 200 holds, a method fails with an error of ours."""
    other.answer(200, body)
    async with client(other.url) as api:
        assert type(await failure(api.call("getMe"))) is ConnectorUnavailableError


@pytest.mark.parametrize(
    ("status", "body"),
    [(403, b"<html>no</html>"), (404, b""), (407, b"{}"), (400, b'{"ok":"false"}'), (401, b"[]")],
)
async def test_what_stands_before_the_api_is_told_from_it(
    other: Answering, status: int, body: bytes
) -> None:
    """A refusal without the Bot API's form says nothing of token, group or file."""
    other.answer(status, body)
    async with client(other.url) as api:
        error = await failure(api.call("getMe"))
    assert isinstance(error, RefusedError)
    assert (error.status, error.code) == (status, "")
    assert is_of_the_account(error)


async def test_a_redirect_is_not_followed(other: Answering) -> None:
    """The token is not carried elsewhere."""
    async with answering() as elsewhere:
        other.answer(302, b"", Location=f"{elsewhere.url}/")
        async with client(other.url) as api:
            error = await failure(api.call("getMe"))
        assert elsewhere.asked == []
    assert isinstance(error, RefusedError)
    assert (error.code, is_of_the_account(error)) == ("redirected", True)


async def test_a_body_without_end_is_cut(other: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer larger than we read is kept in part for updates, and is no answer otherwise."""
    monkeypatch.setattr("connectors.telegram.exact.LARGEST_ANSWER", 1000)
    other.answer(200, b"x" * 200_000)
    async with client(other.url) as api:
        error = await failure(api.get_updates(offset=None, seconds=0))
        assert isinstance(error, EnvelopeError)
        assert 1000 < len(error.body) <= 64 * 1024
        assert type(await failure(api.call("getMe"))) is ConnectorUnavailableError


async def test_a_server_that_does_not_speak_http_is_unavailable() -> None:
    """Bytes that are no HTTP are no answer."""
    async with answering(greets=b"220 mail.example.org ESMTP\r\n") as mail, client(mail.url) as api:
        assert type(await failure(api.call("getMe"))) is ConnectorUnavailableError
