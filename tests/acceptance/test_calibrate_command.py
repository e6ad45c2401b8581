"""``muniment calibrate``: thresholds from this deployment's own reviews."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest

from bridge.app import Settings, classifier_of, open_journal, read_settings
from bridge.lifecycle import EntryState
from bridge.model import Outcome
from bridge.protocols import DecisionOrder, Entry, Journal, Label, PlacementKind
from tests.acceptance.program import Said, muniment, new_folder
from tests.fakes.clock import FakeClock
from tests.fakes.samples import NOW, batch, event, group, placement, proof, sealing, verdict

ACT = placement(PlacementKind.DECISION, body=b'{"kind":"decision"}')


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A deployment in which nothing happened yet."""
    return new_folder(tmp_path / "dep")


def _calibrate(config: Path, *arguments: str) -> Said:
    return muniment("calibrate", "--json", *arguments, "--config", str(config))


def _review(
    config: Path,
    scores: list[float],
    *,
    trivial: int,
    model: str = "",
    label: Label | None = None,
) -> None:
    """Reviews with these scores that a person captured, and so many that a person discarded."""
    settings = read_settings(config)
    classifier = classifier_of(settings)
    named = (classifier.policy, model or classifier.model)
    asyncio.run(_fill(settings, scores, trivial=trivial, named=named, label=label))


async def _fill(
    settings: Settings,
    scores: list[float],
    *,
    trivial: int,
    named: tuple[str, str],
    label: Label | None,
) -> None:
    journal = await open_journal(settings, FakeClock())
    await journal.set_group(group(), expect=None)
    decided = [(score, Outcome.CAPTURE) for score in scores] + [(0.1, Outcome.DISCARD)] * trivial
    await journal.append(batch(*(event(f"${i}") for i in range(len(decided) + 2))))
    entries = await journal.claim(EntryState.RECEIVED, now=NOW, limit=1000)
    for entry, (score, _) in zip(entries, decided, strict=False):
        await _stored(journal, entry, score, named)
    for entry, score in zip(entries[len(decided) :], (0.05, 0.18), strict=True):
        judged = verdict(Outcome.DISCARD, score=score, policy=named[0], model=named[1])
        await journal.judge([(entry.seq, judged)])
    await journal.take_orders(
        [
            DecisionOrder(
                number=i,
                stream=entry.stream.id,
                n=entry.n,
                outcome=outcome,
                by="a",
                at=NOW,
                why="",
                label=label if outcome is Outcome.CAPTURE else None,
            )
            for i, (entry, (_, outcome)) in enumerate(zip(entries, decided, strict=False), start=1)
        ]
    )
    for waiting in await journal.decisions(limit=1000):
        assert waiting.entry is not None
        assert waiting.entry.verdict is not None
        score, outcome = waiting.entry.verdict.score, waiting.decision.outcome
        after = verdict(outcome, score=score, policy=named[0], model=named[1])
        assert await journal.decide(waiting.id, after, act=ACT)
    await journal.aclose()


async def _stored(journal: Journal, entry: Entry, score: float, named: tuple[str, str]) -> None:
    judged = verdict(Outcome.REVIEW, score=score, policy=named[0], model=named[1])
    await journal.judge([(entry.seq, judged)])
    await journal.seal([sealing(await _now(journal, entry))])
    await journal.store([proof(await _now(journal, entry))])


async def _now(journal: Journal, entry: Entry) -> Entry:
    found = await journal.entry(entry.seq)
    assert found is not None
    return found


def test_without_reviews_the_conservative_threshold_holds(config: Path) -> None:
    """Nothing is promised, it says how many are needed, and nothing can be applied."""
    said = _calibrate(config)
    assert said.code == 0, said.err
    report = json.loads(said.out)
    assert (report["reviewed"], report["least"], report["in_force"]) == (0, 19, None)
    assert not any(each["suffices"] for each in report["thresholds"])
    assert "keep all" in said.err
    said = _calibrate(config, "--apply")
    assert said.code == 1
    assert not (config.parent / "var" / "calibration.json").exists()


def test_the_guarantee_its_n_and_the_keep_rate_are_shown(config: Path) -> None:
    """Of 19 significant messages the lowest score is the threshold; what would change is told."""
    _review(config, [0.15, *([0.5] * 18)], trivial=3)
    report = json.loads(_calibrate(config).out)
    assert (report["reviewed"], report["significant"]) == (22, 19)
    pooled = report["thresholds"][0]
    assert (pooled["n"], pooled["k"], pooled["value"]) == (19, 1, 0.15)
    promised = "of significant messages that are reviewed as these were, at most 5.0% score below"
    assert pooled["guarantee"].startswith(f"{promised} 0.15")
    rate = report["keep_rate"]
    assert (rate["messages"], rate["reviews_more"]) == (24, 1)
    assert rate["now"] == pytest.approx(19 / 24)
    assert rate["then"] == pytest.approx(20 / 24)
    assert report["applied"] is False


def test_it_is_put_in_force_when_asked(config: Path) -> None:
    """The file is the owner's alone; the model's name carries it, and a verdict does."""
    _review(config, [0.0, *([0.5] * 18)], trivial=0)
    before = classifier_of(read_settings(config)).model
    said = _calibrate(config, "--apply")
    assert said.code == 0, said.err
    report = json.loads(said.out)
    file = config.parent / "var" / "calibration.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_bytes())["policy"] == "uk-nccc@2023.1"
    after = json.loads(
        muniment("classify", "--json", "--config", str(config), text=b"see you at 3").out
    )
    assert after["outcome"] == "review"
    assert after["model"] == f"{before}+{report['in_force']}"
    again = json.loads(_calibrate(config).out)
    assert (again["model"], again["in_force"]) == (before, report["in_force"])


def test_what_was_kept_as_context_is_no_sample(config: Path) -> None:
    """It is not significant by itself; it is counted apart."""
    _review(config, [0.5] * 19, trivial=1, label=Label.CONTEXT)
    said = _calibrate(config)
    report = json.loads(said.out)
    assert (report["reviewed"], report["significant"], report["as_context"]) == (1, 0, 19)
    assert report["asked_in_groups"] == 0
    assert "kept as context alone, not used: 19" in said.err


def test_reviews_under_another_model_are_set_aside(config: Path) -> None:
    """Their scores mean something else."""
    _review(config, [0.5] * 19, trivial=0, model="older-1")
    report = json.loads(_calibrate(config).out)
    assert (report["reviewed"], report["set_aside"]) == (0, 19)


@pytest.mark.parametrize("alpha", ["0", "x"])
def test_a_share_that_is_none_is_refused(config: Path, alpha: str) -> None:
    """Exit 2, with the range."""
    said = _calibrate(config, f"--alpha={alpha}")
    assert said.code == 2
    assert "0.0001" in said.err


def test_a_damaged_file_is_named(config: Path) -> None:
    """It is not passed over: what was put in force is not what holds."""
    (config.parent / "var").mkdir(exist_ok=True)
    (config.parent / "var" / "calibration.json").write_text("{}")
    said = muniment("classify", "--json", "--config", str(config), text=b"thanks")
    assert said.code == 2
    assert "calibration.json" in said.err
