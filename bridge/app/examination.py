"""What ``doctor`` looks at: names, keys, folders, the store, the platforms, the clock."""

from __future__ import annotations

import asyncio
import importlib
import os
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

from bridge.app.adapters import check_signing_key, open_journal
from bridge.app.backed_up import backup_report
from bridge.app.places import place_of
from bridge.app.platforms import connectors_of, standing_of
from bridge.app.policies import classifier_of
from bridge.app.probes import examine_store
from bridge.clock import SystemClock
from bridge.errors import JournalUnavailableError, MunimentError
from bridge.health_file import FILE, read_health
from bridge.model import DeviceTrust, Group, GroupState
from bridge.protocols.probe import Enforcement, Result, StoreCheck, StoreFindings
from config.settings import Settings
from config.tables import MatrixAccount

OWN_NAMES = ("bridge", "connectors", "storage", "config")
WITHHELD = "withheld keys"
"""How the alarm of a connector says so."""

_ALARMS = "See the alarms of `muniment status`: while it is so, senders may withhold their keys."
_NEW = "Start `muniment run`: it publishes the device's keys and has them signed."
_TRUST: dict[DeviceTrust, tuple[bool | None, str, str]] = {
    DeviceTrust.SIGNED: (True, "is signed by the account's identity", ""),
    DeviceTrust.UNSIGNED: (False, "is not signed by the account's identity", _ALARMS),
    DeviceTrust.NO_IDENTITY: (False, "is not signed: the account has no identity", _ALARMS),
    DeviceTrust.UNKNOWN: (None, "has not published its keys yet", _NEW),
}
_BROKEN = (False, "is published with keys that it did not sign itself", _ALARMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check. ``passed`` is None where it cannot be told, and where ``warned``: none fails."""

    check: str
    passed: bool | None
    fact: str
    remedy: str = ""
    warned: bool = False


async def examine(
    settings: Settings, *, probe_credentials: Path | None = None
) -> tuple[Finding, ...]:
    """Every check, in an order in which a failure explains the later ones."""
    findings = await asyncio.to_thread(_of_this_machine, settings)
    findings += await _journal(settings)
    findings += await _store(settings, probe_credentials)
    findings += await _platforms(settings)
    return tuple(findings)


def _of_this_machine(settings: Settings) -> list[Finding]:
    return [_names(), _keys(settings), _data_dir(settings), _policy(settings), _backup(settings)]


def _names() -> Finding:
    """No other distribution may own our package names: pip overwrites them without a word."""
    owners = packages_distributions()
    others = {
        name: sorted(set(owners.get(name, [])) - {"muniment"})
        for name in OWN_NAMES
        if set(owners.get(name, [])) - {"muniment"}
    }
    here = {Path(str(importlib.import_module(n).__file__)).parent.parent for n in OWN_NAMES}
    if others or len(here) > 1:
        named = ", ".join(f"{name} ({', '.join(o)})" for name, o in others.items())
        return Finding(
            check="package names",
            passed=False,
            fact=f"Another distribution owns our names: {named or 'they lie in several folders'}.",
            remedy="Install Muniment into an environment of its own.",
        )
    return Finding(check="package names", passed=True, fact="bridge, connectors, storage, config")


def _keys(settings: Settings) -> Finding:
    try:
        check_signing_key(settings)
    except MunimentError as error:
        return Finding(check="signing key", passed=False, fact=str(error), remedy=error.hint)
    return Finding(check="signing key", passed=True, fact="its name fits the settings")


def _data_dir(settings: Settings) -> Finding:
    folder = settings.service.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        writable = os.access(folder, os.W_OK)
    except OSError as error:
        return Finding(check="data_dir", passed=False, fact=f"{folder}: {error.strerror}")
    if not writable:
        return Finding(check="data_dir", passed=False, fact=f"{folder} cannot be written")
    enough = free > settings.spool.max_bytes
    return Finding(
        check="data_dir",
        passed=enough,
        fact=f"{folder}, {free // 2**20} MiB free",
        remedy="" if enough else "Free space, or lower [spool] max_bytes.",
    )


def _policy(settings: Settings) -> Finding:
    try:
        classifier = classifier_of(settings)
    except MunimentError as error:
        return Finding(check="policy", passed=False, fact=str(error), remedy=error.hint)
    return Finding(check="policy", passed=True, fact=f"{classifier.policy}+{classifier.model}")


def _backup(settings: Settings) -> Finding:
    """Only a warning: a department may save the machine by means of its own."""
    found = backup_report(settings, SystemClock().now())
    if found.concern:
        remedy = "Run `muniment backup` every day."
        if settings.backup.recipient is None:
            remedy = "Set it to an age public key, and run `muniment backup` every day."
        return Finding(check="back-up", passed=None, fact=found.concern, remedy=remedy, warned=True)
    return Finding(check="back-up", passed=True, fact=f"the last one was made at {found.at}")


async def _journal(settings: Settings) -> list[Finding]:
    try:
        journal = await open_journal(settings, SystemClock(), look=True)
    except JournalUnavailableError as error:
        return [Finding(check="journal", passed=None, fact=str(error), remedy=error.hint)]
    except MunimentError as error:
        return [Finding(check="journal", passed=False, fact=str(error), remedy=error.hint)]
    try:
        groups = await journal.groups()
    finally:
        await journal.aclose()
    return [
        Finding(check="journal", passed=True, fact="opens with the journal key"),
        *map(_unheard, (group for group in groups if group.state is GroupState.NOT_RECORDING)),
    ]


def _unheard(group: Group) -> Finding:
    """An approved group whose messages do not reach us, or that we cannot read."""
    return Finding(
        check=f"group {group.name or group.group_id}",
        passed=False,
        fact=f"not recording: {group.note}",
        remedy="As the fact says; the recorder looks again by itself, and at its next start.",
    )


async def _store(settings: Settings, probe_credentials: Path | None) -> list[Finding]:
    try:
        found = await examine_store(
            place_of(settings),
            probe_credentials=probe_credentials,
            data_dir=settings.service.data_dir,
        )
    except MunimentError as error:
        return [Finding(check="store", passed=False, fact=str(error), remedy=error.hint)]
    checks = [each for each in found.checks if each.result is not Result.NOT_APPLICABLE]
    return [_of_store(found), *map(_of_check, checks)]


def _of_store(found: StoreFindings) -> Finding:
    """The verdict on retention; its checks say whether it is a failure."""
    fact = f"{found.store}: retention is {found.retention.words} (lock_mode {found.lock_mode})"
    if found.retention is Enforcement.CANNOT_TELL:
        fact = f"{found.store}: whether retention is enforced cannot be told"
    told = found.retention is Enforcement.ENFORCED or found.lock_mode == "none"
    failed = found.retention is Enforcement.NOT_ENFORCED and not told
    return Finding(check="store", passed=True if told else (False if failed else None), fact=fact)


def _of_check(found: StoreCheck) -> Finding:
    return Finding(
        check=f"store: {found.check.replace('_', ' ')}",
        passed={Result.OK: True, Result.FAIL: False}.get(found.result),
        fact=found.fact,
        remedy=found.remedy,
        warned=found.result is Result.WARNING,
    )


async def _platforms(settings: Settings) -> list[Finding]:
    findings: list[Finding] = []
    signed_in: set[str] = set()
    try:
        connectors = await asyncio.to_thread(connectors_of, settings, SystemClock())
    except MunimentError as error:
        return [Finding(check="connectors", passed=False, fact=str(error), remedy=error.hint)]
    for name, connector in connectors.items():
        try:
            await connector.start()
        except MunimentError as error:
            finding = Finding(check=name, passed=False, fact=str(error), remedy=error.hint)
        else:
            finding = Finding(check=name, passed=True, fact="signed in")
            signed_in.add(name)
        finally:
            await connector.aclose()
        findings.append(finding)
    for account in settings.matrix:
        if account.name in signed_in:
            findings += await _devices(settings, account)
    if settings.matrix:
        findings.append(await _keys_withheld(settings))
    if not connectors:
        fact = "no connector is configured"
        findings.append(Finding(check="connectors", passed=None, fact=fact))
    return findings


async def _devices(settings: Settings, account: MatrixAccount) -> list[Finding]:
    """Whether others can trust our device, and who else is signed in to its account."""
    check = f"{account.name}: device"
    try:
        standing = await standing_of(settings, account)
    except MunimentError as error:
        return [Finding(check=check, passed=False, fact=str(error), remedy=error.hint)]
    if standing is None:
        fact = "the homeserver does not say which device the access token is of"
        remedy = "Sign in with a password: [[matrix]] password_file."
        return [Finding(check=check, passed=None, fact=fact, remedy=remedy)]
    device_id = standing.device.device_id
    passed, fact, remedy = _TRUST.get(standing.device.trust, _BROKEN)
    others = ", ".join(each.device_id for each in standing.others)
    return [
        Finding(check=check, passed=passed, fact=f"{device_id} {fact}", remedy=remedy),
        Finding(
            check=f"{account.name}: other devices",
            passed=not others,
            fact=others or "the account has no other",
            remedy="Find out whose they are, and sign them out." if others else "",
        ),
    ]


async def _keys_withheld(settings: Settings) -> Finding:
    """Only a running ``run`` knows: the store of keys is its own."""
    file = settings.service.data_dir / FILE
    health = await asyncio.to_thread(read_health, file, now=SystemClock().now())
    if health is None:
        fact = "only a running `muniment run` can tell whether senders withhold keys"
        return Finding(check="keys withheld", passed=None, fact=fact)
    told = [each for each in health.alarms if WITHHELD in each]
    return Finding(
        check="keys withheld", passed=not told, fact=" ".join(told) or "nobody withholds any"
    )
