"""What groups ask of the recorder with ``!record``: it is done, and answered once.

Triage notes a command before it is judged. Here it is dealt with in one transaction: what it
decides, and what the group is told. A crash before leaves it noted; after it, it is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from bridge import keys
from bridge.answers import answers_in, why_text
from bridge.asked import Ask, asked, target_of
from bridge.lifecycle import EntryState
from bridge.model import EventKind, Group, Outcome, RelationType
from bridge.protocols import (
    Clock,
    Entry,
    Journal,
    PersonDecision,
    Saying,
    TallyGroup,
    Via,
)
from bridge.rounds import Rounds
from bridge.sayings import is_told

log = structlog.get_logger(__name__)

ROUND_SECONDS = 0.5
AT_ONCE = 50
RELATED = 200
"""Messages before a command among which edits of its target are looked for."""

WORTH_ANSWERING = timedelta(hours=1)
PERIOD_SECONDS = 600.0
MOST_TO_A_GROUP = 10
MOST_TO_A_SENDER = 5
COUNTS_SECONDS = 10.0
CONTEXT = "CONTEXT"
_OF_A_MESSAGE = frozenset({RelationType.EDIT, RelationType.MEDIA})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What comes of a command: a sentence for the group, and entries that are to be kept."""

    text: str = ""
    keep: tuple[Entry, ...] = ()


class Commands(Rounds):
    """Deals with commands. ``describe`` gives what the policy says of a reason code."""

    failing = "not_answering"

    def __init__(
        self,
        *,
        journal: Journal,
        clock: Clock,
        describe: Callable[[str], str],
        language: str = "en",
    ) -> None:
        super().__init__(clock=clock, seconds=ROUND_SECONDS)
        self._journal = journal
        self._describe = describe
        self._words = answers_in(language)
        self._limits: dict[tuple[str, ...], deque[float]] = {}
        self._counts: dict[tuple[str, str], TallyGroup] = {}
        self._counted_at: float | None = None

    async def round(self) -> None:
        """Deal with all that is noted."""
        while found := await self._journal.commands(limit=AT_ONCE):
            groups = {(g.connector, g.group_id): g for g in await self._journal.groups()}
            for entry in found:
                group = groups.get((entry.stream.connector, entry.stream.group_id))
                await self._deal(entry, group)

    async def _deal(self, entry: Entry, group: Group | None) -> None:
        ask = asked(entry.event)
        outcome = _Outcome()
        if ask is not None and group is not None:
            outcome = await self._outcome(ask, entry, group)
        text = outcome.text if ask is not Ask.PIN else ""
        sayings: list[Saying] = []
        if text and ask is not None and group is not None and is_told(group):
            if self._may_answer(ask, entry):
                sayings.append(_answer(entry, text))
            else:
                log.info("command_not_answered", stream=entry.stream.id, n=entry.n)
        decisions = [_decision(entry, kept, ask or Ask.KEEP) for kept in outcome.keep]
        await self._journal.answered(entry.seq, decisions=decisions, sayings=sayings)
        log.info("command", stream=entry.stream.id, n=entry.n, ask=ask.value if ask else "none")

    async def _outcome(self, ask: Ask, entry: Entry, group: Group) -> _Outcome:
        match ask:
            case Ask.STATUS:
                return _Outcome(text=await self._status(group))
            case Ask.KEEP | Ask.PIN:
                return await self._keep(ask, entry)
            case Ask.WHY:
                return _Outcome(text=await self._why(entry))
            case _:
                return _Outcome(text=self._words.help)

    async def _keep(self, ask: Ask, entry: Entry) -> _Outcome:
        if target_of(entry.event) is None:
            return _Outcome(text=self._words.reply_to_one.format(word=ask.value))
        target = await self._target(entry)
        if target is None:
            return _Outcome(text=self._words.not_held)
        if target.state is EntryState.RESTRICTED or _is_restricted(target):
            return _Outcome(text=self._words.held_apart)
        wanted = [each for each in (target, *await self._revisions(entry)) if not _is_kept(each)]
        if not wanted:
            return _Outcome(text=self._words.kept_already)
        return _Outcome(text=self._words.keep, keep=tuple(wanted))

    async def _why(self, entry: Entry) -> str:
        if target_of(entry.event) is None:
            return self._words.reply_to_one.format(word=Ask.WHY.value)
        target = await self._target(entry)
        if target is None:
            return self._words.not_held
        if target.verdict is None:
            return self._words.not_decided
        if target.verdict.restricted:
            return self._words.held_apart
        verdict = target.verdict
        return why_text(
            self._words,
            outcome=verdict.outcome,
            reasons=[(each.code, self._describe(each.code)) for each in verdict.reasons],
            policy=verdict.policy,
        )

    async def _target(self, entry: Entry) -> Entry | None:
        """The message that is meant, in whatever stream of the group it is."""
        upstream_id = target_of(entry.event)
        if upstream_id is None:
            return None
        found = await self._journal.find_open(entry.stream.id, upstream_id)
        if found is None:
            found = await self._journal.find(entry.stream.id, upstream_id, earlier=True)
        return found

    async def _revisions(self, entry: Entry) -> list[Entry]:
        """What happened to the target lately: who keeps a message keeps its edits with it."""
        wanted = target_of(entry.event)
        recent = await self._journal.recent(entry.stream.id, before=entry.n, limit=RELATED)
        return [
            each
            for each in recent
            if (relation := each.event.relates_to) is not None
            and relation.type in _OF_A_MESSAGE
            and relation.upstream_id == wanted
            and each.event.kind is not EventKind.ENCRYPTED
            and not _is_restricted(each)
        ]

    async def _status(self, group: Group) -> str:
        now = self._clock.monotonic()
        if self._counted_at is None or now - self._counted_at >= COUNTS_SECONDS:
            tally = await self._journal.tally(now=self._clock.now())
            self._counts = {(t.group.connector, t.group.group_id): t for t in tally.groups}
            self._counted_at = now
        counts = self._counts.get((group.connector, group.group_id), TallyGroup(group=group))
        seen = counts.captured + counts.review + counts.discarded + counts.undecided
        return self._words.status.format(
            state=self._words.states[group.state],
            notice=self._words.notices[group.notice],
            seen=seen,
            captured=counts.captured,
            review=counts.review,
            discarded=counts.discarded,
            undecided=counts.undecided,
            stored=counts.stored,
            gaps=counts.gaps,
        )

    def _may_answer(self, ask: Ask, entry: Entry) -> bool:
        """Whether this group and this sender may still be answered; help for nonsense only once."""
        group = (entry.stream.connector, entry.stream.group_id)
        sender = entry.event.sender.id if entry.event.sender else ""
        limits: list[tuple[tuple[str, ...], int]] = [
            (group, MOST_TO_A_GROUP),
            ((*group, sender), MOST_TO_A_SENDER),
        ]
        if ask is Ask.UNKNOWN:
            limits.append(((*group, "", Ask.UNKNOWN.value), 1))
        now = self._clock.monotonic()
        self._limits = {
            key: times for key, times in self._limits.items() if now - times[-1] < PERIOD_SECONDS
        }
        for key, most in limits:
            times = self._limits.get(key, deque())
            while times and now - times[0] >= PERIOD_SECONDS:
                times.popleft()
            if len(times) >= most:
                return False
        for key, _ in limits:
            self._limits.setdefault(key, deque()).append(now)
        return True


