"""The recorder as its operator runs it: the `muniment` program, a folder, a settings file."""

from __future__ import annotations

import asyncio
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bridge.demo.child import Child, tail
from bridge.demo.homeserver import Account
from bridge.errors import ConfigError, ConnectorUnavailableError

CONNECTOR = "matrix"
"""The connector's name in the settings."""

TELEGRAM = "telegram"
"""The same, of a bot."""

_LOG_ORIGIN = "records.example.org"

_SECRETS = {CONNECTOR: "recorder.password", TELEGRAM: "recorder.token"}
_TOLD = frozenset({"posted", "refused"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedGroup:
    """A group the department has approved."""

    id: str
    name: str


class GroupStatus(msgspec.Struct):
    """What ``status --json`` says of one group, as far as we look."""

    id: str
    state: str
    notice: str
    seen: int = 0
    undecided: int = 0
    stored: int = 0
    gaps: int = 0
    late: int = 0


class LogStatus(msgspec.Struct, frozen=True):
    """What ``status --json`` says of the published log."""

    size: int = 0
    waiting: int = 0


class Status(msgspec.Struct):
    """What ``status --json`` says, as far as we look."""

    groups: list[GroupStatus]
    log: LogStatus = LogStatus()
    overdue: int = 0
    alarms: list[str] = []

    def recording(self, group_ids: frozenset[str]) -> bool:
        """Whether all these groups are recorded and told so."""
        ready = {
            group.id for group in self.groups if group.state == "active" and group.notice in _TOLD
        }
        return group_ids <= ready


class Recorder:
    """``muniment`` in a folder of its own. ``command`` is how to start the program.

    Settings of this machine's environment MUST NOT reach it.
    """

    def __init__(self, *, folder: Path, command: Sequence[str], tenant: str = "demo") -> None:
        self.folder = folder
        self.tenant = tenant
        self._command = tuple(command)
        self._child: Child | None = None
        self._group_ids: frozenset[str] = frozenset()

    @property
    def config(self) -> Path:
        """Its settings file."""
        return self.folder / "muniment.toml"

    @property
    def log(self) -> Path:
        """What `muniment run` prints."""
        return self.folder / "run.log"

    @property
    def pid(self) -> int | None:
        """The process id while `muniment run` was not stopped."""
        return self._child.pid if self._child is not None else None

    async def prepare(
        self,
        *,
        homeserver: str,
        account: Account,
        groups: Sequence[ApprovedGroup],
        log_origin: str = _LOG_ORIGIN,
    ) -> None:
        """`muniment init`, then the account and the groups at the end of the settings.

        Raises:
            ConfigError: `init` refuses.
        """
        await self._init(log_origin)
        table = _matrix_table(homeserver, account.user_id)
        await self._join(CONNECTOR, groups, table, secret=account.password)

    async def prepare_telegram(
        self,
        *,
        api_base: str,
        token: str,
        groups: Sequence[ApprovedGroup],
        log_origin: str = _LOG_ORIGIN,
    ) -> None:
        """The same with a bot in place of the account.

        Raises:
            ConfigError: `init` refuses.
        """
        await self._init(log_origin)
        await self._join(TELEGRAM, groups, _telegram_table(api_base), secret=token)

    async def start(self, *, patience: float = 60.0, command: Sequence[str] = ()) -> None:
        """`muniment run`, until it records every approved group and has told them.

        ``command`` replaces the program for this run.

        Raises:
            ConnectorUnavailableError: it ended, or was not ready within ``patience`` seconds.
        """
        await self.spawn(command=command)
        try:
            await self._recording(patience)
        except BaseException:
            await self.stop()
            raise

    async def spawn(self, *, command: Sequence[str] = ()) -> None:
        """`muniment run`, without waiting."""
        if self._child is not None:
            raise RuntimeError("the recorder runs already")
        self._child = await Child.start(
            (*(command or (*self._command, "run")), "--config", str(self.config)),
            log=self.log,
            environment=_environment(),
        )

    async def stop(self) -> int | None:
        """SIGTERM, ten seconds, SIGKILL. Its exit code; None if it did not run."""
        child, self._child = self._child, None
        return await child.end() if child is not None else None

    async def kill(self) -> None:
        """SIGKILL, at once."""
        child, self._child = self._child, None
        if child is not None:
            await child.kill()

    async def status(self) -> Status:
        """What `muniment status --json` says now."""
        answer = await self._ask("status", "--json", "--config", str(self.config))
        try:
            return msgspec.json.decode(answer, type=Status)
        except msgspec.DecodeError as error:
            raise ConfigError(f"`muniment status --json` is not understood: {error}") from error

    async def objects(self) -> Path:
        """The folder all object keys are relative to: ``v1/<tenant>`` in the `file:` store."""
        return await asyncio.to_thread(self._objects)

    @property
    def alive(self) -> bool:
        """Whether `muniment run` is still there."""
        return self._child is not None and self._child.exit_code is None

    async def last_words(self) -> str:
        """The end of what `muniment run` printed."""
        return await asyncio.to_thread(tail, self.log)

    async def _recording(self, patience: float) -> None:
        try:
            async with asyncio.timeout(patience):
                while self.alive:
                    if (await self.status()).recording(self._group_ids):
                        return
                    await asyncio.sleep(0.3)
        except TimeoutError:
            raise ConnectorUnavailableError(
                f"`muniment run` does not record all groups after {patience:.0f} s; see {self.log}"
            ) from None
        raise ConnectorUnavailableError(
            f"`muniment run` ended at its start: {await self.last_words()}"
        )

    async def _ask(self, *arguments: str) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
        )
        try:
            out, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            said = errors.decode(errors="replace").strip()
            raise ConfigError(f"`muniment {arguments[0]}` exits {process.returncode}: {said}")
        return out

    async def _init(self, log_origin: str) -> None:
        await self._ask(
            "init", str(self.folder), "--tenant", self.tenant, "--log-origin", log_origin
        )

    async def _join(
        self, connector: str, groups: Sequence[ApprovedGroup], table: str, *, secret: str
    ) -> None:
        """The account and the groups at the end of the settings, and the secret beside them."""
        self._group_ids = frozenset(group.id for group in groups)
        tables = table + "".join(_group_table(connector, group) for group in groups)
        await asyncio.to_thread(self._append, tables, self.folder / _SECRETS[connector], secret)

    def _append(self, tables: str, file: Path, secret: str) -> None:
        file.touch(mode=0o600)
        file.write_text(secret + "\n", encoding="utf-8")
        with self.config.open("a", encoding="utf-8") as settings:
            settings.write(tables)

    def _objects(self) -> Path:
        settings = tomllib.loads(self.config.read_text(encoding="utf-8"))
        url = str(settings["store"]["url"])
        if not url.startswith("file:"):
            raise ConfigError(f"[store] url is {url}, not a file: store")
        return self.folder / url.removeprefix("file:") / "v1" / self.tenant


def _environment() -> Mapping[str, str]:
    """Ours without settings, but for one: no lot is drawn, for each line has a known outcome."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MUNIMENT_")}
    return {**own, "MUNIMENT_POLICY__AUDIT_PERCENT": "0"}


def _matrix_table(homeserver: str, user_id: str) -> str:
    return (
        "\n[[matrix]]\n"
        f"name = {_quoted(CONNECTOR)}\n"
        f"homeserver = {_quoted(homeserver)}\n"
        f"user_id = {_quoted(user_id)}\n"
        f"password_file = {_quoted(_SECRETS[CONNECTOR])}\n"
    )


def _telegram_table(api_base: str) -> str:
    return (
        "\n[[telegram]]\n"
        f"name = {_quoted(TELEGRAM)}\n"
        f"token_file = {_quoted(_SECRETS[TELEGRAM])}\n"
        f"api_base = {_quoted(api_base)}\n"
    )


def _group_table(connector: str, group: ApprovedGroup) -> str:
    return (
        "\n[[groups]]\n"
        f"connector = {_quoted(connector)}\n"
        f"id = {_quoted(group.id)}\n"
        f"name = {_quoted(group.name)}\n"
    )


def _quoted(text: str) -> str:
    # Every JSON string is a TOML basic string.
    return json.dumps(text, ensure_ascii=False)
