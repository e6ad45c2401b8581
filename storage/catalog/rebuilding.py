"""The catalog made anew from the store alone: every manifest part, its records, and every act.

Parts are read and understood in other processes, as far as there are several: one alone would
spend most of its time on JSON. The file is written here, beside the one in use, and takes its
place when it is whole; a crash leaves the one in use as it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import CatalogError
from bridge.keys import MANIFESTS
from bridge.listings import act_of, listings_of
from bridge.protocols import Evidence
from bridge.protocols.catalog import ListedAct, Listing
from storage.catalog.file import CatalogFile

ACTS = "acts"
AHEAD = 8
"""Parts that are read while one is written."""

AT_ONCE = 50
"""Parts and acts in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a rebuild took. ``damaged``: records that are not as their manifest names them.

    ``refused``: parts and acts that cannot be read as such; they are left out.
    """

    parts: int
    acts: int
    listings: int
    damaged: int
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Understood:
    """What one manifest part or act says; or why it says nothing."""

    key: str
    listings: tuple[Listing, ...] = ()
    act: ListedAct | None = None
    refusal: str = ""


def understand(evidence: Evidence, key: str) -> Understood:
    """Read one manifest part, with its records, or one act."""
    data = evidence.read(key)
    try:
        if data is None:
            return Understood(key, refusal=f"{key} is gone.")
        if key.startswith(f"{ACTS}/"):
            return Understood(key, act=act_of(key, data))
        return Understood(key, listings=listings_of(key, data, evidence.read))
    except CatalogError as error:
        return Understood(key, refusal=str(error))


def rebuild(
    evidence: Evidence,
    place: Path,
    *,
    workers: Executor,
    advance: Callable[[int], None],
) -> Rebuilt:
    """Make the catalog at ``place`` from what ``evidence`` shows. Blocks: run in a thread.

    ``advance`` is told how many events are listed so far.

    Raises:
        ObjectStoreError: the store cannot be read; the catalog in use stays.
        CatalogError: the new file cannot be written; the catalog in use stays.
    """
    fresh = place.with_name(f"{place.name}.new")
    fresh.unlink(missing_ok=True)
    file = CatalogFile(fresh, building=True)
    try:
        rebuilt = _fill(file, _understood(evidence, workers), advance)
        file.finish(place)
    finally:
        file.close()
        fresh.unlink(missing_ok=True)
    return rebuilt


def _understood(evidence: Evidence, workers: Executor) -> Iterator[Understood]:
    """Everything in the order of its keys, a few of them read ahead."""
    ahead: deque[Future[Understood]] = deque()
    for folder in (MANIFESTS, ACTS):
        for found in evidence.walk(f"{folder}/"):
            if found.latest and not found.deleted and found.key.endswith(".json"):
                ahead.append(workers.submit(understand, evidence, found.key))
            if len(ahead) > AHEAD:
                yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def _fill(
    file: CatalogFile, understood: Iterator[Understood], advance: Callable[[int], None]
) -> Rebuilt:
    parts = acts = listings = damaged = 0
    refused: list[str] = []
    last = False
    while not last:
        with file.transaction():
            for _ in range(AT_ONCE):
                each = next(understood, None)
                if each is None:
                    last = True
                    break
                if each.refusal:
                    refused.append(each.refusal)
                    continue
                file.take(each.key, listings=each.listings, act=each.act)
                acts += each.act is not None
                parts += each.act is None
                listings += len(each.listings)
                damaged += sum(listing.damaged for listing in each.listings)
        advance(listings)
    return Rebuilt(
        parts=parts, acts=acts, listings=listings, damaged=damaged, refused=tuple(refused)
    )
