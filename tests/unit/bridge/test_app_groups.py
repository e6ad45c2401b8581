"""What settings and commands say of groups: their notices, their retention, orders for them."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from bridge.app import (
    new_folder,
    open_journal,
    open_office,
    order_step,
    read_settings,
    status_of,
)
from bridge.app.listed import class_names
from bridge.app.orders import Ordered
from bridge.app.rules import listed_groups, notices, retentions, schedule_of
from bridge.cli import groups
from bridge.clock import SystemClock
from bridge.errors import ConfigError
from bridge.model import GroupState, Particulars, Stream, Timer, unfit_line
from bridge.notices import LONGEST
from bridge.protocols import StepKind
from config.settings import Settings
from config.values import LONGEST_LINE
from tests.fakes import samples
from tests.fakes.connector import ScriptedConnector
from tests.unit.config.samples import read, sentence

TABLES = """
[[matrix]]
name = "matrix"
homeserver = "http://127.0.0.1:1"
user_id = "@recorder:example.org"
password_file = "keys/matrix.password"

[[retention]]
name = "short"
days = 30

[[retention]]
name = "long"
days = 9000
"""
LISTED = """
[[groups]]
connector = "matrix"
id = "!flood"
name = "Flood cell"
owner = "Head of Floods"
purpose = "Flood response"
retention = "short"
dpia = "D-1"
device_type = "mixed"
"""
OVERRIDE = """
[[overrides]]
connector = "matrix"
group = "!flood"
code = "LOGISTICS"
outcome = "discard"
reason = "a duty roster"
approver = "ada"
date = 2026-03-01
"""
ROOM = "!new:example.org"
SAID = Particulars(owner="Head of Floods", purpose="Flood response")


def _settings(folder: Path, *tables: str) -> Settings:
    """A folder as ``init`` makes it, with more tables."""
    if not folder.exists():
        new_folder(folder, tenant="demo", log_origin="example.org", random_bytes=samples.seeded())
    file = folder / "muniment.toml"
    file.write_text(file.read_text() + "".join(tables))
    return read_settings(file)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """One account, two classes of retention, and no group."""
    return _settings(tmp_path / "m", TABLES)


@pytest.fixture
def listing(tmp_path: Path) -> Settings:
    """The same with one group, and an override for it."""
    return _settings(tmp_path / "m", TABLES, LISTED, OVERRIDE)


async def _nothing() -> None:
    """No cursor is durable yet."""


def test_the_file_is_taken_over_whole(listing: Settings) -> None:
    """Every key of a [[groups]] table reaches the register."""
    connector = ScriptedConnector(committed=_nothing)
    (listed,) = listed_groups(listing, {"matrix": connector})
    assert listed.particulars == Particulars(
        owner="Head of Floods",
        purpose="Flood response",
        retention="short",
        dpia="D-1",
        device_type="mixed",
    )
    assert class_names(listing) == {"short", "long"}


def test_the_notice_says_what_holds_for_the_group(listing: Settings) -> None:
    """Name, owner, class, timer, policy and overrides of that group, and of no other."""
    notice = notices(listing)
    group = samples.group("!flood", name="Flood cell")
    said = notice(
        replace(
            group,
            particulars=Particulars(owner="Head of Floods", retention="short"),
            timer=Timer(seconds=3600, basis="x"),
        )
    )
    for text in (
        "the group “Flood cell”",
        "ask Head of Floods, who answers",
        "for 30 days",
        "under the policy uk-nccc@2023.1",
        "not kept: LOGISTICS.",
        "set to 1 hour.",
    ):
        assert text in said.text
    assert "LOGISTICS" not in notice(samples.group("!other")).text
    assert "All messages are kept" in notice(replace(group, capture_all=True)).text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Recorded for ${who}.", r"\$\{who\}, which does not exist"),
        ("x" * (LONGEST + 1), "4001 characters"),
        (" ", "empty"),
    ],
)
def test_a_text_that_cannot_be_posted_stops_the_start(tmp_path: Path, text: str, said: str) -> None:
    """Before anything is recorded, with what is wrong."""
    made = _settings(tmp_path / "m", TABLES)
    (tmp_path / "m" / "own.txt").write_text(text)
    made = made.model_copy(
        update={"notice": made.notice.model_copy(update={"text_file": tmp_path / "m" / "own.txt"})}
    )
    with pytest.raises(ConfigError, match=said):
        notices(made)


@pytest.mark.parametrize(
    ("group_id", "given", "days"),
    [
        ("!flood", None, 30),
        ("!flood", "long", 30),
        ("!other", "long", 9000),
        ("!other", "gone", 9000),
        ("!other", None, None),
    ],
)
def test_records_are_kept_by_the_class_of_their_group(
    listing: Settings, group_id: str, given: str | None, days: int | None
) -> None:
    """Kept, told and shown: the file's word, or the register's; if it is gone the longest."""
    stream = Stream(
        id="s",
        gid="g",
        connector="matrix",
        platform="matrix",
        group_id=group_id,
        group_name=None,
        retention=given,
    )
    wanted = None if days is None else timedelta(days=days)
    assert retentions(listing)(stream).records == wanted
    assert schedule_of(listing).of("matrix", group_id, given).days == days
    group = replace(samples.group(group_id), particulars=Particulars(retention=given))
    told = notices(listing)(group).text
    assert ("for as long as its rules require" if days is None else f"for {days} days") in told


async def _order(
    settings: Settings,
    kind: StepKind = StepKind.APPROVE,
    *,
    group_id: str = ROOM,
    said: Particulars = SAID,
    why: str = "fit",
) -> Ordered:
    return await order_step(
        settings,
        kind=kind,
        connector="matrix",
        group_id=group_id,
        name=None,
        by="ada",
        why=why,
        said=said,
    )


@pytest.mark.parametrize(
    ("said", "unsaid"),
    [
        (Particulars(), ("--owner", "--purpose")),
        (Particulars(owner="Jo"), ("--purpose",)),
        (Particulars(purpose="Floods"), ("--owner",)),
        (SAID, ()),
    ],
)
async def test_an_approval_by_nobody_is_ordered_and_told(
    settings: Settings, said: Particulars, unsaid: tuple[str, ...]
) -> None:
    """With what would make it complete."""
    assert await _order(settings, said=said) == Ordered(number=1, unsaid=unsaid)


async def test_an_approval_may_rest_on_what_was_proposed(settings: Settings) -> None:
    """In an order that still waits, or in the register; and on the file for what it lists."""
    await _order(settings, StepKind.PROPOSE)
    assert (await _order(settings, said=Particulars())).unsaid == ()
    journal = await open_journal(settings, SystemClock())
    known = samples.group("!known:example.org", state=GroupState.PROPOSED)
    assert await journal.set_group(replace(known, particulars=SAID), expect=None)
    await journal.skip_office_step(2)
    await journal.aclose()
    rested = await _order(settings, group_id=known.group_id, said=Particulars(dpia="D-2"))
    assert rested.unsaid == ()
    again = await _order(settings, said=Particulars())
    assert again.unsaid == ("--owner", "--purpose")  # what was taken is asked of the register
    office = await open_office(settings)
    steps = await office.steps(0)
    await office.aclose()
    assert [step.particulars for step in steps] == [
        SAID,
        Particulars(),
        Particulars(dpia="D-2"),
        Particulars(),
    ]


async def test_a_listed_group_is_approved_as_it_is_listed(listing: Settings) -> None:
    """The file answers for it."""
    ordered = await _order(listing, group_id="!flood", said=Particulars())
    assert ordered == Ordered(number=1, unsaid=())


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (replace(SAID, retention="for-ever"), r'--retention is "for-ever", and no \[\[retention'),
        (replace(SAID, owner=""), "--owner is empty"),
        (replace(SAID, purpose="x" * 501), "--purpose is longer than 500"),
        (replace(SAID, dpia="a\x1b[31m"), "--dpia holds a control"),
        (replace(SAID, device_type="a\u202eb"), "--device-type holds a character that turns"),
    ],
)
async def test_unfit_words_are_refused(settings: Settings, said: Particulars, fault: str) -> None:
    """By the option that has them, before anything is ordered."""
    with pytest.raises(ConfigError, match=fault):
        await _order(settings, StepKind.PROPOSE, said=said)


@pytest.mark.parametrize("group_id", ["#alias:example.org", "room", "-100", "!a b"])
async def test_an_id_of_no_group_is_refused(settings: Settings, group_id: str) -> None:
    """A step for what cannot be a group is not ordered."""
    with pytest.raises(ConfigError, match="is the id of no group"):
        await _order(settings, group_id=group_id)


async def test_the_register_is_shown(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a table in which no name steers the terminal, as JSON, and in the status."""
    journal = await open_journal(settings, SystemClock())
    group = replace(
        samples.group(name="Flood\x1b[31m\u202e"),
        particulars=replace(SAID, retention="gone", dpia="D-1"),
        approved_by="ada",
        approved_at=samples.NOW,
    )
    assert await journal.set_group(group, expect=None)
    await journal.aclose()
    options = argparse.Namespace(config=settings.folder / "muniment.toml", json=False)
    assert await asyncio.to_thread(groups.show, options) == 0
    table = capsys.readouterr().err
    assert "Head of Floods" in table
    assert "\x1b" not in table
    assert "\u202e" not in table
    options.json = True
    assert await asyncio.to_thread(groups.show, options) == 0
    (row,) = msgspec.json.decode(capsys.readouterr().out)
    assert (row["owner"], row["dpia"], row["approved_by"]) == ("Head of Floods", "D-1", "ada")
    report = await status_of(settings)
    assert (report.groups[0].owner, report.groups[0].retention) == ("Head of Floods", "gone")
    assert [alarm for alarm in report.alarms if '"gone", which the settings do not have' in alarm]


@pytest.mark.parametrize(
    "text",
    [
        "Head of Floods",
        "Pennaeth Llifogydd ŵŷ “x”",
        "x" * LONGEST_LINE,
        "x" * (LONGEST_LINE + 1),
        "a\nb",
        "a\x85b",
        "a\u2028b",
        "a\u202eb",
        "a\u2066b",
        "\ufeffa",
        " ",
        "👩‍🚒",
    ],
)
def test_file_and_commands_take_the_same_words(text: str) -> None:
    """What the settings refuse the commands refuse, and the other way round."""
    quoted = msgspec.json.encode(text).decode().replace("\x85", "\\u0085")
    tables = TABLES + LISTED.replace('"Head of Floods"', quoted)
    if unfit_line(text) is None:
        assert read(tables).groups[0].owner == text
    else:
        assert "[[groups]] owner (table 1)" in sentence(tables)
