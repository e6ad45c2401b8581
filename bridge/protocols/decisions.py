"""What the journal promises of people's decisions, and of what groups ask of the recorder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bridge.model import Outcome, Verdict
from bridge.protocols.journal_values import Entry, Placement, Saying
from bridge.protocols.office import DecisionOrder, Label


class Via(StrEnum):
    """How a person said what is to become of a message."""

    CONSOLE = "console"
    COMMAND = "command"
    REACTION = "reaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonDecision:
    """A person's decision on an entry. ``key`` makes it one, however often it is handed in.

    ``label`` is none that marks; ``code`` is the reason code that comes with the label ``class``.
    """

    key: str
    seq: int
    outcome: Outcome
    via: Via
    by: str
    at: datetime
    why: str
    label: Label | None = None
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingDecision:
    """One that is still to be carried out. ``entry`` is None where its content is gone."""

    id: int
    decision: PersonDecision
    entry: Entry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFacts:
    """What the leaf of a decision says. ``ref`` is the seen leaf as it stands now."""

    ref: int
    outcome: Outcome
    classifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What a person said of an entry last, and what it was judged to be: no content.

    ``score``, ``policy`` and ``model`` are those of the judgement; ``audited``: drawn by lot.
    ``label`` is the person's.
    """

    seq: int
    connector: str
    group_id: str
    outcome: Outcome
    via: Via
    score: float
    policy: str
    model: str
    audited: bool
    label: Label | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What became of an entry so far, and its score: no content."""

    seq: int
    connector: str
    group_id: str
    outcome: Outcome
    score: float
    policy: str
    model: str


class Decisions(Protocol):
    """A part of :class:`bridge.protocols.Journal`, whose promises hold here too."""

    async def note_commands(self, seqs: Sequence[int]) -> None:
        """These entries ask something of the recorder. One that is noted stays as it is."""

    async def commands(self, *, limit: int) -> tuple[Entry, ...]:
        """Noted entries that were not answered yet, oldest first."""

    async def answered(
        self,
        seq: int,
        *,
        decisions: Sequence[PersonDecision] = (),
        sayings: Sequence[Saying] = (),
    ) -> None:
        """A noted entry is dealt with: what it decides, and what the group is told of it.

        One transaction. Of an entry that was answered already nothing changes.
        """

    async def take_orders(self, orders: Sequence[DecisionOrder]) -> tuple[int, ...]:
        """Take decisions from the office, in their order; they wait from now on.

        Gives the numbers of those that name no entry of this journal. Orders up to
        :meth:`orders_taken` change nothing. One that only marks decides nothing: that it was
        taken is remembered, and nothing else.
        """

    async def orders_taken(self) -> int:
        """The number of the last decision taken from the office."""

    async def decisions(self, *, limit: int) -> tuple[WaitingDecision, ...]:
        """Decisions that can be carried out, or never will be, oldest first.

        One on an entry that is on its way to the store or to a discard is left out until it is
        there. While a decision waits, :meth:`Journal.forget` MUST NOT destroy its entry.
        """

    async def decide(
        self,
        id_: int,
        verdict: Verdict,
        *,
        act: Placement,
        key: str | None = None,
        safe_by: datetime | None = None,
    ) -> bool:
        """Carry out a decision: the entry has ``verdict``, and ``act`` waits for its place.

        With ``key`` and ``safe_by`` the entry is sealed again, to be stored there; it MUST be
        discarded, restricted, or stored under ``review/``. Without, it stays where it is: stored,
        discarded or restricted. The act's leaf is that of the decision. False: it is elsewhere now;
        nothing was written.
        """

    async def to_destroy(self, *, after: int = 0, limit: int) -> tuple[int, ...]:
        """Restricted entries that a person had destroyed and that are still here, by ``seq``.

        Above ``after``. One is left out until its manifest row says so, and while another decision
        on it waits. :meth:`Journal.forget` destroys them, at any age, where ``only`` names them.
        """

    async def refuse(self, id_: int) -> None:
        """A decision cannot be carried out, and is given up."""

    async def decided(self, placement_id: int) -> DecisionFacts | None:
        """What the leaf of a decision's act says; None where the document is no such act."""

    async def reviewed(self) -> tuple[Reviewed, ...]:
        """What people said last of each entry they decided, by ``seq``."""

    async def verdicts(self, stream: str, upstream_id: str) -> tuple[Verdict, ...]:
        """What became of a message: of each of its ``VERSIONS``, in all streams of its group.

        Of one that was destroyed, too. What nobody judged yet has none, and one that does not open
        is left out.
        """

    async def judgements(self, *, after: int, limit: int) -> tuple[Judgement, ...]:
        """Entries that were judged, above ``after``, by ``seq``; destroyed ones too."""

    async def audit_seed(self) -> bytes:
        """32 random bytes by which lots are drawn; made once, the same ever after."""
