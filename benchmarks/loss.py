"""The loss table: what a plain matrix-nio bot keeps, and what Muniment keeps, of the same traffic.

    python -m benchmarks.loss --synapse .synapse/bin/python [--short] [--json FILE]

Against one real Synapse on loopback; each row in a room of its own for each of the two, one
after the other, so that neither slows the other down; the last row has both at once, so that
their delays were taken under the same conditions. Exits 1 if Muniment lost a message.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.cases import FULL, SHORT, Case, Result, measure
from benchmarks.journal_view import journalled_bodies
from benchmarks.scene import account, in_memory, speakers
from benchmarks.senders import Sending, bodies, send
from benchmarks.subjects import Muniment, PlainBot, Subject, nio_bot, on_matrix
from bridge.demo.homeserver import Account, Homeserver
from bridge.demo.official import Official

_SENDERS = 2
_WARM_UP = 40
QUIET_SECONDS = 6.0

Maker = Callable[[Homeserver, Account, Path], Subject]
"""Makes a subject for an account, with a folder of its own."""


def plain_bot(homeserver: Homeserver, account: Account, folder: Path) -> Subject:
    """The plain bot."""
    return PlainBot(program=nio_bot(homeserver, account), folder=folder)


def muniment(homeserver: Homeserver, account: Account, folder: Path) -> Subject:
    """Muniment."""
    return Muniment(
        prepare=on_matrix(homeserver, account), folder=folder, journal=journalled_bodies
    )


async def loss_table(
    *,
    python: Path,
    folder: Path,
    cases: Sequence[Case],
    makers: Sequence[Maker] = (plain_bot, muniment),
    quiet: float = QUIET_SECONDS,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Measure every case for every subject. ``python`` has Synapse; ``folder`` MUST be empty.

    ``quiet``: see :func:`benchmarks.cases.measure`.
    """
    results: list[Result] = []
    async with (
        in_memory() as memory,
        Homeserver(folder=memory, python=python) as homeserver,
        speakers(homeserver, _SENDERS) as people,
    ):
        warm = await people[0].create_room("Warm-up", invite=[one.user_id for one in people[1:]])
        for one in people[1:]:
            await one.join(warm)
        await send(people, warm, bodies("nothing", _WARM_UP), Sending(count=_WARM_UP))
        for case in cases:
            for number, makers_of_row in enumerate(_turns(case, makers)):
                name = f"{case.key}-{number}"
                progress(f"({case.key}) {case.sending.count} {case.title}")
                room, subjects = await _scene(
                    homeserver, people, folder / name, name, makers_of_row
                )
                results += await measure(case, subjects, people, room, quiet=quiet)
    return results


def _turns(case: Case, makers: Sequence[Maker]) -> list[Sequence[Maker]]:
    return [makers] if case.together else [(maker,) for maker in makers]


async def _scene(
    homeserver: Homeserver,
    people: Sequence[Official],
    folder: Path,
    name: str,
    makers: Sequence[Maker],
) -> tuple[str, list[Subject]]:
    """A room of its own, and the subjects, each with an account of its own, invited to it."""
    accounts = [
        await account(homeserver, f"recorder-{name}-{number}") for number in range(len(makers))
    ]
    subjects = [
        maker(homeserver, account, folder / str(number))
        for number, (maker, account) in enumerate(zip(makers, accounts, strict=True))
    ]
    host, *guests = people
    invited = [account.user_id for account in accounts] + [guest.user_id for guest in guests]
    room = await host.create_room(f"Row {name}", invite=invited)
    for guest in guests:
        await guest.join(room)
    return room, subjects


def draw(cases: Sequence[Case], results: Sequence[Result]) -> Table:
    """The table for people."""
    table = Table(title="Messages kept, of the same traffic against one Synapse")
    for name in ("Case", "Sent", "By", "Rate", "Kept", "Lost", "Median and 95 % after sending"):
        table.add_column(name, justify="right" if name in {"Sent", "Lost"} else "left")
    rows = {case.key: case for case in cases}
    slow = [result for result in results if result.rate < rows[result.case].wanted_rate]
    if slow:
        table.caption = "The homeserver took less than the row wants: " + ", ".join(
            f"({result.case}) {result.rate:.0f} of {rows[result.case].wanted_rate:.0f}/s"
            for result in slow
        )
    for result in results:
        table.add_row(
            f"({result.case}) {rows[result.case].title}",
            str(result.sent),
            result.subject,
            f"{result.rate:.0f}/s",
            ", ".join(f"{count} {stage}" for stage, count in result.kept.items()),
            str(lost(result)),
            ", ".join(
                f"{stage} {median * 1000:.0f} / {high * 1000:.0f} ms"
                for stage, (median, high) in result.delays.items()
            )
            if rows[result.case].load.probed
            else "",
        )
    return table


def lost(result: Result) -> int:
    """Messages that some stage does not have."""
    return result.sent - min(result.kept.values())


def _document(cases: Sequence[Case], results: Sequence[Result]) -> list[dict[str, object]]:
    titles = {case.key: case.title for case in cases}
    return [
        {
            "case": result.case,
            "title": titles[result.case],
            "subject": result.subject,
            "sent": result.sent,
            "rate": round(result.rate, 1),
            "kept": result.kept,
            "lost": lost(result),
            "delay_seconds": {
                stage: {"p50": round(median, 4), "p95": round(high, 4)}
                for stage, (median, high) in result.delays.items()
            },
        }
        for result in results
    ]


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--synapse", type=Path, required=True, help="python with Synapse")
    parser.add_argument("--short", action="store_true", help="reduced counts")
    parser.add_argument("--json", type=Path, help="write the table there as well")
    parser.add_argument("--only", default="", help="rows to measure, e.g. ace")
    parser.add_argument("--subject", choices=("both", "bot", "muniment"), default="both")
    settings = parser.parse_args()
    console = Console(stderr=True)
    cases = [
        case
        for case in (SHORT if settings.short else FULL)
        if not settings.only or case.key in settings.only
    ]
    makers = {"both": (plain_bot, muniment), "bot": (plain_bot,), "muniment": (muniment,)}
    with tempfile.TemporaryDirectory(prefix="muniment-loss-") as folder:
        results = asyncio.run(
            loss_table(
                python=settings.synapse,
                folder=Path(folder),
                cases=cases,
                makers=makers[settings.subject],
                progress=console.print,
            )
        )
    Console(width=160).print(draw(cases, results))
    if settings.json is not None:
        text = json.dumps(_document(cases, results), indent=1) + "\n"
        settings.json.write_text(text, encoding="utf-8")
    ours = [result for result in results if result.subject == Muniment.label]
    raise SystemExit(1 if any(lost(result) for result in ours) else 0)


if __name__ == "__main__":
    main()
