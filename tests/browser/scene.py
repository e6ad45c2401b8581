"""A recorder with its console as real processes, after a day of work in Telegram groups."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec

from bridge.demo.ports import free_ports
from bridge.demo.recorder import Status
from bridge.health_file import FILE as HEALTH
from bridge.protocols.people import Role
from tests.browser.hostile import send_hostile
from tests.browser.town import Town
from tests.patience import PATIENCE, ended
from tests.servers.bot_api import bot_api_process

TENANT = "demo"
DEPARTMENT = "Department for Demonstration"
PASSWORD = "a very long password"
PEOPLE = {
    "maya": Role.RECORDS_MANAGER,
    "harriet": Role.HOLD_AUTHORITY,
    "sam": Role.SENSITIVITY_REVIEWER,
    "olly": Role.OPERATOR,
}
"""Who signs in here, and what they may."""


def until(what: str, is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > ends:
            raise TimeoutError(f"after {PATIENCE:.0f} s still not: {what}")
        time.sleep(0.1)


@dataclass(slots=True, kw_only=True)
class Site:
    """A folder of Muniment's, and at most one process that serves its console."""

    folder: Path
    place: str
    _child: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        """Where browsers find it."""
        return f"http://{self.place}"

    @property
    def config(self) -> Path:
        """Its settings file."""
        return self.folder / "muniment.toml"

    @property
    def log(self) -> Path:
        """What its process says."""
        return self.folder / "said.log"

    @property
    def data(self) -> Path:
        """Databases, spool and store."""
        return self.folder / "var"

    @property
    def objects(self) -> Path:
        """The folder that keys are relative to."""
        return self.data / "store" / "v1" / TENANT

    def run(self, *verb: str, text: bytes = b"") -> str:
        """A verb of the program to its end; what it printed."""
        done = subprocess.run(
            [*_PROGRAM, *verb, "--config", str(self.config)],
            input=text,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            env=_environment(),
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def employ(self, names: Iterable[str]) -> None:
        """Accounts for these people."""
        secret = self.folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(PASSWORD + "\n")

        def create(name: str) -> None:
            given = ("--role", PEOPLE[name].value, "--password-file", str(secret))
            self.run("console", "create-user", name, *given)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(create, names))

    def start(self, *verb: str) -> None:
        """A verb in the background, until its console answers."""
        with self.log.open("ab") as said:
            self._child = subprocess.Popen(
                [*_PROGRAM, *verb, "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=_environment(),
            )
        until("the console answers", self._answers)

    def stop(self) -> None:
        """SIGTERM, which must be enough."""
        child, self._child = self._child, None
        if child is None:
            return
        child.send_signal(signal.SIGTERM)
        try:
            code = ended(child)
        finally:
            child.kill()
            child.wait()
        assert code == 0, self.last_words()

    def last_words(self) -> str:
        """The end of what was said."""
        return self.log.read_text(errors="replace")[-3000:]

    def asked(self, query: str, *, file: str = "office.db") -> list[tuple[object, ...]]:
        """What stands in one of its databases."""
        with closing(sqlite3.connect(self.data / file, timeout=10)) as database:
            return list(database.execute(query))

    def changed(self, order: str, *values: object) -> None:
        """Change the office: how minutes pass for a session whose clock is not ours."""
        with closing(sqlite3.connect(self.data / "office.db", timeout=10)) as database:
            assert database.execute(order, values).rowcount > 0
            database.commit()

    def _answers(self) -> bool:
        if self._child is not None and self._child.poll() is not None:
            raise RuntimeError(f"it ended: {self.last_words()}")
        try:
            httpx.get(f"{self.url}/sign-in", trust_env=False)
        except httpx.TransportError:
            return False
        return True


_PROGRAM = (sys.executable, "-m", "bridge")


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("MUNIMENT_")}


