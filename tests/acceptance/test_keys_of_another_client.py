"""Keys that another client exported open what the recorder journalled without them."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import msgspec

from benchmarks.encrypted import Scene, on_encrypted
from bridge.demo.shelf import read_shelf
from connectors.matrix.account import Session
from connectors.matrix.crypto.export_file import armoured, sealed
from connectors.matrix.http import Endpoint, MatrixHttp, path
from tests.acceptance.program import muniment
from tests.patience import PATIENCE
from tests.servers.synapse import MARKS, synapse_python

pytestmark = MARKS

PASSPHRASE = b"between two ministries"


async def _bodies(scene: Scene) -> set[str]:
    """What the store's records say."""
    objects = await scene.recorder.objects()
    shelf = await asyncio.to_thread(read_shelf, objects)
    return {record.body for record in shelf.records}


async def _until_said(scene: Scene, body: str) -> None:
    until = time.monotonic() + PATIENCE
    while body not in await _bodies(scene):
        assert time.monotonic() < until, await scene.recorder.last_words()
        await asyncio.sleep(0.5)


async def _until_waiting(scene: Scene) -> None:
    """A message is in the journal, and its key is not there."""
    until = time.monotonic() + PATIENCE
    while True:
        config = str(scene.recorder.config)
        said = await asyncio.to_thread(muniment, "status", "--json", "--config", config)
        if json.loads(said.out)["totals"]["unopened"]:
            return
        assert time.monotonic() < until, said.out
        await asyncio.sleep(1.0)


async def _swallow_keys(scene: Scene) -> None:
    """Somebody else with the recorder's token takes its messages: they do not come again."""
    (file,) = scene.recorder.folder.glob("var/matrix-*.session")
    session = msgspec.json.decode(await asyncio.to_thread(file.read_bytes), type=Session)
    http = MatrixHttp(Endpoint(homeserver=scene.homeserver.url))
    http.token = session.access_token
    try:
        first = json.loads(await http.request("GET", path("sync"), query={"timeout": "0"}))
        assert first["to_device"]["events"]
        after = {"timeout": "0", "since": first["next_batch"]}
        await http.request("GET", path("sync"), query=after)
        query = {"timeout": "1"}  # the same question would get the answer of before
        last = json.loads(await http.request("GET", path("sync"), query=query))
        assert "to_device" not in last
    finally:
        await http.aclose()


async def test_keys_of_another_client_open_what_was_journalled(tmp_path: Path) -> None:
    """A key that was lost on its way comes by file; the recorder is not started again."""
    folder = tmp_path / "recorder"
    async with on_encrypted(python=synapse_python(), folder=folder) as scene:
        clerk, room = scene.clerk, scene.room
        heard = await clerk.text(room, "heard: approve option A, go ahead")
        await _until_said(scene, "heard: approve option A, go ahead")
        await scene.recorder.stop()
        # The server still answers the question that the recorder asked last, and keeps that answer
        # for when it is asked again: it must not have the key in it.
        for number in range(2):
            await clerk.text(room, f"in between {number}")
        await clerk.rotate(room)
        lost = await clerk.text(room, "lost: approve option B, go ahead")
        assert lost.session_id != heard.session_id
        await _swallow_keys(scene)
        await scene.recorder.spawn()

        keys = (await clerk.export_keys()).encode()
        data = await asyncio.to_thread(
            lambda: armoured(sealed(keys, PASSPHRASE, random=os.urandom, rounds=1000))
        )
        await asyncio.to_thread((tmp_path / "keys.txt").write_bytes, data)
        secret = tmp_path / "passphrase"
        secret.touch(mode=0o600)
        await asyncio.to_thread(secret.write_bytes, PASSPHRASE)
        await _until_waiting(scene)
        assert "lost: approve option B, go ahead" not in await _bodies(scene)
        said = await asyncio.to_thread(
            muniment,
            *("keys", "import", "matrix", str(tmp_path / "keys.txt")),
            *("--passphrase-file", str(secret), "--config", str(scene.recorder.config)),
        )
        assert said.code == 0, said.err
        assert "0 could not be read" in said.err
        await _until_said(scene, "lost: approve option B, go ahead")
        objects = await scene.recorder.objects()
        shelf = await asyncio.to_thread(read_shelf, objects)
        assert "message" in {each.kind for each in shelf.of(lost.event_id)}
