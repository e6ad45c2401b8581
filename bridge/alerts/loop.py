"""The loops that watch and tell. What is owed survives a crash, and is then told once or twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import structlog

from bridge.alerts.alert import Channel
from bridge.alerts.desk import Desk
from bridge.alerts.ledger import Ledger, read_ledger
from bridge.errors import AlertError
from bridge.health import Alarm
from bridge.protocols import Clock
from bridge.whole_file import replace_whole

log = structlog.get_logger(__name__)

ROUND_SECONDS = 1.0
SEND_SECONDS = 60.0
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 900.0

RESTRICTED = ("messages", "restricted")
"""Part and kind of trouble of a marking of SECRET or above."""

LOWER_MARKING = ("messages", "lower marking")
"""Of a lower one: the message is kept, and its talk may belong elsewhere."""


class Alerts:
    """Watches alarms and tells each channel of them, each at its own pace.

    A channel that fails holds up no other, and is an alarm itself (:attr:`troubles`).
    """

    def __init__(
        self,
        *,
        file: Path,
        clock: Clock,
        channels: Sequence[Channel],
        standing: Callable[[], Awaitable[Sequence[Alarm]]],
        quiet: timedelta,
    ) -> None:
        """``standing`` gives what is wrong now; ``quiet``: the same is raised once in this time."""
        self._file = file
        self._clock = clock
        self._channels = tuple(channels)
        self._standing = standing
        self._quiet = quiet
        self._ledger = Ledger()
        self._desk = Desk(self._ledger, quiet=quiet)
        self._written = b""
        self._writing = asyncio.Lock()
        self._news = {channel.name: asyncio.Event() for channel in channels}
        self._failing: dict[str, str] = {}
        self._unwritten = ""

    @property
    def troubles(self) -> tuple[Alarm, ...]:
        """What keeps people from being told. The subject is the channel."""
        found = [
            Alarm(part="alerts", trouble="not sent", sentence=what, subject=name)
            for name, what in self._failing.items()
        ]
        if self._unwritten:
            found.append(Alarm(part="alerts", trouble="not kept", sentence=self._unwritten))
        return tuple(found)

    @property
    def unsent(self) -> Mapping[str, int]:
        """How many alerts wait for each channel."""
        return {
            channel.name: len(self._ledger.owed.get(channel.name, ())) for channel in self._channels
        }

    async def begin(self) -> None:
        """Take up what the last process did not tell. What happens next is kept from here on."""
        known = await asyncio.to_thread(read_ledger, self._file)
        if known is None and await asyncio.to_thread(self._file.exists):
            log.warning("alerts_not_read", what="alerts.json is damaged; it is made anew")
        self._ledger = known or Ledger()
        names = [channel.name for channel in self._channels]
        # A channel that is configured no more is owed nothing.
        self._ledger.owed = {name: self._ledger.owed.get(name, []) for name in names}
        self._desk = Desk(self._ledger, quiet=self._quiet)

    async def note_restricted(self, gid: str, name: str) -> None:
        """A message of the group is marked SECRET or above. Kept on return, so that it is told.

        It MUST be called before that is written anywhere else: after a crash in between the message
        is judged again, and ``name`` keeps it from counting twice.
        """
        if self._channels:
            self._desk.note(*RESTRICTED, gid, name, now=self._clock.now())
            await self._keep()

    async def note_lower_marking(self, gid: str, name: str) -> None:
        """A message of the group bears a lower marking: told once a day, since groups go on so."""
        if self._channels and self._desk.remind(*LOWER_MARKING, gid, name, now=self._clock.now()):
            await self._keep()

    async def run(self) -> None:
        """Watch and tell until cancelled."""
        if not self._channels:
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(), name="alerts")
            for channel in self._channels:
                group.create_task(self._deliver(channel), name=f"alerts {channel.name}")

    async def aclose(self) -> None:
        """Give up connections."""
        for channel in self._channels:
            await channel.aclose()

    async def _watch(self) -> None:
        while True:
            await self.round()
            await self._clock.sleep(ROUND_SECONDS)

    async def round(self) -> None:
        """Look once. Crash before it is kept: the same is found at the next start."""
        alarms = (*await self._standing(), *self.troubles)
        alerts = self._desk.observe(alarms, now=self._clock.now())
        self._desk.owe(alerts, list(self._news))
        await self._keep()
        for each in self._news.values():
            each.set()

    async def _deliver(self, channel: Channel) -> None:
        pause = FIRST_PAUSE
        while True:
            if not self._ledger.owed.get(channel.name):
                self._news[channel.name].clear()
                await self._news[channel.name].wait()
                continue
            if await self._send_one(channel):
                pause = FIRST_PAUSE
            else:
                await self._clock.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _send_one(self, channel: Channel) -> bool:
        """Crash after the channel took it and before that is kept: it is sent again."""
        alert = self._ledger.owed[channel.name][0]
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await channel.send(alert)
        except (AlertError, TimeoutError) as error:
            what = str(error) or f"no answer within {SEND_SECONDS:g} s."
            sentence = f"Alerts cannot be sent by {channel.name}: {what}"
            if self._failing.get(channel.name) != sentence:
                log.warning("alert_not_sent", channel=channel.name, what=what)
            self._failing[channel.name] = sentence
            return False
        self._failing.pop(channel.name, None)
        if alert in self._ledger.owed[channel.name]:  # else there were too many meanwhile
            self._ledger.owed[channel.name].remove(alert)
        log.info("alert_sent", channel=channel.name, part=alert.part, trouble=alert.trouble)
        await self._keep()
        return True

    async def _keep(self) -> None:
        """Write the ledger if it changed. Not written, it is told all the same while we run."""
        async with self._writing:
            data = msgspec.json.encode(self._ledger)
            if data == self._written:
                return
            try:
                await asyncio.to_thread(replace_whole, self._file, data, durable=True)
            except OSError as error:
                if not self._unwritten:
                    log.warning("alerts_not_written", what=error.strerror)
                self._unwritten = f"Alerts that wait cannot be written down ({error.strerror})."
            else:
                self._written, self._unwritten = data, ""
