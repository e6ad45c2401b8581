"""What looks at all other parts: health, the page for Prometheus, alerts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from bridge.alerts import FILE as ALERTS_FILE
from bridge.alerts import Alerts
from bridge.app.alerting import Conditions
from bridge.app.metrics import Metrics, Numbers
from bridge.app.opened import Opened
from bridge.app.parts.publishing import Publishing
from bridge.app.parts.recording import Recording
from bridge.app.rules import review_time
from bridge.errors import JournalUnavailableError
from bridge.health import Alarm, HealthMonitor
from bridge.health_file import FILE as HEALTH_FILE
from bridge.protocols import Counts, Entry
from bridge.reconcile import FIXITY_FILE
from bridge.rounds import Turns
from bridge.supervise import Loop, Loops


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """Those who look, and tell."""

    health: HealthMonitor
    metrics: Metrics
    alerts: Alerts

    def loops(self) -> Iterator[tuple[str, Loop]]:
        """Every loop by its name."""
        yield "health", self.health.run
        yield "alerts", self.alerts.run

    async def aclose(self) -> None:
        """Stop answering and telling. What is still owed is told after the next start."""
        await self.health.aclose()
        await self.alerts.aclose()


def watching_of(
    opened: Opened,
    recording: Recording,
    publishing: Publishing,
    *,
    loops: Loops,
    alarms: Callable[[], Awaitable[Sequence[Alarm]]],
) -> Watching:
    """Wire these parts. From here on a protective marking is told."""

    def turns() -> dict[str, Turns]:
        return {**dict(recording.turns()), "publisher": publishing.publisher.turns}

    async def numbers() -> Numbers:
        return await _numbers(
            opened, recording, publishing, loops=loops, health=health, alerts=alerts
        )

    metrics = Metrics(clock=opened.clock, numbers=numbers)
    health = HealthMonitor(
        file=opened.settings.service.data_dir / HEALTH_FILE,
        clock=opened.clock,
        alarms=alarms,
        tell=opened.tell,
        capture_delay=lambda: recording.writer.capture_delay,
        anchors=lambda: publishing.anchoring.vouchers,
        turns=turns,
        metrics=metrics.page,
    )
    alerts = _alerts_of(opened, recording, health)

    async def on_restricted(entry: Entry) -> None:
        await alerts.note_restricted(entry.stream.gid, f"{entry.stream.id}-{entry.n}")

    async def on_lower_marking(entry: Entry) -> None:
        await alerts.note_lower_marking(entry.stream.gid, f"{entry.stream.id}-{entry.n}")

    recording.triage.on_restricted = on_restricted
    if opened.settings.alerts.nudge:
        recording.triage.on_lower_marking = on_lower_marking
    return Watching(health=health, metrics=metrics, alerts=alerts)


def _alerts_of(opened: Opened, recording: Recording, health: HealthMonitor) -> Alerts:
    data_dir = opened.settings.service.data_dir
    conditions = Conditions(
        journal=opened.journal,
        clock=opened.clock,
        blind_key=recording.blind_key,
        review=review_time(opened.settings),
        fixity=data_dir / FIXITY_FILE,
    )

    async def standing() -> Sequence[Alarm]:
        # What keeps alerts back they know themselves, sooner than health does.
        found = (alarm for alarm in health.standing if alarm.part != "alerts")
        return (*found, *await conditions.now())

    return Alerts(
        file=data_dir / ALERTS_FILE,
        clock=opened.clock,
        channels=opened.channels,
        standing=standing,
        quiet=timedelta(minutes=opened.settings.alerts.quiet_minutes),
    )


async def _numbers(
    opened: Opened,
    recording: Recording,
    publishing: Publishing,
    *,
    loops: Loops,
    health: HealthMonitor,
    alerts: Alerts,
) -> Numbers:
    now, moment = opened.clock.now(), opened.clock.monotonic()
    counts: Counts | None = None
    with suppress(JournalUnavailableError):  # the parts that need it say so
        counts = await opened.journal.counts(now=now)
    heard = {capture.name: capture.received for capture in recording.captures}
    writer = recording.writer
    return Numbers(
        at=now,
        counts=counts,
        capture_delays=writer.capture_delays,
        margins=writer.margins,
        store_errors=writer.refusals,
        lags={name: max(moment - at, 0.0) for name, at in heard.items() if at is not None},
        classifying=recording.triage.lag,
        head=publishing.publisher.head,
        vouchers=publishing.anchoring.vouchers,
        spool_fill=recording.pressure.fill,
        damaged=recording.journal.damaged,
        restarts=loops.restarts,
        alarms=health.standing,
        unsent=alerts.unsent,
    )
