"""Whether the store keeps enforcing what records rely on: asked at each start, and daily.

A store that takes locks and does not enforce them is refused at start; what cannot be told is an
alarm. Recording waits a few seconds for the answer at most: a store that is away is asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import structlog

from bridge.errors import ConfigError, ObjectStoreError, RetentionNotKeptError
from bridge.protocols import Clock
from bridge.protocols.probe import Enforcement, StoreFindings, StoreProbe, StoreVerdict
from bridge.store_watch import verdicts

log = structlog.get_logger(__name__)

START_SECONDS = 10.0
DAY = timedelta(days=1)
DAY_SECONDS = DAY.total_seconds()
AGAIN_SECONDS = 60.0
CANARY = timedelta(days=3)
"""How long the daily canary is locked: it outlasts the next look, a late one too."""

_T = TypeVar("_T")


class StoreWatch:
    """Asks the probe, keeps what it says, and says what is wrong.

    ``verdict`` is the last word on the store, by whoever had it: None before the first.
    """

    def __init__(
        self,
        *,
        probe: StoreProbe,
        store: str,
        lock_mode: str,
        file: Path,
        clock: Clock,
        start_seconds: float = START_SECONDS,
    ) -> None:
        """``store`` is its name as the probe gives it; ``file`` where verdicts are kept.

        With ``lock_mode`` "none" nothing is asked of the store: nothing is relied on.
        """
        self._probe = probe
        self._store = store
        self._lock_mode = lock_mode
        self._file = file
        self._clock = clock
        self._start_seconds = start_seconds
        self._fresh = False
        self._unanswered = ""
        self._changed = ""
        self.verdict: StoreVerdict | None = None

    @property
    def troubles(self) -> tuple[str, ...]:
        """What an operator must hear, in sentences."""
        found = [self._unanswered, self._changed]
        if self._lock_mode != "none" and self.verdict is not None:
            found.append(_alarm(self.verdict))
        return tuple(each for each in found if each)

    async def begin(self) -> None:
        """Look before anything is recorded, for some seconds at most.

        Raises:
            ConfigError: the store answers, and by the last word on it does not enforce the lock
                that is asked for.
        """
        try:
            async with asyncio.timeout(self._start_seconds):
                await self._examine()
        except TimeoutError:
            self._not_answered(f"no answer within {self._start_seconds:g} s.")
        except ObjectStoreError as error:
            self._not_answered(str(error))
        else:
            told = self.verdict
            relied_on = self._lock_mode != "none"
            if relied_on and told is not None and told.retention is Enforcement.NOT_ENFORCED:
                raise _refusal(told)

    async def run(self) -> None:
        """Look again every day; sooner while the store does not answer."""
        while True:
            answered = await self.round()
            await self._clock.sleep(DAY_SECONDS if answered else AGAIN_SECONDS)

    async def round(self) -> bool:
        """Repeat the verdict, look at the canary of the last time, and plant another.

        Nothing here stops a recorder that records: what is wrong is an alarm, and a refusal at
        the next start. Whether the store answered.
        """
        try:
            if not self._fresh:
                await self._examine()
            if self._lock_mode != "none" and not self._is(Enforcement.NOT_ENFORCED):
                await self._look_again()
        except ObjectStoreError as error:
            self._not_answered(str(error))
            return False
        finally:
            self._fresh = False
        self._unanswered = ""
        if self.verdict is not None:
            log.info(
                "store_looked_at",
                retention=self.verdict.retention.value,
                lock_mode=self._lock_mode,
                by=self.verdict.by,
                said_at=self.verdict.at.isoformat(),
            )
        return True

    async def _examine(self) -> None:
        findings = await self._asked()
        self._unanswered = ""
        self._fresh = True
        kept = await self._keep(lambda: verdicts.keep(self._file, findings, by="run"))
        told = None if kept is None else self._last_word(kept)
        self.verdict = told or verdicts.as_found(findings, "run")
        for warning in self.verdict.warnings:
            log.warning("store_warning", what=warning)

    async def _asked(self) -> StoreFindings:
        if self._lock_mode != "none":
            return await self._probe.retention()
        return StoreFindings(
            store=self._store,
            lock_mode=self._lock_mode,
            retention=Enforcement.NOT_ENFORCED,
            checks=(),
            at=self._clock.now(),
        )

    def _last_word(self, kept: verdicts.Kept) -> StoreVerdict | None:
        return verdicts.last_word(
            kept, store=self._store, lock_mode=self._lock_mode, now=self._clock.now()
        )

    async def _look_again(self) -> None:
        """A crash between planting and keeping forgets one canary, and the next one is planted."""
        canary = (await asyncio.to_thread(verdicts.read, self._file)).canary
        now = self._clock.now()
        if canary is not None and self._is_ours(canary) and canary.until > now:
            self._changed = await self._probe.changed(canary.planted())
            if self._changed:
                log.warning("store_canary_changed", what=self._changed)
            if canary.until - now > CANARY - DAY:
                return  # a start after a short stop
        try:
            planted = await self._probe.plant(now + CANARY)
        except RetentionNotKeptError as error:
            self._changed = str(error)
            log.warning("store_canary_changed", what=self._changed)
            return
        await self._keep(
            lambda: verdicts.keep_canary(self._file, self._store, self._lock_mode, planted)
        )

    def _is_ours(self, canary: verdicts.KeptCanary) -> bool:
        """One that was locked in another mode is no news where it shows that mode."""
        return (canary.store, canary.lock_mode) == (self._store, self._lock_mode)

    async def _keep(self, write: Callable[[], _T]) -> _T | None:
        try:
            return await asyncio.to_thread(write)
        except OSError as error:
            log.warning("store_verdict_not_kept", what=error.strerror)
            return None

    def _is(self, retention: Enforcement) -> bool:
        return self.verdict is not None and self.verdict.retention is retention

    def _not_answered(self, why: str) -> None:
        said = f"Whether {self._store} enforces retention was not found out: {why}"
        if said != self._unanswered:
            log.warning("store_not_looked_at", what=why)
        self._unanswered = said


_ALLOWED = 'Use a bucket whose locks hold, or set [store] lock_mode = "none" knowingly'
_CLEARED = (
    "Once the store is mended, run `muniment doctor --store --probe-credentials FILE`: this counts"
    " until doctor finds that its locks hold."
)


def _refusal(verdict: StoreVerdict) -> ConfigError:
    shows = f"{_ALLOWED}; `muniment doctor --store` shows what was tried."
    return ConfigError(
        f'[store] lock_mode is "{verdict.lock_mode}", and {verdict.store} does not enforce it:'
        f" {_faults(verdict)}",
        hint=f"{_ALLOWED}. {_CLEARED}" if verdict.by == "doctor" else shows,
    )


def _faults(verdict: StoreVerdict) -> str:
    """What is wrong, and who found it where it was not this recorder."""
    if verdict.by != "doctor":
        return " ".join(verdict.facts)
    found = f"Found by `muniment doctor` at {verdict.at:%Y-%m-%d %H:%M} UTC."
    return " ".join((*verdict.facts, found))


def _alarm(verdict: StoreVerdict) -> str:
    if verdict.retention is Enforcement.ENFORCED:
        return ""
    if verdict.retention is Enforcement.NOT_ENFORCED:
        remedy = f" {_CLEARED}" if verdict.by == "doctor" else ""
        return f"{verdict.store} does not enforce retention: {_faults(verdict)}{remedy}"
    facts = " ".join(verdict.facts)
    remedy = "Run `muniment doctor --probe-credentials FILE`."
    return f"Whether {verdict.store} enforces retention cannot be told: {facts} {remedy}"
