"""``muniment catalog rebuild`` on the program: in the place of a recorder, beside one, refused."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.program import muniment, override, started
from tests.archive import Archive, build
from tests.patience import until


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """What another recorder left in a store. Shared: nobody writes there."""
    return build(tmp_path_factory.mktemp("archive") / "store", seed=8, leaves=300)


@pytest.fixture
def inherited(config: Path, archive: Archive) -> Path:
    """Settings on a store that holds the archive, under the tenant that made it."""
    shutil.copytree(archive.root, config.parent / "var" / "store", dirs_exist_ok=True)
    override(config, 'tenant = "demo"', f'tenant = "{archive.tenant}"')
    return config


def rows(config: Path) -> int:
    """How many events the catalog lists."""
    path = config.parent / "var" / "catalog" / "catalog.db"
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        (number,) = db.execute("SELECT COUNT(*) FROM listing").fetchone()
    return int(number)


def test_it_is_made_from_the_store_alone(inherited: Path) -> None:
    """Without a journal, an office or a recorder; a second time changes nothing."""
    for _ in range(2):
        said = muniment("catalog", "rebuild", "--config", str(inherited))
        assert said.code == 0, said.err
        assert "manifest parts" in said.err
        assert said.out == ""
        assert rows(inherited) > 100


def test_what_is_not_as_logged_is_told_by_the_exit_code(inherited: Path, archive: Archive) -> None:
    """The rest is listed all the same."""
    base = inherited.parent / "var" / "store" / "v1" / archive.tenant
    record = next(path for path in base.glob("records/**/*.json") if "media" not in path.parts)
    record.chmod(0o600)
    record.write_bytes(b"{}")
    said = muniment("catalog", "rebuild", "--config", str(inherited))
    assert said.code == 1
    assert "muniment verify" in said.err
    assert rows(inherited) > 100


def test_a_catalog_that_is_none_is_replaced(inherited: Path) -> None:
    """Whatever stands in its place."""
    folder = inherited.parent / "var" / "catalog"
    folder.mkdir(mode=0o700, parents=True)
    (folder / "catalog.db").write_bytes(b"no database at all" * 100)
    said = muniment("catalog", "rebuild", "--config", str(inherited))
    assert said.code == 0, said.err
    assert rows(inherited) > 100


def test_without_a_store_nothing_is_made(config: Path) -> None:
    """An empty catalog would say that there is nothing."""
    shutil.rmtree(config.parent / "var" / "store", ignore_errors=True)
    (config.parent / "var").mkdir(exist_ok=True)
    (config.parent / "var" / "store").write_bytes(b"a file")
    said = muniment("catalog", "rebuild", "--config", str(config))
    assert said.code == 2
    assert "Traceback" not in said.err


def _is_database(place: Path) -> bool:
    """Whether a file is there, and SQLite's; between the old and the new one there is none."""
    return place.exists() and place.read_bytes()[:6] == b"SQLite"


def test_a_running_recorder_does_it_and_mends_what_is_unfit(config: Path) -> None:
    """It is asked, since it alone writes; a damaged catalog stops it from nothing."""
    folder = config.parent / "var" / "catalog"
    folder.mkdir(mode=0o700, parents=True)
    place = folder / "catalog.db"
    place.write_bytes(b"no database at all" * 100)
    with started(config) as child:
        until(lambda: _is_database(place) or child.poll() is not None)
        assert child.poll() is None
        inode = place.stat().st_ino
        said = muniment("catalog", "rebuild", "--config", str(config))
        assert said.code == 0, said.err
        assert "manifest parts" in said.err
        assert place.stat().st_ino != inode
        assert child.poll() is None
    assert (folder / "catalog.db.unfit").exists()
