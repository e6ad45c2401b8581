"""Adapters from settings. Each is imported only when it is configured."""

from __future__ import annotations

import asyncio
import fcntl
import os
from datetime import timedelta
from typing import IO

from bridge.app.reading import as_config_error
from bridge.errors import ConfigError, LogUnavailableError
from bridge.notekeys import NoteSigner, origin, parse_signing_key
from bridge.protocols import CheckpointPlace, Clock, ObjectStore, RecordLog
from bridge.protocols.holds import LegalHolds
from config.secrets import read_credentials, read_key, read_secret
from config.settings import Settings
from storage.journal import SqliteJournal
from storage.objects import LocalObjectStore
from storage.office import SqliteOffice
from storage.spool import FileSpool

CATALOG_FILE = "catalog/catalog.db"
"""Below ``data_dir``, in a folder of its own: no back-up takes it along."""

FILE_WORKERS = 4
LOG_FILE = "log.db"
OFFICE = "office.db"
S3_WORKERS = 16


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


def open_legal_holds(settings: Settings, clock: Clock) -> LegalHolds | None:
    """The store's own legal holds, where the settings name an identity that may set them.

    Raises:
        ConfigError: its credentials cannot be read.
    """
    location, store = settings.store.location, settings.store
    if location.folder is not None or store.hold_credentials_file is None:
        return None
    from storage.objects.s3_holds import S3LegalHolds

    with as_config_error():
        credentials = read_credentials(store.hold_credentials_file)
    return S3LegalHolds(
        bucket=location.bucket or "",
        prefix=location.prefix,
        tenant=settings.service.tenant,
        endpoint_url=store.endpoint_url,
        region=store.region,
        addressing=store.addressing,
        access_key=credentials.access_key_id,
        secret_key=credentials.secret_access_key,
        ca_file=settings.service.ca_file,
        http_proxy=settings.service.http_proxy,
        clock=clock,
    )


async def is_store_used(settings: Settings) -> bool:
    """Whether this recorder's log was ever published: then a folder without it is not its store."""
    from storage.translog.heads import published_size

    try:
        return await published_size(settings.service.data_dir / LOG_FILE) is not None
    except LogUnavailableError:
        # The log itself will say what is wrong with its file; it is there, so there was a store.
        return True


def open_log(settings: Settings, clock: Clock, store: ObjectStore) -> RecordLog:
    """The log in the store that the settings name. Nothing is asked of it yet.

    Raises:
        ConfigError: the signing key cannot be read.
    """
    from storage.signer.ed25519 import Ed25519Signer
    from storage.translog.heads import SqliteCheckpointStore
    from storage.translog.log import TiledLog

    days = settings.longest_retention()
    following = next_signing_key(settings)
    return TiledLog(
        store=store,
        heads=SqliteCheckpointStore(settings.service.data_dir / LOG_FILE),
        place=_checkpoint_place(store),
        signer=Ed25519Signer(signing_key(settings)),
        following=None if following is None else Ed25519Signer(following),
        clock=clock,
        retention=None if days is None else timedelta(days=days),
    )


def _checkpoint_place(store: ObjectStore) -> CheckpointPlace:
    if isinstance(store, LocalObjectStore):
        return store.checkpoint_place()
    from storage.objects.s3 import S3ObjectStore

    if not isinstance(store, S3ObjectStore):
        raise TypeError("this store has no place for a checkpoint")
    return store.checkpoint_place()


def signing_key(settings: Settings) -> NoteSigner:
    """The key that signs the log.

    Raises:
        ConfigError: it cannot be read.
    """
    with as_config_error():
        line = read_secret(settings.keys.signing_key_file)
    return parse_signing_key(line)


def next_signing_key(settings: Settings) -> NoteSigner | None:
    """The key that is to replace it, where the settings name one.

    Raises:
        ConfigError: it cannot be read.
    """
    file = settings.keys.next_signing_key_file
    if file is None:
        return None
    if not file.exists():
        raise ConfigError(
            f"[keys] next_signing_key_file {file} does not exist.",
            hint="Make it with `muniment keys next`; if it has become signing_key_file, remove"
            " next_signing_key_file from the settings.",
        )
    with as_config_error():
        line = read_secret(file)
    return parse_signing_key(line)


def check_signing_key(settings: Settings) -> None:
    """Refuse a signing key made for another tenant or origin: it would sign another log.

    Raises:
        ConfigError: the names differ, or a key cannot be read.
    """
    wanted = origin(settings.service.log_origin, settings.service.tenant)
    for what, key in (
        ("signing key", signing_key(settings)),
        ("next signing key", next_signing_key(settings)),
    ):
        if key is not None and key.name != wanted:
            raise ConfigError(
                f'The {what} is named "{key.name}", and the settings make "{wanted}".',
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
    return await SqliteOffice.open(folder / OFFICE)


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
