"""A catalog made from a store alone: the same that the recorder makes, whoever reads."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.canonical.json import Json
from bridge.errors import CatalogError, ObjectStoreError, ObjectStoreUnavailableError
from bridge.protocols.catalog import Listing, Search
from storage.catalog import SqliteCatalog, rebuilding
from storage.catalog.rebuilding import Rebuilt, rebuild
from storage.catalog.worker import Processes, understand
from storage.objects.evidence_local import LocalEvidence
from tests.archive import Archive, build
from tests.patience import PATIENCE

Newest = dict[tuple[str, int], Listing]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The archive of the other tests, in a folder. Shared: nobody writes there."""
    return build(tmp_path_factory.mktemp("archive") / "store", seed=8, leaves=300)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the catalog is to stand."""
    return tmp_path / "catalog" / "catalog.db"


def nothing(_listed: int) -> None:
    """Nobody wants to know how far it is."""


def modes(folder: Path) -> dict[str, int]:
    """The files of a folder, without those that SQLite puts beside one that is open."""
    return {
        file.name: file.stat().st_mode & 0o777
        for file in folder.iterdir()
        if not file.name.endswith(("-wal", "-shm"))
    }


async def held(place: Path) -> dict[tuple[str, int], object]:
    """What a catalog says of each event."""
    catalog = SqliteCatalog(place)
    found = await catalog.search(Search(limit=5000))
    by_words = await catalog.search(Search(kinds=tuple({e.kind for e in found.listings if e.kind})))
    await catalog.aclose()
    assert by_words.total
    return {(each.stream, each.n): (each.outcome, each.body) for each in found.listings}


def wanted(newest: Newest) -> dict[tuple[str, int], object]:
    """What it should say."""
    return {name: (each.outcome, each.body) for name, each in newest.items()}


async def run(evidence: LocalEvidence, place: Path, *, far: bool) -> Rebuilt:
    """Rebuild in a thread, as everybody does."""
    return await asyncio.to_thread(rebuild, evidence, place, far=far, advance=nothing)


@pytest.mark.parametrize(("far", "small"), [(False, 10_000), (False, 1), (True, 1)])
async def test_whoever_reads_the_catalog_is_the_same(
    built: Archive,
    place: Path,
    newest: Newest,
    monkeypatch: pytest.MonkeyPatch,
    *,
    far: bool,
    small: int,
) -> None:
    """In this process, in others, and by threads."""
    monkeypatch.setattr(rebuilding, "SMALL_PARTS", small)
    told: list[int] = []
    rebuilt = await asyncio.to_thread(
        rebuild, LocalEvidence(built.root, built.tenant), place, far=far, advance=told.append
    )
    assert await held(place) == wanted(newest)
    assert told[-1] == rebuilt.listings >= len(newest)
    assert (rebuilt.damaged, rebuilt.refused) == (0, ())
    assert await asyncio.to_thread(modes, place.parent) == {"catalog.db": 0o600}


async def test_an_open_catalog_shows_the_new_one(
    built: Archive, place: Path, newest: Newest
) -> None:
    """Who looks while another file comes into its place sees that one next."""
    evidence = LocalEvidence(built.root, built.tenant)
    await run(LocalEvidence(built.root, "nobody"), place, far=False)
    catalog = SqliteCatalog(place)
    assert (await catalog.search(Search())).total == 0
    await run(evidence, place, far=False)
    assert (await catalog.search(Search())).total == len(newest)
    await catalog.aclose()


async def test_what_is_broken_is_told_and_the_rest_is_listed(
    built: Archive, place: Path, tmp_path: Path, newest: Newest
) -> None:
    """A record that is not the one logged, a part that is none, and an act that is none."""
    root = tmp_path / "store"
    await asyncio.to_thread(shutil.copytree, built.root, root)
    base = root / "v1" / built.tenant
    record = next(each for each in newest.values() if each.key is not None)
    part = max(base.glob("manifests/**/*.json"))
    act = min(base.glob("acts/**/*.json"))
    for path in (base / str(record.key), part, act):
        path.chmod(0o600)
        path.write_bytes(b"[]")
    rebuilt = await run(LocalEvidence(root, built.tenant), place, far=False)
    assert rebuilt.damaged >= 1
    assert len(rebuilt.refused) == 2
    assert 0 < rebuilt.listings < len(newest) + 50


async def test_a_planted_part_is_refused_by_name_and_the_rest_is_listed(
    built: Archive, place: Path, tmp_path: Path
) -> None:
    """A day that is none, a number past all numbers, a time without a zone."""
    root = tmp_path / "store"
    await asyncio.to_thread(shutil.copytree, built.root, root)
    base = root / "v1" / built.tenant
    row: dict[str, Json] = {
        "s": "aa66554433221100",
        "n": 1,
        "leaf": 0,
        "outcome": "discard",
        "reasons": [],
        "score": 0,
        "policy": "p",
        "model": "m",
    }
    planted = {
        "2026/13/45": row,
        "2026/01/01": {**row, "n": 1 << 63},
        "2026/01/02": {**row, "sent_at": "2026-01-02T00:00:00"},
    }
    for day, each in planted.items():
        path = base / f"manifests/00112233445566aa/{day}/000000.json"
        document: dict[str, Json] = {"gid": "0" * 16, "group": {"id": "!g"}, "rows": [each]}
        await asyncio.to_thread(path.parent.mkdir, parents=True)
        await asyncio.to_thread(path.write_text, json.dumps(document))
    before = await run(LocalEvidence(built.root, built.tenant), place, far=False)
    rebuilt = await run(LocalEvidence(root, built.tenant), place, far=False)
    assert rebuilt.listings == before.listings
    for day, refusal in zip(sorted(planted), rebuilt.refused, strict=True):
        assert day in refusal


class Stopped(Exception):  # noqa: N818 - a test's own
    """The test wants no more."""


@pytest.mark.parametrize("small", [10_000, 1])
async def test_what_does_not_end_leaves_the_catalog_in_use(
    built: Archive, place: Path, newest: Newest, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    """Stopped, or failed on the way: no half of it is ever seen, and nothing is left behind."""
    evidence = LocalEvidence(built.root, built.tenant)
    await run(evidence, place, far=False)
    monkeypatch.setattr(rebuilding, "SMALL_PARTS", small)
    calls = iter(range(1000))
    with pytest.raises(CatalogError, match="stopped"):
        await asyncio.to_thread(
            rebuild, evidence, place, far=False, advance=nothing, stopped=lambda: next(calls) > 3
        )

    def fail(_listed: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        await asyncio.to_thread(rebuild, evidence, place, far=False, advance=fail)
    assert await held(place) == wanted(newest)
    assert "catalog.db.new" not in await asyncio.to_thread(modes, place.parent)


class Unreadable(LocalEvidence):
    """A store that does not give what it lists."""

    def read(self, key: str) -> bytes | None:
        """Fail."""
        raise ObjectStoreUnavailableError(f"{key} cannot be read now.")


@pytest.mark.parametrize("far", [False, True])
async def test_a_store_that_cannot_be_read_makes_no_catalog(
    built: Archive, place: Path, *, far: bool
) -> None:
    """An empty one would say that there is nothing."""
    evidence = Unreadable(built.root, built.tenant)
    with pytest.raises(ObjectStoreError, match="cannot be read now"):
        await run(evidence, place, far=far)
    assert await asyncio.to_thread(modes, place.parent) == {}


def test_a_process_that_ends_is_a_store_that_does_not_answer(built: Archive) -> None:
    """Who waits for it is told, and does not wait for ever."""
    evidence = LocalEvidence(built.root, built.tenant)
    key = next(each.key for each in built.objects if each.key.startswith("manifests/"))
    workers = Processes(evidence, 1)
    try:
        assert workers.submit(key).result(60) == understand(evidence, key)
        for process in workers.processes:
            process.kill()
        with pytest.raises(ObjectStoreUnavailableError, match="ended"):
            workers.submit(key).result(60)
    finally:
        workers.close()


def test_a_process_is_told_no_secret(built: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reads a folder for us needs nothing of what opens a bucket."""
    for name in ("AWS_SECRET_ACCESS_KEY", "MUNIMENT_NOTICE__CONTACT", "SOME_PASSWORD"):
        monkeypatch.setenv(name, "unsaid")
    evidence = LocalEvidence(built.root, built.tenant)
    key = next(each.key for each in built.objects if each.key.startswith("manifests/"))
    workers = Processes(evidence, 1)
    try:
        assert workers.submit(key).result(60) == understand(evidence, key)
        told = [Path(f"/proc/{each.pid}/environ").read_bytes() for each in workers.processes]
        limits = [Path(f"/proc/{each.pid}/limits").read_text() for each in workers.processes]
    finally:
        workers.close()
    assert [each for each in told if b"unsaid" in each or b"PYTHONPATH" not in each] == []
    assert all(re.search(r"^Max core file size +0 +0 ", each, re.MULTILINE) for each in limits)


def test_a_worker_imports_little() -> None:
    """Not the platforms, the console or the program: it must be up at once."""
    code = (
        "import sys, storage.catalog.worker, storage.objects.evidence_local;"
        "print([m for m in sys.modules if m.partition('.')[0] in"
        " {'connectors', 'config', 'boto3', 'starlette', 'aiohttp', 'multiprocessing'}"
        " or m in {'bridge.app', 'bridge.cli', 'bridge.console'}])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert found.stdout == "[]\n"
