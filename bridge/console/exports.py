"""Downloads of a selection: prepared once, then the same bytes for whoever asks again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog

from bridge.console.bags import Bag, Taken
from bridge.console.handles import opened
from bridge.console.reels import Reel
from bridge.console.sending import weighed
from bridge.errors import MunimentError
from bridge.protocols import Clock, ObjectStore
from bridge.protocols.catalog import Catalog, ListedMedium, Listing, Search
from bridge.protocols.proof import Pin, Proofs, Remark, Standing

log = structlog.get_logger(__name__)

KEPT: Final = timedelta(hours=24)
MOST_KEPT: Final = 50
"""Downloads that are kept ready at once; past that the oldest one goes."""

PAGE: Final = 200
AT_ONCE: Final = 8


class State(StrEnum):
    """How far a download is."""

    PREPARING = "preparing"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A selection, and who wants it for what. ``what`` is the selection in words.

    Either ``stems`` or a ``search``; of both only what is of ``gids``, unless that is empty.
    """

    by: str
    why: str
    what: str
    stems: tuple[str, ...] = ()
    search: Search | None = None
    gids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where it comes from. ``folder``: where files without a name may lie; None: as usual.

    ``alarm`` is told the stem of each record that does not fit, and what it is that does not.
    ``unveiled`` gives of some records those that whoever wants them may see.
    """

    catalog: Catalog
    store: ObjectStore
    proofs: Proofs | None
    clock: Clock
    tenant: str
    department: str
    alarm: Callable[[str, Sequence[str]], Awaitable[None]]
    unveiled: Callable[[Sequence[Listing]], Awaitable[tuple[Listing, ...]]]
    folder: Path | None = None


@dataclass(slots=True, kw_only=True)
class Export:
    """One download. ``left_out``: records without an object; ``withheld``: sensitive ones.

    ``begun``: its person proved who they are, and its first byte was sent.
    """

    name: str
    wanted: Wanted
    at: datetime
    state: State = State.PREPARING
    records: int = 0
    media: int = 0
    left_out: int = 0
    withheld: int = 0
    unproved: int = 0
    size: int = 0
    fault: str = ""
    begun: bool = False
    reel: Reel | None = field(default=None, repr=False)


class Exports:
    """The downloads that are kept ready, in memory: after a restart they are prepared again."""

    def __init__(self) -> None:
        self._kept: dict[str, Export] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._number = 0

    def begin(self, wanted: Wanted, sources: Sources) -> Export:
        """Begin to prepare a download. MUST be called on the event loop."""
        now = sources.clock.now()
        self._number += 1
        export = Export(name=f"{now:%Y%m%d-%H%M%S}-{self._number}", wanted=wanted, at=now)
        self._kept[export.name] = export
        self._tasks[export.name] = asyncio.create_task(self._prepare(export, sources))
        return export

    async def tidy(self, now: datetime) -> None:
        """Give up what was kept long enough, and the oldest where there are too many."""
        old = [each.name for each in self._kept.values() if now - each.at > KEPT]
        more = [*self._kept][: max(len(self._kept) - MOST_KEPT, 0)]
        for name in {*old, *more}:
            await self._drop(name)

    def of(self, by: str) -> tuple[Export, ...]:
        """Somebody's downloads, newest first."""
        return tuple(each for each in reversed(self._kept.values()) if each.wanted.by == by)

    def named(self, name: str, *, by: str) -> Export | None:
        """Somebody's download of this name."""
        found = self._kept.get(name)
        return found if found is not None and found.wanted.by == by else None

    async def settled(self, name: str) -> None:
        """Wait until a download is ready, or has failed."""
        task = self._tasks.get(name)
        if task is not None:
            await asyncio.wait([task])

    async def aclose(self) -> None:
        """Give up all of them."""
        for name in [*self._kept]:
            await self._drop(name)

    async def _drop(self, name: str) -> None:
        export = self._kept.pop(name)
        task = self._tasks.pop(name, None)
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])
        if export.reel is not None:
            await asyncio.to_thread(export.reel.close)

    async def _prepare(self, export: Export, sources: Sources) -> None:
        """Prepare it; whatever goes wrong is said on its page."""
        try:
            await _Preparation(export, sources).run()
        except MunimentError as error:
            export.fault = f"{error} {error.hint}"
        except Exception as error:  # its message may hold content; the page says that it failed
            log.error("export_broken", error=type(error).__name__)  # noqa: TRY400
            export.fault = "Something went wrong while it was prepared."
        export.state = State.FAILED if export.fault else State.READY


