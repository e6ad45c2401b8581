"""The demonstration from beginning to end: everything it starts, it ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from bridge.demo.browser import can_offer, opened_on_enter
from bridge.demo.desk import Desk
from bridge.demo.findings import Mismatch, Said, compare
from bridge.demo.homeserver import Homeserver
from bridge.demo.inspection import Inspection
from bridge.demo.recorder import Recorder
from bridge.demo.screen import Screen
from bridge.demo.script import DECISION, SCRIPT
from bridge.demo.shelf import Shelf, read_shelf
from bridge.demo.stage import Stage
from bridge.demo.view import DemoEntry

Entries = Callable[[], Awaitable[tuple[DemoEntry, ...]]]
"""Asks for the journal as it stands."""

_INTERRUPTED = 130
_SETTLING_SECONDS = 300.0
_LOG_WIDTH = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds between lines, before a line that follows soon, and between two looks."""

    line: float
    soon: float
    look: float = 0.5


READABLE = Pace(line=2.5, soon=3.0)
"""For people."""

BRISK = Pace(line=0.25, soon=1.0)
"""For ``--once``."""


def config_path(folder: Path) -> Path:
    """Where the settings of a demonstration in ``folder`` lie."""
    return folder / "recorder" / "muniment.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """What :func:`play` was given."""

    folder: Path
    python: Path
    command: tuple[str, ...]
    entries: Entries
    console: Console


@dataclass(slots=True, kw_only=True)
class _Performance:
    """A performance under way: who plays, what was said, what is seen of it."""

    homeserver: Homeserver
    stage: Stage
    recorder: Recorder
    desk: Desk
    screen: Screen
    entries: Entries
    pace: Pace
    said: list[Said] = field(default_factory=list)
    caption: str = ""
    above: int = 0

    def keep_in_sight(self, *drawings: RenderableType) -> None:
        """Print something that the table of messages is not to push away."""
        for drawing in drawings:
            self.screen.console.print(drawing)
        self.above = sum(map(self.screen.height, drawings))

    async def perform(self) -> None:
        """Every line, in order."""
        for line in SCRIPT:
            await asyncio.sleep(self.pace.soon if line.soon else self.pace.line)
            self.said.append(await self.stage.perform(line))

    async def settle(self) -> tuple[Mismatch, ...]:
        """Wait until all is as expected, as long as a manifest may take and the recorder runs."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLING_SECONDS):
                while (mismatches := await self.mismatches()) and self.recorder.alive:
                    self.caption = f"{len(mismatches)} lines not yet stored and in a manifest"
                    await asyncio.sleep(self.pace.look)
        return await self.mismatches()

    async def inspect(self) -> str:
        """What is wrong with the console, once it had its time; empty where nothing is."""
        self.caption = "Signing in at the console, to look for a decision and its proof"
        sought = next(each for each in self.said if each.line.label == DECISION)
        stored = (await self.shelf()).of(sought.event_id)
        if not stored:
            return f"nothing to look for: {sought.line.text!r} is not in the store"
        return await Inspection(
            desk=self.desk,
            sought=sought,
            sha256=stored[0].sha256,
            said=tuple(self.said),
            alive=lambda: self.recorder.alive,
        ).finding()

    async def mismatches(self) -> tuple[Mismatch, ...]:
        """What is not, or not yet, as expected."""
        return compare(self.said, await self.entries(), await self.shelf())

    async def shelf(self) -> Shelf:
        """What lies in the store now."""
        return await asyncio.to_thread(read_shelf, await self.recorder.objects())

    async def watch(self) -> None:
        """Draw until cancelled."""
        with Live(console=self.screen.console, auto_refresh=False, transient=True) as live:
            while True:
                drawing = self.screen.live(await self.entries(), self.caption, above=self.above)
                await asyncio.to_thread(live.update, drawing, refresh=True)
                await asyncio.sleep(self.pace.look)

    async def report(self, mismatches: tuple[Mismatch, ...]) -> None:
        """The whole table, the findings, where the objects lie."""
        console = self.screen.console
        console.print(self.screen.table(await self.entries()))
        if mismatches:
            console.print(self.screen.findings(mismatches))
        if not self.recorder.alive:
            console.print(Text(f"`muniment run` has ended: {await self.recorder.last_words()}"))
        objects = await self.recorder.objects()
        for text in self.screen.summary(self.said, mismatches, objects, await self.shelf()):
            console.print(text, soft_wrap=True)
        log = (await self.recorder.status()).log
        console.print(
            Text(
                f"The signed checkpoint covers {log.size} leaves; {log.waiting} wait for the next."
            ),
            soft_wrap=True,
        )

    async def linger(self) -> None:
        """Invite whoever watches to join in and to look around, until cancelled."""
        visitor = self.stage.visitor
        joining = Text(
            f"Join in with any Matrix client: homeserver {self.homeserver.url}, "
            f"user {visitor.username}, password {visitor.password}."
        )
        self.keep_in_sight(self.screen.desk(self.desk), self.screen.suggestions(self.desk), joining)
        self.caption = "Ctrl-C ends everything."
        if not await can_offer():
            await self.watch()
            return
        self.caption += " Enter opens the console in your browser."
        async with opened_on_enter(f"{self.desk.url}/"):
            await self.watch()