def _answer(entry: Entry, text: str) -> Saying:
    """The answer to a command: the same command is answered under the same key."""
    stream, event = entry.stream, entry.event
    return Saying(
        connector=stream.connector,
        group_id=stream.group_id,
        text=text,
        key=keys.answer_key(stream.connector, stream.group_id, event.upstream_id),
        until=event.observed_at + WORTH_ANSWERING,
    )


def _decision(command: Entry, kept: Entry, ask: Ask) -> PersonDecision:
    event = command.event
    return PersonDecision(
        key=f"asked-{command.seq}-{kept.seq}",
        seq=kept.seq,
        outcome=Outcome.CAPTURE,
        via=Via.REACTION if ask is Ask.PIN else Via.COMMAND,
        by=event.sender.id if event.sender else "",
        at=event.observed_at,
        why="asked in the group",
    )


def _is_kept(entry: Entry) -> bool:
    """Whether it is kept for what it says: one that is there for another's sake may be asked for.

    The command itself leans on its target, which may be kept as its context by now.
    """
    verdict = entry.verdict
    if verdict is None or verdict.outcome is not Outcome.CAPTURE:
        return False
    return not verdict.reasons or verdict.reasons[0].code != CONTEXT


def _is_restricted(entry: Entry) -> bool:
    return entry.verdict is not None and entry.verdict.restricted
