"""The loss table on Telegram: what a plain python-telegram-bot Application keeps, and Muniment.

    python -m benchmarks.telegram_loss [--short] [--only ROWS] [--subject both|bot|muniment]

Against the Bot API server for tests, as a process of its own whose clock is that of this machine.
Each row in a supergroup of its own, with a bot for each of the two: both listen at once, to the
same messages and through the same troubles. The plain one forces each message to disk before it
is done with it. Exits 1 if Muniment lost a message or stored one twice.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.cases import Case, Result, measure
from benchmarks.journal_view import journalled_bodies
from benchmarks.loss import lost
from benchmarks.scene import use_free_port
from benchmarks.subjects import BotProgram, Muniment, PlainBot, Subject
from benchmarks.telegram_cases import FULL, SHORT, Row, Scene
from bridge.demo.recorder import ApprovedGroup, Recorder
from tests.servers.bot_api import RemoteBotApi, bot_api_process

_PEOPLE = 40
QUIET_SECONDS = 8.0
_QUIET_AFTER_TROUBLE = 30.0
"""A client that was refused asks again later and later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """A bot's account."""

    id: int
    token: str


Maker = Callable[[str, Bot, Path], Subject]
"""Makes a subject for a bot at this address, with a folder of its own."""


def plain_application(url: str, bot: Bot, folder: Path) -> Subject:
    """The plain Application of :mod:`benchmarks.peer_application`."""

    async def enter(_room: str) -> None:
        """Nothing is accepted: a bot is added."""

    program = BotProgram(
        label="plain python-telegram-bot",
        module="benchmarks.peer_application",
        arguments=("--api", url),
        token=bot.token,
        enter=enter,
    )
    return PlainBot(program=program, folder=folder)


def muniment(url: str, bot: Bot, folder: Path) -> Subject:
    """Muniment."""

    async def prepare(recorder: Recorder, group: ApprovedGroup) -> None:
        await recorder.prepare_telegram(api_base=url, token=bot.token, groups=[group])
        await asyncio.to_thread(use_free_port, recorder)

    return Muniment(prepare=prepare, folder=folder, journal=journalled_bodies)


class Town:
    """The server's people, who all may write at the same moment."""

    def __init__(self, api: RemoteBotApi, pool: ThreadPoolExecutor) -> None:
        self.api = api
        self._pool = pool
        self._names: dict[str, str] = {}

    async def do(self, **order: object) -> dict[str, object]:
        """Carry out an order; what was made."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self.api.do, order)

    async def people(self, count: int) -> list[Person]:
        """People with an account each."""
        names = [f"person-{number}" for number in range(count)]
        for name in names:
            await self.do(**{"do": "person", "as": name, "name": name.title()})
        return [Person(self, name) for name in names]

    async def room(self, name: str, people: Sequence[Person], bots: int) -> tuple[str, list[Bot]]:
        """A supergroup with these people and so many new bots; its id and the bots."""
        host, *guests = people
        order = {"do": "supergroup", "as": name, "by": host.name, "title": f"Row {name}"}
        room = str((await self.do(**order))["id"])
        self._names[room] = name
        for guest in guests:
            await self.do(do="join", by=guest.name, chat=name)
        made = [await self._bot(f"{name}_{number}") for number in range(bots)]
        for number in range(bots):
            await self.do(do="add", by=host.name, chat=name, whom=f"{name}_{number}")
        return room, made

    async def say(self, person: str, room: str, text: str) -> None:
        """Send a text to a room by its id."""
        await self.do(do="say", by=person, chat=self._names[room], text=text)

    async def _bot(self, name: str) -> Bot:
        order = {"do": "bot", "as": name, "name": name, "username": f"{name}_bot"}
        made = await self.do(**order, hears_all=True)
        return Bot(id=int(str(made["id"])), token=str(made["token"]))


class Person:
    """Somebody who can write."""

    def __init__(self, town: Town, name: str) -> None:
        self.name = name
        self._town = town

    async def text(self, room: str, body: str, /) -> None:
        """A text."""
        await self._town.say(self.name, room, body)


@dataclass(frozen=True, slots=True)
class _Making:
    """Who makes the subjects of a table, and where."""

    makers: Sequence[Maker]
    folder: Path


async def telegram_table(
    *,
    folder: Path,
    rows: Sequence[Row],
    makers: Sequence[Maker] = (plain_application, muniment),
    quiet: float = QUIET_SECONDS,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Measure every row for every subject. ``folder`` MUST be empty.

    ``quiet``: see :func:`benchmarks.cases.measure`; after trouble it is thirty at least.
    """
    results: list[Result] = []
    with bot_api_process() as api, ThreadPoolExecutor(_PEOPLE) as pool:
        town = Town(api, pool)
        people = await town.people(_PEOPLE)
        for row in rows:
            progress(f"({row.case.key}) {row.case.sending.count} {row.case.title}")
            results += await _measured(town, people, row, _Making(makers, folder), quiet)
    return results


