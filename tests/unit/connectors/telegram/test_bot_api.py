"""Requests to a Bot API server: exact bytes come out, and no answer is told from one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bridge.demo.ports import free_ports
from bridge.errors import ConnectorUnavailableError, EnvelopeError
from connectors.telegram.bot_api import BotApi, Endpoint
from connectors.telegram.envelope import offset_after, split_updates
from tests.servers.bot_api import Fault, FaultKind
from tests.servers.certificate import loopback_certificate
from tests.unit.connectors.telegram.answering import answering
from tests.unit.connectors.telegram.api_scene import TOKEN, Scene, api_scene, client, failure


@pytest.fixture(name="scene")
async def _scene() -> AsyncIterator[Scene]:
    async with api_scene() as scene:
        yield scene


async def test_updates_come_byte_for_byte(scene: Scene) -> None:
    """What the platform sends is what comes out, were it ever so odd."""
    odd = b'"message" : {"a":1.0, "a" : 1e400,\t"text":"\\ud800 \xff","big":99999999999999999999}'
    number = scene.server.raw(scene.bot, odd)
    body = await scene.api.get_updates(offset=None, seconds=0)
    assert body.startswith(b'{"ok":true,"result":[{"update_id":')
    assert body.endswith(b'{"update_id":%d,\n%b}]}' % (number, odd))


async def test_only_an_offset_acknowledges(scene: Scene) -> None:
    """Updates come again and again until an offset above them is asked for."""
    scene.anna.say(scene.room, "Good morning")
    first = await scene.updates()
    assert len(first) == 3
    assert await scene.updates() == first
    body = await scene.api.get_updates(offset=None, seconds=0, limit=2)
    assert await scene.updates(offset_after(split_updates(body))) == first[2:]


async def test_what_was_asked_for_is_asked(scene: Scene) -> None:
    """Offset, limit, waiting time and types of updates reach the platform, and nothing else."""
    allowed = ["message", "chat_member"]
    await scene.api.get_updates(offset=7, seconds=0, limit=5, allowed=allowed)
    assert scene.server.asked[-1].given == {
        "offset": "7",
        "limit": "5",
        "timeout": "0",
        "allowed_updates": '["message", "chat_member"]',
    }
    await scene.api.get_updates(offset=None, seconds=0)
    assert scene.server.asked[-1].given == {"limit": "100", "timeout": "0"}


async def test_a_long_poll_waits_for_an_update(scene: Scene) -> None:
    """With nothing to tell the answer waits until there is something."""
    asking = await scene.polling()
    scene.anna.say(scene.room, "News")
    assert b"News" in await asking


async def test_methods_return_objects_arrays_and_exact_bytes(scene: Scene) -> None:
    """A result is an object, an array, neither, or just its bytes."""
    chat = scene.room.id
    assert (await scene.api.call("getMe"))["id"] == scene.bot.id
    (owner,) = await scene.api.call_all("getChatAdministrators", chat_id=chat)
    assert owner["status"] == "creator"
    text = "Grüße \N{WAVING HAND SIGN} + & = %41"
    raw = await scene.api.call_raw("sendMessage", chat_id=chat, text=text)
    assert raw.startswith(b'{"message_id":')
    assert scene.server.asked[-1].given == {"chat_id": str(chat), "text": text}
    assert await scene.api.call("leaveChat", chat_id=chat) == {}


UNANSWERED = [
    Fault(kind=FaultKind.STATUS, status=500, times=1),
    Fault(kind=FaultKind.STATUS, status=502, times=1),
    Fault(kind=FaultKind.STATUS, status=503, times=1, lands=True),
    Fault(kind=FaultKind.DROPPED, times=1),
    Fault(kind=FaultKind.DROPPED, times=1, lands=True),
    Fault(kind=FaultKind.TRUNCATED, times=1),
]
Ask = Callable[[BotApi], Awaitable[object]]
ASKING: list[Ask] = [
    lambda api: api.get_updates(offset=None, seconds=0),
    lambda api: api.call("getMe"),
]


@pytest.mark.parametrize("ask", ASKING, ids=["updates", "method"])
@pytest.mark.parametrize("fault", UNANSWERED, ids=str)
async def test_no_answer_is_unavailable(scene: Scene, fault: Fault, ask: Ask) -> None:
    """5xx and broken transfers are no answer, and the next request goes on."""
    scene.server.faults.set(fault)
    error = await failure(ask(scene.api))
    assert type(error) is ConnectorUnavailableError
    assert error.retry_after is None
    await ask(scene.api)
    assert len(await scene.updates()) == 2


async def test_a_slow_answer_is_read_to_its_end(scene: Scene) -> None:
    """An answer in single bytes is the same answer."""
    whole = await scene.api.get_updates(offset=None, seconds=0)
    scene.server.faults.set(Fault(kind=FaultKind.SLOW, times=1))
    assert await scene.api.get_updates(offset=None, seconds=0) == whole


async def test_silence_ends_by_itself(scene: Scene) -> None:
    """A request that nobody answers is given up after its time."""
    scene.server.faults.set(Fault(kind=FaultKind.SILENT))
    error = await failure(scene.api.call_within(0.02, "getMe"))
    assert type(error) is ConnectorUnavailableError
    assert str(error).endswith("does not answer (TimeoutError).")


async def test_a_request_can_be_cancelled(scene: Scene) -> None:
    """Whoever gives up a long poll is not told of an error of the connector."""
    asking = await scene.polling()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    scene.anna.say(scene.room, "Still there")
    assert len(await scene.updates()) == 1


async def test_nobody_listens(scene: Scene) -> None:
    """A server that is not there is unavailable, and reached once it is back."""
    await scene.server.down()
    error = await failure(scene.api.call("getMe"))
    assert str(error) == f"The Bot API at {scene.server.url} does not answer (ConnectError)."
    await scene.server.up()
    await scene.api.call("getMe")


@pytest.mark.parametrize("kind", [FaultKind.NOT_JSON, FaultKind.INVALID_JSON])
async def test_updates_that_cannot_be_split_come_out_as_they_are(
    scene: Scene, kind: FaultKind
) -> None:
    """A body with updates is not judged here: whoever splits it keeps it."""
    scene.server.faults.set(Fault(kind=kind, times=1))
    body = await scene.api.get_updates(offset=None, seconds=0)
    with pytest.raises(EnvelopeError) as caught:
        split_updates(body)
    assert caught.value.body == body


async def test_a_certificate_is_checked(tmp_path: Path) -> None:
    """An unknown certificate is refused with its remedy; one of a known authority is not."""
    context, ca_file = await asyncio.to_thread(loopback_certificate, tmp_path)
    async with answering(context) as server:
        server.answer(200, b'{"ok":true,"result":{"id":1}}')
        async with client(server.url) as api:
            error = await failure(api.call("getMe"))
        assert str(error) == f"The certificate of {server.url} is not trusted."
        assert "ca_file" in error.hint
        async with client(server.url, ca_file=ca_file) as api:
            assert await api.call("getMe") == {"id": 1}


async def test_a_missing_authority_file_is_named(tmp_path: Path) -> None:
    """A file of authorities that is not there is no answer, with its remedy."""
    async with client("https://127.0.0.1:9", ca_file=tmp_path / "none.pem") as api:
        error = await failure(api.call("getMe"))
    assert "none.pem" in str(error)
    assert "ca_file" in error.hint


async def test_a_proxy_is_used() -> None:
    """With a proxy configured it is the one that is asked."""
    (port,) = free_ports(1)
    async with answering() as proxy:
        proxy.answer(200, b'{"ok":true,"result":{"id":1}}')
        api = BotApi(
            Endpoint(api_base=f"http://127.0.0.1:{port}", http_proxy=proxy.url), token=TOKEN
        )
        assert await api.call("getMe") == {"id": 1}
        await api.aclose()
    assert proxy.asked == [f"POST http://127.0.0.1:{port}/bot{TOKEN}/getMe HTTP/1.1"]


async def test_the_environment_names_no_proxy(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the settings say where requests go."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with client(scene.server.url, scene.bot.token) as api:
        await api.call("getMe")


async def test_it_can_be_closed_and_used_again(scene: Scene) -> None:
    """Closing gives up connections and nothing else, however often."""
    await scene.api.call("getMe")
    await scene.api.aclose()
    await scene.api.aclose()
    await scene.api.call("getMe")
