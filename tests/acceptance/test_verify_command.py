"""``muniment verify``: a stranger with a store and a public key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.program import muniment, new_folder, override
from tests.archive import Archive, build


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """An archive in a folder, with its key in a file: all that a stranger has."""

    archive: Archive
    key: Path
    arguments: tuple[str, ...]


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """Without any settings file."""
    archive = build(tmp_path / "store", seed=5, leaves=120)
    key = tmp_path / "public.key"
    key.write_text(f"{archive.public_key}\n")
    arguments = ("verify", "--store", f"file:{archive.root}", "--public-key", str(key))
    return Copy(archive=archive, key=key, arguments=arguments)


def test_an_intact_archive_exits_0(copy: Copy, tmp_path: Path) -> None:
    """People read a table on standard error; with --json one document is on standard output."""
    said = muniment(*copy.arguments, folder=tmp_path)
    assert (said.code, said.out) == (0, ""), said.err
    assert "INTACT" in said.err
    said = muniment(*copy.arguments, "--json", folder=tmp_path)
    report = json.loads(said.out)
    assert (said.code, report["verdict"], report["findings"]) == (0, "intact", [])
    assert report["checkpoint"]["size"] == report["vouches"]["size"] == 120
    assert report["origin"] == copy.archive.public_key.partition("+")[0]
    assert "retention_not_enforced" in {each["code"] for each in report["listed"]}


def test_a_changed_record_exits_1_and_is_named(copy: Copy, tmp_path: Path) -> None:
    """One byte more, and the sentence names the object."""
    record = min((copy.archive.root / "v1").glob("*/records/*/*/*/*/*/*.json"))
    record.chmod(0o640)
    record.write_bytes(record.read_bytes() + b" ")
    said = muniment(*copy.arguments, folder=tmp_path)
    assert said.code == 1
    assert "TAMPERED" in said.err
    assert record.name in said.err


def test_another_key_exits_1(copy: Copy, tmp_path: Path) -> None:
    """The store was read; what does not fit is the signature."""
    other = build(tmp_path / "other", seed=6, leaves=60)
    copy.key.write_text(other.public_key)
    said = muniment(*copy.arguments, "--json", folder=tmp_path)
    assert said.code == 1
    assert {each["code"] for each in json.loads(said.out)["findings"]} >= {"checkpoint_signature"}


def test_what_cannot_be_read_exits_2(copy: Copy, tmp_path: Path) -> None:
    """One sentence that names the fact and one that names the remedy, and no traceback."""
    gone = ("verify", "--store", f"file:{tmp_path / 'none'}", "--public-key", str(copy.key))
    said = muniment(*gone, "--json", folder=tmp_path)
    assert (said.code, json.loads(said.out)["verdict"]) == (2, "cannot_tell")
    assert said.err.startswith("muniment: ")


def test_a_store_that_was_put_back_is_found_against_a_known_checkpoint(
    copy: Copy, tmp_path: Path
) -> None:
    """Several may be given; an earlier one is extended."""
    early, late = tmp_path / "early", tmp_path / "late"
    early.write_bytes(copy.archive.notes[0])
    late.write_bytes(copy.archive.notes[-1])
    known = ("--known", str(early), str(late))
    said = muniment(*copy.arguments, "--json", *known, folder=tmp_path)
    assert said.code == 0
    assert len(json.loads(said.out)["vouches"]["known"]) == 2
    checkpoint = copy.archive.root / "v1" / copy.archive.tenant / "log" / "0" / "checkpoint"
    checkpoint.chmod(0o640)
    checkpoint.write_bytes(copy.archive.notes[0])
    said = muniment(*copy.arguments, "--json", *known, folder=tmp_path)
    assert said.code == 1
    assert "rolled_back" in {each["code"] for each in json.loads(said.out)["findings"]}


def test_one_record_gives_its_proofs(copy: Copy, tmp_path: Path) -> None:
    """One file for the leaf that saw it, one for the leaf that says it was stored."""
    base = copy.archive.root / "v1" / copy.archive.tenant
    record = min(base.glob("records/*/*/*/*/*/*.json")).relative_to(base)
    proof = tmp_path / "one.tlog-proof"
    said = muniment(
        *copy.arguments, "--record", str(record), "--proof", str(proof), folder=tmp_path
    )
    assert said.code == 0, said.err
    assert proof.read_bytes().startswith(b"c2sp.org/tlog-proof@v1\n")
    assert (tmp_path / "one-stored.tlog-proof").read_bytes() != proof.read_bytes()


def test_with_settings_their_store_and_key_are_meant(copy: Copy, tmp_path: Path) -> None:
    """No argument is needed where there is a muniment.toml."""
    config = new_folder(tmp_path / "office")
    override(config, 'url = "file:var/store"', f'url = "file:{copy.archive.root}"')
    (config.parent / "keys" / "public.key").write_text(copy.archive.public_key)
    said = muniment("verify", "--config", str(config))
    assert said.code == 0, said.err
    assert "INTACT" in said.err
