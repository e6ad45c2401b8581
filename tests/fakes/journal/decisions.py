"""Verbs on people's decisions, and on what groups ask of the recorder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bridge import keys
from bridge.lifecycle import EntryState
from bridge.model import Outcome, SealedRecord, Verdict
from bridge.protocols import (
    DecisionFacts,
    DecisionOrder,
    Entry,
    Judgement,
    PersonDecision,
    Placement,
    PlacementKind,
    Reviewed,
    Saying,
    Via,
    WaitingDecision,
)
from bridge.protocols.journal import VERSIONS
from tests.fakes.journal.core import AT_WORK
from tests.fakes.journal.placements import PlacementVerbs
from tests.fakes.journal.rows import LONG_AGO, DecisionRow, EntryRow, to_millisecond
from tests.fakes.journal.speech import SpeechVerbs

SETTLED = frozenset({EntryState.STORED, EntryState.DISCARDED, EntryState.RESTRICTED})
APART = frozenset({EntryState.DISCARDED, EntryState.RESTRICTED})


class DecisionVerbs(SpeechVerbs, PlacementVerbs):
    """See :class:`bridge.protocols.decisions.Decisions`."""

    async def note_commands(self, seqs: Sequence[int]) -> None:
        """Note commands."""
        self._require_open()
        for seq in seqs:
            assert seq in self._rows, "only entries are noted"
            self._commands.setdefault(seq, False)
        await self._turn()

    async def commands(self, *, limit: int) -> tuple[Entry, ...]:
        """Noted entries that were not answered yet."""
        self._require_open()
        rows = [self._rows[seq] for seq in sorted(self._commands) if not self._commands[seq]]
        found = tuple(self._values(rows)[:limit])
        await self._turn()
        return found

    async def answered(
        self,
        seq: int,
        *,
        decisions: Sequence[PersonDecision] = (),
        sayings: Sequence[Saying] = (),
    ) -> None:
        """Deal with a command, once."""
        self._require_open()
        if self._commands.get(seq) is False:
            self._commands[seq] = True
            for decision in decisions:
                self._add_decision(decision)
            self._say(sayings)
        await self._turn()

    def _add_decision(self, decision: PersonDecision) -> None:
        if decision.key not in self._decisions:
            kept = replace(decision, at=to_millisecond(decision.at))
            row = DecisionRow(id=len(self._decisions) + 1, decision=kept)
            self._decisions[decision.key] = row

    async def take_orders(self, orders: Sequence[DecisionOrder]) -> tuple[int, ...]:
        """Take decisions in."""
        self._require_open()
        unknown: list[int] = []
        for order in orders:
            if order.number <= self._orders_taken:
                continue
            self._orders_taken = order.number
            if order.outcome is Outcome.REVIEW:
                continue
            row = self._numbered(order.stream, order.n)
            if row is None:
                unknown.append(order.number)
                continue
            self._add_decision(
                PersonDecision(
                    key=f"office-{order.number}",
                    seq=row.seq,
                    outcome=order.outcome,
                    via=Via.CONSOLE,
                    by=order.by,
                    at=order.at,
                    why=order.why,
                    label=order.label,
                    code=order.code,
                )
            )
        await self._turn()
        return tuple(unknown)

    def _numbered(self, stream: str, n: int) -> EntryRow | None:
        rows = (row for row in self._rows.values() if (row.stream.id, row.n) == (stream, n))
        return next(rows, None)

    async def orders_taken(self) -> int:
        """The last decision taken from the office."""
        self._require_open()
        taken = self._orders_taken
        await self._turn()
        return taken

    async def decisions(self, *, limit: int) -> tuple[WaitingDecision, ...]:
        """Decisions whose entries have arrived somewhere."""
        self._require_open()
        due = [
            row
            for row in self._decisions.values()
            if row.state == "waiting" and self._rows[row.decision.seq].state not in AT_WORK
        ][:limit]
        found = tuple(
            WaitingDecision(
                id=row.id,
                decision=row.decision,
                entry=next(iter(self._values([self._rows[row.decision.seq]])), None),
            )
            for row in due
        )
        await self._turn()
        return found

    async def decide(
        self,
        id_: int,
        verdict: Verdict,
        *,
        act: Placement,
        key: str | None = None,
        safe_by: datetime | None = None,
    ) -> bool:
        """Carry a decision out, with its act."""
        self._require_open()
        assert act.kind is PlacementKind.DECISION, "its leaf is that of a decision"
        decided = self._waiting(id_)
        row = self._rows[decided.decision.seq] if decided is not None else None
        if decided is None or row is None or not self._ruled(row, verdict, key, safe_by):
            await self._turn()
            return False
        self._add_placement(act)
        decided.state, decided.judged = "done", verdict
        decided.act = len(self._placements)
        self._signal(EntryState.SEALED)
        await self._turn()
        return True

    def _ruled(
        self, row: EntryRow, verdict: Verdict, key: str | None, safe_by: datetime | None
    ) -> bool:
        if key is None or safe_by is None:
            if row.state not in SETTLED:
                return False
        else:
            reviewed = row.state is EntryState.STORED and row.key.startswith("review/")
            if not reviewed and row.state not in APART:
                return False
            assert row.record is not None
            row.state = EntryState.SEALED
            self._at_work[row.seq] = row
            row.record = SealedRecord(body=row.record.body, digest=row.record.digest, key=key)
            row.key = key
            row.safe_by = to_millisecond(safe_by)
            row.expires_at = None
            row.fixed_deadline = True
            row.try_again_at(LONG_AGO)
        row.verdict = verdict
        row.manifest_due = True
        return True

    async def to_destroy(self, *, after: int = 0, limit: int) -> tuple[int, ...]:
        """Restricted entries that are to be destroyed."""
        self._require_open()
        found = [seq for seq in sorted(self._rows) if seq > after and self._ordered_gone(seq)]
        await self._turn()
        return tuple(found[:limit])

    def _waiting(self, id_: int) -> DecisionRow | None:
        rows = (row for row in self._decisions.values() if row.id == id_)
        return next((row for row in rows if row.state == "waiting"), None)

    async def refuse(self, id_: int) -> None:
        """Give a decision up."""
        self._require_open()
        row = self._waiting(id_)
        if row is not None:
            row.state = "refused"
        await self._turn()

    async def decided(self, placement_id: int) -> DecisionFacts | None:
        """What the act's leaf says."""
        self._require_open()
        found: DecisionFacts | None = None
        for row in self._decisions.values():
            ref = self._rows[row.decision.seq].seen_leaf
            if row.act == placement_id and row.judged is not None and ref is not None:
                found = DecisionFacts(
                    ref=ref,
                    outcome=row.decision.outcome,
                    classifier=f"{row.judged.policy}+{row.judged.model}",
                )
        await self._turn()
        return found

    async def reviewed(self) -> tuple[Reviewed, ...]:
        """What people said last of each entry."""
        self._require_open()
        last: dict[int, Reviewed] = {}
        for row in self._decisions.values():
            if row.state != "done" or row.judged is None:
                continue
            stream = self._rows[row.decision.seq].stream
            last[row.decision.seq] = Reviewed(
                seq=row.decision.seq,
                connector=stream.connector,
                group_id=stream.group_id,
                outcome=row.decision.outcome,
                via=row.decision.via,
                score=row.judged.score,
                policy=row.judged.policy,
                model=row.judged.model,
                audited=any(reason.code == "AUDIT" for reason in row.judged.reasons),
                label=row.decision.label,
            )
        await self._turn()
        return tuple(last[seq] for seq in sorted(last))

    async def verdicts(self, stream: str, upstream_id: str) -> tuple[Verdict, ...]:
        """What became of a message."""
        self._require_open()
        own = self._streams.get(stream)
        found = [
            row.verdict
            for row in self._rows.values()
            if own is not None
            and (row.stream.connector, row.stream.group_id) == (own.connector, own.group_id)
            and row.ident
            in {keys.identity(self._blind_key, row.stream.id, upstream_id, v) for v in VERSIONS}
        ]
        await self._turn()
        return tuple(verdict for verdict in found if verdict is not None)

    async def judgements(self, *, after: int, limit: int) -> tuple[Judgement, ...]:
        """Verdicts without content."""
        self._require_open()
        found = [
            Judgement(
                seq=row.seq,
                connector=row.stream.connector,
                group_id=row.stream.group_id,
                outcome=Outcome(row.verdict.outcome),
                score=row.verdict.score,
                policy=row.verdict.policy,
                model=row.verdict.model,
            )
            for row in self._rows.values()
            if row.seq > after and row.verdict is not None
        ]
        await self._turn()
        return tuple(found[:limit])

    async def audit_seed(self) -> bytes:
        """The seed, drawn once."""
        self._require_open()
        self._seed = self._seed or self._random(32)
        seed = self._seed
        await self._turn()
        return seed
