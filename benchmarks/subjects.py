"""What is measured: the plain bot and Muniment, each as a process that can be killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from benchmarks.journal_view import probe_of
from bridge.demo.child import Child
from bridge.demo.homeserver import Account, Homeserver
from bridge.demo.official import Official
from bridge.demo.recorder import ApprovedGroup, Recorder
from bridge.demo.shelf import StoredObject, read_shelf
from bridge.errors import ConnectorUnavailableError

JournalReader = Callable[[Path], Awaitable[list[tuple[str, float]]]]
"""Bodies in the journal of a settings file, each with its delay in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A message a subject kept. ``delay`` is in seconds from the server's timestamp."""

    body: str
    delay: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What makes it harder, or easier.

    ``slow``: seconds more for each message. ``probed``: Muniment notes when each was durable.
    ``timeline``: how many events of a room the plain bot asks for at once, 0 for the server's
    default; Muniment is never told.
    """

    slow: float = 0.0
    probed: bool = False
    timeline: int = 0


UNLOADED = Load()


class Subject(Protocol):
    """A recorder under test, in one room."""

    @property
    def label(self) -> str:
        """What the table calls it."""

    async def prepare(self, room: str) -> None:
        """Make ready for ``room``, to which the account is invited."""

    async def start(self, load: Load, *, wait: bool = True) -> None:
        """Start it, and ``wait`` until it listens."""

    async def stop(self) -> None:
        """End it as an operator would."""

    async def kill(self) -> None:
        """SIGKILL."""

    async def finished(self) -> int:
        """How many messages it is done with."""

    async def stages(self) -> dict[str, list[Kept]]:
        """What it kept, by stage; the last stage is what counts."""


class _Seen(msgspec.Struct):
    body: str
    sent: float
    seen: float


Enter = Callable[[str], Awaitable[None]]
"""Accepts the invitation to a room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BotProgram:
    """A plain bot: a module that is told where it signs in by ``arguments``.

    Beside them it MUST take ``--token-file``, ``--folder`` and ``--handler-delay``. In the folder
    it makes the file ``ready`` when it listens, and writes to ``seen.jsonl`` what it was handed.
    """

    label: str
    module: str
    arguments: tuple[str, ...]
    token: str
    enter: Enter


def nio_bot(homeserver: Homeserver, account: Account) -> BotProgram:
    """The plain matrix-nio bot of :mod:`benchmarks.peer_bot`."""

    async def enter(room: str) -> None:
        async with Official(homeserver=homeserver.url, account=account) as client:
            await client.join(room)

    return BotProgram(
        label="plain nio bot",
        module="benchmarks.peer_bot",
        arguments=(
            *("--homeserver", homeserver.url),
            *("--user", account.user_id),
            *("--device", account.device_id),
        ),
        token=account.access_token,
        enter=enter,
    )


