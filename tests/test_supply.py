"""What the program is made of: pinned, listed, licensed, and looked up without wishful thinking."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from supply import audit
from supply.audit import CLEAN, FAULTS, NO_ANSWER, said_of
from supply.licences import READ, UnknownLicenceError, is_allowed, licence_of, said_by
from supply.listing import page
from supply.locks import RUNTIME, Pin, assets, everything, pins
from supply.needs import PROGRAM, needs, project
from supply.sbom import bom
from tests.pages import DOCS, ROOT
from tests.patience import PATIENCE

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PARTS = everything()


class _Part(msgspec.Struct):
    ref: str = msgspec.field(name="bom-ref")
    scope: str


class _Needs(msgspec.Struct):
    ref: str
    needed: list[str] = msgspec.field(name="dependsOn")


class _List(msgspec.Struct):
    components: list[_Part]
    dependencies: list[_Needs]


@pytest.fixture(scope="module")
def made() -> bytes:
    """The list of parts."""
    return bom()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.name))
def test_a_lock_pins_everything_by_digest_and_names_no_server(lock: Path) -> None:
    """What is installed is what was locked, from wherever it is fetched."""
    assert pins(lock)
    assert "://" not in lock.read_text("utf-8")


def test_a_pin_without_a_digest_is_refused(tmp_path: Path) -> None:
    """Anything could be taken for it."""
    lock = tmp_path / "lock.txt"
    lock.write_text(f"one==1.0 \\\n    --hash=sha256:{'0' * 64}\ntwo==2.0\n")
    with pytest.raises(ValueError, match=r"two==2\.0 has no digest"):
        pins(lock)


def test_an_asset_that_this_reader_does_not_know_is_refused(tmp_path: Path) -> None:
    """One below another would be listed under a wrong name."""
    lock = tmp_path / "package-lock.json"
    package = {"version": "1.0.0", "integrity": "sha512-AAAA", "license": "MIT"}
    lock.write_text(json.dumps({"packages": {"": {}, "node_modules/a/node_modules/b": package}}))
    with pytest.raises(ValueError, match="lies below another"):
        assets(lock)


def test_the_lock_is_what_the_program_needs_and_nothing_else() -> None:
    """From what it names itself on, by what the packages say."""
    assert set(needs()) - {PROGRAM} == {each.name for each in pins(RUNTIME)}


def test_every_licence_is_one_that_we_take() -> None:
    """Of what is in the program, and of what makes it."""
    assert {each.name: licence_of(each) for each in PARTS if not is_allowed(licence_of(each))} == {}


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("AGPL-3.0-only", False),
        ("", False),
        ("LicenseRef-Proprietary", False),
        ("MIT AND (GPL-3.0-only OR MIT)", False),
    ],
)
def test_a_licence_is_taken_in_all_its_parts(expression: str, *, fits: bool) -> None:
    """A choice is enough; what is not understood is not taken."""
    assert is_allowed(expression) is fits


def test_a_package_that_says_nothing_must_be_read() -> None:
    """Its licence file by a person, and only as long as it says nothing itself."""
    silent = Pin(kind="pypi", name="pip", version="1", algorithm="SHA-256", digests=("0",))
    assert licence_of(silent) == "MIT"
    assert [name for name in READ if said_by(name) is not None] == []
    assert set(READ) <= {each.name for each in PARTS}


def test_a_licence_that_nobody_knows_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no empty cell on the page."""
    monkeypatch.delitem(READ, "pyrage")
    (pin,) = [each for each in PARTS if each.name == "pyrage"]
    with pytest.raises(UnknownLicenceError, match="pyrage"):
        licence_of(pin)


def test_the_page_of_dependencies_is_what_the_script_prints() -> None:
    """Print it anew after a change: `python -m supply.listing > docs/dependencies.md`."""
    assert (DOCS / "dependencies.md").read_text("utf-8") == page()


def test_the_record_of_decisions_gives_each_direct_dependency_its_licence() -> None:
    """The same as the package says."""
    text = (DOCS / "adr" / "0007-dependencies.md").read_text("utf-8")
    given = dict(re.findall(r"^\| ([a-z0-9-]+) \|.*\| ([^|]+) \|$", text, re.MULTILINE))
    named = needs()[PROGRAM]
    direct = {each.name: licence_of(each) for each in PARTS if each.name in named}
    assert {name: given.get(name) for name in direct} == direct


def test_the_list_of_parts_is_cyclonedx() -> None:
    """By the validator of CycloneDX, which takes no field that it does not know."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    dated = bom(at=datetime(2026, 3, 2, 9, tzinfo=UTC))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(dated.decode()) is None


def test_the_list_of_parts_is_whole(made: bytes) -> None:
    """Every pin stands in it once, and whoever is needed is in it too."""
    found = msgspec.json.decode(made, type=_List)
    refs = [each.ref for each in found.components]
    assert sorted(refs) == sorted(each.purl for each in PARTS)
    assert {each.ref for each in found.dependencies} == {PROGRAM, *refs}
    assert {name for each in found.dependencies for name in each.needed} <= set(refs)
    (root,) = [each.needed for each in found.dependencies if each.ref == PROGRAM]
    assert len(root) == len(project()[1]) + sum(each.kind == "npm" for each in PARTS if each.ships)
    shipped = {each.ref for each in found.components if each.scope == "required"}
    assert shipped == {each.purl for each in PARTS if each.ships}


def test_the_same_locks_give_the_same_bytes(made: bytes, tmp_path: Path) -> None:
    """In another process, with other hashes; and no server is named in them."""
    target = tmp_path / "dist" / "muniment.cdx.json"
    subprocess.run(
        [sys.executable, "-m", "supply.sbom", str(target)],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "4711"},
        check=True,
        timeout=PATIENCE,
    )
    assert target.read_bytes() == made
    assert b"://" not in made


def _answer(*found: Mapping[str, object]) -> bytes:
    return json.dumps({"dependencies": list(found), "fixes": []}).encode()


FINE = {"name": "one", "version": "1.0", "vulns": []}
FAULTY = {
    "name": "two",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["2.1"], "aliases": [], "description": ""}],
}
SKIPPED = {"name": "three", "skip_reason": "Dependency not found and could not be audited"}


@pytest.mark.parametrize(
    ("printed", "code", "told"),
    [
        (_answer(FINE), CLEAN, "runtime.txt: 1 packages, 0 known faults."),
        (_answer(FINE, FAULTY), FAULTS, "two 2.0: PYSEC-2026-1, mended in 2.1"),
        (_answer(FAULTY, SKIPPED), FAULTS, "no answer for 1 of 2 packages"),
        (_answer(FINE, SKIPPED), NO_ANSWER, "no answer for 1 of 2 packages"),
        (_answer(), NO_ANSWER, "cannot be reached"),
        (b"", NO_ANSWER, "cannot be reached"),
        (b"Traceback (most recent call last)", NO_ANSWER, "cannot be reached"),
    ],
)
def test_no_answer_is_not_a_good_one(printed: bytes, code: int, told: str) -> None:
    """pip-audit says that nothing is known of packages that it could not look up."""
    said = said_of("runtime.txt", printed)
    assert said.code == code
    assert told in "\n".join(said.lines)


def test_a_service_that_is_away_ends_with_two(tmp_path: Path) -> None:
    """As the make target gives it on, for each lock."""
    away = tmp_path / "pip-audit"
    away.write_text("#!/bin/sh\necho 'name resolution failed' >&2\nexit 1\n")
    away.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", audit.__name__, str(away), str(RUNTIME)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == NO_ANSWER
    assert done.stdout.startswith("runtime.txt: no answer.")
