"""A recorder that starts without the disk of its ``file:`` store."""

from __future__ import annotations

import asyncio
from pathlib import Path

from blockbuster import BlockBuster

from bridge.app.service import entries_of, running
from config.settings import Settings
from tests.fakes.homeserver import RECORDER, FakeHomeserver
from tests.fakes.homeserver.rooms import CLERK
from tests.integration.recording import recorder, until_kept
from tests.patience import PATIENCE
from tests.unit.bridge.house import until


async def _until_journalled(settings: Settings, body: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while body not in {  # noqa: ASYNC110 - the journal tells no other process
            each.event.body for each in await entries_of(settings)
        }:
            await asyncio.sleep(0.05)


async def test_a_start_without_the_disk_records_and_stores_once_it_is_there(
    tmp_path: Path, blockbuster: BlockBuster
) -> None:
    """Nothing is written where the disk belongs, and nothing that was said meanwhile is lost."""
    # A process reads its settings and keys before anything waits for its loop; ours is this one.
    blockbuster.deactivate()
    async with FakeHomeserver() as server:
        room = server.world.room("Office")
        server.world.member(room, RECORDER, "invite", sender=CLERK)
        settings = recorder(tmp_path / "bridge", server.url, room)
        store = settings.service.data_dir / "store"
        async with running(settings):
            await until(lambda: server.world.rooms[room].membership(RECORDER) == "join")
            server.world.say(room, "before")
            await until_kept(settings, "before")
        away = store.rename(tmp_path / "away")
        told: list[str] = []
        async with running(settings, tell=told.append):
            server.world.say(room, "meanwhile")
            await _until_journalled(settings, "meanwhile")
            await until(lambda: any("is not there" in each for each in told))
            assert not store.exists()
            away.rename(store)
            await until_kept(settings, "meanwhile")
