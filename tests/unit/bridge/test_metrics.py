"""What Prometheus is shown: each number under its name, and no word that is not ours."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.app.metrics import FRESH_SECONDS, Metrics, Numbers, families
from bridge.delays import Distribution
from bridge.health import Alarm
from bridge.protocols import Counts, Head, Voucher
from bridge.writer import MARGINS
from tests.fakes.clock import START, FakeClock
from tests.pages import ROOT, section, table_cells

RULES = ROOT / "docs" / "deploy" / "muniment.rules.yml"
RULES_CASES = Path(__file__).with_name("rules_test.yml")
OURS = re.compile(r"\bmuniment_[a-z_]+")
SUFFIX = re.compile(r"_(?:bucket|sum|count)$")
SHOWN = re.compile(r"\b((?:muniment|process)_[a-z_]+)({[^}]*})?")


class _Target(msgspec.Struct):
    expr: str
    legend: str = msgspec.field(name="legendFormat")


class _Place(msgspec.Struct):
    x: int
    y: int
    w: int
    h: int


class _Panel(msgspec.Struct):
    id: int
    type: str
    place: _Place = msgspec.field(name="gridPos")
    description: str = ""
    targets: list[_Target] = []


class _Board(msgspec.Struct):
    panels: list[_Panel]


BOARD = msgspec.json.decode((RULES.parent / "muniment.grafana.json").read_bytes(), type=_Board)

COUNTS = Counts(
    seen=7,
    stored=4,
    late=1,
    gaps=2,
    restricted=1,
    leaves=20,
    waiting=(("received", 1), ("sealed", 2)),
    overdue=1,
    downloads=3,
    reviews=2,
    oldest_review=START - timedelta(days=1),
    encrypted=5,
    oldest_encrypted=START - timedelta(minutes=1),
    undecryptable=6,
    unsplit=0,
)


def _delays() -> Distribution:
    measured = Distribution((1.0, 5.0))
    measured.note(0.5)
    measured.note(7.0)
    return measured


NUMBERS = Numbers(
    at=START,
    counts=COUNTS,
    capture_delays=_delays(),
    margins=Distribution((0.0,)),
    store_errors=9,
    lags={"office": 3.5},
    classifying=0.25,
    head=Head(size=15, root=b"r", note=b"n", at=START - timedelta(seconds=12)),
    vouchers=(
        Voucher(kind="witness", name="w.example.org/1", at=START - timedelta(hours=1)),
        Voucher(kind="witness", name="w.example.org/2", at=START - timedelta(hours=2)),
        Voucher(kind="timestamp", name="tsa.example.org", at=START - timedelta(hours=3)),
    ),
    spool_fill=0.5,
    damaged=0,
    restarts={"writer": 1},
    alarms=(
        Alarm(part="office", trouble="not receiving", sentence="@recorder:example.org", subject=""),
        Alarm(part="groups", trouble="timer too short", sentence="Flood response", subject="0a"),
        Alarm(part="groups", trouble="timer too short", sentence="Harbour", subject="0b"),
    ),
    unsent={"webhook": 2},
)


async def _page(numbers: Numbers) -> str:
    async def give() -> Numbers:
        return numbers

    return (await Metrics(clock=FakeClock(), numbers=give).page()).decode()


def _samples(page: str) -> Mapping[str, float]:
    """Every sample by its name and labels."""
    return {
        sample.name + "".join(f"{{{k}={v}}}" for k, v in sorted(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def _names(page: str) -> set[str]:
    """Ours, as the types name them: a counter with its ending."""
    return set(re.findall(r"^# TYPE (muniment_\w+)", page, re.MULTILINE))


@pytest.mark.parametrize(
    ("sample", "value"),
    [
        ("muniment_events_seen_total", 7),
        ("muniment_records_stored_total", 4),
        ("muniment_late_total", 1),
        ("muniment_gaps_total", 2),
        ("muniment_restricted_total", 1),
        ("muniment_queue_depth{state=received}", 1),
        ("muniment_queue_depth{state=judged}", 0),
        ("muniment_queue_depth{state=sealed}", 2),
        ("muniment_overdue", 1),
        ("muniment_downloads_waiting", 3),
        ("muniment_reviews_waiting", 2),
        ("muniment_review_age_seconds", 86400),
        ("muniment_encrypted_waiting", 5),
        ("muniment_encrypted_age_seconds", 60),
        ("muniment_undecryptable", 6),
        ("muniment_capture_delay_seconds_bucket{le=1}", 1),
        ("muniment_capture_delay_seconds_bucket{le=+Inf}", 2),
        ("muniment_capture_delay_seconds_count", 2),
        ("muniment_capture_delay_seconds_sum", 7.5),
        ("muniment_margin_seconds_count", 0),
        ("muniment_store_errors_total", 9),
        ("muniment_platform_lag_seconds{connector=office}", 3.5),
        ("muniment_checkpoint_age_seconds", 12),
        ("muniment_log_leaves_waiting", 5),
        ("muniment_witness_age_seconds", 3600),
        ("muniment_timestamp_age_seconds", 10800),
        ("muniment_spool_fill_ratio", 0.5),
        ("muniment_loop_restarts_total{loop=writer}", 1),
        ("muniment_alarms{part=office}{trouble=not receiving}", 1),
        ("muniment_alarms{part=groups}{trouble=timer too short}", 2),
        ("muniment_alerts_unsent{channel=webhook}", 2),
    ],
)
async def test_each_number_stands_under_its_name(sample: str, value: float) -> None:
    """As Prometheus' own parser reads the page."""
    assert _samples(await _page(NUMBERS))[sample] == value


