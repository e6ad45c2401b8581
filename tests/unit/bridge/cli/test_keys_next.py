"""``muniment keys next``: a pair of files beside those in use, and nothing written over."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.cli import main
from bridge.notekeys import parse_signing_key, parse_verifier


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A folder made by ``init``."""
    assert main(["init", str(tmp_path / "bridge")]) == 0
    return tmp_path / "bridge" / "muniment.toml"


def test_a_pair_of_the_same_name_is_made(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Readable by the owner alone; the public file has the keys so far and the next one last."""
    keys = config.parent / "keys"
    before = {file: file.read_bytes() for file in keys.iterdir()}
    assert main(["keys", "next", "--config", str(config)]) == 0
    signing, public = keys / "signing.key.next", keys / "public.key.next"
    assert {file.stat().st_mode & 0o777 for file in (signing, public)} == {0o600}
    first, second = public.read_text().splitlines()
    assert first == (keys / "public.key").read_text().strip()
    key = parse_signing_key(signing.read_text())
    assert key.verifier == parse_verifier(second) != parse_verifier(first)
    assert key.name == parse_verifier(first).name
    said = capsys.readouterr().err
    assert second in said
    assert signing.read_text().strip() not in said
    assert {file: file.read_bytes() for file in before} == before


@pytest.mark.parametrize("there", ["signing.key.next", "public.key.next"])
def test_nothing_is_written_over(
    config: Path, there: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a pair of which one is there nothing is made, and nothing stays."""
    keys = config.parent / "keys"
    (keys / there).write_text("mine")
    before = {file.name for file in keys.iterdir()}
    assert main(["keys", "next", "--config", str(config)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert {file.name for file in keys.iterdir()} == before
    assert (keys / there).read_text() == "mine"


def test_one_key_after_the_other(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While a key is replaced no further one is made."""
    setting = 'next_signing_key_file = "keys/signing.key.next"'
    config.write_text(config.read_text().replace(f"#{setting}", setting))
    signing = config.parent / "keys" / "signing.key.next"
    signing.touch(mode=0o600)
    signing.write_text((config.parent / "keys" / "signing.key").read_text())
    assert main(["keys", "next", "--config", str(config)]) == 2
    assert "is being replaced" in capsys.readouterr().err
