"""The journals under test, and the steps that bring an entry where a test wants it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec

from bridge.canonical import Leaf
from bridge.lifecycle import EntryState
from bridge.model import Attachment, Event, Group, Outcome, SpooledFile, Verdict
from bridge.protocols import DownloadOrder, Entry, Journal
from storage.journal import SqliteJournal
from tests.fakes.clock import FakeClock
from tests.fakes.journal import MemoryJournal
from tests.fakes.samples import (
    BLIND_KEY,
    GROUP_ID,
    JOURNAL_KEY,
    NOW,
    attachment,
    batch,
    event,
    group,
    proof,
    record_key,
    sealing,
    seeded,
    spooled,
    verdict,
)

LATER = NOW + timedelta(hours=1)
"""A time at which whatever may ever be tried may be tried."""

DISCARD = verdict(Outcome.DISCARD, score=0.1)


class LeafFields(msgspec.Struct, kw_only=True):
    """A leaf as tests read it."""

    k: str
    s: str | None = None
    n: int | None = None
    ref: int | None = None
    c: str | None = None
    after: int | None = None
    why: str | None = None
    ms: int | None = None
    total: int | None = None


class Backing(Protocol):
    """How one kind of journal is opened, read from outside, and taken away."""

    @property
    def journal(self) -> Journal:
        """The journal under test."""

    def leaves(self) -> list[Leaf]:
        """The log, in order."""

    async def restart(self) -> None:
        """Everything in memory is lost; everything committed is there."""


class MemoryBacking:
    """The fake."""

    def __init__(self, clock: FakeClock) -> None:
        self._memory = MemoryJournal(clock=clock, random_bytes=seeded(), blind_key=BLIND_KEY)

    @property
    def journal(self) -> Journal:
        """The journal under test."""
        return self._memory

    def leaves(self) -> list[Leaf]:
        """The log, after a look at what must always hold."""
        self._memory.check()
        return list(self._memory.log)

    async def restart(self) -> None:
        """Leases are gone."""
        self._memory.check()
        self._memory.crash()


class SqliteBacking:
    """The real one."""

    def __init__(self, path: Path, journal: SqliteJournal, clock: FakeClock) -> None:
        self._sqlite = journal
        self._path = path
        self._clock = clock

    @property
    def journal(self) -> Journal:
        """The journal under test."""
        return self._sqlite

    @classmethod
    async def open(cls, path: Path, clock: FakeClock) -> SqliteBacking:
        """A new file."""
        return cls(path, await _opened(path, clock, seed=0), clock)

    def leaves(self) -> list[Leaf]:
        """The log, read beside the journal."""
        with closing(sqlite3.connect(self._path)) as db:
            rows = db.execute("SELECT kind, body FROM leaf ORDER BY idx").fetchall()
        return [Leaf(kind=kind, body=body) for kind, body in rows]

    async def restart(self) -> None:
        """Closed and opened again."""
        await self._sqlite.aclose()
        self._sqlite = await _opened(self._path, self._clock, seed=1)


async def _opened(path: Path, clock: FakeClock, *, seed: int) -> SqliteJournal:
    return await SqliteJournal.open(
        path, key=JOURNAL_KEY, blind_key=BLIND_KEY, random_bytes=seeded(seed), clock=clock
    )


class Subject:
    """A journal with one active group whose notice is out."""

    def __init__(self, backing: Backing, clock: FakeClock) -> None:
        self._backing = backing
        self.clock = clock

    @property
    def journal(self) -> Journal:
        """The journal under test."""
        return self._backing.journal

    async def restart(self) -> None:
        """See :class:`Backing`."""
        await self._backing.restart()

    def leaves(self, *kinds: str) -> list[LeafFields]:
        """The leaves of these kinds, or all, in order."""
        found = [msgspec.json.decode(leaf.body, type=LeafFields) for leaf in self._backing.leaves()]
        return [leaf for leaf in found if not kinds or leaf.k in kinds]

    async def group(self, group_id: str = GROUP_ID) -> Group:
        """The group as the register has it."""
        (found,) = [each for each in await self.journal.groups() if each.group_id == group_id]
        return found

    async def admit(self, *group_ids: str) -> None:
        """More active groups."""
        for group_id in group_ids:
            assert await self.journal.set_group(group(group_id), expect=None)

    async def claimed(
        self, state: EntryState, *, limit: int = 1000, now: datetime = LATER
    ) -> tuple[Entry, ...]:
        """What a claim gives."""
        return await self.journal.claim(state, now=now, limit=limit)

    async def seqs(self, state: EntryState, *, now: datetime = LATER) -> list[int]:
        """What may be claimed, given back at once."""
        found = [entry.seq for entry in await self.claimed(state, now=now)]
        self.journal.release(found)
        return found

    async def entry(self, seq: int) -> Entry:
        """An entry that must be there."""
        found = await self.journal.entry(seq)
        assert found is not None
        return found

    async def received(self, *events: Event) -> list[Entry]:
        """New entries, in the order of ``events``."""
        before = await self.seqs(EntryState.RECEIVED)
        await self.journal.append(batch(*(events or (event(),))))
        after = await self.seqs(EntryState.RECEIVED)
        return [await self.entry(seq) for seq in sorted(set(after) - set(before))]

    async def judged(self, decision: Verdict | None = None, *, of: Event | None = None) -> Entry:
        """A judged entry."""
        (entry,) = await self.received(of or event())
        await self.journal.judge([(entry.seq, decision or verdict())])
        return await self.entry(entry.seq)

    async def sealed(
        self, decision: Verdict | None = None, *, of: Event | None = None, media: int = 0
    ) -> Entry:
        """A sealed, discarded or restricted entry, as the verdict asks."""
        entry = await self.judged(decision, of=of)
        await self.journal.seal([sealing(entry, media=media)])
        return await self.entry(entry.seq)

    async def stored(self, *, of: Event | None = None) -> Entry:
        """A stored entry."""
        entry = await self.sealed(of=of)
        await self.journal.store([proof(entry)])
        return await self.entry(entry.seq)

    async def promote(self, entry: Entry) -> bool:
        """Promote an entry, wherever it stands."""
        return await self.journal.promote(
            entry.seq,
            verdict(),
            key=record_key(entry),
            safe_by=LATER,
            leaf=Leaf.decision(at=NOW, ref=entry.seen_leaf or 0, verdict=verdict(), by="policy"),
        )

    async def with_order(
        self, *attachments: Attachment, decision: Verdict | None = None
    ) -> tuple[Entry, DownloadOrder]:
        """A judged entry with attachments, and the claimed order of the first."""
        entry = await self.judged(
            decision, of=event("$file", attachments=attachments or (attachment(),))
        )
        return entry, await self.order()

    async def order(self, *, now: datetime = LATER) -> DownloadOrder:
        """The order that is due first."""
        order = await self.journal.claim_download(now=now)
        assert order is not None
        return order

    async def downloaded(
        self, order: DownloadOrder, *, name: str = "f1", at: datetime = NOW
    ) -> SpooledFile:
        """A file that came for ``order``."""
        file = spooled(name)
        assert await self.journal.downloaded(order, file, at=at)
        return file
