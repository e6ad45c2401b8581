"""The arguments of ``muniment verify``: which are of use, and what is said of the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.cli import main
from tests.archive import Archive, build


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """A store, and a key beside it."""
    made = build(tmp_path / "store", seed=8, leaves=60)
    (tmp_path / "public.key").write_text(f"{made.public_key}\n")
    (tmp_path / "empty").mkdir()
    return made


USELESS = [
    ("--public-key", "public.key", "--store", "file:none"),
    ("--public-key", "public.key", "--store", "file:empty"),
    ("--public-key", "public.key", "--store", "https://store.example.org"),
    ("--store", "file:store", "--public-key", "none.key"),
    ("--store", "file:store", "--public-key", "store"),
    ("--store", "file:store", "--public-key", "public.key", "--known", "public.key"),
    ("--store", "file:store", "--public-key", "public.key", "--known", "none"),
    ("--store", "file:store", "--public-key", "public.key", "--witness-key", "public.key"),
    ("--store", "file:store", "--public-key", "public.key", "--tsa-ca", "public.key"),
    ("--store", "file:store", "--public-key", "public.key", "--tsa-ca", "none"),
    ("--store", "file:store", "--public-key", "public.key", "--record", "records/none"),
    ("--store", "file:store", "--public-key", "public.key", "--proof", "x"),
    ("--public-key", "public.key", "--region", "x"),
    ("--store", "file:store"),
]


@pytest.mark.parametrize("arguments", USELESS, ids=" ".join)
def test_what_cannot_be_read_exits_2(
    arguments: tuple[str, ...],
    archive: Archive,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No store, no key, an empty store, a useless argument: the fact and the remedy."""
    monkeypatch.chdir(tmp_path)
    assert main(["verify", *arguments, "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["verdict"] == "cannot_tell"
    assert err.startswith("muniment: ")
    assert archive.signing_key not in err


@pytest.mark.parametrize("since", ["2026-03-02", "2026-03-02T09:00:00Z", "2999-01-01"])
def test_since_takes_a_day_or_a_moment(
    since: str, archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And refuses what is neither, as any wrong option."""
    given = ["verify", "--store", f"file:{archive.root}", "--since", since]
    assert main([*given, "--public-key", str(tmp_path / "public.key")]) == 0
    with pytest.raises(SystemExit):
        main(["verify", "--since", "yesterday"])
    assert "INTACT" in capsys.readouterr().err


def test_names_in_a_store_do_not_reach_the_terminal_raw(
    archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file may be named with control characters."""
    base = archive.root / "v1" / archive.tenant
    (base / "acts" / "\x1b[31mred").write_bytes(b"x")
    given = ["verify", "--store", f"file:{archive.root}"]
    main([*given, "--public-key", str(tmp_path / "public.key")])
    err = capsys.readouterr().err
    assert "red" in err
    assert "\x1b" not in err
