"""A recorder of one Matrix group in this process, on a ``file:`` store."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bridge.app import read_settings
from bridge.cli import main
from bridge.demo.ports import free_ports
from bridge.rawjson.fields import JsonObject, decode
from config.settings import Settings
from tests.acceptance.program import override
from tests.fakes.homeserver import PASSWORD, RECORDER
from tests.integration.replacing import put
from tests.patience import PATIENCE


def recorder(folder: Path, homeserver: str, room: str) -> Settings:
    """Settings that ``init`` made, with a group of which all is kept."""
    assert main(["init", str(folder)]) == 0
    put(folder / "password", PASSWORD)
    config = folder / "muniment.toml"
    override(config, "127.0.0.1:9464", f"127.0.0.1:{free_ports(1)[0]}")
    override(config, "checkpoint_seconds = 10", "checkpoint_seconds = 0.05")
    with config.open("a") as settings:
        settings.write(
            f'\n[[matrix]]\nname = "m"\nhomeserver = "{homeserver}"\n'
            f'user_id = "{RECORDER}"\npassword_file = "password"\n'
            f'\n[[groups]]\nconnector = "m"\nid = "{room}"\nname = "Office"\ncapture_all = true\n'
        )
    return read_settings(config)


def objects(settings: Settings, kind: str) -> list[JsonObject]:
    """What the store has of acts or records, by time."""
    store = settings.service.data_dir / "store"
    return [
        decode(file.read_bytes()) or {} for file in sorted(store.glob(f"v1/*/{kind}/**/*.json"))
    ]


async def until_kept(settings: Settings, body: str) -> None:
    """Until the store has a record that says ``body``."""
    async with asyncio.timeout(PATIENCE):
        while not any(  # noqa: ASYNC110 - the store tells nobody
            each.get("body") == body for each in objects(settings, "records")
        ):
            await asyncio.sleep(0.05)