class _Preparation:
    def __init__(self, export: Export, sources: Sources) -> None:
        self._export = export
        self._sources = sources

    async def run(self) -> None:
        sources, export = self._sources, self._export
        pin = await sources.proofs.pin() if sources.proofs is not None else None
        # Opened here and closed by whoever drops the export, also where this is cancelled.
        export.reel = await opened(lambda: Reel(sources.folder))
        bag = Bag(export.reel, name=f"muniment-{export.name}", at=export.at)
        await asyncio.to_thread(bag.begin)
        async for page in selected(sources.catalog, export.wanted):
            seen = await sources.unveiled(page)
            export.withheld += len(page) - len(seen)
            for at in range(0, len(seen), AT_ONCE):
                some = seen[at : at + AT_ONCE]
                taken = await asyncio.gather(*(self._take(each, pin) for each in some))
                await asyncio.to_thread(_add, bag, taken)
                await self._count(bag, taken)
        key = await sources.proofs.verifier() if sources.proofs is not None else ""
        wanted = export.wanted
        facts = {
            "what": wanted.what,
            "why": wanted.why,
            "by": wanted.by,
            "department": sources.department,
            "tenant": sources.tenant,
        }
        await asyncio.to_thread(bag.end, facts, None if pin is None else pin.checkpoint, key)
        export.size = export.reel.size

    async def _count(self, bag: Bag, taken: Sequence[Taken]) -> None:
        self._export.records, self._export.media = bag.records, bag.media
        self._export.left_out += sum(each.record is None for each in taken)
        for each in taken:
            if each.is_unproved:
                self._export.unproved += 1
                await self._sources.alarm(each.stem, each.codes)

    async def _take(self, listing: Listing, pin: Pin | None) -> Taken:
        """A record with its proofs, and its attachments as they are."""
        key, store = listing.key or "", self._sources.store
        body = await store.get(key)
        taken = Taken(listing=listing, record=body)
        if self._sources.proofs is not None and pin is not None:
            proof = await self._sources.proofs.of(key, near=listing.leaf, pin=pin)
            taken = replace(
                taken,
                standing=proof.standing,
                proofs=proof.leaves,
                remarks=proof.findings,
            )
        return taken if body is None else await self._with_media(taken)

    async def _with_media(self, taken: Taken) -> Taken:
        """Every byte is read: what changes only after this breaks a download off."""
        media: list[ListedMedium] = []
        remarks = list(taken.remarks)
        for each in taken.listing.media:
            if not each.object or not each.sha256:
                continue
            place = Taken.place(taken.listing.key or "", each)
            found = await weighed(self._sources.store, place)
            if found is None:
                _remark(remarks, "media_missing", place, f"{place} is not in the store.")
                continue
            media.append(replace(each, sha256=found[0], size=found[1]))
            if found[0] != each.sha256:
                what = f"The bytes of {place} are not those that its record names."
                _remark(remarks, "media_mismatch", place, what)
        standing = taken.standing
        if remarks and standing is not None:
            standing = Standing.UNPROVED
        return replace(taken, media=tuple(media), remarks=tuple(remarks), standing=standing)


def _remark(remarks: list[Remark], code: str, place: str, what: str) -> None:
    """Add a remark on an attachment, unless the verification said so already."""
    names = re.compile(rf"{re.escape(place)}(?![0-9])")
    if not any(each.code == code and names.search(each.what) for each in remarks):
        remarks.append(Remark(code=code, what=what))


def _add(bag: Bag, taken: Sequence[Taken]) -> None:
    for each in taken:
        bag.add(each)


async def selected(catalog: Catalog, wanted: Wanted) -> AsyncIterator[tuple[Listing, ...]]:
    """What is kept of a selection, page by page; what is out of scope is left out.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    for at in range(0, len(wanted.stems), PAGE):
        some = [await catalog.by_stem(stem) for stem in wanted.stems[at : at + PAGE]]
        yield _kept([each for each in some if each is not None], wanted)
    search = wanted.search
    while search is not None:
        found = await catalog.search(replace(search, limit=PAGE))
        yield _kept(found.listings, wanted)
        search = None if found.following is None else replace(search, before=found.following)


def _kept(listings: Sequence[Listing], wanted: Wanted) -> tuple[Listing, ...]:
    return tuple(
        each
        for each in listings
        if each.key is not None and (not wanted.gids or each.gid in wanted.gids)
    )
