"""What is wrong now: in words for ``status`` and one line of stderr, in classes for ``/readyz``.

``run`` writes the words to ``health.json`` beside the journal, whole or not at all, for its owner
alone: they name servers and accounts, and hold no content. A port may be read by others: there
only the part and its kind of trouble stand.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog
from aiohttp import web

from bridge.health_file import Health, write_health
from bridge.protocols import Clock, Voucher
from bridge.rounds import Turns

log = structlog.get_logger(__name__)

ROUND_SECONDS = 1.0

STUCK_SECONDS = 300.0
"""How long a loop may be overdue before only a restart helps."""

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """What is wrong with one part. ``part`` and ``trouble`` MUST hold no id and no address."""

    part: str
    """A connector's name in the settings, or what the part works on: ``store``, ``manifests``."""
    trouble: str
    """The kind of trouble in two words, such as ``not receiving``."""
    sentence: str
    """What the operator reads."""
    subject: str = ""
    """Which one of several: a gid. It MUST be an id of ours."""


def no_turns() -> Mapping[str, Turns]:
    """Of a monitor that watches nobody but itself."""
    return {}


class HealthMonitor:
    """Collects alarms from the parts and publishes them."""

    def __init__(
        self,
        *,
        file: Path,
        clock: Clock,
        alarms: Callable[[], Awaitable[Sequence[Alarm]]],
        tell: Callable[[str], None],
        capture_delay: Callable[[], timedelta | None] = lambda: None,
        anchors: Callable[[], tuple[Voucher, ...]] = tuple,
        turns: Callable[[], Mapping[str, Turns]] = no_turns,
        metrics: Callable[[], Awaitable[bytes]] | None = None,
    ) -> None:
        """``tell`` is given each new alarm once, for the operator's terminal.

        ``turns``: of the loops without which nothing is recorded, by their names; ``metrics`` gives
        the page for Prometheus.
        """
        self._turns = turns
        self._own = Turns(clock)
        self._metrics = metrics
        self._capture_delay = capture_delay
        self._anchors = anchors
        self._tell = tell
        self._file = file
        self._clock = clock
        self._ask = alarms
        self._runner: web.AppRunner | None = None
        self.alarms: tuple[str, ...] = ()
        self._shown: tuple[str, ...] = ()
        self.standing: tuple[Alarm, ...] = ()
        """What the last round found, in parts."""

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            self._own.next_within(ROUND_SECONDS)
            before = self.alarms
            self._take(await self._ask())
            for alarm in self.alarms:
                if alarm not in before:
                    self._tell(alarm)
            delay = self._capture_delay()
            health = Health(
                pid=os.getpid(),
                at=self._clock.now().isoformat(),
                alarms=self.alarms,
                capture_delay=None if delay is None else round(delay.total_seconds(), 3),
                anchors=self._anchors(),
            )
            try:
                await asyncio.to_thread(write_health, self._file, health)
            except OSError as error:
                log.warning("health_not_written", what=error.strerror)
            await self._clock.sleep(ROUND_SECONDS)

    def _take(self, found: Sequence[Alarm]) -> None:
        self.standing = tuple(found)
        self.alarms = tuple(dict.fromkeys(each.sentence for each in found))
        self._shown = tuple(dict.fromkeys(f"{each.part}: {each.trouble}" for each in found))

    async def serve(self, host: str, port: int) -> str | None:
        """Answer on a port. That it is taken is an alarm, not an end: the answer says so."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        if self._metrics is not None:
            app.router.add_get("/metrics", self._metrics_page)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            return f"[service] metrics {host}:{port} cannot be used ({error.strerror})."
        self._runner = runner
        return None

    async def aclose(self) -> None:
        """Stop answering, and leave no health behind: nobody runs any more."""
        if self._runner is not None:
            await self._runner.cleanup()
        await asyncio.to_thread(self._file.unlink, missing_ok=True)

    async def _healthz(self, _: web.Request) -> web.Response:
        """What a restart would mend, and nothing else: who is away is not brought back by it."""
        turns = {"health": self._own, **self._turns()}
        stuck = [name for name, each in turns.items() if each.overdue > STUCK_SECONDS]
        if stuck:
            return web.json_response({"alive": False, "stuck": stuck}, status=503)
        return web.json_response({"alive": True})

    async def _metrics_page(self, _: web.Request) -> web.Response:
        assert self._metrics is not None  # noqa: S101 - the route stands only with it
        body = await self._metrics()
        return web.Response(body=body, headers={"Content-Type": METRICS_TYPE})

    async def _readyz(self, _: web.Request) -> web.Response:
        ready = not self.alarms
        body = {"ready": ready, "alarms": list(self._shown)}
        return web.json_response(body, status=200 if ready else 503)
