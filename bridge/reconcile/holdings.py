"""From the journal to the store: everything with a receipt must stand there as it was put."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import structlog

from bridge import keys
from bridge.errors import (
    JournalKeyError,
    ObjectConflictError,
    ObjectStoreError,
    ObjectStoreUnavailableError,
)
from bridge.lifecycle import EntryState
from bridge.model import Digest, Stream
from bridge.protocols import (
    Clock,
    DownloadState,
    Entry,
    Journal,
    KeptObject,
    ObjectBody,
    ObjectStore,
    Placement,
)
from bridge.reconcile.pace import Pace
from bridge.reconcile.receipts import Receipts
from bridge.reconcile.report import Findings, Found
from bridge.seal import Keeper, Retention, fixed_date

log = structlog.get_logger(__name__)
_T = TypeVar("_T")

PAGE = 500
FAILURES = 5
"""Objects in a row for which the store does not answer, after which nothing more is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long objects stay: records by their stream, manifest parts and acts (None: no lock)."""

    records: Callable[[Stream], Retention]
    documents: timedelta | None


class Pages(Protocol):
    """One of the journal's verbs that give pages."""

    def __call__(self, *, after: int, limit: int) -> Awaitable[tuple[KeptObject, ...]]:
        """The page after a number."""


class Holdings:
    """Asks the store for each object that the journal has a receipt for, and puts what is missing.

    A crash in between changes nothing that the next run would not find again: a put is create-only,
    and of what is put again nothing is written to the journal. Its leaf stands already, with the
    same digest under the same key.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        store: ObjectStore,
        keeper: Keeper,
        clock: Clock,
        pace: Pace,
        lifetimes: Lifetimes,
        findings: Findings,
        receipts: Receipts,
        step: Callable[[], None],
    ) -> None:
        """``step`` is called for each object looked at."""
        self._journal = journal
        self._store = store
        self._keeper = keeper
        self._clock = clock
        self._pace = pace
        self._lifetimes = lifetimes
        self._findings = findings
        self._receipts = receipts
        self._step = step
        self._failures = 0

    async def check_records(self) -> None:
        """Records and their media, in the order in which they came."""
        await self._check(self._journal.kept, self._record)

    async def check_documents(self) -> None:
        """Manifest parts and acts."""
        await self._check(self._journal.kept_documents, self._document)

    async def _check(self, pages: Pages, look: Callable[[KeptObject], Awaitable[None]]) -> None:
        async def patiently(kept: KeptObject) -> None:
            self._receipts.add(kept.key)
            self._step()
            try:
                await look(kept)
            except (ObjectStoreUnavailableError, JournalKeyError):
                self._findings.add(Found.UNCHECKED, kept.key)
                self._failures += 1
                if self._failures >= FAILURES:
                    raise
            else:
                self._failures = 0

        after = 0
        while page := await pages(after=after, limit=PAGE):
            await self._pace.over(page, patiently)
            after = page[-1].seq

    async def _record(self, kept: KeptObject) -> None:
        self._findings.looked_at("records")
        if await self._is_missing(kept.key, kept.digest):
            await self._put_record(kept)
        for media in await self._journal.media(kept.seq):
            # What came after the seal belongs to another entry: the record names all of these.
            if media.file is not None and media.state is DownloadState.STORED:
                name = keys.media_object(keys.stem_of(kept.key), media.i)
                await self._medium(kept, keys.media_key(kept.key, name), media.file.digest)

    async def _is_missing(self, key: str, digest: Digest) -> bool:
        """Whether nothing stands there; what stands there and differs is a finding."""
        info = await self._pace.ask(lambda: self._store.head(key))
        if info is None:
            return True
        found = info.digest
        if found is None:  # the store keeps no digest beside this object: read it
            body = await self._pace.ask(lambda: self._store.body(key))
            found = body.digest if body is not None else None
        if found != digest:
            self._changed(key)
        return False

    def _changed(self, key: str) -> None:
        self._findings.add(Found.CHANGED, key)
        log.error("object_changed", key=key)

    async def _put_record(self, kept: KeptObject) -> None:
        """Put a record as the writer does; its media are looked at one by one afterwards."""
        entry = await self._stored(kept)
        if entry is None:
            return
        # Without its first receipt the keeper takes the media for put, as after a crash of 6b.
        await self._put_again(kept.key, lambda: self._keeper.keep(replace(entry, stored_at=None)))

    async def _stored(self, kept: KeptObject) -> Entry | None:
        """The entry of a missing object, if it is to be put again."""
        entry = await _readable(self._journal.entry(kept.seq))
        if entry is None or entry.record is None:
            self._lost(Found.LOST, kept.key)
            return None
        if entry.state is not EntryState.STORED or entry.record.key != kept.key:
            return None  # it was moved meanwhile: the writer has it in hand
        retention = self._lifetimes.records(entry.stream)
        is_review = kept.key.startswith(f"{keys.REVIEW}/")
        length = retention.review if is_review else retention.records
        if self._has_passed(length, entry.event.observed_at):
            self._findings.add(Found.PAST_RETENTION, kept.key)
            return None
        return entry

    def _has_passed(self, length: timedelta | None, since: datetime) -> bool:
        """Whether an absence is in order: nothing that was disposed of may come back."""
        return length is not None and since + length <= self._clock.now()

    def _lost(self, kind: Found, key: str) -> None:
        self._findings.add(kind, key)
        log.error("object_lost", key=key)

    async def _put_again(self, key: str, put: Callable[[], Awaitable[object]]) -> None:
        try:
            await self._pace.ask(put)
        except ObjectConflictError:  # somebody else was there between the two requests
            self._changed(key)
            return
        self._findings.add(Found.RESTORED, key)
        log.warning("object_restored", key=key)

    async def _medium(self, kept: KeptObject, key: str, digest: Digest) -> None:
        self._findings.looked_at("media")
        if not await self._is_missing(key, digest):
            return
        entry = await self._stored(kept)
        if entry is None:
            return
        try:
            # The keeper copies it from beside the record's other copy, where it has one.
            await self._keeper.keep(entry)
        except ObjectStoreError:
            if await self._pace.ask(lambda: self._store.head(key)) is None:
                self._lost(Found.MISSING_MEDIUM, key)
            return
        self._findings.add(Found.RESTORED, key)
        log.warning("object_restored", key=key)

    async def _document(self, kept: KeptObject) -> None:
        self._findings.looked_at("documents")
        if not await self._is_missing(kept.key, kept.digest):
            return
        placement = await _readable(self._journal.document(kept.seq))
        if placement is None:
            self._lost(Found.LOST, kept.key)
        elif self._has_passed(self._lifetimes.documents, placement.at):
            self._findings.add(Found.PAST_RETENTION, kept.key)
        else:
            await self._put_again(kept.key, lambda: self._put_document(kept.key, placement))

    async def _put_document(self, key: str, placement: Placement) -> None:
        """At the number it has, with the lock it had: the same bytes under the same key."""
        length = self._lifetimes.documents
        now = self._clock.now()
        until = None if length is None else fixed_date(placement.at + length, now=now)
        await self._store.put(key, ObjectBody.of(placement.body), retain_until=until)


async def _readable(row: Awaitable[_T | None]) -> _T | None:
    """A row of the journal, or None where it does not open: its bytes are lost either way."""
    try:
        return await row
    except JournalKeyError:
        return None
