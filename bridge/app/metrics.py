"""What Prometheus is shown: numbers of the parts, without content, names of people, or ids.

Nothing is counted here. What there ever was is a total of the journal, what waits now is counted
there at the moment of the question, and what only this process can know is asked of its part.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from bridge.app.reading import VERSION
from bridge.delays import Distribution
from bridge.health import Alarm
from bridge.lifecycle import EntryState
from bridge.protocols import Clock, Counts, Head, Voucher

FRESH_SECONDS = 1.0
"""Who asks more often than that is given the last page."""

WAITING = (EntryState.RECEIVED, EntryState.JUDGED, EntryState.SEALED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What one page is made of. ``counts`` is None while the journal cannot be read."""

    at: datetime
    counts: Counts | None
    capture_delays: Distribution
    margins: Distribution
    store_errors: int
    lags: Mapping[str, float]
    """Seconds since each connector's platform last answered, of those that ever did."""
    classifying: float
    """Seconds that the oldest message waited for a judgement."""
    head: Head | None
    vouchers: Sequence[Voucher]
    spool_fill: float
    damaged: int
    restarts: Mapping[str, int]
    alarms: Sequence[Alarm]
    unsent: Mapping[str, int]


class Metrics(Collector):
    """The page. One at a time; a thread writes it, since that looks into ``/proc``."""

    def __init__(self, *, clock: Clock, numbers: Callable[[], Awaitable[Numbers]]) -> None:
        self._clock = clock
        self._numbers = numbers
        self._lock = asyncio.Lock()
        self._families: tuple[Metric, ...] = ()
        self._page = b""
        self._until = float("-inf")
        # Of its own: another one in this process would share the library's default.
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def collect(self) -> Iterable[Metric]:
        """What the library asks for."""
        return self._families

    async def page(self) -> bytes:
        """The page as Prometheus reads it."""
        async with self._lock:
            if self._clock.monotonic() >= self._until:
                self._families = tuple(families(await self._numbers()))
                self._page = await asyncio.to_thread(generate_latest, self._registry)
                self._until = self._clock.monotonic() + FRESH_SECONDS
            return self._page


def families(numbers: Numbers) -> Iterator[Metric]:
    """Every metric, in the order of the page."""
    if numbers.counts is not None:
        yield from _totals(numbers.counts)
        yield from _waiting(numbers.counts, numbers.at)
    yield from _of_this_process(numbers)
    yield from _of_the_log(numbers)
    yield from _troubles(numbers)


def _totals(counts: Counts) -> Iterator[Metric]:
    for name, what, value in (
        ("events_seen", "Events journalled, ever.", counts.seen),
        ("records_stored", "Records with a receipt of the store, ever.", counts.stored),
        ("late", "Records stored after their message disappeared, ever.", counts.late),
        ("gaps", "Known losses, ever.", counts.gaps),
        (
            "restricted",
            "Messages marked SECRET or above, and their echoes, ever.",
            counts.restricted,
        ),
    ):
        yield CounterMetricFamily(f"muniment_{name}", what, value)


def _waiting(counts: Counts, now: datetime) -> Iterator[Metric]:
    depth = GaugeMetricFamily(
        "muniment_queue_depth", "Messages on their way, by the state they are in.", labels=["state"]
    )
    found = dict(counts.waiting)
    for state in WAITING:
        depth.add_metric([state.value], found.get(state.value, 0))
    yield depth
    for name, what, value in (
        ("overdue", "Messages past safe_by and not stored.", counts.overdue),
        ("downloads_waiting", "Attachments still to be fetched.", counts.downloads),
        ("reviews_waiting", "Messages that wait for a person.", counts.reviews),
        ("encrypted_waiting", "Messages that wait for their key.", counts.encrypted),
        ("undecryptable", "Messages that became a gap for want of a key.", counts.undecryptable),
        ("unsplit_responses", "Responses of platforms that stay closed.", counts.unsplit),
    ):
        yield GaugeMetricFamily(f"muniment_{name}", what, value)
    for name, what, since in (
        ("review_age_seconds", "Since the oldest waiting review came.", counts.oldest_review),
        ("encrypted_age_seconds", "Since the oldest such message came.", counts.oldest_encrypted),
    ):
        yield GaugeMetricFamily(f"muniment_{name}", what, _age(since, now))


def _of_this_process(numbers: Numbers) -> Iterator[Metric]:
    yield _histogram(
        "muniment_capture_delay_seconds",
        "From receipt to storage, of live messages that waited for nothing.",
        numbers.capture_delays,
    )
    yield _histogram(
        "muniment_margin_seconds",
        "Left until the message disappears, when it was stored.",
        numbers.margins,
    )
    yield CounterMetricFamily(
        "muniment_store_errors", "Puts that the store did not take.", numbers.store_errors
    )
    yield _labelled(
        "muniment_platform_lag_seconds",
        "Since the platform was last asked and answered.",
        "connector",
        numbers.lags,
    )
    yield GaugeMetricFamily(
        "muniment_classify_lag_seconds",
        "How long the oldest message waited for a judgement.",
        numbers.classifying,
    )
    yield GaugeMetricFamily(
        "muniment_spool_fill_ratio", "How full the spool is, 0 to 1.", numbers.spool_fill
    )


def _of_the_log(numbers: Numbers) -> Iterator[Metric]:
    head = numbers.head
    if head is not None:
        yield GaugeMetricFamily(
            "muniment_checkpoint_age_seconds",
            "Since the last published checkpoint was signed.",
            _age(head.at, numbers.at),
        )
    if numbers.counts is not None:
        waiting = max(numbers.counts.leaves - (head.size if head is not None else 0), 0)
        yield GaugeMetricFamily(
            "muniment_log_leaves_waiting", "Lines that no published checkpoint covers.", waiting
        )
    for kind in ("witness", "timestamp"):
        given = [each.at for each in numbers.vouchers if each.kind == kind and each.at is not None]
        if given:
            yield GaugeMetricFamily(
                f"muniment_{kind}_age_seconds",
                f"Since the newest {kind} of the log was given.",
                _age(max(given), numbers.at),
            )


def _troubles(numbers: Numbers) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "muniment_journal_damaged", "Rows of the journal that do not open.", numbers.damaged
    )
    restarts = CounterMetricFamily(
        "muniment_loop_restarts", "Loops that failed and were started again.", labels=["loop"]
    )
    for loop, count in sorted(numbers.restarts.items()):
        restarts.add_metric([loop], count)
    yield restarts
    alarms = GaugeMetricFamily(
        "muniment_alarms", "Alarms that stand now, as on /readyz.", labels=["part", "trouble"]
    )
    standing = Counter((alarm.part, alarm.trouble) for alarm in numbers.alarms)
    for labels, count in sorted(standing.items()):
        alarms.add_metric(list(labels), count)
    yield alarms
    yield _labelled(
        "muniment_alerts_unsent", "Alerts that wait to be sent.", "channel", numbers.unsent
    )
    yield InfoMetricFamily("muniment_build", "What runs.", {"version": VERSION})


def _labelled(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, what, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


def _histogram(name: str, what: str, measured: Distribution) -> Metric:
    buckets = [("+Inf" if b == float("inf") else f"{b:g}", n) for b, n in measured.upto]
    return HistogramMetricFamily(name, what, buckets=buckets, sum_value=measured.total)


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max((now - since).total_seconds(), 0.0)
