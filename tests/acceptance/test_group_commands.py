"""``!record`` in a room: the program as users start it answers, and keeps what a member wants."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.answers import ANSWERS
from bridge.canonical.json import Json
from bridge.demo.homeserver import Account
from bridge.demo.recorder import ApprovedGroup, Recorder
from tests.fakes.homeserver import CLERK, PASSWORD, RECORDER, FakeHomeserver, World

WORDS = ANSWERS["en"]

pytestmark = pytest.mark.timeout(150)


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
        recorder = Recorder(
            folder=tmp_path / "dep", command=(sys.executable, "-m", "bridge"), tenant="demo"
        )
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
