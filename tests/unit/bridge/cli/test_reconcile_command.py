"""The command: its exit code, its document, and what a person reads."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from rich.console import Console
from rich.progress import Progress as Bars

from bridge.app import new_folder
from bridge.cli import reconcile
from bridge.reconcile import DayReport, GroupReport, Progress, Report
from tests.fakes import samples


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """A settings file as ``init`` makes it; the logging is put back afterwards."""
    folder = tmp_path / "m"
    new_folder(folder, tenant="demo", log_origin="example.org", random_bytes=samples.seeded())
    yield folder / "muniment.toml"
    structlog.reset_defaults()


def _run(config: Path, *arguments: str) -> int:
    everywhere = argparse.ArgumentParser(add_help=False)
    parser = argparse.ArgumentParser()
    reconcile.add(parser.add_subparsers(), everywhere)
    options = parser.parse_args(["reconcile", *arguments])
    options.config = config
    code: int = options.command(options)
    return code


def _stranger(config: Path) -> None:
    """A file that nobody of ours put there."""
    folder = config.parent / "var" / "store" / "v1" / "demo" / "records"
    folder.mkdir(parents=True)
    (folder / "stray.json").write_bytes(b"{}")


@pytest.mark.parametrize("arguments", [(), ("--source",), ("--json",)])
def test_what_fits_exits_0(config: Path, arguments: tuple[str, ...]) -> None:
    """A new folder has nothing to compare."""
    assert _run(config, *arguments) == 0


def test_a_finding_exits_1_and_stands_in_the_document(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output has one JSON document and nothing else."""
    _stranger(config)
    assert _run(config, "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["findings"] == [
        {
            "kind": "foreign",
            "fault": True,
            "count": 1,
            "sentence": document["findings"][0]["sentence"],
            "examples": ["records/stray.json"],
        }
    ]
    assert (document["fits"], document["complete"], document["groups"]) == (False, True, [])


def test_a_person_reads_what_was_found(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, by kinds, with the first keys."""
    _stranger(config)
    assert _run(config) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "1 foreign" in said.err
    assert "records/stray.json" in said.err
    assert "Something does not fit." in said.err


def test_a_rest_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Once for each rest, where no bar is shown too: nobody takes it for hanging."""
    console = Console(stderr=True, width=120, force_terminal=False)
    with Bars(console=console, transient=True) as bars:
        screen = reconcile.Screen(bars)
        for resting in (False, True, True, False, True):
            screen.show(Progress(number=1, at="", phase="records", done=1, resting=resting))
            (task,) = bars.tasks
            assert task.description == ("records, waiting" if resting else "records")
    assert capsys.readouterr().err.count("goes on by itself") == 2


def test_days_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Group by group, with the reasons; names from platforms are made harmless."""
    day = DayReport(
        day="2026-03-01",
        upstream=9,
        journalled=6,
        excused=1,
        missing=2,
        reasons={"unexplained": 2, "said outside": 1},
    )
    group = GroupReport(
        connector="matrix", id="!a:example.org", name="Flood\x1b[2J", days=[day], trouble="No more."
    )
    report = Report(
        subject="source",
        began_at="",
        ended_at="",
        fits=False,
        complete=False,
        trouble="The store does not answer.",
        checked={},
        findings=[],
        groups=[group],
    )
    # White-box: a comparison with a platform needs one.
    reconcile._show(report, Console(stderr=True, width=120))
    said = capsys.readouterr().err
    assert "\x1b[2J" not in said
    for part in ("2026-03-01", "2 unexplained", "1 said outside", "No more.", "does not answer"):
        assert part in said
