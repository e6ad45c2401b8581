"""Step 8 as a loop: what stands in the store is listed in the catalog, manifest part by part.

The catalog is derived. A crash anywhere leaves it behind, never wrong: what is not listed yet is
taken at the next start, by the same code, from the journal's list of what was placed. Nothing that
happens to it stops the recording.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import structlog

from bridge import keys
from bridge.errors import CatalogError, CatalogUnfitError, MunimentError
from bridge.listings import ManifestPart, act_of, part_of
from bridge.protocols import Clock, Journal, KeptObject, ObjectStore
from bridge.protocols.catalog import CatalogWriter, Listing

log = structlog.get_logger(__name__)

ROUND_SECONDS = 2.0
AT_ONCE = 100
"""Documents asked of the journal at a time."""

ROWS_AT_ONCE = 100
"""Records of one part that are in memory together."""

GETS_AT_ONCE = 4
PATIENCE_SECONDS = 600.0
"""How long a part waits for a record that it names: a manifest may be placed before it."""

AGAIN_SECONDS = 10.0
"""How long a store that could not be read for the catalog is left in peace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a rebuild made, as a sentence; ``whole``: and everything was as its manifest says."""

    whole: bool
    sentence: str


class Binding(Protocol):
    """The place where the catalog stands. Raises only errors of ours."""

    async def open(self) -> CatalogWriter:
        """Open it, making it where there is none.

        Raises:
            CatalogUnfitError: it is damaged, or of another version.
        """

    async def set_aside(self) -> None:
        """Move an unfit one out of the way; it is kept until the next one is moved there."""

    async def make_anew(self, advance: Callable[[int], None]) -> Made:
        """Make it from the store alone and put it in its place; no writer MUST be open.

        ``advance`` is told, in another thread, how many events are listed.
        """


class Indexer:
    """Takes what was placed, in its order. ``health`` says in words what is wrong, or nothing."""

    def __init__(
        self, *, journal: Journal, store: ObjectStore, binding: Binding, clock: Clock
    ) -> None:
        self._journal = journal
        self._store = store
        self._binding = binding
        self._clock = clock
        self._catalog: CatalogWriter | None = None
        self._turn = asyncio.Lock()
        self._after = 0
        self._waiting: dict[KeptObject, float] = {}
        self._lacking = ""
        self.health = ""

    async def run(self) -> None:
        """List until cancelled."""
        while True:
            pause = ROUND_SECONDS
            try:
                await self.round()
                self.health = self._lacking
            except CatalogUnfitError as error:
                pause = await self._mend(error)
            except MunimentError as error:
                self._trouble(f"The catalog does not list what is recorded: {error}", error.hint)
            await self._clock.sleep(pause)

    async def round(self) -> None:
        """List everything placed that is not listed yet."""
        async with self._turn:
            if self._catalog is None:
                self._catalog = await self._binding.open()
                self._after = 0
                self._waiting.clear()
            for document in tuple(self._waiting):
                await self._take(document, self._catalog)
            while placed := await self._journal.kept_documents(after=self._after, limit=AT_ONCE):
                taken = await self._catalog.has_taken([document.key for document in placed])
                for document in placed:
                    if document.key not in taken:
                        await self._take(document, self._catalog)
                    self._after = document.seq

    async def make_anew(self, advance: Callable[[int], None]) -> Made:
        """Make the catalog from the store alone, and go on with that one."""
        async with self._turn:
            await self._close()
            made = await self._binding.make_anew(advance)
            self._lacking = ""
            return made

    async def aclose(self) -> None:
        """Close the catalog. Raises nothing of ours: a stop goes on."""
        async with self._turn:
            with suppress(MunimentError):
                await self._close()

    async def _close(self) -> None:
        catalog, self._catalog = self._catalog, None
        if catalog is not None:
            await catalog.aclose()

    async def _mend(self, unfit: CatalogUnfitError) -> float:
        """Put another catalog in the place of an unfit one; gives how long to wait then.

        Set aside first: if the store cannot be read now, at least what this journal placed is
        listed, and the alarm says what is missing.
        """
        self._trouble(f"The catalog is made anew from the store: {unfit}", unfit.hint)
        try:
            async with self._turn:
                await self._close()
                await self._binding.set_aside()
            made = await self.make_anew(lambda _listed: None)
            log.warning("catalog_made_anew", what=made.sentence)
        except MunimentError as error:
            self._lacking = (
                f"The catalog was unfit and lists only what this journal knows, since it could not"
                f" be made anew: {error} Run `muniment catalog rebuild`."
            )
            self._trouble(self._lacking, error.hint)
            return AGAIN_SECONDS
        return 0.0

    def _trouble(self, what: str, hint: str) -> None:
        if self.health != what:
            log.warning("not_listing", what=what, hint=hint)
        self.health = what

    async def _take(self, document: KeptObject, catalog: CatalogWriter) -> None:
        """List one part or act, from the store: what is shown is what stands there."""
        body = await self._store.get(document.key)
        if body is None:
            log.warning("document_gone", key=document.key)
            self._waiting.pop(document, None)
            return
        act, part = None, None
        try:
            if document.key.startswith(f"{keys.MANIFESTS}/"):
                part = await asyncio.to_thread(part_of, document.key, body)
            else:
                act = act_of(document.key, body)
        except CatalogError as error:
            log.warning("document_not_listed", key=document.key, what=str(error))
            return
        if part is None:
            await catalog.take(document.key, act=act)
        else:
            await self._take_part(document, part, catalog)

    async def _take_part(
        self, document: KeptObject, part: ManifestPart, catalog: CatalogWriter
    ) -> None:
        """List a part, once all the records that it names are there or have had their time."""
        listings = await self._listings(part)
        since = self._waiting.setdefault(document, self._clock.monotonic())
        if self._clock.monotonic() - since < PATIENCE_SECONDS and any(
            each.damaged for each in listings
        ):
            return  # its record may only be on its way: told apart from damage by waiting
        await catalog.take(document.key, listings=listings)
        del self._waiting[document]

    async def _listings(self, part: ManifestPart) -> list[Listing]:
        """What a part lists. Understood in a thread: a large one takes longer than a moment."""
        found: list[Listing] = []
        for start in range(0, len(part), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            records = await self._records(part.records(rows))
            found += await asyncio.to_thread(part.listings, records.get, rows)
        return found

    async def _records(self, wanted: tuple[str, ...]) -> dict[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        for start in range(0, len(wanted), GETS_AT_ONCE):
            some = wanted[start : start + GETS_AT_ONCE]
            bodies = await asyncio.gather(*(self._store.get(key) for key in some))
            found.update(zip(some, bodies, strict=True))
        return found
