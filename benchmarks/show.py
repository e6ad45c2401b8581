"""Every figure that the project claims, measured anew and written to ``benchmarks/results.md``.

Run by ``make show``. Each part is a script of its own that can be run alone. Timings are of one
machine and one run; the ratios and the counts are what to compare.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

SYNAPSE = ".synapse/bin/python"
RESULTS = Path(__file__).with_name("results.md")


class LossRow(msgspec.Struct):
    """One row of the loss table."""

    case: str
    title: str
    subject: str
    sent: int
    rate: float
    kept: dict[str, int]
    lost: int
    delay_seconds: dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A script and how its figures are told."""

    title: str
    command: tuple[str, ...]


LOSS = Part(title="Loss", command=("benchmarks.loss", "--synapse", SYNAPSE))
TOLD = (
    Part(
        title="Messages kept, of the same traffic against one Bot API server for tests",
        command=("benchmarks.telegram_loss",),
    ),
    Part(title="A long outage of the store", command=("benchmarks.outage",)),
    Part(
        title="Each outage of the store, under traffic",
        command=("benchmarks.store_outages", "--synapse", SYNAPSE),
    ),
    Part(title="Sixty SIGKILLs under traffic", command=("benchmarks.kills", "--synapse", SYNAPSE)),
    Part(
        title="A room with a retention of four seconds",
        command=("benchmarks.short_timer", "--synapse", SYNAPSE),
    ),
    Part(
        title="An encrypted room and a strict client",
        command=("benchmarks.encrypted", "--synapse", SYNAPSE),
    ),
    Part(title="Client CPU per encrypted event", command=("benchmarks.crypto_cpu",)),
    Part(title="Journal throughput", command=("benchmarks.journal",)),
    Part(title="Client CPU per plain event", command=("benchmarks.cpu",)),
    Part(
        title="Resident memory of `muniment run`",
        command=("benchmarks.memory", "--synapse", SYNAPSE),
    ),
    Part(
        title="Fixity, read by a tool that is not ours",
        command=("benchmarks.s3_tool", "--synapse", SYNAPSE),
    ),
    Part(
        title="Leaves appended to the published log, into a folder",
        command=("benchmarks.log_append",),
    ),
    Part(
        title="Verification: a million leaves, and objects beside `sha256sum`",
        command=("benchmarks.verify_speed",),
    ),
    Part(
        title="Tampering found and named, of 10,000 mutations",
        command=("tests.archive.mutations", "--count", "10000"),
    ),
    Part(
        title="From the start until ready, over a million entries",
        command=("benchmarks.startup",),
    ),
    Part(
        title="An hour at twenty messages a second in fifty groups",
        command=("benchmarks.soak",),
    ),
    Part(
        title="Hours of the same in virtual time, as many as go into an hour",
        command=("benchmarks.day", "--minutes", "60"),
    ),
)


def run(part: Part, *more: str) -> tuple[int, str]:
    """Run a script; its exit code and what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *part.command, *more],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip()


def loss_section(folder: Path) -> tuple[int, list[str]]:
    """The loss table and the latencies of the row in which both listen at once."""
    document = folder / "loss.json"
    code, _ = run(LOSS, "--json", str(document))
    rows = msgspec.json.decode(document.read_bytes(), type=list[LossRow])
    lines = [
        "## Messages kept, of the same traffic against one Synapse",
        "",
        "| case | sent | rate | plain matrix-nio bot | muniment (journalled, stored) |",
        "|---|---|---|---|---|",
    ]
    lines += [
        _loss_line([row for row in rows if row.case == case])
        for case in dict.fromkeys(row.case for row in rows)
    ]
    lines += ["", *_delays([row for row in rows if row.case in {"a", "g"}])]
    return code, lines


def _loss_line(rows: Sequence[LossRow]) -> str:
    bot, ours = rows
    kept = ", ".join(f"{count}" for count in ours.kept.values())
    rates = f"{bot.rate:.0f}/s, {ours.rate:.0f}/s"
    return (
        f"| ({bot.case}) {bot.title} | {bot.sent} | {rates} | {min(bot.kept.values())} | {kept} |"
    )


def _delays(rows: Sequence[LossRow]) -> list[str]:
    lines = ["Seconds from the server's timestamp, median and 95 %:", ""]
    lines += [
        f"- ({row.case}) {row.subject}, {stage}: {delay['p50']:.3f} / {delay['p95']:.3f}"
        for row in rows
        for stage, delay in row.delay_seconds.items()
    ]
    return lines


def main() -> None:
    """Measure everything; exit 1 if a part failed."""
    lines = [
        "# Results",
        "",
        "Written by `make show`; each section names the script that made it.",
        f"One run on {os.cpu_count()} cores, Python {platform.python_version()}.",
        "",
    ]
    with tempfile.TemporaryDirectory() as folder:
        worst, section = loss_section(Path(folder))
    lines += [*section, "", "Script: `benchmarks/loss.py`.", ""]
    for part in TOLD:
        code, said = run(part)
        worst = max(worst, code)
        script = part.command[0].replace(".", "/")
        lines += [f"## {part.title}", "", said, "", f"Script: `{script}.py`.", ""]
    RESULTS.write_text("\n".join(lines), encoding="utf-8")
    print(f"Wrote {RESULTS}.")
    sys.exit(worst)


if __name__ == "__main__":
    main()
