"""The recorder of a data directory as the console sees it, whether it runs or not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bridge.app.adapters import LOG_FILE
from bridge.console.standing import Recorder, Standing
from bridge.health_file import FILE, read_health
from bridge.protocols import Clock
from config.settings import Settings
from storage.translog.heads import published_size


class RecorderBeside:
    """What it writes beside its journal. Implements :class:`bridge.console.standing.Recorder`."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    async def standing(self) -> Standing:
        """How it stands."""
        folder = self._settings.service.data_dir
        health = await asyncio.to_thread(read_health, folder / FILE, now=self._clock.now())
        shown = await published_size(folder / LOG_FILE)
        return Standing(
            runs=health is not None,
            alarms=health.alarms if health else (),
            capture_delay=health.capture_delay if health else None,
            store=self._settings.store.url,
            log_size=shown.size if shown else 0,
            checkpoint_at=shown.at if shown else None,
            vouchers=health.anchors if health else (),
        )


if TYPE_CHECKING:
    _: type[Recorder] = RecorderBeside
