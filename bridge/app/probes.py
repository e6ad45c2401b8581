"""Probes of the object store: of the one that settings name, or of any by its URL."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bridge.app.adapters import S3_WORKERS
from bridge.app.places import StorePlace, place_of
from bridge.app.reading import as_config_error
from bridge.canonical import rfc3339
from bridge.clock import SystemClock
from bridge.errors import ConfigError, ObjectStoreError
from bridge.protocols import Clock
from bridge.protocols.probe import (
    Enforcement,
    Result,
    StoreCheck,
    StoreFindings,
    StoreProbe,
)
from bridge.store_watch import FILE, StoreWatch, keep, last_word, read
from config.secrets import read_credentials
from config.settings import Settings
from storage.objects.probe import FolderProbe

if TYPE_CHECKING:
    from storage.objects.s3_client import S3Connection


def open_probe(
    place: StorePlace, clock: Clock, *, probe_credentials: Path | None = None
) -> StoreProbe:
    """The probe of a store. Nothing is asked of it yet. Blocks: reads credentials.

    Raises:
        ConfigError: a file of credentials cannot be used.
    """
    if place.location.folder is not None:
        return FolderProbe(
            store=place.name, root=place.location.folder, clock=clock, random_bytes=os.urandom
        )
    from storage.objects.probe.s3 import S3StoreProbe

    other = None if probe_credentials is None else _connection(place, probe_credentials)
    return S3StoreProbe(
        store=place.name,
        writer=_connection(place, place.credentials_file),
        other=other,
        prefix=place.location.prefix,
        lock_mode=place.lock_mode,
        clock=clock,
        random_bytes=os.urandom,
    )


def _connection(place: StorePlace, credentials_file: Path | None) -> S3Connection:
    from storage.objects.s3_client import S3Connection
    from storage.objects.s3_pace import USUAL

    with as_config_error():
        credentials = read_credentials(credentials_file) if credentials_file else None
    return S3Connection(
        bucket=place.location.bucket or "",
        endpoint_url=place.endpoint_url,
        region=place.region,
        addressing=place.addressing,
        access_key=credentials.access_key_id if credentials else None,
        secret_key=credentials.secret_access_key if credentials else None,
        ca_file=place.ca_file,
        http_proxy=place.http_proxy,
        threads=S3_WORKERS,
        patience=USUAL,
    )


class StoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``status`` says of the store: the last word on its retention, and whose it was."""

    retention: str
    lock_mode: str
    at: str
    by: str
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def store_report(settings: Settings, now: datetime) -> StoreReport | None:
    """The last word on the store of the settings; None where nobody has looked. Blocks."""
    place = place_of(settings)
    kept = read(settings.service.data_dir / FILE)
    told = last_word(kept, store=place.name, lock_mode=place.lock_mode, now=now)
    if told is None:
        return None
    return StoreReport(
        retention=told.retention.value,
        lock_mode=told.lock_mode,
        at=rfc3339(told.at),
        by=told.by,
        facts=told.facts,
        warnings=told.warnings,
    )


def watch_of(settings: Settings, probe: StoreProbe, clock: Clock) -> StoreWatch:
    """What keeps an eye on the store while ``run`` runs."""
    place = place_of(settings)
    return StoreWatch(
        probe=probe,
        store=place.name,
        lock_mode=place.lock_mode,
        file=settings.service.data_dir / FILE,
        clock=clock,
    )


async def examine_store(
    place: StorePlace, *, probe_credentials: Path | None = None, data_dir: Path | None = None
) -> StoreFindings:
    """Every check of a store. With ``data_dir`` the verdict is kept there for ``run``.

    Raises:
        ConfigError: a file of credentials cannot be used.
    """
    clock = SystemClock()
    probe = await asyncio.to_thread(open_probe, place, clock, probe_credentials=probe_credentials)
    try:
        findings = await probe.examine()
    except ObjectStoreError as error:
        return _unanswered(place, error, clock)
    finally:
        await probe.aclose()
    if data_dir is not None and await asyncio.to_thread(data_dir.is_dir):
        try:
            await asyncio.to_thread(keep, data_dir / FILE, findings, by="doctor")
        except OSError as error:
            hint = "Run doctor as the recorder's account, so that it can keep the verdict."
            raise ConfigError(f"{data_dir / FILE}: {error.strerror}.", hint=hint) from None
    return findings


def _unanswered(place: StorePlace, error: ObjectStoreError, clock: Clock) -> StoreFindings:
    """A store that does not answer fails, and nothing else is known of it: nothing is kept."""
    canary = StoreCheck(
        check="canary",
        verdict=Enforcement.CANNOT_TELL,
        result=Result.FAIL,
        fact=str(error),
        remedy=error.hint,
    )
    return StoreFindings(
        store=place.name,
        lock_mode=place.lock_mode,
        retention=Enforcement.CANNOT_TELL,
        checks=(canary,),
        at=clock.now(),
    )
