"""The store as those read it who only look: ``verify`` and ``catalog rebuild``."""

from __future__ import annotations

import time

from bridge.app.places import StorePlace
from bridge.app.reading import as_config_error
from bridge.errors import ConfigError
from bridge.protocols.evidence import Evidence
from config.secrets import read_credentials

S3_THREADS = 16
KEY_NAME = "The key's name must be <log_origin>/<tenant>/log/<shard>, as `init` makes it."


def evidence_at(place: StorePlace, tenant: str) -> Evidence:
    """The store at ``place``, to be read; the caller closes it. Nothing is asked of it yet.

    Raises:
        ConfigError: it is a folder that is not there, or a file of its cannot be read.
    """
    folder = place.location.folder
    try:
        if folder is not None:
            from storage.objects.evidence_local import LocalEvidence

            if not folder.is_dir():
                raise ConfigError(f"{folder} is no folder.", hint="Correct --store.")
            return LocalEvidence(folder, tenant)
        return _bucket(place, tenant)
    except ValueError:
        raise ConfigError(f'"{tenant}" cannot be a tenant.', hint=KEY_NAME) from None


def _bucket(place: StorePlace, tenant: str) -> Evidence:
    from storage.objects.evidence_s3 import S3Evidence
    from storage.objects.s3_client import S3Connection
    from storage.objects.s3_pace import USUAL

    with as_config_error():
        file = place.credentials_file
        credentials = read_credentials(file) if file is not None else None
    connection = S3Connection(
        bucket=place.location.bucket or "",
        endpoint_url=place.endpoint_url,
        region=place.region,
        addressing=place.addressing,
        access_key=credentials.access_key_id if credentials else None,
        secret_key=credentials.secret_access_key if credentials else None,
        ca_file=place.ca_file,
        http_proxy=place.http_proxy,
        threads=S3_THREADS,
        patience=USUAL,
    )
    return S3Evidence(
        connection, prefix=place.location.prefix, tenant=tenant, monotonic=time.monotonic
    )