async def play(
    *,
    folder: Path,
    python: Path,
    command: Sequence[str],
    entries: Entries,
    once: bool,
    console: Console | None = None,
) -> int:
    """Play the demonstration in ``folder``, which MUST be empty or absent.

    ``python`` has Synapse; ``command`` starts `muniment`; ``entries`` is asked only once the
    recorder runs with :func:`config_path`. Returns the exit code: with ``once`` 0 only if every
    line is where it should be, and the console finds and proves one. On SIGINT, SIGTERM, errors
    and cancellation everything that was started MUST have ended on return.
    """
    setting = _Setting(
        folder=folder,
        python=python,
        command=tuple(command),
        entries=entries,
        console=console or _console(),
    )
    if once:
        return await _until_signalled(_once(setting), interrupted=_INTERRUPTED)
    return await _until_signalled(_open_end(setting), interrupted=0)


def _console() -> Console:
    """Standard error. Where it is no terminal, wide enough for a log."""
    console = Console(stderr=True)
    return console if console.is_terminal else Console(stderr=True, width=_LOG_WIDTH)


async def _once(setting: _Setting) -> int:
    async with _performance(setting, BRISK) as show:
        async with _watching(show):
            await show.perform()
            setting.console.print("All is said; waiting for the store and the manifests.")
            mismatches = await show.settle()
            finding = await show.inspect()
        await show.report(mismatches)
        setting.console.print(show.screen.inspected(show.desk, finding), soft_wrap=True)
        return 1 if mismatches or finding else 0


async def _open_end(setting: _Setting) -> int:
    async with _performance(setting, READABLE) as show:
        show.keep_in_sight(show.screen.desk(show.desk))
        async with _watching(show):
            await show.perform()
            mismatches = await show.settle()
        await show.report(mismatches)
        await show.linger()
        return 0


@contextlib.asynccontextmanager
async def _performance(setting: _Setting, pace: Pace) -> AsyncIterator[_Performance]:
    """Everything started in order, and ended in the reverse one."""
    say = setting.console.print
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(
            say, f"All that was started has ended. What was kept stays: {setting.folder}"
        )
        say("Starting a Matrix homeserver (Synapse) on 127.0.0.1 …")
        homeserver = await stack.enter_async_context(
            Homeserver(folder=setting.folder / "homeserver", python=setting.python)
        )
        stage = await stack.enter_async_context(Stage(homeserver))
        recorder = Recorder(folder=config_path(setting.folder).parent, command=setting.command)
        say("Starting the recorder: `muniment init`, then `muniment run --console` …")
        await recorder.prepare(
            homeserver=homeserver.url, account=stage.recorder, groups=stage.groups
        )
        desk = await recorder.prepare_desk()
        stack.push_async_callback(recorder.stop)
        await recorder.start()
        say("It records three groups and has told them so. The officials begin to talk.")
        groups = {group.id: group.name for group in stage.groups}
        yield _Performance(
            homeserver=homeserver,
            stage=stage,
            recorder=recorder,
            desk=desk,
            screen=Screen(setting.console, people=stage.names, groups=groups),
            entries=setting.entries,
            pace=pace,
        )


@contextlib.asynccontextmanager
async def _watching(show: _Performance) -> AsyncIterator[None]:
    """Draw beside the work. An error of either ends both."""
    async with asyncio.TaskGroup() as tasks:
        drawing = tasks.create_task(show.watch())
        try:
            yield
        finally:
            drawing.cancel()


async def _until_signalled(work: Coroutine[None, None, int], *, interrupted: int) -> int:
    """Its result; ``interrupted`` if a signal came first. Cancelled, the work is cancelled too."""
    loop = asyncio.get_running_loop()
    signalled = False
    task = asyncio.ensure_future(work)

    def stop() -> None:
        nonlocal signalled
        signalled = True
        task.cancel()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        # Only the cancellation we asked for on a signal ends here; any other goes on up.
        if signalled and task.cancelled():
            return interrupted
        raise
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
