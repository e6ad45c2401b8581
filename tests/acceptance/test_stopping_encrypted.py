"""A signal ends the program while messages wait for their keys, and what is stored is listed."""

from __future__ import annotations

from pathlib import Path

from bridge.canonical.json import Json
from tests.acceptance.test_keys_command import Status, in_an_encrypted_room


async def test_a_stop_does_not_wait_for_keys(tmp_path: Path) -> None:
    """What has no key stays for the next start; what was stored stands in a manifest."""
    async with in_an_encrypted_room(tmp_path) as scene:
        content: dict[str, Json] = {"msgtype": "m.text", "body": "Agreed, option B"}
        scene.server.world.send(scene.room, "m.room.message", content)

        async def stored(_status: Status) -> bool:
            return "Agreed, option B" in await scene.bodies()

        await scene.until(stored)
        await scene.say("Open the sluice")
        await scene.until_waiting(1)
        assert await scene.recorder.stop() == 0
        log = scene.recorder.log.read_text()
        assert '"event": "stopped"' in log
        assert "what is left is stored after the next start" not in log
        store = await scene.recorder.objects()
        listed = [path.read_text() for path in store.rglob("manifests/**/*.json")]
        assert any('"outcome":"capture"' in part for part in listed)
