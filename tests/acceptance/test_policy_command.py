"""``muniment policy check``: what a policy is, and what it would change."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.acceptance.program import muniment

SHIPPED = Path(__file__).parents[2] / "config" / "policies"
OURS = """\
extends = "uk-nccc-2023.1"
name = "ours"
version = "1"
title = "Ours"
sources = ["Us"]
[codes.LOGISTICS]
outcome = "review"
"""


def _ours(folder: Path, text: str = OURS) -> str:
    file = folder / "ours-1.toml"
    file.write_text(text)
    return str(file)


def test_a_policy_is_told_with_its_digest_and_codes(tmp_path: Path) -> None:
    """The document pins every text it is made of, and says what each code leads to."""
    said = muniment("policy", "check", "--json", _ours(tmp_path), folder=tmp_path)
    assert said.code == 0, said.err
    report = json.loads(said.out)
    base = (SHIPPED / "uk-nccc-2023.1.toml").read_bytes()
    both = "\n".join(hashlib.sha256(text).hexdigest() for text in (OURS.encode(), base))
    assert report["digest"] == hashlib.sha256(both.encode()).hexdigest()
    assert (report["policy"], report["extends"]) == ("ours@1", "uk-nccc-2023.1")
    assert report["codes"]["LOGISTICS"] == "review"
    assert report["compared_with"] == "uk-nccc@2023.1"
    assert report["digest"] in said.err


def test_what_would_change_is_shown(tmp_path: Path) -> None:
    """Of the shipped sample, which lines would be decided otherwise, and how many are kept."""
    said = muniment("policy", "check", "--json", _ours(tmp_path), folder=tmp_path)
    report = json.loads(said.out)
    sample = report["sample"]
    assert sample["lines"] == 55
    assert sample["changed"] == len(report["changes"]) > 0
    for side in (sample["now"], sample["then"]):
        assert side["capture"] + side["review"] + side["discard"] == sample["lines"]
        assert 0 < side["significant_kept"] <= side["significant"] == 25
    assert sample["then"]["trivial_kept"] > sample["now"]["trivial_kept"]
    late = next(each for each in report["changes"] if each["text"] == "Running late, 5 mins")
    assert (late["now"], late["then"], late["label"]) == ("discard", "review", 0)
    assert "Running late, 5 mins" in said.err


def test_an_own_sample_is_read(tmp_path: Path) -> None:
    """Lines of the data format; without labels they are compared all the same."""
    sample = tmp_path / "sample.jsonl"
    sample.write_text(
        '{"conv":"a","speaker":"x","text":"see you at 3"}\n\n{"text":"We go with B"}\n'
    )
    said = muniment(
        "policy", "check", "--json", "--sample", str(sample), _ours(tmp_path), folder=tmp_path
    )
    report = json.loads(said.out)
    assert report["sample"]["lines"] == 2
    assert [each["line"] for each in report["changes"]] == [1]


def test_the_policy_in_force_is_what_it_is_compared_with(tmp_path: Path) -> None:
    """With a settings file, its policy, a file of one's own too; the same changes nothing."""
    ours = _ours(tmp_path)
    assert muniment("init", str(tmp_path / "dep")).code == 0
    config = tmp_path / "dep" / "muniment.toml"
    text = config.read_text().replace('name = "uk-nccc"', f'name = "ours"\nfile = "{ours}"')
    config.write_text(text.replace('version = "2023.1"', 'version = "1"'))
    said = muniment("policy", "check", "--json", ours, "--config", str(config))
    report = json.loads(said.out)
    assert report["compared_with"] == "ours@1"
    assert report["compared_digest"] == report["digest"]
    assert report["changes"] == []
    assert "Nothing in the sample would be decided otherwise." in said.err
    verdict = muniment("classify", "--json", "--config", str(config), text=b"see you at 3")
    assert json.loads(verdict.out)["policy"] == "ours@1"
    config.write_text(text)
    said = muniment("classify", "--json", "--config", str(config), text=b"see you at 3")
    assert said.code == 2
    assert "[policy] name and version" in said.err


def test_both_are_tried_under_the_same_settings(tmp_path: Path) -> None:
    """A senior person of the settings is one under either policy, and shows as no change."""
    ours = _ours(tmp_path, OURS.partition("[codes")[0])
    assert muniment("init", str(tmp_path / "dep")).code == 0
    config = tmp_path / "dep" / "muniment.toml"
    senior = '[[capstone]]\nrole = "director"\nids = ["x"]\n'
    config.write_text(f"{config.read_text()}\n{senior}")
    sample = tmp_path / "sample.jsonl"
    sample.write_text('{"conv":"a","speaker":"x","text":"see you at 3"}\n')
    arguments = ("--json", "--sample", str(sample), "--config", str(config))
    report = json.loads(muniment("policy", "check", ours, *arguments).out)
    assert (report["sample"]["now"]["capture"], report["changes"]) == (1, [])


def test_a_role_that_the_policy_does_not_name_is_refused(tmp_path: Path) -> None:
    """As ``run`` would refuse it: the field and the roles there are."""
    assert muniment("init", str(tmp_path / "dep")).code == 0
    config = tmp_path / "dep" / "muniment.toml"
    config.write_text(f'{config.read_text()}\n[[capstone]]\nrole = "boss"\nids = ["x"]\n')
    us = str(SHIPPED / "us-grs-6.1.toml")
    said = muniment("policy", "check", "--json", us, "--config", str(config))
    assert said.code == 1
    refusal = json.loads(said.out)
    assert refusal["refused"].startswith("[[capstone]] role")
    assert "head-of-agency" in refusal["hint"]


@pytest.mark.parametrize("name", ["scotland-2025.1", "us-grs-6.1"])
def test_every_shipped_policy_can_be_put_in_force(tmp_path: Path, name: str) -> None:
    """Each passes its own check, and keeps the significant lines of the sample."""
    said = muniment("policy", "check", "--json", str(SHIPPED / f"{name}.toml"), folder=tmp_path)
    assert said.code == 0, said.err
    then = json.loads(said.out)["sample"]["then"]
    assert then["significant_kept"] >= 0.9 * then["significant"]


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('outcome = "review"', 'outcome = "drop"', "codes.LOGISTICS.outcome"),
        ("[codes.LOGISTICS]", "[codes.LOGISTICS", "TOML"),
    ],
)
def test_a_policy_that_cannot_be_put_in_force_is_refused(
    tmp_path: Path, old: str, new: str, named: str
) -> None:
    """Exit 1, the field and what to do about it; in JSON too."""
    file = _ours(tmp_path, OURS.replace(old, new))
    said = muniment("policy", "check", "--json", file, folder=tmp_path)
    assert said.code == 1
    refusal = json.loads(said.out)
    assert named in refusal["refused"]
    assert refusal["hint"]
    assert named in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["missing.toml"], "missing.toml"), (["ours-1.toml", "--sample", "none.jsonl"], "none.jsonl")],
)
def test_a_file_that_is_not_there_is_another_matter(
    tmp_path: Path, arguments: list[str], named: str
) -> None:
    """Exit 2: nothing was said about a policy."""
    _ours(tmp_path)
    said = muniment("policy", "check", *arguments, folder=tmp_path)
    assert said.code == 2
    assert named in said.err
