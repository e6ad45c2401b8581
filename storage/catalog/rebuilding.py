"""The catalog made anew from the store alone: every manifest part, its records, and every act.

Of a folder, parts are read and understood in other processes: one alone would spend most of its
time on JSON. A store that is far away is read by threads, which mostly wait; a small one here. The
file is written beside the one in use, and takes its place when it is whole; a crash leaves the one
in use as it is.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYetError
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

from bridge.errors import CatalogError, ObjectStoreUnavailableError
from bridge.keys import MANIFESTS
from bridge.protocols.evidence import Evidence, StoredVersion
from storage.catalog.file import CatalogFile
from storage.catalog.lines import Lines
from storage.catalog.worker import Processes, understand

ACTS = "acts"
AHEAD = 8
"""Parts that are read while one is written."""

AT_ONCE = 50
"""Parts and acts in one transaction."""

SMALL_PARTS = 40
SMALL_BYTES = 500_000
"""Up to here a store is read before another process would be up."""

PROCESSES = 2
THREADS = 16
_LOOK_SECONDS = 0.2


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


class Readers(Protocol):
    """Who reads parts and acts for a rebuild."""

    def submit(self, key: str) -> Future[Lines]:
        """Have one read."""

    def close(self) -> None:
        """End, whatever is being read."""


def rebuild(
    evidence: Evidence,
    place: Path,
    *,
    far: bool,
    advance: Callable[[int], None],
    stopped: Callable[[], bool] = lambda: False,
) -> Rebuilt:
    """Make the catalog at ``place`` from what ``evidence`` shows. Blocks: run in a thread.

    ``far``: each answer of the store is long in coming. ``advance`` is told how many events are
    listed so far. Once ``stopped`` says so it ends soon.

    Raises:
        ObjectStoreError: the store cannot be read; the catalog in use stays.
        CatalogError: the new file cannot be written, or it was stopped; the one in use stays.
    """
    fresh = place.with_name(f"{place.name}.new")
    fresh.unlink(missing_ok=True)
    file = CatalogFile(fresh, building=True)
    try:
        rebuilt = _fill(file, _read(evidence, far=far, stopped=stopped), advance)
        file.finish(place)
    finally:
        file.close()
        fresh.unlink(missing_ok=True)
    return rebuilt


def _read(evidence: Evidence, *, far: bool, stopped: Callable[[], bool]) -> Iterator[Lines]:
    """Everything in the order of its keys: the first few here, the rest by others, if any."""
    found = chain.from_iterable(evidence.walk(f"{folder}/") for folder in (MANIFESTS, ACTS))
    documents = (each for each in found if _is_document(each))
    size = 0
    for number, each in enumerate(documents, 1):
        yield _told(understand(evidence, each.key))
        _go_on(stopped)
        size += each.size
        if far or size >= SMALL_BYTES or number >= SMALL_PARTS:
            break
    else:
        return
    readers: Readers = _Threads(evidence) if far else Processes(evidence, PROCESSES)
    try:
        yield from _by(readers, documents, stopped)
    finally:
        readers.close()


def _by(
    readers: Readers, documents: Iterator[StoredVersion], stopped: Callable[[], bool]
) -> Iterator[Lines]:
    """Everything in order, a few of them read ahead."""
    ahead: deque[Future[Lines]] = deque()
    for each in documents:
        ahead.append(readers.submit(each.key))
        if len(ahead) > AHEAD:
            yield _told(_awaited(ahead.popleft(), stopped))
    while ahead:
        yield _told(_awaited(ahead.popleft(), stopped))


def _awaited(lines: Future[Lines], stopped: Callable[[], bool]) -> Lines:
    while True:
        _go_on(stopped)
        try:
            return lines.result(timeout=_LOOK_SECONDS)
        except NotYetError:
            continue


def _go_on(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise CatalogError("The rebuild was stopped before its end; the catalog is as it was.")


def _told(lines: Lines) -> Lines:
    if lines.trouble:
        raise ObjectStoreUnavailableError(lines.trouble)
    return lines


def _is_document(found: StoredVersion) -> bool:
    return found.latest and not found.deleted and found.key.endswith(".json")


class _Threads:
    """Reads a store that is far away, many parts at a time.

    The threads are daemons: a process that ends MUST NOT wait for a store that never answers.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._orders: SimpleQueue[tuple[str, Future[Lines]]] = SimpleQueue()
        self._closed = threading.Event()
        for i in range(THREADS):
            threading.Thread(target=self._work, name=f"catalog-reader-{i}", daemon=True).start()

    def submit(self, key: str) -> Future[Lines]:
        """Have one part or act read."""
        lines: Future[Lines] = Future()
        self._orders.put((key, lines))
        return lines

    def _work(self) -> None:
        while not self._closed.is_set():
            try:
                key, lines = self._orders.get(timeout=_LOOK_SECONDS)
            except Empty:
                continue
            try:
                lines.set_result(understand(self._evidence, key))
            except Exception as error:  # it is raised where it was asked for
                lines.set_exception(error)

    def close(self) -> None:
        """Begin nothing more; what is being read ends by itself."""
        self._closed.set()


def _fill(file: CatalogFile, read: Iterator[Lines], advance: Callable[[int], None]) -> Rebuilt:
    parts = acts = listings = damaged = 0
    refused: list[str] = []
    last = False
    while not last:
        with file.transaction():
            for _ in range(AT_ONCE):
                lines = next(read, None)
                if lines is None:
                    last = True
                    break
                if lines.refusal:
                    refused.append(lines.refusal)
                    continue
                file.take(lines)
                acts += lines.act is not None
                parts += lines.act is None
                listings += len(lines.rows)
                damaged += lines.damaged
                advance(listings)
    return Rebuilt(
        parts=parts, acts=acts, listings=listings, damaged=damaged, refused=tuple(refused)
    )
