"""A recorder's folder with a little in its databases, and the way to its back-ups."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from pyrage import x25519

from bridge.app import new_folder, open_journal, read_settings
from bridge.app.backup.making import Made, make_backup
from bridge.app.backup.restoring import Restored, restore
from bridge.clock import SystemClock
from bridge.errors import ConfigError
from bridge.lifecycle import EntryState
from bridge.model import Outcome
from bridge.protocols.holds import Hold, HoldScope
from config.settings import Settings
from storage.journal import SqliteJournal
from storage.office.holds import SqliteHolds
from tests.fakes import samples
from tests.fakes.clock import FakeClock

T = TypeVar("T")
LATER = datetime(2100, 1, 1, tzinfo=UTC)
IDENTITY = x25519.Identity.generate()
LISTED = f"""
[[matrix]]
name = "{samples.CONNECTOR}"
homeserver = "https://matrix.example.org"
user_id = "@recorder:example.org"
password_file = "keys/recorder.password"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A folder as ``init`` makes it, with a Matrix account."""

    folder: Path

    @classmethod
    def made(cls, folder: Path, *, tenant: str = "demo") -> Machine:
        """A new one, whose back-ups go to the identity."""
        new_folder(folder, tenant=tenant, log_origin="records.example.org", random_bytes=os.urandom)
        machine = cls(folder=folder)
        (machine.data / "store" / ".incoming").mkdir(parents=True)  # as a start leaves it
        machine.secret("keys/recorder.password", "right")
        machine.secret("identity.txt", str(IDENTITY))
        text = machine.config.read_text().replace(
            '#recipient = "age1examplerecipient"', f'recipient = "{IDENTITY.to_public()}"'
        )
        machine.config.write_text(text + LISTED)
        return machine

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / "muniment.toml"

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "var"

    @property
    def settings(self) -> Settings:
        """What the file says."""
        return read_settings(self.config)

    def secret(self, name: str, content: str) -> Path:
        """A private file."""
        path = self.folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(content + "\n")
        return path

    def with_journal(self, work: Callable[[SqliteJournal], Awaitable[T]]) -> T:
        """Open the journal for something, as ``run`` would."""
        settings = self.settings

        async def main() -> T:
            journal = await open_journal(settings, SystemClock())
            try:
                return await work(journal)
            finally:
                await journal.aclose()

        return asyncio.run(main())

    def with_holds(self, work: Callable[[SqliteHolds], Awaitable[T]]) -> T:
        """Open the office for something with holds."""

        async def main() -> T:
            holds = await SqliteHolds.open(self.data / "office.db")
            try:
                return await work(holds)
            finally:
                await holds.aclose()

        return asyncio.run(main())

    def record(self, *, discards: int = 1, days_ago: int = 0, waits: bool = True) -> None:
        """A group with messages that were discarded, heard then, and one that waits."""
        at = datetime.now(UTC) - timedelta(days=days_ago)

        async def work(journal: SqliteJournal) -> None:
            assert await journal.set_group(samples.group(), expect=None)
            said = [samples.event(f"$d{i}", observed_at=at, sent_at=at) for i in range(discards)]
            await journal.append(samples.batch(*said))
            await journal.heard(samples.CONNECTOR, at=at)
            verdict = samples.verdict(Outcome.DISCARD)
            found = await journal.claim(EntryState.RECEIVED, now=LATER, limit=99)
            await journal.judge([(entry.seq, verdict) for entry in found])
            judged = await journal.claim(EntryState.JUDGED, now=LATER, limit=99)
            await journal.seal([samples.sealing(entry) for entry in judged])
            if waits:
                await journal.append(samples.batch(samples.event("$waits"), cursor=b"later"))

        self.with_journal(work)

    def states(self) -> dict[str, int]:
        """Entries by state."""

        async def work(journal: SqliteJournal) -> dict[str, int]:
            return dict((await journal.tally(now=datetime.now(UTC))).entries_by_state)

        return self.with_journal(work)

    def hold(self, matter: str = "inquiry", scope: HoldScope | None = None) -> int:
        """Order a hold; gives its number."""
        hold = Hold(
            authority="Jo",
            matter=matter,
            scope=scope or HoldScope(),
            by="jo",
            at=datetime.now(UTC),
            why="asked for",
        )
        return self.with_holds(lambda holds: holds.place(hold))

    def backup(self, *, days_ago: int = 0) -> Made:
        """Back it up, then."""
        clock = FakeClock(datetime.now(UTC) - timedelta(days=days_ago))
        return make_backup(
            self.settings,
            self.config,
            self.folder / "kept.age",
            show=lambda _: None,
            clock=clock,
        )

    def restore(self, file: Path | None = None, *, identity: Path | None = None) -> Restored:
        """Put a back-up back."""
        return restore(
            file or self.folder / "kept.age",
            identity or self.folder / "identity.txt",
            self.config,
            show=lambda _: None,
        )

    def refused(self, file: Path | None = None, *, identity: Path | None = None) -> str:
        """What a restore is refused with, which changes nothing."""
        before = self.standing()
        try:
            self.restore(file, identity=identity)
        except ConfigError as error:
            after = self.standing()
            after.pop("var/run.lock", None)
            before.pop("var/run.lock", None)
            assert after == before
            return f"{error} {error.hint}"
        raise AssertionError("it was restored")

    def standing(self) -> dict[str, bytes]:
        """Every file and its bytes."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }

    def lose(self, *names: str) -> None:
        """These are gone; without any, all but the back-ups, their identity and the store."""
        kept = {"identity.txt", "kept.age", "var"}
        gone = [self.folder / name for name in names] or [
            *(path for path in self.folder.iterdir() if path.name not in kept),
            *(path for path in self.data.iterdir() if path.name != "store"),
        ]
        for path in gone:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
