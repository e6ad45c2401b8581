"""Replacing a secret as the operations page says, and what a start makes of it."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from pathlib import Path

from bridge.app.platforms import connectors_of
from bridge.clock import SystemClock
from config.settings import Settings, parse


def put(file: Path, secret: str) -> None:
    """A new file beside it, for its owner alone, moved over the old one."""
    new = file.with_name("new")
    new.parent.mkdir(parents=True, exist_ok=True)
    new.touch(mode=0o600)
    new.write_text(f"{secret}\n")
    new.rename(file)


def settings_of(folder: Path, text: str) -> Settings:
    """What a file in ``folder`` says, with a journal key."""
    settings = parse(text, folder / "muniment.toml", {})
    settings.service.data_dir.mkdir(exist_ok=True)
    put(settings.keys.journal_key_file, b64encode(bytes(32)).decode())
    return settings


async def start(settings: Settings) -> None:
    """What a start does with its one connector, which is closed again."""
    clock = SystemClock()
    (connector,) = (await asyncio.to_thread(connectors_of, settings, clock, say=print)).values()
    try:
        await connector.start()
    finally:
        await connector.aclose()
