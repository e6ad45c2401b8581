"""The catalog of a data directory: opened by ``run``, made anew by it or in its place."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bridge.app.adapters import CATALOG_FILE
from bridge.app.asking import Errand, Show, fulfil
from bridge.app.evidence import evidence_at
from bridge.app.places import place_of
from bridge.clock import SystemClock
from bridge.errors import CatalogError, MunimentError
from bridge.indexer import Binding, Indexer, Made
from bridge.protocols import Clock, Request, RequestKind
from bridge.protocols.catalog import CatalogWriter
from bridge.reconcile import Advance, Answer, Answering
from config.settings import Settings
from storage.catalog import SqliteCatalogWriter
from storage.catalog.rebuilding import Rebuilt, rebuild

MakeAnew = Callable[[Callable[[int], None]], Awaitable[Made]]
"""Makes a catalog; what it is given is told how many events are listed."""

STOP_SECONDS = 2.0
"""How long a stop waits for a rebuild, which then ends with the process."""

UNFIT = ".unfit"
_T = TypeVar("_T")
_ALSO = ("", "-wal", "-shm")


class FiledCatalog:
    """The catalog as a file. Implements :class:`bridge.indexer.Binding`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = settings.service.data_dir / CATALOG_FILE

    async def open(self) -> CatalogWriter:
        """Open it, making it where there is none."""
        return await SqliteCatalogWriter.open(self._file)

    async def set_aside(self) -> None:
        """Move it beside its place."""
        try:
            await asyncio.to_thread(_set_aside, self._file)
        except OSError as error:
            raise CatalogError(
                f"The catalog {self._file} cannot be moved aside ({error.strerror})."
            ) from None

    async def make_anew(self, advance: Callable[[int], None]) -> Made:
        """Make it from the store alone. Cancelled, it stops soon and changes nothing."""
        stop = threading.Event()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Rebuilt] = loop.create_future()

        def work() -> None:
            try:
                rebuilt = self._rebuild(advance, stop)
            except BaseException as error:
                _tell(loop, done.set_exception, error)
            else:
                _tell(loop, done.set_result, rebuilt)

        # A daemon: a process that ends must not wait for a store that never answers.
        threading.Thread(target=work, name="catalog-rebuild", daemon=True).start()
        try:
            return _made(await asyncio.shield(done))
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait({done}, timeout=STOP_SECONDS)
            if done.done():
                done.exception()
            raise

    def _rebuild(self, advance: Callable[[int], None], stop: threading.Event) -> Rebuilt:
        evidence = evidence_at(place_of(self._settings), self._settings.service.tenant)
        try:
            return rebuild(
                evidence,
                self._file,
                far=self._settings.store.location.folder is None,
                advance=advance,
                stopped=stop.is_set,
            )
        finally:
            evidence.close()


if TYPE_CHECKING:
    _: type[Binding] = FiledCatalog


def _tell(loop: asyncio.AbstractEventLoop, say: Callable[[_T], None], what: _T) -> None:
    with suppress(RuntimeError):  # nobody waits any more
        loop.call_soon_threadsafe(say, what)


def _set_aside(file: Path) -> None:
    """Its write-ahead log goes with it: to another file it would be poison."""
    for also in _ALSO:
        beside = Path(f"{file}{UNFIT}{also}")
        beside.unlink(missing_ok=True)
        part = Path(f"{file}{also}")
        if part.exists():
            part.replace(beside)


def _made(rebuilt: Rebuilt) -> Made:
    taken = f"{rebuilt.parts:,} manifest parts and {rebuilt.acts:,} acts"
    said = [f"{rebuilt.listings:,} rows of {taken} are listed."]
    if rebuilt.refused:
        said.append(f"{len(rebuilt.refused)} were left out: {' '.join(rebuilt.refused[:3])}")
    if rebuilt.damaged:
        said.append(f"{rebuilt.damaged} records are not as logged: run `muniment verify`.")
    return Made(whole=len(said) == 1, sentence=" ".join(said))


async def rebuild_catalog(settings: Settings, *, by: str, show: Show) -> Made:
    """Have it made anew, by a running ``run`` or in its place.

    Raises:
        ConfigError: what waiting cannot mend.
        MunimentError: it was not made; the one in use stays.
    """
    clock: Clock = SystemClock()
    errand = Errand(
        request=Request(kind=RequestKind.CATALOG_REBUILD, by=by, at=clock.now()),
        ended=lambda progress: progress.answer,
        here=lambda advance: _answer(FiledCatalog(settings).make_anew, advance),
    )
    answer = await fulfil(settings, errand, show=show, clock=clock)
    if not answer.done:
        raise CatalogError(answer.sentence, hint=answer.hint)
    return Made(whole=not answer.hint, sentence=answer.sentence)


def answering(indexer: Indexer, others: Answering) -> Answering:
    """How a running recorder answers requests for a rebuild; every other goes to ``others``."""

    async def answer(request: Request, advance: Advance) -> Answer:
        if request.kind is not RequestKind.CATALOG_REBUILD:
            return await others(request, advance)
        return await _answer(indexer.make_anew, advance)

    return answer


async def _answer(make_anew: MakeAnew, advance: Advance) -> Answer:
    advance.begin("listing events")

    def listed(number: int) -> None:
        advance.done = number

    try:
        made = await make_anew(listed)
    except MunimentError as error:
        return Answer(done=False, sentence=str(error), hint=error.hint)
    hint = "" if made.whole else "Run `muniment verify`."
    return Answer(done=True, sentence=made.sentence, hint=hint)
