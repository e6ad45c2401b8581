"""Verbs on entries: append, claim, and the moves of the state table."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from bridge import keys
from bridge.canonical import Leaf, act_bytes
from bridge.canonical.json import base64url_text
from bridge.lifecycle import TRANSITIONS, EntryState, Trigger, next_state
from bridge.model import Batch, Cursor, Event, Loss, Verdict
from bridge.protocols import Appended, Entry, PlacementKind, Sealing, StoredProof
from storage.journal.arrivals import PreparedBatch, PreparedEvent
from storage.journal.committer import Transaction, Value, fetch
from storage.journal.core import JournalCore, as_json
from storage.journal.rows import EntryPlace, FileRow, GroupRow, StreamRow, to_ms

YIELD_EVERY = 200
"""Events prepared before the event loop gets a turn: a batch of thousands must not stall it."""


def _from(trigger: Trigger) -> str:
    """The one state a trigger leaves, where there is only one."""
    (state,) = (s for s, t in TRANSITIONS if t is trigger)
    return state.value


def _after(trigger: Trigger) -> str:
    (state,) = {after for (_, t), after in TRANSITIONS.items() if t is trigger}
    return state.value


class EntryVerbs(JournalCore):
    """See :class:`bridge.protocols.Journal`."""

    async def cursor(self, connector: str) -> Cursor | None:
        """Where ``connector`` stands."""
        rows = await self._rows("place_get", bytes, connector)
        return Cursor(rows[0]) if rows else None

    async def append(self, batch: Batch) -> Appended:
        """Commit a batch. Crash before the commit: nothing of it, and it is delivered again."""
        opened = [
            await self._open_stream(batch.connector, group_id)
            for group_id in _groups_of(batch)
            if (batch.connector, group_id) not in self._streams
        ]
        prepared = PreparedBatch(
            batch=batch, at_ms=self._now_ms(), events=await self._prepare(batch)
        )
        prepared.losses = [
            (self._streams[batch.connector, loss.group_id], loss) for loss in batch.losses
        ]

        async def work(transaction: Transaction) -> Appended:
            (appended,) = await self._arrivals.write(transaction, [prepared])
            return appended

        appended = await self._committer.run(work)
        self._signal(EntryState.RECEIVED)
        if batch.sightings:
            await self._load_streams()
        return Appended(
            new=appended.new, repeated=appended.repeated, opened=tuple(g for g in opened if g)
        )

    async def _prepare(self, batch: Batch) -> list[PreparedEvent]:
        prepared = []
        for i, event in enumerate(batch.events):
            if i % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
            stream = self._streams[batch.connector, event.group_id]
            prepared.append(self._arrivals.prepare(event, stream))
        return prepared

    async def _open_stream(self, connector: str, group_id: str) -> str | None:
        """Begin a group's stream and queue its ``open`` act.

        A transaction of its own: a crash after it leaves a stream without events, which the
        repeated delivery then fills.
        """
        async with self._opening:
            if (connector, group_id) in self._streams:
                return None
            rows = await self._rows("register_one", GroupRow, connector, group_id)
            if not rows:
                raise RuntimeError(f"connector {connector} delivered a group that is not listed")
            group = rows[0].group()
            stream_key = self._random(32)
            stream = keys.stream_id(stream_key, group.platform, group_id)
            gid = keys.group_gid(self._blind_key, group.platform, group_id)
            now = self._clock.now()
            act = act_bytes(
                salt=self._random(32),
                kind="open",
                at=now,
                by="bridge",
                details={
                    "stream": stream,
                    "stream_key": base64url_text(stream_key),
                    "gid": gid,
                    "platform": group.platform,
                    "group": {"id": group_id} | ({"name": group.name} if group.name else {}),
                },
            )
            sealed = self._cipher.seal_bytes(stream_key, column="stream_key", row=stream.encode())

            async def work(transaction: Transaction) -> None:
                await transaction.rows(
                    "stream_insert", int, stream, connector, group_id, gid, sealed, to_ms(now)
                )
                await transaction.run(
                    "placement_insert",
                    PlacementKind.OPEN.value,
                    f"acts/{now:%Y/%m/%d}",
                    "acts",
                    self._cipher.seal_bytes(act, column="placement", row=b""),
                    connector,
                    group_id,
                    to_ms(now),
                    stream,
                    None,
                )

            await self._committer.run(work)
            await self._load_streams()
            return group_id

    async def claim(
        self, state: EntryState, *, now: datetime, limit: int, feasible: datetime | None = None
    ) -> tuple[Entry, ...]:
        """Lease due entries. Leases are read before and after, so a move in between is seen."""
        before = frozenset(self._leased)
        parameters: dict[str, Value] = {
            "state": state.value,
            "now": to_ms(now),
            "feasible": to_ms(feasible or now),
            "limit": limit + len(before),
        }
        stem = "entry_store" if state is EntryState.SEALED else "entry_due"
        chosen: list[int] = []
        for lane in ("feasible", "hopeless"):
            found = await self._due(f"{stem}_{lane}", parameters)
            free = (seq for seq in found if seq not in before and seq not in self._leased)
            chosen += list(free)[: limit - len(chosen)]
            self._leased.update(chosen)
            if len(chosen) >= limit:
                break
        try:
            return await self._entries(chosen)
        except BaseException:
            self.release(chosen)
            raise

    def release(self, seqs: Sequence[int]) -> None:
        """Give leases back untouched."""
        self._leased.difference_update(seqs)

    async def work(self, state: EntryState, *, seconds: float) -> None:
        """Wait for something to claim."""
        arrived = self._arrived[state]
        try:
            async with asyncio.timeout(seconds):
                await arrived.wait()
        except TimeoutError:
            return
        arrived.clear()

    async def judge(self, verdicts: Sequence[tuple[int, Verdict]]) -> None:
        """Move received entries to judged. Crash before: they are classified again, the same."""
        idents = {entry.seq: entry for entry in await self._places([seq for seq, _ in verdicts])}
        rows = [
            (
                _after(Trigger.JUDGE),
                verdict.outcome.value,
                self._cipher.seal(verdict, column="verdict", row=idents[seq].ident),
                seq,
                _from(Trigger.JUDGE),
            )
            for seq, verdict in verdicts
            if seq in idents
        ]

        async def work(transaction: Transaction) -> None:
            await transaction.many("entry_judge", rows)

        await self._committer.run(work)
        self.release([seq for seq, _ in verdicts])
        self._signal(EntryState.JUDGED)

    async def seal(self, sealings: Sequence[Sealing]) -> None:
        """Fix bytes and write seen leaves. Crash before: sealed again with a new salt."""

        async def work(transaction: Transaction) -> None:
            for sealing in sealings:
                await self._seal_one(transaction, sealing)

        await self._committer.run(work)
        self.release([sealing.seq for sealing in sealings])
        self._signal(EntryState.SEALED, EntryState.DISCARDED)

    async def _seal_one(self, transaction: Transaction, sealing: Sealing) -> None:
        (place,) = await transaction.rows("entry_place", EntryPlace, sealing.seq)
        if place.state != _from(sealing.trigger):
            return
        (spooled,) = await transaction.rows("download_spooled_count", int, sealing.seq)
        if spooled != sealing.media:
            return
        (index,) = await transaction.add_leaves([sealing.leaf])
        await transaction.run(
            "entry_seal",
            next_state(EntryState(place.state), sealing.trigger).value,
            self._cipher.seal_bytes(sealing.record.body, column="record", row=place.ident),
            sealing.record.digest.value,
            sealing.record.key,
            index,
            sealing.seq,
            place.state,
        )

    async def store(self, proofs: Sequence[StoredProof]) -> None:
        """Write the receipts. Crash before: the PUT is repeated and answers 412 with our bytes."""

        async def work(transaction: Transaction) -> None:
            for proof in proofs:
                changed = await transaction.run(
                    "entry_store",
                    _after(Trigger.STORE),
                    to_ms(proof.at),
                    proof.late_ms,
                    proof.seq,
                    _from(Trigger.STORE),
                )
                if changed:
                    leaves = [proof.stored] + ([proof.late] if proof.late else [])
                    await transaction.add_leaves(leaves)

        await self._committer.run(work)
        self.release([proof.seq for proof in proofs])

    async def promote(
        self, seq: int, verdict: Verdict, *, key: str, safe_by: datetime, leaf: Leaf
    ) -> bool:
        """Move a discard to sealed. Crash before: the next message that needs it asks again."""
        places = await self._places([seq])
        if not places:
            return False
        sealed = self._cipher.seal(verdict, column="verdict", row=places[0].ident)

        async def work(transaction: Transaction) -> bool:
            changed = await transaction.run(
                "entry_promote",
                _after(Trigger.PROMOTE),
                verdict.outcome.value,
                sealed,
                key,
                to_ms(safe_by),
                seq,
                _from(Trigger.PROMOTE),
            )
            if changed:
                await transaction.add_leaves([leaf])
            return bool(changed)

        moved = await self._committer.run(work)
        self._signal(EntryState.SEALED)
        return moved

    async def fail(self, seq: int, *, error: str, next_try: datetime) -> None:
        """Count a failure."""

        async def work(transaction: Transaction) -> None:
            await transaction.run("entry_fail", error[:500], to_ms(next_try), seq)

        await self._committer.run(work)
        self.release([seq])

    async def entry(self, seq: int) -> Entry | None:
        """One entry."""
        found = await self._entries([seq])
        return found[0] if found else None

    async def after(self, seq: int, *, limit: int) -> tuple[Entry, ...]:
        """Entries with content in the order they came, after ``seq``: for those who look on."""
        found = await self._entries(await self._rows("entry_after", int, seq, limit))
        return tuple(sorted(found, key=lambda entry: entry.seq))

    async def find(self, stream: str, upstream_id: str) -> Entry | None:
        """By upstream id, without revision."""
        sid = await self._sid(stream)
        if sid is None:
            return None
        ident = keys.identity(self._blind_key, stream, upstream_id, None)
        found = await self._rows("entry_by_ident", int, sid, ident)
        return await self.entry(found[0]) if found else None

    async def recent(self, stream: str, *, before: int, limit: int) -> tuple[Entry, ...]:
        """The last entries with content, oldest first."""
        sid = await self._sid(stream)
        if sid is None:
            return ()
        seqs = await self._rows("entry_recent", int, sid, before, limit)
        return tuple(sorted(await self._entries(seqs), key=lambda entry: entry.n))

    async def roster_before(self, stream: str, n: int) -> int | None:
        """The latest roster or membership event."""
        sid = await self._sid(stream)
        found = await self._rows("entry_roster", tuple[int | None], sid, n)
        return found[0][0]

    async def record_gap(self, connector: str, loss: Loss, *, at: datetime) -> None:
        """A gap that no batch carries."""
        if (connector, loss.group_id) not in self._streams:
            await self._open_stream(connector, loss.group_id)
        stream: StreamRow = self._streams[connector, loss.group_id]

        async def work(transaction: Transaction) -> None:
            await self._arrivals.write_gap(transaction, stream, loss, at_ms=to_ms(at))

        await self._committer.run(work)

    async def forget(self, *, discarded_before: datetime, limit: int) -> tuple[str, ...]:
        """Destroy old discards, then truncate the write-ahead log.

        Crash between the two: the bytes are out of the database and the log is truncated by the
        next Forget, which runs at every start.
        """
        seqs = await self._rows("entry_forgettable", int, to_ms(discarded_before), limit)
        names: tuple[str, ...] = ()
        if seqs:
            files = await self._rows("download_files_in", FileRow, as_json(seqs))
            names = tuple(file.name(self._cipher) for file in files)

            async def work(transaction: Transaction) -> None:
                for seq in seqs:
                    await transaction.run("download_delete", seq)
                    await transaction.run(
                        "entry_destroy", EntryState.DESTROYED.value, seq, EntryState.DISCARDED.value
                    )

            await self._committer.run(work)
        await self._committer.truncate()
        return names

    async def _places(self, seqs: Sequence[int]) -> list[EntryPlace]:
        return await self._rows("entry_places", EntryPlace, as_json(seqs))

    async def _due(self, name: str, parameters: dict[str, Value]) -> list[int]:
        return await fetch(self._reader, name, int, parameters)


def _groups_of(batch: Batch) -> list[str]:
    """The groups whose stream this batch needs, once each."""
    events: list[Event | Loss] = [*batch.events, *batch.losses]
    return list(dict.fromkeys(item.group_id for item in events))
