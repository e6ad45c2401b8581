"""A real Matrix homeserver on loopback: Synapse on SQLite, without federation."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import msgspec

from bridge.canonical.json import Json
from bridge.demo.child import Child
from bridge.demo.ports import free_ports
from bridge.errors import ConfigError, ConnectorRejectedError, ConnectorUnavailableError

_LOOPBACK = "127.0.0.1"
_PLENTY: dict[str, Json] = {"per_second": 100_000, "burst_count": 100_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person's account with a session. Secrets stay out of its representation."""

    user_id: str
    username: str
    display_name: str
    device_id: str
    password: str = field(repr=False)
    access_token: str = field(repr=False)


class _Nonce(msgspec.Struct):
    nonce: str


class _Session(msgspec.Struct):
    user_id: str
    access_token: str
    device_id: str


class Homeserver:
    """Synapse in ``folder``, run by the ``python`` of an environment that has it.

    ``async with`` starts it and MUST end it, on errors and on cancellation too. Stopped and
    started again it has the same port and data. It answers on 127.0.0.1 only.
    """

    def __init__(
        self,
        *,
        folder: Path,
        python: Path,
        port: int | None = None,
        server_name: str = "dept.example",
    ) -> None:
        self.folder = folder
        self.server_name = server_name
        self._python = python
        self._port = port
        self._secret = ""
        self._child: Child | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Where it answers.

        Raises:
            RuntimeError: it was never started.
        """
        if self._port is None:
            raise RuntimeError("the homeserver has no port before its first start")
        return f"http://{_LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child is not None else None

    def user_id(self, username: str) -> str:
        """The full id of a user of this server."""
        return f"@{username}:{self.server_name}"

    async def start(self, *, patience: float = 300.0) -> None:
        """Configure on the first call, start, and wait until it answers.

        Raises:
            ConfigError: ``python`` is not there or has no Synapse.
            ConnectorUnavailableError: it ended or did not answer within ``patience`` seconds.
        """
        if self._child is not None:
            raise RuntimeError("the homeserver runs already")
        if not self._secret:
            await self._prepare()
        self._child = await self._spawn("-c", str(self._settings))
        try:
            await self._answering(self._child, patience)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End it, by its process id. Its data stay."""
        child, self._child = self._child, None
        if child is not None:
            await child.end()

    async def kill(self) -> None:
        """End it without warning. :meth:`start` MUST work afterwards."""
        child, self._child = self._child, None
        if child is not None:
            await child.kill()

    async def register(
        self, username: str, password: str, display_name: str, *, admin: bool = False
    ) -> Account:
        """Make an account with the shared secret.

        Raises:
            ConnectorRejectedError: the name is taken or not allowed.
        """
        path = f"{self.url}/_synapse/admin/v1/register"
        async with aiohttp.ClientSession() as session:
            async with session.get(path) as response:
                nonce = msgspec.json.decode(await response.read(), type=_Nonce).nonce
            role = "admin" if admin else "notadmin"
            signed = f"{nonce}\0{username}\0{password}\0{role}".encode()
            body = {
                "nonce": nonce,
                "username": username,
                "password": password,
                "displayname": display_name,
                "admin": admin,
                "mac": hmac.new(self._secret.encode(), signed, hashlib.sha1).hexdigest(),
            }
            async with session.post(path, json=body) as response:
                answer = await response.read()
                if response.status != 200:
                    raise ConnectorRejectedError(
                        f"cannot register {username}: {answer.decode(errors='replace')}"
                    )
        made = msgspec.json.decode(answer, type=_Session)
        return Account(
            user_id=made.user_id,
            username=username,
            display_name=display_name,
            device_id=made.device_id,
            password=password,
            access_token=made.access_token,
        )

    @property
    def _settings(self) -> Path:
        return self.folder / "homeserver.yaml"

    async def _prepare(self) -> None:
        self._secret = secrets.token_urlsafe(32)
        self._port = await asyncio.to_thread(self._configure)
        keys = await self._spawn("-c", str(self._settings), "--generate-keys")
        try:
            code = await keys.wait(60)
        finally:
            await keys.end()
        if code != 0:
            raise ConfigError(
                f"{self._python} cannot run Synapse: {await keys.last_words()}",
                hint="Install requirements/synapse.txt into its environment (`make demo` does).",
            )

    def _configure(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        port = self._port or free_ports(1)[0]
        logging: dict[str, Json] = {
            "version": 1,
            "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
            "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "plain"}},
            "root": {"level": "WARNING", "handlers": ["out"]},
        }
        # JSON is YAML: no YAML library is needed to write what Synapse reads.
        (self.folder / "log.yaml").write_text(json.dumps(logging), encoding="utf-8")
        settings = synapse_settings(
            folder=self.folder, port=port, server_name=self.server_name, secret=self._secret
        )
        self._settings.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        self._settings.chmod(0o600)
        return port

    async def _spawn(self, *arguments: str) -> Child:
        return await Child.start(
            (str(self._python), "-m", "synapse.app.homeserver", *arguments),
            log=self.folder / "homeserver.log",
        )

    async def _answering(self, child: Child, patience: float) -> None:
        try:
            async with asyncio.timeout(patience), aiohttp.ClientSession() as session:
                while child.exit_code is None:
                    if await _answers(session, f"{self.url}/_matrix/client/versions"):
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise ConnectorUnavailableError(
                f"the homeserver did not answer within {patience:.0f} s"
            ) from None
        raise ConnectorUnavailableError(
            f"the homeserver ended at its start: {await child.last_words()}"
        )


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


def synapse_settings(*, folder: Path, port: int, server_name: str, secret: str) -> dict[str, Json]:
    """What Synapse is told: loopback only, no federation, no rate limits, short retention."""
    settings: dict[str, Json] = {
        "server_name": server_name,
        "public_baseurl": f"http://{_LOOPBACK}:{port}/",
        "listeners": [
            {
                "port": port,
                "type": "http",
                "tls": False,
                "bind_addresses": [_LOOPBACK],
                "resources": [{"names": ["client"]}],
            }
        ],
        "database": {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}},
        "media_store_path": str(folder / "media"),
        "signing_key_path": str(folder / "signing.key"),
        "log_config": str(folder / "log.yaml"),
        "registration_shared_secret": secret,
        "macaroon_secret_key": secrets.token_urlsafe(32),
        "form_secret": secrets.token_urlsafe(32),
        "bcrypt_rounds": 4,
        "trusted_key_servers": [],
        "federation_domain_whitelist": [],
        "suppress_key_server_warning": True,
        "report_stats": False,
        "url_preview_enabled": False,
        "presence": {"enabled": False},
        "max_upload_size": "60M",
        "retention": {
            "enabled": True,
            "allowed_lifetime_min": "1s",
            "purge_jobs": [{"interval": "10s"}],
        },
    }
    return settings | _no_limits()


def _no_limits() -> dict[str, Json]:
    """Rate limits as high as they go: a burst must meet the recorder, not a 429."""
    plain = (
        "rc_message",
        "rc_registration",
        "rc_registration_token_validity",
        "rc_admin_redaction",
        "rc_joins_per_room",
        "rc_key_requests",
        "rc_3pid_validation",
        "rc_third_party_invite",
        "rc_media_create",
        "rc_delayed_event_mgmt",
        "rc_room_creation",
        "rc_reports",
        "rc_user_directory",
        "rc_profile",
    )
    grouped = {
        "rc_login": ("address", "account", "failed_attempts"),
        "rc_joins": ("local", "remote"),
        "rc_invites": ("per_room", "per_user", "per_issuer"),
        "rc_presence": ("per_user",),
    }
    limits: dict[str, Json] = dict.fromkeys(plain, _PLENTY)
    for name, parts in grouped.items():
        limits[name] = dict.fromkeys(parts, _PLENTY)
    return limits
