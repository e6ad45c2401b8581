"""Connectors from settings. Each is imported only when it is configured."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bridge.app.reading import as_config_error
from bridge.errors import ConfigError
from bridge.protocols import Clock, Connector
from config.secrets import read_key, read_secret
from config.settings import Settings
from config.tables import MatrixAccount, TelegramBot
from config.values import host_and_port

if TYPE_CHECKING:
    from connectors.matrix.account import Account
    from connectors.matrix.crypto.identity import Standing
    from connectors.matrix.crypto.kept_keys import KeptKeys
    from connectors.matrix.crypto.settings import CryptoSettings
    from connectors.matrix.http import MatrixHttp
    from connectors.telegram.webhook import Webhook

_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{20,100}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")

Say = Callable[[str], None]


def connectors_of(
    settings: Settings, clock: Clock, *, say: Say | None = None
) -> dict[str, Connector]:
    """The configured connectors by name, not signed in yet.

    ``say`` is told what an operator must know once. Without it they read no encrypted group: keys
    belong to one process, the one that records.

    Raises:
        ConfigError: a secret cannot be read, or is none.
    """
    connectors: dict[str, Connector] = {}
    for account in settings.matrix:
        connectors[account.name] = _matrix(settings, account, clock, say)
    for bot in settings.telegram:
        connectors[bot.name] = _telegram(settings, bot, clock, is_recorder=say is not None)
    return connectors


async def kept_keys_of(settings: Settings, account: MatrixAccount, clock: Clock) -> KeptKeys:
    """The room keys of an account, without signing in. Under the lock only: close it afterwards.

    Raises:
        ConfigError: the journal key cannot be read.
        ConnectorError: there are no keys, or they cannot be used.
    """
    from connectors.matrix.crypto.kept_keys import KeptKeys

    crypto = await asyncio.to_thread(_crypto, settings, account, _nobody)
    return await KeptKeys.open(crypto, name=account.name, user_id=account.user_id, clock=clock)


async def standing_of(settings: Settings, account: MatrixAccount) -> Standing | None:
    """How an account's device looks to others; None where the server does not say which it is.

    Raises:
        ConfigError: a secret cannot be read.
        ConnectorError: the server refuses us, or does not answer.
    """
    from connectors.matrix.crypto.standing import standing_of as seen

    http = _http(settings, account)
    try:
        signing_in = await asyncio.to_thread(_account, settings, account, http)
        return await seen(http, signing_in, user_id=account.user_id)
    finally:
        await http.aclose()


def _matrix(settings: Settings, account: MatrixAccount, clock: Clock, say: Say | None) -> Connector:
    from connectors.matrix.client import MatrixConnector

    http = _http(settings, account)
    return MatrixConnector(
        name=account.name,
        http=http,
        account=_account(settings, account, http),
        user_id=account.user_id,
        clock=clock,
        default_retention=account.default_retention_seconds,
        crypto=None if say is None else _crypto(settings, account, say),
    )


def _http(settings: Settings, account: MatrixAccount) -> MatrixHttp:
    from connectors.matrix.http import Endpoint, MatrixHttp

    return MatrixHttp(
        Endpoint(
            homeserver=account.homeserver.rstrip("/"),
            ca_file=settings.service.ca_file,
            http_proxy=settings.service.http_proxy,
        )
    )


def _account(settings: Settings, account: MatrixAccount, http: MatrixHttp) -> Account:
    from connectors.matrix.account import Account

    with as_config_error():
        password = read_secret(account.password_file) if account.password_file else None
        token = read_secret(account.access_token_file) if account.access_token_file else None
    return Account(
        http,
        user_id=account.user_id,
        password=password,
        access_token=token,
        session_file=settings.service.data_dir / f"matrix-{account.name}.session",
        device_name="Muniment recorder",
    )


def _crypto(settings: Settings, account: MatrixAccount, say: Say) -> CryptoSettings:
    from connectors.matrix.crypto.settings import CryptoSettings

    with as_config_error():
        journal_key = read_key(settings.keys.journal_key_file)
    return CryptoSettings(
        folder=settings.service.data_dir,
        key=_key_of_keys(journal_key, account.name),
        recovery_key_file=account.recovery_key_file,
        random=os.urandom,
        tell=say,
    )


def _telegram(
    settings: Settings, bot: TelegramBot, clock: Clock, *, is_recorder: bool
) -> Connector:
    from connectors.telegram.bot_api import BotApi, Endpoint
    from connectors.telegram.client import TelegramConnector

    with as_config_error():
        token = read_secret(bot.token_file)
    if _TOKEN.fullmatch(token) is None:
        raise ConfigError(
            f"{bot.token_file} holds no bot's token.",
            hint="Write into it what @BotFather gave you, digits, a colon and the rest.",
        )
    endpoint = Endpoint(
        api_base=bot.api_base,
        ca_file=settings.service.ca_file,
        http_proxy=settings.service.http_proxy,
    )
    return TelegramConnector(
        name=bot.name,
        api=BotApi(endpoint, token=token),
        clock=clock,
        approval_timeout_hours=bot.approval_timeout_hours,
        local_files=bot.local_files,
        webhook=_webhook(bot, is_recorder=is_recorder),
    )


def _webhook(bot: TelegramBot, *, is_recorder: bool) -> Webhook | None:
    """Where updates are brought to, if they are; only the process that records listens there."""
    if not (bot.webhook_url and bot.webhook_listen and bot.webhook_secret_file):
        return None
    from connectors.telegram.webhook import Webhook, WebhookPlace

    with as_config_error():
        secret = read_secret(bot.webhook_secret_file)
    if _SECRET.fullmatch(secret) is None:
        raise ConfigError(
            f"{bot.webhook_secret_file} holds no secret that Telegram takes.",
            hint="Use 16 to 256 of A-Z, a-z, 0-9, _ and -, as `openssl rand -hex 32` prints.",
        )
    host, port = host_and_port(bot.webhook_listen)
    place = WebhookPlace(url=bot.webhook_url, host=host, port=port, secret=secret)
    return Webhook(place, boot=os.urandom(8).hex(), listens=is_recorder)


def _nobody(_sentence: str) -> None:
    """Nothing is made that an operator would have to be told of."""


def _key_of_keys(journal_key: bytes, name: str) -> bytes:
    """What encrypts an account's keys on disk: 32 bytes, for this connector alone."""
    info = b"muniment crypto store 1\x00" + name.encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(journal_key)
