"""Verbs on people's decisions, and on what groups ask of the recorder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import msgspec

from bridge import keys
from bridge.errors import JournalKeyError
from bridge.lifecycle import EntryState
from bridge.model import Outcome, Verdict
from bridge.protocols import (
    DecisionFacts,
    DecisionOrder,
    Entry,
    Judgement,
    Label,
    PersonDecision,
    Placement,
    Reviewed,
    Saying,
    Via,
    WaitingDecision,
)
from bridge.protocols.journal import VERSIONS
from storage.journal.cipher import JournalCipher
from storage.journal.committer import Transaction
from storage.journal.core import as_json
from storage.journal.placements import PlacementVerbs
from storage.journal.rows import VerdictRow, filed, from_ms, sayable, to_ms
from storage.journal.speech import write_sayings

TAKEN = "decisions_taken"
SEED = "audit_seed"
AUDIT = "AUDIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What of a decision is kept encrypted."""

    by: str
    why: str
    label: Label | None = None
    code: str = ""


class DecisionRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``decision_due``."""

    id: int
    key: str
    seq: int
    outcome: str
    via: str
    at: int
    words: bytes

    def decision(self, cipher: JournalCipher) -> PersonDecision:
        """The row as a value."""
        words = cipher.open(self.words, Words, column="words", row=self.key.encode())
        return PersonDecision(
            key=self.key,
            seq=self.seq,
            outcome=Outcome(self.outcome),
            via=Via(self.via),
            by=words.by,
            at=from_ms(self.at),
            why=words.why,
            label=words.label,
            code=words.code,
        )


class ReviewedRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``decision_reviewed``."""

    seq: int
    connector: str
    group_id: str
    outcome: str
    via: str
    score: float
    policy: str
    model: str
    audited: int
    key: str
    words: bytes

    def reviewed(self, cipher: JournalCipher) -> Reviewed:
        """The row as a value."""
        words = cipher.open(self.words, Words, column="words", row=self.key.encode())
        return Reviewed(
            seq=self.seq,
            connector=self.connector,
            group_id=self.group_id,
            outcome=Outcome(self.outcome),
            via=Via(self.via),
            score=self.score,
            policy=self.policy,
            model=self.model,
            audited=bool(self.audited),
            label=words.label,
        )


class JudgementRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``decision_judgements``."""

    seq: int
    connector: str
    group_id: str
    outcome: str
    verdict: bytes
    ident: bytes

    def judgement(self, cipher: JournalCipher) -> Judgement:
        """The row as a value."""
        verdict = cipher.open(self.verdict, Verdict, column="verdict", row=self.ident)
        return Judgement(
            seq=self.seq,
            connector=self.connector,
            group_id=self.group_id,
            outcome=Outcome(self.outcome),
            score=verdict.score,
            policy=verdict.policy,
            model=verdict.model,
        )


class DecisionVerbs(PlacementVerbs):
    """See :class:`bridge.protocols.decisions.Decisions`."""

    async def note_commands(self, seqs: Sequence[int]) -> None:
        """Note commands. Crash before: they are judged again, and noted then."""

        async def work(transaction: Transaction) -> None:
            await transaction.many("command_note", [(seq,) for seq in seqs])

        await self._committer.run(work)

    async def commands(self, *, limit: int) -> tuple[Entry, ...]:
        """Noted entries that were not answered yet."""
        seqs = await self._rows("command_waiting", int, limit + len(self._damaged))
        found = await self._entries([seq for seq in seqs if seq not in self._damaged][:limit])
        return tuple(sorted(found, key=lambda entry: entry.seq))

    async def answered(
        self,
        seq: int,
        *,
        decisions: Sequence[PersonDecision] = (),
        sayings: Sequence[Saying] = (),
    ) -> None:
        """Deal with a command. Crash before: it is dealt with again, under the same keys."""
        rows = [self._row(decision) for decision in decisions]

        async def work(transaction: Transaction) -> None:
            if await transaction.run("command_done", seq):
                await transaction.many("decision_insert", rows)
                await write_sayings(transaction, sayings)

        await self._committer.run(work)

    async def take_orders(self, orders: Sequence[DecisionOrder]) -> tuple[int, ...]:
        """Take decisions in. Crash before: they are still in the office and taken again."""

        async def work(transaction: Transaction) -> list[int]:
            taken = next(iter(await transaction.rows("meta_get", int, TAKEN)), 0)
            unknown: list[int] = []
            for order in orders:
                if order.number <= taken:
                    continue
                if order.outcome is Outcome.REVIEW:
                    taken = order.number
                    await transaction.run("meta_set", TAKEN, taken)
                    continue
                seqs = await transaction.rows("decision_entry", int, sayable(order.stream), order.n)
                if seqs:
                    row = self._row(_of_the_console(order, seqs[0]))
                    await transaction.run("decision_insert", *row)
                else:
                    unknown.append(order.number)
                taken = order.number
                await transaction.run("meta_set", TAKEN, taken)
            return unknown

        return tuple(await self._committer.run(work))

    async def orders_taken(self) -> int:
        """The last decision taken from the office."""
        return next(iter(await self._rows("meta_get", int, TAKEN)), 0)

    def _row(self, decision: PersonDecision) -> tuple[str, int, str, str, int, bytes]:
        words = Words(by=decision.by, why=decision.why, label=decision.label, code=decision.code)
        return (
            decision.key,
            decision.seq,
            decision.outcome.value,
            decision.via.value,
            to_ms(decision.at),
            self._cipher.seal(words, column="words", row=decision.key.encode()),
        )

    async def decisions(self, *, limit: int) -> tuple[WaitingDecision, ...]:
        """Decisions whose entries have arrived somewhere."""
        rows = await self._rows("decision_due", DecisionRow, limit)
        found = {entry.seq: entry for entry in await self._entries([row.seq for row in rows])}
        return tuple(
            WaitingDecision(
                id=row.id, decision=row.decision(self._cipher), entry=found.get(row.seq)
            )
            for row in rows
        )

    async def decide(
        self,
        id_: int,
        verdict: Verdict,
        *,
        act: Placement,
        key: str | None = None,
        safe_by: datetime | None = None,
    ) -> bool:
        """Carry it out, with its act. Crash before: it still waits. After: its act does."""

        async def work(transaction: Transaction) -> bool:
            rows = await transaction.rows("decision_one", tuple[int, bytes], id_)
            if not rows:
                return False
            seq, ident = rows[0]
            sealed = self._cipher.seal(verdict, column="verdict", row=ident)
            values = (verdict.outcome.value, sealed)
            if key is None or safe_by is None:
                moved = await transaction.run("decision_mark", *values, seq, ident)
            else:
                place = (key, filed(key), to_ms(safe_by))
                moved = await transaction.run("decision_copy", *values, *place, seq, ident)
            if not moved:
                return False
            await self._insert(transaction, act)
            audited = any(reason.code == AUDIT for reason in verdict.reasons)
            judged = (verdict.score, verdict.policy, verdict.model, int(audited))
            await transaction.run("decision_done", *judged, id_)
            return True

        done = await self._committer.run(work)
        self._signal(EntryState.SEALED)
        return done

    async def to_destroy(self, *, after: int = 0, limit: int) -> tuple[int, ...]:
        """Restricted entries that are to be destroyed."""
        return tuple(await self._rows("decision_to_destroy", int, after, limit))

    async def refuse(self, id_: int) -> None:
        """Give a decision up."""

        async def work(transaction: Transaction) -> None:
            await transaction.run("decision_refused", id_)

        await self._committer.run(work)

    async def decided(self, placement_id: int) -> DecisionFacts | None:
        """What the act's leaf says."""
        for ref, outcome, classifier in await self._rows(
            "decision_facts", tuple[int, str, str], placement_id
        ):
            return DecisionFacts(ref=ref, outcome=Outcome(outcome), classifier=classifier)
        return None

    async def reviewed(self) -> tuple[Reviewed, ...]:
        """What people said last of each entry; what does not open is left out."""
        found: list[Reviewed] = []
        for row in await self._rows("decision_reviewed", ReviewedRow):
            with suppress(JournalKeyError):
                found.append(row.reviewed(self._cipher))
        return tuple(found)

    async def verdicts(self, stream: str, upstream_id: str) -> tuple[Verdict, ...]:
        """By the identities that the message may have in each stream of its group."""
        found: list[Verdict | None] = []
        for each in (stream, *await self._rows("stream_others", str, stream)):
            idents = (keys.identity(self._blind_key, each, upstream_id, one) for one in VERSIONS)
            asked = as_json([ident.hex() for ident in idents])
            for row in await self._rows("decision_verdicts", VerdictRow, each, asked):
                with suppress(JournalKeyError):
                    found.append(row.value(self._cipher))
        return tuple(verdict for verdict in found if verdict is not None)

    async def judgements(self, *, after: int, limit: int) -> tuple[Judgement, ...]:
        """Verdicts without content; a damaged one is left out."""
        found: list[Judgement] = []
        for row in await self._rows("decision_judgements", JudgementRow, after, limit):
            try:
                found.append(row.judgement(self._cipher))
            except JournalKeyError:
                self._damaged.add(row.seq)
        return tuple(found)

    async def audit_seed(self) -> bytes:
        """The seed. Crash before: another is drawn, and nothing was drawn by this one."""

        async def work(transaction: Transaction) -> bytes:
            for sealed in await transaction.rows("meta_get", bytes, SEED):
                return self._cipher.open_bytes(sealed, column=SEED, row=b"")
            seed = self._random(32)
            sealed = self._cipher.seal_bytes(seed, column=SEED, row=b"")
            await transaction.run("meta_set", SEED, sealed)
            return seed

        return await self._committer.run(work)


def _of_the_console(order: DecisionOrder, seq: int) -> PersonDecision:
    return PersonDecision(
        key=f"office-{order.number}",
        seq=seq,
        outcome=order.outcome,
        via=Via.CONSOLE,
        by=order.by,
        at=order.at,
        why=order.why,
        label=order.label,
        code=order.code,
    )
