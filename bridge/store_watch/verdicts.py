"""The last verdicts on the store, kept in ``store.json`` beside the journal.

Two speak: ``run`` by the rights of its own, at each start and daily, and ``doctor``, perhaps with
an identity that may do more. Each replaces its own word, but what ``doctor`` proved wrong stays
until one of them shows that locks hold. The file is written whole or not.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec

from bridge.protocols.probe import (
    RETENTION_CHECKS,
    Enforcement,
    Planted,
    Result,
    StoreFindings,
    StoreVerdict,
)
from bridge.whole_file import replace_whole

FILE = "store.json"
DOCTOR_COUNTS = timedelta(days=90)
"""How long what ``doctor`` found stands in for what ``run`` cannot tell."""

_TOLD = frozenset({"canary", "control", *RETENTION_CHECKS})
"""The checks that a verdict on retention rests on."""

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
Speaker: TypeAlias = Literal["run", "doctor"]


class KeptVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one of them said last."""

    store: str
    lock_mode: str
    retention: Enforcement
    at: Moment
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class KeptCanary(msgspec.Struct, frozen=True, kw_only=True):
    """The canary that ``run`` looks at again. Files of before have no lock mode."""

    store: str
    lock_mode: str = ""
    name: str
    version: str | None
    until: Moment

    def planted(self) -> Planted:
        """As the probe knows it."""
        return Planted(name=self.name, version=self.version, until=self.until)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    run: KeptVerdict | None = None
    doctor: KeptVerdict | None = None
    canary: KeptCanary | None = None


def read(file: Path) -> Kept:
    """What is kept; nothing where the file is missing or is none of ours."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError):
        return Kept()


def keep(file: Path, findings: StoreFindings, *, by: Speaker) -> Kept:
    """Put ``findings`` in the place of what ``by`` said before.

    What ``doctor`` proved wrong stays where it cannot tell now; ``run`` that finds the locks
    holding removes it.

    Raises:
        OSError: nothing was changed.
    """
    said = _kept(findings)
    kept = read(file)
    proved = _proves_a_fault(kept.doctor, store=said.store, lock_mode=said.lock_mode)
    if by == "run":
        doctor = None if proved and said.retention is Enforcement.ENFORCED else kept.doctor
        return _replaced(file, msgspec.structs.replace(kept, run=said, doctor=doctor))
    if proved and said.retention is Enforcement.CANNOT_TELL:
        return kept
    return _replaced(file, msgspec.structs.replace(kept, doctor=said))


def as_found(findings: StoreFindings, by: Speaker) -> StoreVerdict:
    """The verdict that findings give on their own."""
    return _verdict(_kept(findings), by)


def keep_canary(file: Path, store: str, lock_mode: str, planted: Planted) -> Kept:
    """Remember the canary, and how it was locked.

    Raises:
        OSError: nothing was changed.
    """
    canary = KeptCanary(
        store=store,
        lock_mode=lock_mode,
        name=planted.name,
        version=planted.version,
        until=planted.until,
    )
    return _replaced(file, msgspec.structs.replace(read(file), canary=canary))


def last_word(kept: Kept, *, store: str, lock_mode: str, now: datetime) -> StoreVerdict | None:
    """What holds of this store with this lock mode; None where nobody has looked.

    ``run`` is believed, but where it cannot tell, or where ``doctor`` found a fault since. Such a
    fault does not grow old: that ``run`` cannot tell, however late, says nothing against it.
    """
    own, other = kept.run, kept.doctor
    if own is not None and (own.store, own.lock_mode) != (store, lock_mode):
        own = None
    if other is not None and (other.store, other.lock_mode) != (store, lock_mode):
        other = None
    if other is not None and (own is None or _outweighs(other, own, now)):
        return _verdict(other, "doctor")
    return None if own is None else _verdict(own, "run")


def _kept(findings: StoreFindings) -> KeptVerdict:
    unsure = findings.of(Result.FAIL) or findings.of(Result.CANNOT_TELL)
    return KeptVerdict(
        store=findings.store,
        lock_mode=findings.lock_mode,
        retention=findings.retention,
        at=findings.at,
        facts=tuple(dict.fromkeys(each.fact for each in unsure if each.check in _TOLD)),
        warnings=tuple(each.fact for each in findings.of(Result.WARNING)),
    )


def _proves_a_fault(said: KeptVerdict | None, *, store: str, lock_mode: str) -> bool:
    return (
        said is not None
        and (said.store, said.lock_mode) == (store, lock_mode)
        and said.retention is Enforcement.NOT_ENFORCED
    )


def _outweighs(doctor: KeptVerdict, run: KeptVerdict, now: datetime) -> bool:
    unsure = run.retention is Enforcement.CANNOT_TELL
    if doctor.retention is Enforcement.NOT_ENFORCED:
        return unsure or doctor.at > run.at
    tells = doctor.retention is Enforcement.ENFORCED and now - doctor.at < DOCTOR_COUNTS
    return tells and unsure


def _verdict(said: KeptVerdict, by: Speaker) -> StoreVerdict:
    return StoreVerdict(
        store=said.store,
        lock_mode=said.lock_mode,
        retention=said.retention,
        at=said.at.astimezone(UTC),
        by=by,
        facts=said.facts,
        warnings=said.warnings,
    )


def _replaced(file: Path, kept: Kept) -> Kept:
    replace_whole(file, msgspec.json.encode(kept), durable=True)
    return kept
