"""The checks of a bucket in their order, each on its own: what one cannot tell another may."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias

from bridge.errors import ObjectStoreError, ObjectStoreUnavailableError
from bridge.protocols.probe import (
    Enforcement,
    Result,
    StoreCheck,
    StoreFindings,
    retention_of,
)
from storage.objects.probe import bytes_checks, lock_checks
from storage.objects.probe.bench import Bench, check

Check: TypeAlias = Callable[[Bench], StoreCheck]

_FIRST: tuple[tuple[str, Check], ...] = (
    ("canary", bytes_checks.canary),
    ("default_retention", lock_checks.default_retention),
)
_BYTES: tuple[tuple[str, Check], ...] = (
    ("versioning", bytes_checks.versioning),
    ("create_only", bytes_checks.create_only),
    ("overwrite", bytes_checks.overwrite),
    ("conditional_put", bytes_checks.conditional_put),
    ("if_match", bytes_checks.if_match),
    ("wrong_sha256", bytes_checks.wrong_sha256),
    ("wrong_md5", bytes_checks.wrong_md5),
)
_LOCKS: tuple[tuple[str, Check], ...] = (
    ("lock_kept", lock_checks.lock_kept),
    ("delete_version", lock_checks.delete_version),
    ("shorten_retention", lock_checks.shorten_retention),
)
_MORE: tuple[tuple[str, Check], ...] = (
    ("bypass", lock_checks.bypass),
    ("legal_hold", lock_checks.legal_hold),
)
_CONTROL: tuple[tuple[str, Check], ...] = (("control", lock_checks.control),)
_CLOCK: tuple[tuple[str, Check], ...] = (("clock", bytes_checks.clock),)
EVERYTHING = (*_FIRST, *_BYTES, *_CONTROL, *_LOCKS, *_MORE, *_CLOCK)
RETENTION = (*_FIRST, *_CONTROL, *_LOCKS, *_CLOCK)
CHECKS = tuple(name for name, _ in EVERYTHING)
"""The names of all checks, in the order in which they are made and shown."""

_OF_LOCKS = frozenset(name for name, _ in (*_LOCKS, *_MORE))
OLD = timedelta(hours=1)
"""What stands under ``probe/`` since before then is no canary of an examination under way."""


def examine(bench: Bench, store: str, checks: Sequence[tuple[str, Check]]) -> StoreFindings:
    """Make the checks, and remove what may be removed.

    Raises:
        ObjectStoreUnavailableError: the store does not answer from the start.
    """
    unasked = _default_lock(bench)
    found: list[StoreCheck] = []
    silence = ""
    for name, make in checks:
        if name in _OF_LOCKS and bench.lock_mode == "none":
            fact = 'No lock is asked for: lock_mode is "none".'
            found.append(check(name, Enforcement.NOT_APPLICABLE, fact))
        elif silence or (found and found[0].result is Result.FAIL and name != "clock"):
            found.append(check(name, Enforcement.CANNOT_TELL, silence or "Nothing can be put."))
        else:
            try:
                found.append(make(bench))
            except ObjectStoreUnavailableError as error:
                if not found:
                    raise
                silence = f"The store stopped answering: {error}"
                found.append(check(name, Enforcement.CANNOT_TELL, silence, error.hint))
            except ObjectStoreError as error:
                found.append(_hindered(name, error, first=not found))
    findings = StoreFindings(
        store=store,
        lock_mode=bench.lock_mode,
        retention=_retention(bench, found),
        checks=tuple(_default_told(each, unasked) for each in found),
        at=bench.clock.now(),
    )
    return findings if silence else replace(findings, left=_clean(bench))


def _hindered(name: str, error: ObjectStoreError, *, first: bool) -> StoreCheck:
    """A look was refused: of the first check that is a failure, for nothing works without it."""
    said = f"{str(error).rstrip('.')}."
    if first:
        return check(name, Enforcement.NOT_ENFORCED, said, error.hint, needed=True)
    return check(name, Enforcement.CANNOT_TELL, said, error.hint)


def _default_lock(bench: Bench) -> str:
    """Asked before anything is put: a canary must not get a lock of years. "" or the refusal."""
    try:
        bench.default_lock = bench.writer.default_lock()
    except ObjectStoreUnavailableError:
        raise
    except ObjectStoreError as error:
        return str(error)
    return ""


def _default_told(found: StoreCheck, refusal: str) -> StoreCheck:
    """What the bucket was not asked for is known from the first canary, as far as it shows."""
    if found.check != "default_retention" or not refusal:
        return found
    if found.verdict is not Enforcement.NOT_APPLICABLE:
        return found
    fact = f"The first canary shows no lock; the bucket's own rule is not told us: {refusal}."
    return replace(found, fact=fact)


def _retention(bench: Bench, found: Sequence[StoreCheck]) -> Enforcement:
    """Without a lock asked for nothing is enforced, whatever the store could do."""
    return Enforcement.NOT_ENFORCED if bench.lock_mode == "none" else retention_of(found)


def _clean(bench: Bench) -> int:
    """A crash before or in here leaves canaries; the next examination removes them."""
    try:
        return bench.clean(before=bench.server_now() - OLD)
    except ObjectStoreError:
        return len(bench.made)
