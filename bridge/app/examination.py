"""What ``doctor`` looks at: names, keys, folders, the store, the platforms, the clock."""

from __future__ import annotations

import asyncio
import importlib
import os
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

from bridge.app.adapters import (
    check_signing_key,
    classifier_of,
    open_journal,
    open_store,
)
from bridge.app.platforms import connectors_of
from bridge.clock import SystemClock
from bridge.errors import JournalUnavailableError, MunimentError
from config.settings import Settings
from storage.objects import LocalObjectStore

OWN_NAMES = ("bridge", "connectors", "storage", "config")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check. ``passed`` is None where it cannot be told."""

    check: str
    passed: bool | None
    fact: str
    remedy: str = ""


async def examine(settings: Settings) -> tuple[Finding, ...]:
    """Every check, in an order in which a failure explains the later ones."""
    findings = [_names(), _keys(settings), await asyncio.to_thread(_data_dir, settings)]
    findings.append(_policy(settings))
    findings.append(await _journal(settings))
    findings.append(await _store(settings))
    findings += await _platforms(settings)
    return tuple(findings)


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


async def _journal(settings: Settings) -> Finding:
    try:
        journal = await open_journal(settings, SystemClock(), look=True)
    except JournalUnavailableError as error:
        return Finding(check="journal", passed=None, fact=str(error), remedy=error.hint)
    except MunimentError as error:
        return Finding(check="journal", passed=False, fact=str(error), remedy=error.hint)
    await journal.aclose()
    return Finding(check="journal", passed=True, fact="opens with the journal key")


async def _store(settings: Settings) -> Finding:
    try:
        store = open_store(settings, SystemClock())
    except MunimentError as error:
        return Finding(check="store", passed=False, fact=str(error), remedy=error.hint)
    try:
        await store.probe()
    except MunimentError as error:
        return Finding(check="store", passed=False, fact=str(error), remedy=error.hint)
    finally:
        await store.aclose()
    kind = "a folder, which cannot lock" if isinstance(store, LocalObjectStore) else "probed"
    return Finding(check="store", passed=True, fact=f"{settings.store.url}: {kind}")


async def _platforms(settings: Settings) -> list[Finding]:
    findings = []
    try:
        connectors = connectors_of(settings, SystemClock())
    except MunimentError as error:
        return [Finding(check="connectors", passed=False, fact=str(error), remedy=error.hint)]
    for name, connector in connectors.items():
        try:
            await connector.start()
        except MunimentError as error:
            finding = Finding(check=name, passed=False, fact=str(error), remedy=error.hint)
        else:
            finding = Finding(check=name, passed=True, fact="signed in")
        finally:
            await connector.aclose()
        findings.append(finding)
    if not connectors:
        fact = "no connector is configured"
        findings.append(Finding(check="connectors", passed=None, fact=fact))
    return findings