async def test_no_sentence_and_no_id_is_shown() -> None:
    """Of an alarm its part and kind alone; of a witness its age; no group, not even its number."""
    page = await _page(NUMBERS)
    for word in ("example.org", "Flood", "Harbour", "0a", "0b"):
        assert word not in page


async def test_a_journal_that_cannot_be_read_hides_its_own_numbers_only() -> None:
    """They are missing, which is told apart from zero; all others stand."""
    shut = _names(await _page(replace(NUMBERS, counts=None, head=None, vouchers=())))
    assert "muniment_store_errors_total" in shut
    assert not shut & {"muniment_events_seen_total", "muniment_queue_depth"}
    assert "muniment_checkpoint_age_seconds" not in shut


async def test_who_asks_often_is_given_the_same_page() -> None:
    """The journal is asked once a second at most, however many ask."""
    asked = []
    clock = FakeClock()

    async def give() -> Numbers:
        asked.append(clock.monotonic())
        return NUMBERS

    metrics = Metrics(clock=clock, numbers=give)
    assert await metrics.page() == await metrics.page()
    assert len(asked) == 1
    clock.advance(FRESH_SECONDS)
    await metrics.page()
    assert len(asked) == 2


async def test_two_recorders_in_one_process_share_nothing() -> None:
    """Each has a registry of its own."""
    other = replace(NUMBERS, store_errors=0)
    pages = [await _page(numbers) for numbers in (NUMBERS, other)]
    found = [_samples(page)["muniment_store_errors_total"] for page in pages]
    assert found == [9, 0]


async def test_every_metric_is_explained_and_no_other() -> None:
    """The manual's table has each name that the page has."""
    explained = {
        cell for cell in table_cells(section("docs/operations.md", "Metrics")) if OURS.match(cell)
    }
    assert explained == _names(await _page(NUMBERS))


def test_families_say_what_they_are() -> None:
    """Each has a sentence."""
    assert all(family.documentation.endswith(".") for family in families(NUMBERS))


async def test_the_rules_use_names_that_exist() -> None:
    """A rule on a name that nobody gives would never fire."""
    used = {SUFFIX.sub("", name) for name in OURS.findall(RULES.read_text("utf-8"))}
    assert used
    assert used <= _names(await _page(NUMBERS))


def _labels(page: str) -> dict[str, set[str]]:
    """The labels of each metric, with those that Prometheus adds itself."""
    labels: dict[str, set[str]] = {}
    for sample in _samples(page):
        name, *pairs = sample.split("{")
        labels.setdefault(name, {"instance", "job"}).update(each.split("=")[0] for each in pairs)
    return labels