class PlainBot:
    """A plain bot as a process."""

    def __init__(self, *, program: BotProgram, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._child: Child | None = None

    @property
    def label(self) -> str:
        """See :class:`Subject`."""
        return self._program.label

    async def prepare(self, room: str) -> None:
        """Join, and lay the token where the bot finds it."""
        await self._program.enter(room)
        await asyncio.to_thread(self._lay_out)

    async def start(self, load: Load, *, wait: bool = True) -> None:
        """Start, and wait until it says that it listens."""
        ready = self._folder / "ready"
        await asyncio.to_thread(ready.unlink, missing_ok=True)
        self._child = await Child.start(self._command(load), log=self._folder / "bot.log")
        if wait:
            await self._listening(self._child, ready)

    async def stop(self) -> None:
        """SIGTERM."""
        if self._child is not None:
            await self._child.end()

    async def kill(self) -> None:
        """SIGKILL."""
        if self._child is not None:
            await self._child.kill()

    async def finished(self) -> int:
        """Messages written to its file, each once."""
        return len({one.body for one in await asyncio.to_thread(self._seen)})

    async def stages(self) -> dict[str, list[Kept]]:
        """One stage: its callback."""
        seen = await asyncio.to_thread(self._seen)
        return {"callback": [Kept(body=one.body, delay=one.seen - one.sent) for one in seen]}

    async def _listening(self, child: Child, ready: Path) -> None:
        async with asyncio.timeout(300):
            while not await asyncio.to_thread(ready.exists):
                if child.exit_code is not None:
                    raise ConnectorUnavailableError(
                        f"the plain bot ended: {await child.last_words()}"
                    )
                await asyncio.sleep(0.05)

    def _command(self, load: Load) -> tuple[str, ...]:
        return (
            sys.executable,
            "-m",
            self._program.module,
            *self._program.arguments,
            *("--token-file", str(self._folder / "token")),
            *("--folder", str(self._folder)),
            *("--handler-delay", str(load.slow)),
            *(("--timeline", str(load.timeline)) if load.timeline else ()),
        )

    def _lay_out(self) -> None:
        self._folder.mkdir(parents=True)
        token = self._folder / "token"
        token.touch(mode=0o600)
        token.write_text(self._program.token, encoding="utf-8")

    def _seen(self) -> list[_Seen]:
        path = self._folder / "seen.jsonl"
        if not path.exists():
            return []
        # A line cut short by SIGKILL was not kept.
        whole = path.read_bytes().rpartition(b"\n")[0]
        return [msgspec.json.decode(line, type=_Seen) for line in whole.splitlines()]


Prepare = Callable[[Recorder, ApprovedGroup], Awaitable[None]]
"""`muniment init`, with an account and a group that is approved."""


def on_matrix(homeserver: Homeserver, account: Account) -> Prepare:
    """With an account on a homeserver."""

    async def prepare(recorder: Recorder, group: ApprovedGroup) -> None:
        await recorder.prepare(homeserver=homeserver.url, account=account, groups=[group])

    return prepare


class Muniment:
    """`muniment run` on a `file:` store."""

    label = "muniment"

    def __init__(self, *, prepare: Prepare, folder: Path, journal: JournalReader) -> None:
        self._prepare = prepare
        self._journal = journal
        self._recorder = Recorder(folder=folder, command=(sys.executable, "-m", "bridge"))

    async def prepare(self, room: str) -> None:
        """`muniment init`, with the room approved."""
        await self._prepare(self._recorder, ApprovedGroup(id=room, name="Measured"))

    async def start(self, load: Load, *, wait: bool = True) -> None:
        """Start, and wait until it records."""
        command = self._observed(load) if load.slow or load.probed else ()
        if wait:
            await self._recorder.start(command=command)
        else:
            await self._recorder.spawn(command=command)

    async def stop(self) -> None:
        """SIGTERM."""
        await self._recorder.stop()

    async def kill(self) -> None:
        """SIGKILL."""
        await self._recorder.kill()

    async def finished(self) -> int:
        """Messages in the store, each once."""
        return len({record.body for record in await self._stored()})

    async def stages(self) -> dict[str, list[Kept]]:
        """Two stages: the journal and the store."""
        journalled = await self._journal(self._recorder.config)
        return {
            "journalled": [Kept(body=body, delay=delay) for body, delay in journalled],
            "stored": [
                Kept(body=record.body, delay=_delay(record)) for record in await self._stored()
            ],
        }

    def _observed(self, load: Load) -> tuple[str, ...]:
        return (
            sys.executable,
            "-m",
            "benchmarks.slow_run",
            *("--slow-classifier", str(load.slow)),
            *("--probe", str(probe_of(self._recorder.config))),
        )

    async def _stored(self) -> list[StoredObject]:
        objects = await self._recorder.objects()
        shelf = await asyncio.to_thread(read_shelf, objects)
        return [record for record in shelf.records if record.kind == "message"]


def _delay(record: StoredObject) -> float:
    if record.sent_at is None:
        return 0.0
    return (record.stored_at - record.sent_at).total_seconds()
