"""Verbs on entries: claims, the moves of the state table, and what reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from bridge import keys
from bridge.canonical import Leaf
from bridge.errors import JournalKeyError
from bridge.lifecycle import TRANSITIONS, EntryState, Trigger, next_state
from bridge.model import EventKind, Verdict
from bridge.protocols import Entry, Sealing, StoredProof
from bridge.protocols.journal import VERSIONS
from storage.journal.committer import Transaction
from storage.journal.core import JournalCore, as_json
from storage.journal.counting import RESTRICTED, count_storing
from storage.journal.rows import FileRow, VerdictRow, filed, sayable, to_ms


def _from(trigger: Trigger) -> str:
    """The one state a trigger leaves, where there is only one."""
    (state,) = (s for s, t in TRANSITIONS if t is trigger)
    return state.value


def _after(trigger: Trigger) -> str:
    (state,) = {after for (_, t), after in TRANSITIONS.items() if t is trigger}
    return state.value


class EntryVerbs(JournalCore):
    """See :class:`bridge.protocols.Journal`."""

    async def claim(
        self,
        state: EntryState,
        *,
        now: datetime,
        limit: int,
        feasible: datetime | None = None,
        pressing: datetime | None = None,
    ) -> tuple[Entry, ...]:
        """Lease due entries. A crash frees them."""
        # What comes from here on may be missing below: it must wake whoever waits after this.
        self._arrived[state].clear()
        chosen: list[int] = []
        found: dict[int, Entry] = {}
        try:
            horizon = feasible or now
            moments = {"now": now, "feasible": horizon, "pressing": pressing or horizon}
            await self._choose(chosen, state, moments, limit=limit)
            found = {entry.seq: entry for entry in await self._entries(chosen)}
        except BaseException:
            self.release(chosen)
            self._signal(state)
            raise
        if len(chosen) >= limit:
            self._signal(state)
        # A damaged row keeps its lease: chosen again it would stand before the others for ever.
        self.release([seq for seq in chosen if seq not in found and seq not in self._damaged])
        return tuple(found[seq] for seq in chosen if seq in found)

    async def _choose(
        self, chosen: list[int], state: EntryState, moments: Mapping[str, datetime], *, limit: int
    ) -> None:
        """Add leased entries to ``chosen``, in the order of their lanes."""
        times = {name: to_ms(moment) for name, moment in moments.items()}
        name = "entry_due_to_store" if state is EntryState.SEALED else "entry_due"
        async with self._leased.choosing() as taken:
            asked = {"state": state.value, "limit": limit + len(taken), **times}
            found = await self._read(name, int, asked)
            free = [seq for seq in found if seq not in taken][:limit]
            self._leased.take(free)
        chosen += free

    def release(self, seqs: Sequence[int]) -> None:
        """Give leases back untouched."""
        self._leased.give_back(seqs)

    async def work(self, state: EntryState, *, seconds: float) -> None:
        """Wait for something to claim. Only a claim clears the sign: it sees what came so far."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._arrived[state].wait()

    async def judge(
        self,
        verdicts: Sequence[tuple[int, Verdict]],
        *,
        kinds: Mapping[int, EventKind] | None = None,
    ) -> None:
        """Move received entries to judged. Crash before: they are classified again, the same."""
        idents = await self._idents([seq for seq, _ in verdicts])
        read_as = kinds or {}
        rows = [
            (
                _after(Trigger.JUDGE),
                verdict.outcome.value,
                self._cipher.seal(verdict, column="verdict", row=idents[seq]),
                seq,
                _from(Trigger.JUDGE),
                idents[seq],
                kind.value if (kind := read_as.get(seq)) is not None else None,
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
        for sealing in sealings:
            next_state(EntryState.JUDGED, sealing.trigger)  # misuse is refused, not passed over

        async def work(transaction: Transaction) -> frozenset[EntryState]:
            return await self._seal_all(transaction, sealings)

        reached = await self._committer.run(work)
        self.release([sealing.seq for sealing in sealings])
        self._signal(*reached)

    async def _seal_all(
        self, transaction: Transaction, sealings: Sequence[Sealing]
    ) -> frozenset[EntryState]:
        """Those that are still judged, and have the media that they were sealed with."""
        asked = as_json([sealing.seq for sealing in sealings])
        before = _from(Trigger.KEEP)
        rows = await transaction.rows("entry_sealable", tuple[int, bytes, int], before, asked)
        idents = {(seq, media): ident for seq, ident, media in rows}
        fit = {each.seq: each for each in sealings if (each.seq, each.media) in idents}.values()
        indices = await transaction.add_leaves([sealing.leaf for sealing in fit])
        after = [next_state(EntryState.JUDGED, sealing.trigger) for sealing in fit]
        await transaction.many(
            "entry_seal",
            [
                (
                    state.value,
                    self._sealed(sealing, idents[sealing.seq, sealing.media]),
                    sealing.record.digest.value,
                    sealing.record.key,
                    filed(sealing.record.key),
                    index,
                    sealing.seq,
                    before,
                )
                for sealing, index, state in zip(fit, indices, after, strict=True)
            ],
        )
        if restricted := after.count(EntryState.RESTRICTED):
            await transaction.run("meta_add", RESTRICTED, restricted)
        return frozenset(after)

    def _sealed(self, sealing: Sealing, ident: bytes) -> bytes:
        return self._cipher.seal_bytes(sealing.record.body, column="record", row=ident)

    async def store(self, proofs: Sequence[StoredProof]) -> None:
        """Write the receipts. Crash before: the PUT is repeated and answers 412 with our bytes."""

        async def work(transaction: Transaction) -> None:
            await count_storing(transaction, proofs)
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
                    await self._add_referring(transaction, proof.seq, leaves)

        await self._committer.run(work)
        self.release([proof.seq for proof in proofs])

    async def promote(
        self, seq: int, verdict: Verdict, *, key: str, safe_by: datetime, leaf: Leaf
    ) -> bool:
        """Move a discard or a stored review to sealed. Crash before: who needs it asks again."""
        idents = await self._idents([seq])
        if seq not in idents:
            return False
        sealed = self._cipher.seal(verdict, column="verdict", row=idents[seq])

        async def work(transaction: Transaction) -> bool:
            changed = await transaction.run(
                "entry_promote",
                _after(Trigger.PROMOTE),
                verdict.outcome.value,
                sealed,
                key,
                filed(key),
                to_ms(safe_by),
                seq,
                idents[seq],
            )
            if changed:
                await self._add_referring(transaction, seq, [leaf])
            return bool(changed)

        moved = await self._committer.run(work)
        self._signal(EntryState.SEALED)
        return moved

    async def _add_referring(
        self, transaction: Transaction, seq: int, leaves: Sequence[Leaf]
    ) -> None:
        """Leaves about an entry's seen leaf, wherever that stands since they were made."""
        if self._leaves_moved:
            (ref,) = await transaction.rows("entry_seen_leaf", int, seq)
            leaves = [leaf.referring(ref) for leaf in leaves]
        await transaction.add_leaves(leaves)

    async def fail(self, seq: int, *, error: str, next_try: datetime) -> None:
        """Count a failure."""

        async def work(transaction: Transaction) -> None:
            await transaction.run("entry_fail", sayable(error[:500]), to_ms(next_try), seq)

        await self._committer.run(work)
        self.release([seq])

    async def retry(self, state: EntryState, *, error: str) -> None:
        """End the pauses of one failure. Crash before: each is served out."""

        async def work(transaction: Transaction) -> None:
            await transaction.run("entry_retry", state.value, error)

        await self._committer.run(work)
        self._signal(state)

    async def entry(self, seq: int) -> Entry | None:
        """One entry."""
        found = await self._entries([seq])
        if not found and seq in self._damaged:
            raise JournalKeyError(f"Entry {seq} does not open with this journal key: payload.")
        return found[0] if found else None

    async def after(self, seq: int, *, limit: int) -> tuple[Entry, ...]:
        """Entries with content in the order they came, after ``seq``: for those who look on."""
        found = await self._entries(await self._rows("entry_after", int, seq, limit))
        return tuple(sorted(found, key=lambda entry: entry.seq))

    async def find(
        self, stream: str, upstream_id: str, *, revision: str | None = None, earlier: bool = False
    ) -> Entry | None:
        """By identity: its stream is part of it."""
        streams = [stream]
        if earlier:
            streams += await self._rows("stream_others", str, stream)
        for each in streams:
            seqs = await self._named(each, upstream_id, [revision])
            if seqs:
                return await self.entry(seqs[0])
        return None

    async def find_open(self, stream: str, upstream_id: str) -> Entry | None:
        """By the identities it may have, in one look. A damaged version hides no other."""
        seqs = await self._named(stream, upstream_id, VERSIONS)
        standing = {entry.seq: entry for entry in await self._entries(seqs)}
        found = [standing[seq] for seq in seqs if seq in standing]
        if not found and not self._damaged.isdisjoint(seqs):
            raise JournalKeyError(f"Entry {seqs[0]} does not open with this journal key: payload.")
        clear = (entry for entry in found if entry.event.kind is not EventKind.ENCRYPTED)
        return next(clear, next(iter(found), None))

    async def _named(
        self, stream: str, upstream_id: str, revisions: Sequence[str | None]
    ) -> list[int]:
        """The ``seq`` of these revisions, in this order; those that never came are left out."""
        sid = await self._sid(stream)
        if sid is None:
            return []
        idents = [keys.identity(self._blind_key, stream, upstream_id, each) for each in revisions]
        asked = as_json([ident.hex() for ident in idents])
        found = dict(await self._rows("entry_by_ident", tuple[bytes, int], sid, asked))
        return [found[ident] for ident in idents if ident in found]

    async def recent(
        self, stream: str, *, before: int, limit: int, without: EventKind | None = None
    ) -> tuple[Entry, ...]:
        """The last entries with content, oldest first."""
        sid = await self._sid(stream)
        if sid is None:
            return ()
        seqs = await self._rows("entry_recent", int, sid, before, without or "", limit)
        return tuple(sorted(await self._entries(seqs), key=lambda entry: entry.n))

    async def following(
        self, stream: str, *, after: int, limit: int, without: EventKind | None = None
    ) -> tuple[Entry, ...]:
        """The next entries with content, oldest first."""
        sid = await self._sid(stream)
        if sid is None:
            return ()
        seqs = await self._rows("entry_following", int, sid, after, without or "", limit)
        return tuple(sorted(await self._entries(seqs), key=lambda entry: entry.n))

    async def roster_before(self, stream: str, n: int) -> int | None:
        """The latest roster or membership event."""
        sid = await self._sid(stream)
        found = await self._rows("entry_roster", tuple[int | None], sid, n)
        return found[0][0]

    async def forget(
        self, *, discarded_before: datetime, limit: int, only: Sequence[int] | None = None
    ) -> tuple[str, ...]:
        """Destroy old discards and what was ordered, then truncate the write-ahead log.

        Crash between the two: the bytes are out of the database and the log is truncated by the
        next Forget, which runs at every start.
        """

        async def work(transaction: Transaction) -> list[str]:
            before = to_ms(discarded_before)
            names: list[str] = []
            if only is None:
                seqs = await transaction.rows("entry_forgettable", int, before, limit)
            else:
                among = ("entry_forgettable_among", int, as_json(only), before, limit)
                seqs = await transaction.rows(*among)
            for seq in seqs:
                names += await self._destroy(transaction, seq)
            return names

        names = await self._committer.run(work)
        await self._committer.truncate()
        return tuple(names)

    async def _destroy(self, transaction: Transaction, seq: int) -> list[str]:
        """Destroy one that may be; its verdict stays without the words it read."""
        (row,) = await transaction.rows("entry_verdict", VerdictRow, seq)
        files = await transaction.rows("download_files_in", FileRow, as_json([seq]))
        await transaction.run("download_delete", seq)
        await transaction.run("unopened_delete", as_json([seq]))
        await transaction.run(
            "entry_destroy",
            _after(Trigger.DESTROY),
            row.wordless(self._cipher),
            seq,
        )
        return [file.name(self._cipher) for file in files]

    async def _idents(self, seqs: Sequence[int]) -> dict[int, bytes]:
        return dict(await self._rows("entry_idents", tuple[int, bytes], as_json(seqs)))