def _targets() -> list[_Target]:
    return [target for panel in BOARD.panels for target in panel.targets]


async def test_the_dashboard_shows_every_number_and_no_other() -> None:
    """Each of the page is on a panel; what the client tells of the process beside them."""
    page = await _page(NUMBERS)
    shown = {SUFFIX.sub("", name) for each in _targets() for name, _ in SHOWN.findall(each.expr)}
    assert {name for name in shown if OURS.match(name)} == _names(page)
    others = {name for name in shown if not OURS.match(name)}
    assert others <= {sample.partition("{")[0] for sample in _samples(page)}


async def test_the_dashboard_names_labels_that_exist() -> None:
    """In selectors, sums and legends: of the metric, or what Prometheus adds itself."""
    labels = _labels(await _page(NUMBERS))
    for target in _targets():
        given: set[str] = set()
        for name, selector in SHOWN.findall(target.expr):
            assert set(re.findall(r"(\w+)=", selector)) <= labels[name], target.expr
            given |= labels[name]
        kept = {
            each for by in re.findall(r"by \(([^)]*)\)", target.expr) for each in by.split(", ")
        }
        assert kept <= given, target.expr
        assert set(re.findall(r"{{(\w+)}}", target.legend)) <= kept, target.expr


def test_the_dashboard_takes_rates_of_what_only_grows() -> None:
    """And of nothing else; a bucket that it names is one that is counted."""
    bounds = {f"{bound:g}" for bound in MARGINS}
    for target in _targets():
        grown = set(re.findall(r"(?:rate|increase)\((\w+)", target.expr))
        grows = {n for n, _ in SHOWN.findall(target.expr) if re.search(r"_(total|bucket)$", n)}
        assert grown == grows, target.expr
        assert set(re.findall(r'le=~"(\d+)\|', target.expr)) <= bounds
    assert set(re.findall(r'le=~"(\d+)\|', RULES.read_text("utf-8"))) <= bounds


def test_the_panels_lie_beside_each_other() -> None:
    """None covers another, each has a number of its own and says what it shows."""
    taken = [
        (x, y)
        for panel in BOARD.panels
        for x in range(panel.place.x, panel.place.x + panel.place.w)
        for y in range(panel.place.y, panel.place.y + panel.place.h)
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
    assert len({panel.id for panel in BOARD.panels}) == len(BOARD.panels)
    assert all(panel.type == "row" or panel.description.endswith(".") for panel in BOARD.panels)


async def test_an_alert_joins_what_has_the_same_labels() -> None:
    """Or says by which it joins: otherwise Prometheus finds no pair, and nobody is ever called."""
    labels = _labels(await _page(NUMBERS))
    joined = [
        rule.split("labels:")[0]
        for rule in RULES.read_text("utf-8").split("expr: ")[1:]
        if re.search(r"\band\b", rule.split("labels:")[0])
    ]
    assert joined
    for expr in joined:
        found = {frozenset(labels[name]) for name in OURS.findall(expr)}
        assert len(found) == 1 or "and on (instance, job)" in expr, expr


def test_promtool_takes_the_rules_where_it_is_installed() -> None:
    """Prometheus' own checker; elsewhere each rule is looked at for what it must have."""
    rules = RULES.read_text("utf-8").split("- alert: ")[1:]
    assert all(re.match(r"Muniment\w+\n +expr: .*\n", rule) for rule in rules)
    assert all("severity: " in rule and "summary: " in rule for rule in rules)
    _promtool("check", RULES)


def test_promtool_calls_each_alert_when_it_should() -> None:
    """Where it is installed: each that joins or computes has cases, and promtool agrees."""
    cases = RULES_CASES.read_text("utf-8")
    for rule in RULES.read_text("utf-8").split("- alert: ")[1:]:
        expr = rule.partition("expr: ")[2].partition("labels:")[0]
        if re.search(r"\b(?:and|or)\b|\w\(", expr):
            assert f"alertname: {rule.split()[0]}\n" in cases, rule
    _promtool("test", RULES_CASES)


def _promtool(what: str, file: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is not None:
        done = subprocess.run(
            [promtool, what, "rules", str(file)], capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
