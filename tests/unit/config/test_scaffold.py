"""What `muniment init` leaves behind, also when it fails."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import pytest

from config.errors import SettingsError
from config.scaffold import check_names, scaffold
from config.secrets import read_key, read_public, read_secret
from config.settings import load

LINES = ("PRIVATE+KEY+name+00000000+AAAA", "name+00000000+BBBB")


NUMBERS = count(1)


def counted(length: int) -> bytes:
    """Bytes that are never the same twice within a test."""
    return bytes([next(NUMBERS) % 256]) * length


def make(folder: Path, tenant: str = "cabinet-office") -> list[Path]:
    """A folder for one tenant."""
    return scaffold(
        folder,
        tenant=tenant,
        log_origin="log.example.org",
        random_bytes=counted,
        key_lines=LINES,
    )


def test_the_folder_is_complete(tmp_path: Path) -> None:
    """The files load, the keys read, and nothing else is there."""
    folder = tmp_path / "new" / "records"
    made = make(folder)
    settings = load(folder / "muniment.toml", {})
    assert (settings.service.tenant, settings.service.log_origin) == (
        "cabinet-office",
        "log.example.org",
    )
    assert settings.store.location.folder == folder / "var/store"
    assert (settings.matrix, settings.telegram, settings.groups) == ((), (), ())
    journal = read_key(settings.keys.journal_key_file)
    blind = read_key(settings.keys.blind_key_file)
    assert len(journal) == len(blind) == 32
    assert journal != blind
    assert read_secret(settings.keys.signing_key_file) == LINES[0]
    assert read_public(settings.keys.public_key_file) == LINES[1]
    there = {path for path in folder.rglob("*") if path.is_file()}
    assert there == set(made)
    assert made[-1].name == "muniment.toml"


def test_the_folder_is_private(tmp_path: Path) -> None:
    """Folders are 0700 and files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        made = make(tmp_path / "records")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in made} == {0o600}
    for folder in (tmp_path / "records", tmp_path / "records/keys"):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    """A folder that is there and empty is filled."""
    assert make(tmp_path)[-1] == tmp_path / "muniment.toml"


@pytest.mark.parametrize("name", ["muniment.toml", ".hidden"])
def test_a_folder_with_anything_in_it_is_refused(tmp_path: Path, name: str) -> None:
    """What is there is left as it is."""
    (tmp_path / name).write_text("mine")
    with pytest.raises(SettingsError, match="is not empty: name a folder that is new or empty"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_second_init_is_refused(tmp_path: Path) -> None:
    """Keys are never made over keys."""
    make(tmp_path)
    keys = {path: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    with pytest.raises(SettingsError, match="is not empty"):
        make(tmp_path)
    assert {path: path.read_bytes() for path in (tmp_path / "keys").iterdir()} == keys


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    """A file where the folder should be, or above it, is named and left."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SettingsError, match="is a file: name a folder"):
        make(tmp_path / "file")
    with pytest.raises(SettingsError, match=r"cannot be written \(.+\): name a folder that can"):
        make(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("tenant", "origin", "message"),
    [
        ("A B", "log.example.org", r"\[service\] tenant is 'A B': use 1 to 64 of a-z"),
        ('x"\n[store]', "log.example.org", r"\[service\] tenant holds a control character"),
        ("", "log.example.org", r"\[service\] tenant is empty: give it a value"),
        ("demo", "https://x", r"\[service\] log_origin is 'https://x': use a domain name"),
        ("demo", "", r"\[service\] log_origin is empty: give it a value"),
    ],
)
def test_names_are_checked_first(tmp_path: Path, tenant: str, origin: str, message: str) -> None:
    """A name that settings would refuse is refused before anything is made."""
    with pytest.raises(SettingsError, match=message):
        check_names(tenant=tenant, log_origin=origin)
    with pytest.raises(SettingsError, match=message):
        scaffold(
            tmp_path / "records",
            tenant=tenant,
            log_origin=origin,
            random_bytes=counted,
            key_lines=LINES,
        )
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize("failing", range(1, 13))
def test_a_failure_leaves_nothing_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Whichever sync fails, what this call made is gone and a second call works."""
    real, calls = os.fsync, 0

    def fsync(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(28, "No space left on device")
        real(handle)

    folder = tmp_path / "records"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(SettingsError, match=r"cannot be written \(No space left on device\)"):
            make(folder)
    assert not folder.exists()
    make(folder)
