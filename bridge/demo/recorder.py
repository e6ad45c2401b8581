"""The recorder as its operator runs it: the `muniment` program, a folder, a settings file."""

from __future__ import annotations

import asyncio
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bridge.demo.child import Child, tail
from bridge.demo.desk import Clerk, Desk, new_desk
from bridge.demo.homeserver import Account
from bridge.demo.ports import free_ports
from bridge.demo.tables import group_table, matrix_table, quoted, telegram_table
from bridge.demo.visitor import Visitor
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
        self._desk: Desk | None = None

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
        table = matrix_table(CONNECTOR, homeserver, account.user_id, _SECRETS[CONNECTOR])
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
        table = telegram_table(TELEGRAM, api_base, _SECRETS[TELEGRAM])
        await self._join(TELEGRAM, groups, table, secret=token)

    async def prepare_desk(self) -> Desk:
        """A free port for the console and its accounts; from now on every run serves it.

        MUST follow :meth:`prepare`.

        Raises:
            ConfigError: the settings or an account are refused.
        """
        desk = new_desk(await asyncio.to_thread(self._place_console))
        for clerk in desk.clerks:
            await self._create(clerk)
        self._desk = desk
        return desk

    async def start(self, *, patience: float = 300.0, command: Sequence[str] = ()) -> None:
        """`muniment run`, until it records every approved group, has told them and serves its desk.

        ``command`` replaces the program for this run.

        Raises:
            ConnectorUnavailableError: it ended, or was not ready within ``patience`` seconds.
        """
        await self.spawn(command=command)
        try:
            await self._recording(patience)
            if self._desk is not None:
                await self._serving(self._desk, patience)
        except BaseException:
            await self.stop()
            raise

    async def spawn(self, *, command: Sequence[str] = ()) -> None:
        """`muniment run`, without waiting."""
        if self._child is not None:
            raise RuntimeError("the recorder runs already")
        console = () if self._desk is None else ("--console",)
        self._child = await Child.start(
            (*(command or (*self._command, "run")), *console, "--config", str(self.config)),
            log=self.log,
            environment=_environment(),
        )

    async def stop(self) -> int | None:
        """SIGTERM, a minute, SIGKILL. Its exit code; None if it did not run."""
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

    async def _serving(self, desk: Desk, patience: float) -> None:
        """Until the console answers."""
        until = asyncio.get_running_loop().time() + patience
        async with Visitor(desk.url) as visitor:
            while self.alive:
                try:
                    await visitor.get("/sign-in")
                except ConnectorUnavailableError:
                    if asyncio.get_running_loop().time() > until:
                        raise
                    await asyncio.sleep(0.3)
                else:
                    return
        raise ConnectorUnavailableError(
            f"`muniment run --console` ended at its start: {await self.last_words()}"
        )

    async def _create(self, clerk: Clerk) -> None:
        """An account, as an operator makes one: its password comes from a file, which goes."""
        file = self.folder / f"{clerk.name}.password"
        await asyncio.to_thread(_write_secret, file, clerk.password)
        try:
            await self._ask(
                *("console", "create-user", clerk.name, "--role", clerk.role.value),
                *("--password-file", str(file), "--config", str(self.config)),
            )
        finally:
            await asyncio.to_thread(file.unlink)

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
        tables = table + "".join(group_table(connector, group.id, group.name) for group in groups)
        await asyncio.to_thread(self._append, tables, self.folder / _SECRETS[connector], secret)

    def _append(self, tables: str, file: Path, secret: str) -> None:
        _write_secret(file, secret)
        with self.config.open("a", encoding="utf-8") as settings:
            settings.write(tables)

    def _place_console(self) -> str:
        """Give the console a free port; where it will answer."""
        text = self.config.read_text(encoding="utf-8")
        before = f"console = {quoted(str(tomllib.loads(text)['service']['console']))}\n"
        if text.count(before) != 1:
            raise ConfigError(f"{self.config} does not say once where the console listens")
        place = f"127.0.0.1:{free_ports(1)[0]}"
        changed = text.replace(before, f"console = {quoted(place)}\n")
        self.config.write_text(changed, encoding="utf-8")
        return f"http://{place}"

    def _objects(self) -> Path:
        settings = tomllib.loads(self.config.read_text(encoding="utf-8"))
        url = str(settings["store"]["url"])
        if not url.startswith("file:"):
            raise ConfigError(f"[store] url is {url}, not a file: store")
        return self.folder / url.removeprefix("file:") / "v1" / self.tenant


def _write_secret(file: Path, secret: str) -> None:
    file.touch(mode=0o600)
    file.write_text(secret + "\n", encoding="utf-8")


def _environment() -> Mapping[str, str]:
    """Ours without settings, but for one: no lot is drawn, for each line has a known outcome."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MUNIMENT_")}
    return {**own, "MUNIMENT_POLICY__AUDIT_PERCENT": "0"}
