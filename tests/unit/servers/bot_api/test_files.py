"""Files: identifiers, limits, links."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.servers.bot_api import DOWNLOAD_LIMIT, LINK_LASTS, Upload, bot_api
from tests.unit.servers.bot_api.scene import Scene


async def file_id(scene: Scene, upload: Upload) -> str:
    """A document is sent; the identifier that the bot got."""
    scene.anna.document(scene.room, upload)
    document = (await scene.one("message"))["document"]
    assert isinstance(document, dict)
    assert document["file_size"] == upload.length
    return str(document["file_id"])


async def test_a_link_is_good_for_an_hour(scene: Scene) -> None:
    """After it the file is not found until it is asked for again."""
    asked = {"file_id": await file_id(scene, Upload(data=b"a plan", name="plan.pdf"))}
    path = (await scene.ask("getFile", asked)).object["file_path"]
    url = f"{scene.api.base_file_url}{scene.bot.token}/{path}"
    async with scene.session.get(url) as answer:
        assert (answer.status, await answer.read()) == (200, b"a plan")
    scene.clock.advance(LINK_LASTS)
    async with scene.session.get(url) as answer:
        assert answer.status == 404
    await scene.ask("getFile", asked)
    async with scene.session.get(url) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("beyond", [0, 1])
async def test_a_file_beyond_20_mb_is_too_big(scene: Scene, beyond: int) -> None:
    """The limit itself is not."""
    asked = {"file_id": await file_id(scene, Upload(data=b"", size=DOWNLOAD_LIMIT + beyond))}
    said = await scene.ask("getFile", asked)
    if beyond:
        assert said.refusal == (400, "Bad Request: file is too big")
    else:
        assert said.object["file_size"] == DOWNLOAD_LIMIT


async def test_identifiers_and_links_are_a_bots_own(scene: Scene) -> None:
    """Another bot gets another file_id, the same file_unique_id, and no use of the first."""
    other = scene.api.bot("Other", "other_bot", privacy=False)
    scene.anna.add(scene.room, other)
    await scene.news()
    await scene.news(other)
    scene.anna.voice(scene.room, Upload(data=b"hm"))
    mine, theirs = (
        (await scene.one("message"))["voice"],
        (await scene.one("message", other))["voice"],
    )
    assert isinstance(mine, dict)
    assert isinstance(theirs, dict)
    assert mine["file_unique_id"] == theirs["file_unique_id"]
    said = await scene.ask("getFile", {"file_id": mine["file_id"]}, other)
    wrong = "Bad Request: wrong file_id or the file is temporarily unavailable"
    assert said.refusal == (400, wrong)


async def test_a_local_server_gives_a_path_for_any_size(tmp_path: Path) -> None:
    """The file is on disk, whole, and may be beyond 20 MB."""
    async with bot_api(local=tmp_path) as api, aiohttp.ClientSession() as session:
        anna, bot = api.person("Anna"), api.bot("Recorder", "recorder_bot", privacy=False)
        room = api.supergroup("Room", anna)
        anna.add(room, bot)
        post = anna.video(room, Upload(data=b"film", name="film.mp4", size=DOWNLOAD_LIMIT + 1))
        video = api.world.as_seen_by(bot, post.fields)["video"]
        assert isinstance(video, dict)
        url = f"{api.base_url}{bot.token}/getFile"
        async with session.get(url, params={"file_id": video["file_id"]}) as answer:
            path = Path((await answer.json())["result"]["file_path"])
    assert path.is_absolute()
    stat = await asyncio.to_thread(path.stat)
    assert stat.st_size == DOWNLOAD_LIMIT + 1
