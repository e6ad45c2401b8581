"""``!record`` in a room: the program as users start it answers, and keeps what a member wants."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.scene import use_free_port
from bridge.answers import ANSWERS
from bridge.canonical.json import Json
from bridge.demo.homeserver import Account
from bridge.demo.recorder import ApprovedGroup, Recorder
from bridge.model import Outcome
from tests.fakes.homeserver import CLERK, PASSWORD, RECORDER, FakeHomeserver, World
from tests.servers.bot_api import Bot, Chat, How, bot_api

WORDS = ANSWERS["en"]

PROGRAM = (sys.executable, "-m", "bridge")


def _told(world: World, room: str) -> list[str]:
    """What the recorder said in the room, its notice apart."""
    events = world.rooms[room].events
    said = [event.content for event in events if event.sender == RECORDER]
    bodies = [str(content.get("body", "")) for content in said]
    return [body for body in bodies if body and "is being recorded" not in body]


async def _until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - what is waited for happens in another process
        await asyncio.sleep(0.1)


def _decisions(objects: Path) -> list[dict[str, object]]:
    acts = [json.loads(path.read_bytes()) for path in sorted(objects.glob("acts/**/*.json"))]
    return [act for act in acts if act["kind"] == "decision"]


def _keep(target: str) -> dict[str, Json]:
    reply: Json = {"m.in_reply_to": {"event_id": target}}
    return {"msgtype": "m.text", "body": "!record keep", "m.relates_to": reply}


async def test_members_ask_and_are_answered_once(tmp_path: Path) -> None:
    """A reply keeps a message, a pin another: acts stand in the store, answers in the room."""
    async with FakeHomeserver() as server:
        world = server.world
        room = world.room("Flood")
        world.member(room, RECORDER, "invite", sender=CLERK)
        recorder = Recorder(folder=tmp_path / "dep", command=PROGRAM, tenant="demo")
        account = Account(
            user_id=RECORDER,
            username="recorder",
            display_name="Recorder",
            device_id="",
            password=PASSWORD,
            access_token="",
        )
        group = ApprovedGroup(id=room, name="Flood")
        await recorder.prepare(homeserver=server.url, account=account, groups=[group])
        await recorder.start(patience=90)
        try:
            first, second = world.say(room, "see you at 3"), world.say(room, "thanks")
            world.send(room, "m.room.message", _keep(first))
            await _until(lambda: _told(world, room) == [WORDS.keep])
            pin = {"rel_type": "m.annotation", "event_id": second, "key": "📌"}
            world.send(room, "m.reaction", {"m.relates_to": pin})
            world.say(room, "!record status")
            await _until(lambda: len(_told(world, room)) == 2)
            objects = await recorder.objects()
            await _until(lambda: len(_decisions(objects)) == 2)
        finally:
            await recorder.stop()
    acts = _decisions(objects)
    assert _told(world, room)[1].startswith("Recording: active. Notice: posted.")
    assert [(act["via"], act["by"], act["outcome"]) for act in acts] == [
        ("command", CLERK, "capture"),
        ("reaction", CLERK, "capture"),
    ]
    assert acts[1]["was"] != "capture"  # the first may be kept as context of the command by now
    kept = [path.read_text() for path in (objects / "records").glob("**/*.json")]
    for body in ("see you at 3", "thanks"):
        assert any(json.loads(record).get("body") == body for record in kept)


def _answered(room: Chat, bot: Bot) -> list[str]:
    """What the bot said there, its notice apart."""
    return [
        post.text
        for _, post in sorted(room.posts.items())
        if post.author == bot and post.text and "is being recorded" not in post.text
    ]


async def test_members_of_a_telegram_group_ask_and_are_answered(tmp_path: Path) -> None:
    """A reply keeps a message and asks why; the acts name who asked."""
    async with bot_api() as api:
        anna, bot = api.person("Anna"), api.bot("Recorder", "recorder_bot", privacy=False)
        room = api.supergroup("Flood", anna)
        anna.add(room, bot)
        recorder = Recorder(folder=tmp_path / "dep", command=PROGRAM, tenant="demo")
        group = ApprovedGroup(id=str(room.id), name="Flood")
        await recorder.prepare_telegram(api_base=api.url, token=bot.token, groups=[group])
        await asyncio.to_thread(use_free_port, recorder)
        await recorder.start(patience=90)
        try:
            small_talk = anna.say(room, "see you at 3")
            anna.say(room, "!record keep", How(reply_to=small_talk))
            await _until(lambda: _answered(room, bot) == [WORDS.keep])
            objects = await recorder.objects()
            await _until(lambda: len(_decisions(objects)) == 1)
            anna.say(room, "!record why", How(reply_to=small_talk))
            await _until(lambda: len(_answered(room, bot)) == 2)
        finally:
            await recorder.stop()
    (act,) = _decisions(objects)
    assert (act["via"], act["by"], act["outcome"]) == ("command", str(anna.user.id), "capture")
    assert _answered(room, bot)[1].startswith(WORDS.outcomes[Outcome.CAPTURE])
    assert "PERSON" in _answered(room, bot)[1]