def new_site(folder: Path) -> Site:
    """A folder with the settings that ``init`` writes, on ports that nobody uses."""
    made = subprocess.run(
        [*_PROGRAM, "init", str(folder), "--tenant", TENANT, "--log-origin", "records.example.org"],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        env=_environment(),
    )
    assert made.returncode == 0, made.stderr.decode()
    console, metrics = free_ports(2)
    site = Site(folder=folder, place=f"127.0.0.1:{console}")
    settings = site.config.read_text()
    for old, new in (
        ("127.0.0.1:8080", site.place),
        ("127.0.0.1:9464", f"127.0.0.1:{metrics}"),
        ("checkpoint_seconds = 10", "checkpoint_seconds = 1"),
        ("audit_percent = 1.0", "audit_percent = 0.0"),
        (f'#department = "{DEPARTMENT}"', f'department = "{DEPARTMENT}"'),
    ):
        assert old in settings, old
        settings = settings.replace(old, new, 1)
    site.config.write_text(settings)
    return site


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that a browser's test visits."""

    site: Site
    town: Town

    def list_what_is_new(self) -> None:
        """Restart the recorder: what it ends with it lists, and its next start makes findable."""
        self.site.stop()
        self.site.start("run", "--console")
        until("the catalog has every part of the manifests", self._is_listed)

    def listed(self, query: str) -> list[tuple[str, ...]]:
        """What the catalog answers."""
        return [tuple(map(str, row)) for row in self.site.asked(query, file=_CATALOG)]

    def stem(self, body: str) -> str:
        """The name of the record with such a text."""
        ((stem,),) = self.listed(f"SELECT stem FROM listing WHERE body LIKE '{body}'")  # noqa: S608
        return stem

    def _is_listed(self) -> bool:
        parts = {
            path.relative_to(self.site.objects).as_posix()
            for path in (self.site.objects / "manifests").rglob("*.json")
        }
        try:
            taken = {key for (key,) in self.site.asked("SELECT key FROM taken", file=_CATALOG)}
        except sqlite3.OperationalError:
            return False
        return parts <= taken

    def settle(self) -> None:
        """Until all that was sent is stored and under a checkpoint, and nothing more comes."""
        seen = [-1]

        def is_settled() -> bool:
            told = msgspec.json.decode(self.site.run("status", "--json"), type=Status)
            seen.append(sum(group.seen for group in told.groups))
            waiting = told.log.waiting + sum(group.undecided for group in told.groups)
            return waiting == 0 and seen[-1] == seen[-2] >= self.town.sent

        until("everything is stored", is_settled)


_CATALOG = "catalog/catalog.db"


@contextmanager
def scene(folder: Path, *, hostile: bool = True, pace: float = 0.0) -> Iterator[Scene]:
    """The demonstration's day, and hostile people in groups of their own; all of it listed.

    ``pace``: seconds from one thing said to the next.
    """
    with bot_api_process() as api:
        town = Town(api)
        town.settle()
        if hostile:
            town.settle_hostile()
        site = new_site(folder)
        (folder / "recorder.token").touch(mode=0o600)
        (folder / "recorder.token").write_text(town.token)
        with site.config.open("a", encoding="utf-8") as settings:
            settings.write(town.settings())
        played = Scene(site=site, town=town)
        try:
            site.start("run", "--console")
            town.play(pace)
            if hostile:
                send_hostile(town)
            site.employ(PEOPLE)
            played.settle()
            played.list_what_is_new()
            yield played
        finally:
            site.stop()


def copied(site: Site, folder: Path) -> Site:
    """The same records in another folder, with nobody at work there."""
    left = ("*.db", "*.db-*", "*.lock", "said.log", HEALTH)  # it tells of a recorder for seconds
    shutil.copytree(site.folder, folder, ignore=shutil.ignore_patterns(*left))
    for database in ("journal.db", "office.db", _CATALOG):
        source, target = site.data / database, folder / "var" / database
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
        target.chmod(0o600)
    console, metrics = free_ports(2)
    copy = Site(folder=folder, place=f"127.0.0.1:{console}")
    settings = copy.config.read_text().replace(site.place, copy.place)
    copy.config.write_text(re.sub(r'metrics = ".*"', f'metrics = "127.0.0.1:{metrics}"', settings))
    return copy
