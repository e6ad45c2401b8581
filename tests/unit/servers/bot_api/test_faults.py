"""What goes wrong on command, and for whom."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from tests.servers.bot_api import Fault, FaultKind, Upload
from tests.unit.servers.bot_api.scene import Scene, texts


async def test_a_flood_names_the_seconds_to_wait(scene: Scene) -> None:
    """429 for as many times as told, then all is well."""
    scene.api.faults.set(Fault(kind=FaultKind.FLOOD, retry_after=7, times=2))
    for _ in range(2):
        said = await scene.ask("getUpdates")
        assert said.refusal == (429, "Too Many Requests: retry after 7")
        assert said.body["parameters"] == {"retry_after": 7}
    assert (await scene.ask("getUpdates")).status == 200


async def test_a_fault_is_for_one_method_of_one_bot(scene: Scene) -> None:
    """Others are served; the first so many are let through."""
    other = scene.api.bot("Other", "other_bot")
    fault = Fault(kind=FaultKind.FLOOD, method="getChat", bot=scene.bot.id, after=1, times=1)
    scene.api.faults.set(fault)
    given = {"chat_id": scene.room.id}
    assert (await scene.ask("getMe")).status == 200
    assert (await scene.ask("getChat", given, other)).status == 400
    answers = [(await scene.ask("getChat", given)).status for _ in range(3)]
    assert answers == [200, 429, 200]


async def test_a_status_beyond_500_comes_as_a_page(scene: Scene) -> None:
    """It is no JSON, as from a balancer."""
    scene.api.faults.set(Fault(kind=FaultKind.STATUS, status=502, times=1))
    with pytest.raises(json.JSONDecodeError):
        await scene.ask("getMe")
    scene.api.faults.set(Fault(kind=FaultKind.STATUS, status=400, description="Bad", times=1))
    assert (await scene.ask("getMe")).refusal == (400, "Bad")


async def test_a_dropped_answer_may_have_been_carried_out(scene: Scene) -> None:
    """With lands the message was sent, without it was not."""
    given = {"chat_id": scene.room.id, "text": "Hello"}
    before = len(scene.room.posts)
    for lands in (False, True):
        scene.api.faults.set(Fault(kind=FaultKind.DROPPED, times=1, lands=lands))
        with pytest.raises(aiohttp.ClientError):
            await scene.ask("sendMessage", given)
        assert len(scene.room.posts) == before + lands


async def test_a_truncated_body_ends_early(scene: Scene) -> None:
    """The length said is not the length that came, and nothing was confirmed."""
    scene.anna.say(scene.room, "one")
    scene.api.faults.set(Fault(kind=FaultKind.TRUNCATED, times=1))
    with pytest.raises(aiohttp.ClientPayloadError):
        await scene.ask("getUpdates")
    assert texts(await scene.updates()) == ["one"]


@pytest.mark.parametrize("kind", [FaultKind.INVALID_JSON, FaultKind.NOT_JSON])
async def test_a_whole_body_may_be_no_json(scene: Scene, kind: FaultKind) -> None:
    """The status is 200 all the same."""
    scene.api.faults.set(Fault(kind=kind, times=1))
    with pytest.raises(json.JSONDecodeError):
        await scene.ask("getMe")


async def test_a_slow_answer_is_whole(scene: Scene) -> None:
    """It comes in pieces."""
    scene.api.faults.set(Fault(kind=FaultKind.SLOW, size=16, times=1))
    assert (await scene.ask("getMe")).object["id"] == scene.bot.id


async def test_a_silent_request_is_held_until_lifted(scene: Scene) -> None:
    """Then the connection is closed without an answer."""
    scene.api.faults.set(Fault(kind=FaultKind.SILENT))
    held = asyncio.create_task(scene.ask("getMe"))
    await scene.api.faults.holding.wait()
    scene.api.faults.lift()
    with pytest.raises(aiohttp.ClientError):
        await held
    assert (await scene.ask("getMe")).status == 200


async def test_downloads_go_wrong_too(scene: Scene) -> None:
    """The method of a download is called file."""
    scene.anna.document(scene.room, Upload(data=bytes(100)))
    document = (await scene.one("message"))["document"]
    assert isinstance(document, dict)
    path = (await scene.ask("getFile", {"file_id": document["file_id"]})).object["file_path"]
    url = f"{scene.api.base_file_url}{scene.bot.token}/{path}"
    scene.api.faults.set(Fault(kind=FaultKind.TRUNCATED, method="file", times=1))
    with pytest.raises(aiohttp.ClientPayloadError):
        async with scene.session.get(url) as answer:
            await answer.read()
    async with scene.session.get(url) as answer:
        assert await answer.read() == bytes(100)


async def test_what_was_asked_is_written_down(scene: Scene) -> None:
    """Method, bot and parameters; the token is not among them."""
    await scene.ask("getChat", {"chat_id": scene.room.id})
    asked = scene.api.asked[-1]
    assert (asked.method, asked.bot) == ("getchat", scene.bot.id)
    assert asked.given == {"chat_id": scene.room.id}
    assert scene.bot.token not in str(scene.api.asked)
