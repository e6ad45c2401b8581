"""Adapters from settings. Each is imported only when it is configured."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import IO

from bridge.classify import Policy, RuleClassifier, parse_policy
from bridge.errors import ConfigError
from bridge.protocols import Classifier, Clock, ObjectStore
from config.errors import SettingsError
from config.secrets import read_credentials, read_key, read_secret
from config.settings import Settings, load
from storage.journal import SqliteJournal
from storage.objects import LocalObjectStore
from storage.office import SqliteOffice
from bridge.notekeys import origin, parse_signing_key
from storage.spool import FileSpool

FILE_WORKERS = 4
S3_WORKERS = 16


@contextmanager
def as_config_error() -> Iterator[None]:
    """Turns what ``config`` raises into ours: ``config`` imports nothing of ours."""
    try:
        yield
    except SettingsError as error:
        raise ConfigError(f"{error.field} {error.fact}.", hint=f"{error.remedy}.") from None


def read_settings(path: Path) -> Settings:
    """The settings at ``path``, overridden by the environment.

    Raises:
        ConfigError: naming the field, the fact and the remedy.
    """
    with as_config_error():
        return load(path, os.environ)


def shipped_policy(name: str, version: str) -> Policy:
    """A policy of the distribution.

    Raises:
        ConfigError: there is none of that name and version.
    """
    folder = files("config") / "policies"
    known = sorted(item.name.removesuffix(".toml") for item in folder.iterdir())
    wanted = f"{name}-{version}"
    if wanted not in known:
        raise ConfigError(
            f'[policy] names "{wanted}", which is not shipped.',
            hint=f"Use one of: {', '.join(k for k in known if not k.startswith('_'))}.",
        )
    return parse_policy((folder / f"{wanted}.toml").read_text("utf-8"))


def classifier_of(settings: Settings | None) -> Classifier:
    """The classifier in force; without settings the shipped default policy."""
    if settings is None:
        return RuleClassifier(shipped_policy("uk-nccc", "2023.1"))
    policy = shipped_policy(settings.policy.name, settings.policy.version)
    window = replace(policy.window, minutes=settings.policy.context_minutes)
    return RuleClassifier(replace(policy, window=window, capstone=tuple(settings.policy.capstone)))


def open_store(settings: Settings, clock: Clock) -> ObjectStore:
    """The object store that the settings name. Nothing is asked of it yet."""
    location = settings.store.location
    tenant = settings.service.tenant
    if location.folder is not None:
        return LocalObjectStore(location.folder, tenant, threads=FILE_WORKERS)
    from storage.objects.s3 import S3ObjectStore

    store = settings.store
    with as_config_error():
        credentials = read_credentials(store.credentials_file) if store.credentials_file else None
    return S3ObjectStore(
        bucket=location.bucket or "",
        prefix=location.prefix,
        tenant=tenant,
        endpoint_url=store.endpoint_url,
        region=store.region,
        addressing=store.addressing,
        access_key=credentials.access_key_id if credentials else None,
        secret_key=credentials.secret_access_key if credentials else None,
        lock_mode=store.lock,
        sse=store.sse,
        kms_key_id=store.kms_key_id,
        ca_file=settings.service.ca_file,
        http_proxy=settings.service.http_proxy,
        clock=clock,
        threads=S3_WORKERS,
    )


def check_signing_key(settings: Settings) -> None:
    """Refuse a signing key made for another tenant or origin: it would sign another log.

    Raises:
        ConfigError: the names differ, or the key cannot be read.
    """
    with as_config_error():
        line = read_secret(settings.keys.signing_key_file)
    name = parse_signing_key(line).name
    wanted = origin(settings.service.log_origin, settings.service.tenant)
    if name != wanted:
        raise ConfigError(
            f'The signing key is named "{name}", and the settings make "{wanted}".',
            hint="Correct [service] tenant and log_origin, or use the key made for them.",
        )


def lock_data_dir(settings: Settings) -> IO[bytes]:
    """Take ``run.lock``: one process writes this data directory.

    Raises:
        ConfigError: it cannot be made, or another process holds it.
    """
    folder = settings.service.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "run.lock", os.O_WRONLY | os.O_CREAT, 0o600)
        handle = os.fdopen(descriptor, "wb")
    except OSError as error:
        raise ConfigError(
            f"[service] data_dir {folder} cannot be written ({error.strerror}).",
            hint="Name a folder that the recorder's account can write.",
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise ConfigError(
            f"[service] data_dir {folder} is in use by another `muniment run`.",
            hint="Stop the other process, or give this one a data_dir of its own.",
        ) from None
    return handle


async def open_journal(settings: Settings, clock: Clock, *, look: bool = False) -> SqliteJournal:
    """The journal: to write it (``run``) or to look at it beside a running ``run``."""
    with as_config_error():
        key = await asyncio.to_thread(read_key, settings.keys.journal_key_file)
        blind_key = await asyncio.to_thread(read_key, settings.keys.blind_key_file)
    open_ = SqliteJournal.look if look else SqliteJournal.open
    return await open_(
        settings.service.data_dir / "journal.db",
        key=key,
        blind_key=blind_key,
        random_bytes=os.urandom,
        clock=clock,
    )


async def open_office(settings: Settings) -> SqliteOffice:
    """The office, created by whoever comes first."""
    folder = settings.service.data_dir
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
    return await SqliteOffice.open(folder / "office.db")


async def open_spool(settings: Settings) -> FileSpool:
    """The spool, without what no process finished."""
    with as_config_error():
        key = await asyncio.to_thread(read_key, settings.keys.journal_key_file)
    spool = FileSpool(
        settings.service.data_dir / "spool",
        key,
        max_bytes=settings.spool.max_bytes,
        media_max_bytes=settings.spool.media_max_bytes,
        keep_free=settings.spool.keep_free_bytes,
        random_bytes=os.urandom,
    )
    await spool.start()
    return spool
