"""Connectors from settings. Each is imported only when it is configured."""

from __future__ import annotations

import os
from collections.abc import Callable

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bridge.app.adapters import as_config_error
from bridge.errors import ConfigError
from bridge.protocols import Clock, Connector
from config.secrets import read_key, read_secret
from config.settings import Settings
from config.tables import MatrixAccount

Say = Callable[[str], None]


def connectors_of(
    settings: Settings, clock: Clock, *, say: Say | None = None
) -> dict[str, Connector]:
    """The configured connectors by name, not signed in yet.

    ``say`` is told what an operator must know once. Without it they read no encrypted group: keys
    belong to one process, the one that records.

    Raises:
        ConfigError: a secret cannot be read, or a platform is not known.
    """
    connectors: dict[str, Connector] = {}
    for account in settings.matrix:
        connectors[account.name] = _matrix(settings, account, clock, say)
    if settings.telegram:
        raise ConfigError(
            "[[telegram]] is configured, and this version has no Telegram connector.",
            hint="Remove the [[telegram]] tables.",
        )
    return connectors


def _matrix(settings: Settings, account: MatrixAccount, clock: Clock, say: Say | None) -> Connector:
    from connectors.matrix.account import Account
    from connectors.matrix.client import MatrixConnector
    from connectors.matrix.crypto.settings import CryptoSettings
    from connectors.matrix.http import Endpoint, MatrixHttp

    folder = settings.service.data_dir
    http = MatrixHttp(
        Endpoint(
            homeserver=account.homeserver.rstrip("/"),
            ca_file=settings.service.ca_file,
            http_proxy=settings.service.http_proxy,
        )
    )
    with as_config_error():
        password = read_secret(account.password_file) if account.password_file else None
        token = read_secret(account.access_token_file) if account.access_token_file else None
        journal_key = read_key(settings.keys.journal_key_file)
    crypto = None
    if say is not None:
        crypto = CryptoSettings(
            folder=folder,
            key=_key_of_keys(journal_key, account.name),
            recovery_key_file=account.recovery_key_file,
            random=os.urandom,
            tell=say,
        )
    return MatrixConnector(
        name=account.name,
        http=http,
        account=Account(
            http,
            user_id=account.user_id,
            password=password,
            access_token=token,
            session_file=folder / f"matrix-{account.name}.session",
            device_name="Muniment recorder",
        ),
        user_id=account.user_id,
        clock=clock,
        default_retention=account.default_retention_seconds,
        crypto=crypto,
    )


def _key_of_keys(journal_key: bytes, name: str) -> bytes:
    """What encrypts an account's keys on disk: 32 bytes, for this connector alone."""
    info = b"muniment crypto store 1\x00" + name.encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(journal_key)