async def _measured(
    town: Town, people: Sequence[Person], row: Row, making: _Making, quiet: float
) -> list[Result]:
    case = row.case
    room, bots = await town.room(f"row_{case.key}", people, len(making.makers))
    subjects = [
        maker(town.api.url, bot, making.folder / f"{case.key}-{number}")
        for number, (maker, bot) in enumerate(zip(making.makers, bots, strict=True))
    ]
    trouble = row.trouble
    if trouble is None:
        return await measure(case, subjects, people, room, quiet=quiet)
    scene = Scene(case=case, api=town.api, subjects=subjects, bots=[bot.id for bot in bots])
    quiet = max(quiet, _QUIET_AFTER_TROUBLE)
    return await measure(
        case, subjects, people, room, quiet=quiet, meanwhile=lambda: trouble(scene)
    )


def told(cases: Sequence[Case], results: Sequence[Result]) -> str:
    """The table as lines of a page: for each subject what it kept, by stage, and what twice."""
    titles = {case.key: case.title for case in cases}
    subjects = list(dict.fromkeys(result.subject for result in results))
    found = {(result.case, result.subject): result for result in results}
    heads = [
        f"{name} ({', '.join(stages)}; twice)"
        for name in subjects
        for stages in [next(one.kept for one in results if one.subject == name)]
    ]
    lines = [
        f"| case | sent | rate | {' | '.join(heads)} |",
        "|" + "---|" * (3 + len(subjects)),
    ]
    for key, title in titles.items():
        of_row = [found[key, name] for name in subjects]
        kept = " | ".join(_kept(result) for result in of_row)
        lines.append(f"| ({key}) {title} | {of_row[0].sent} | {of_row[0].rate:.0f}/s | {kept} |")
    return "\n".join(lines)


def _kept(result: Result) -> str:
    counts = ", ".join(map(str, result.kept.values()))
    shown = f"{counts}; {result.twice}"
    return f"**{shown}**" if lost(result) else shown


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="reduced counts")
    parser.add_argument("--only", default="", help="rows to measure, e.g. ace")
    parser.add_argument("--subject", choices=("both", "bot", "muniment"), default="both")
    settings = parser.parse_args()
    rows = [
        row
        for row in (SHORT if settings.short else FULL)
        if not settings.only or row.case.key in settings.only
    ]
    both = (plain_application, muniment)
    makers = {"both": both, "bot": both[:1], "muniment": both[1:]}
    with tempfile.TemporaryDirectory(prefix="muniment-telegram-") as folder:
        results = asyncio.run(
            telegram_table(
                folder=Path(folder),
                rows=rows,
                makers=makers[settings.subject],
                progress=Console(stderr=True).print,
            )
        )
    print(told([row.case for row in rows], results))
    ours = [result for result in results if result.subject == Muniment.label]
    raise SystemExit(1 if any(lost(result) or result.twice for result in ours) else 0)


if __name__ == "__main__":
    main()
