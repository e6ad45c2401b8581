"""``muniment calibrate``: thresholds from what this deployment's people reviewed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from bridge.app.adapters import open_journal
from bridge.app.policies import CALIBRATION_FILE, calibration_of, classifier_of
from bridge.canonical import rfc3339
from bridge.classify import InForce
from bridge.classify.calibrate import (
    Calibration,
    Method,
    Sample,
    Threshold,
    encoded,
    least_n,
    thresholds,
    upper_bound,
)
from bridge.clock import SystemClock
from bridge.errors import ConfigError, JournalUnavailableError
from bridge.model import Outcome
from bridge.protocols import Journal, Judgement, Label, Reviewed, Via
from bridge.whole_file import replace_whole
from config.settings import Settings

PAGE = 2000
_CALIBRATED = "+cal-"


class ThresholdReport(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold. ``source`` is connector/group, or empty for all groups together."""

    source: str
    method: str
    n: int
    k: int
    value: float | None
    suffices: bool
    guarantee: str


class KeepRate(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the messages judged so far that are captured or reviewed.

    ``now`` is what became of them; ``then`` with the thresholds of the chosen method in force.
    """

    messages: int
    now: float | None
    then: float | None
    reviews_more: int


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """Discards drawn by lot and reviewed, and what that says of the others with 95 % confidence."""

    reviewed: int
    significant: int
    share_at_most: float


class CalibrationReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of ``calibrate --json``.

    ``reviewed`` counts what a person decided in the console under this policy and model;
    ``set_aside`` what was decided under others, ``asked_in_groups`` what members wanted kept,
    ``as_context`` what was kept for what it explains: none of these is used.
    """

    policy: str
    model: str
    alpha: float
    method: str
    reviewed: int
    significant: int
    set_aside: int
    asked_in_groups: int
    as_context: int
    least: int
    thresholds: list[ThresholdReport]
    keep_rate: KeepRate
    audit: AuditReport
    in_force: str | None
    applied: bool
    note: str


async def calibrate(
    settings: Settings, *, alpha: float, method: Method, apply: bool
) -> CalibrationReport:
    """What the reviewed messages allow, and with ``apply`` the thresholds written for ``run``.

    Raises:
        ConfigError: a file cannot be read or written.
        JournalError: the journal is there and cannot be read.
    """
    classifier = await asyncio.to_thread(classifier_of, settings)
    reviewed, judged = await _read(settings)
    basis = (classifier.policy, _plain(classifier.model))
    fitting = [each for each in reviewed if (each.policy, _plain(each.model)) == basis]
    in_console = [each for each in fitting if each.via is Via.CONSOLE]
    # Kept for what it explains is neither significant by itself nor trivial.
    by_people = [each for each in in_console if each.label is not Label.CONTEXT]
    samples = [_sample(each) for each in by_people]
    found = [t for each in Method for t in thresholds(samples, alpha=alpha, method=each)]
    chosen = Calibration(
        policy=basis[0],
        model=basis[1],
        at=rfc3339(SystemClock().now()),
        thresholds=tuple(t for t in found if t.method is method and t.suffices),
    )
    applied = apply and bool(chosen.thresholds)
    if applied:
        path = settings.service.data_dir / CALIBRATION_FILE
        await asyncio.to_thread(_write, path, encoded(chosen))
    return CalibrationReport(
        policy=basis[0],
        model=basis[1],
        alpha=alpha,
        method=method.value,
        reviewed=len(by_people),
        significant=found[0].n,
        set_aside=len(reviewed) - len(fitting),
        asked_in_groups=len(fitting) - len(in_console),
        as_context=len(in_console) - len(by_people),
        least=least_n(alpha, method),
        thresholds=[_row(each) for each in found],
        keep_rate=_keep_rate([j for j in judged if (j.policy, _plain(j.model)) == basis], chosen),
        audit=_audit(by_people),
        in_force=await asyncio.to_thread(_in_force, settings, basis),
        applied=applied,
        note=_note(classifier, chosen, applied=applied),
    )


def _in_force(settings: Settings, basis: tuple[str, str]) -> str | None:
    current = calibration_of(settings)
    return current.label if current and current.applies_to(*basis) else None


async def _read(settings: Settings) -> tuple[Sequence[Reviewed], Sequence[Judgement]]:
    """What people decided, and what was judged; nothing where nothing was ever recorded."""
    if not await asyncio.to_thread((settings.service.data_dir / "journal.db").exists):
        return (), ()
    try:
        journal = await open_journal(settings, SystemClock(), look=True)
    except JournalUnavailableError as error:
        raise ConfigError(str(error), hint=error.hint) from None
    try:
        return await journal.reviewed(), [each async for each in _judged(journal)]
    finally:
        await journal.aclose()


async def _judged(journal: Journal) -> AsyncIterator[Judgement]:
    after = 0
    while page := await journal.judgements(after=after, limit=PAGE):
        for each in page:
            yield each
        after = page[-1].seq


def _plain(model: str) -> str:
    """A model's name without the calibration that was in force."""
    return model.partition(_CALIBRATED)[0]


def _sample(reviewed: Reviewed) -> Sample:
    return Sample(
        score=reviewed.score,
        significant=reviewed.outcome is Outcome.CAPTURE,
        source=f"{reviewed.connector}/{reviewed.group_id}",
    )


def _row(threshold: Threshold) -> ThresholdReport:
    return ThresholdReport(
        source=threshold.source,
        method=threshold.method.value,
        n=threshold.n,
        k=threshold.k,
        value=threshold.value if threshold.suffices else None,
        suffices=threshold.suffices,
        guarantee=threshold.guarantee,
    )


def _keep_rate(judged: Sequence[Judgement], chosen: Calibration) -> KeepRate:
    """A threshold only ever turns discards into reviews, so ``then`` is never below ``now``."""
    discards = [each for each in judged if each.outcome is Outcome.DISCARD]
    more = 0
    for each in discards:
        threshold = chosen.threshold(f"{each.connector}/{each.group_id}")
        more += threshold is not None and each.score >= threshold.value
    kept, total = len(judged) - len(discards), len(judged)
    return KeepRate(
        messages=total,
        now=kept / total if total else None,
        then=(kept + more) / total if total else None,
        reviews_more=more,
    )


def _audit(reviewed: Sequence[Reviewed]) -> AuditReport:
    drawn = [each for each in reviewed if each.audited]
    significant = sum(each.outcome is Outcome.CAPTURE for each in drawn)
    return AuditReport(
        reviewed=len(drawn),
        significant=significant,
        share_at_most=upper_bound(significant, len(drawn)),
    )


def _note(classifier: InForce, chosen: Calibration, *, applied: bool) -> str:
    if applied:
        return "Written; it holds from the next start of `muniment run`."
    if not chosen.thresholds:
        return "Too few messages were reviewed: the conservative thresholds of the rules hold."
    if classifier.is_calibrated:
        return "Another calibration is in force; --apply puts this one in its place."
    return "Nothing was changed; --apply writes these thresholds."


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_whole(path, data, durable=True)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror}).",
            hint="Run the command as the recorder's account.",
        ) from None
