"""The shipped policy and model agree with what the demonstration's script expects of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.app.policies import classifier_of
from bridge.demo.script import ROOMS, SCRIPT, Expected, Line, Move
from bridge.model import (
    Context,
    EventKind,
    Outcome,
    Relation,
    RelationType,
    Utterance,
    Verdict,
)

_BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
_KINDS = {
    Move.SAY: EventKind.MESSAGE,
    Move.REPLY: EventKind.MESSAGE,
    Move.EDIT: EventKind.EDIT,
    Move.REACT: EventKind.REACTION,
    Move.REDACT: EventKind.REDACTION,
    Move.PHOTO: EventKind.MESSAGE,
    Move.POLL: EventKind.POLL,
    Move.VOTE: EventKind.POLL_ANSWER,
    Move.TIMER: EventKind.TIMER,
}
_RELATIONS = {
    Move.REPLY: RelationType.REPLY,
    Move.EDIT: RelationType.EDIT,
    Move.REACT: RelationType.REACTION,
    Move.REDACT: RelationType.REDACTION,
    Move.VOTE: RelationType.REPLY,
}


def _utterance(number: int, line: Line, ids: dict[str, str]) -> Utterance:
    relation = _RELATIONS.get(line.move)
    return Utterance(
        upstream_id=f"${number}",
        kind=_KINDS[line.move],
        sender_id=line.who,
        sent_at=_BEGIN + timedelta(seconds=number),
        body="\n".join((line.text, *line.answers)),
        relates_to=(
            Relation(type=relation, upstream_id=ids[line.about])
            if relation is not None and line.about
            else None
        ),
        attachments=int(line.move is Move.PHOTO),
    )


@pytest.fixture(scope="module")
def verdicts() -> list[tuple[Line, Verdict, Outcome]]:
    """Every line with its verdict and what became of it once later lines were read."""
    classifier = classifier_of(None)
    heard: dict[str, list[Utterance]] = {room.key: [] for room in ROOMS}
    ids: dict[str, str] = {}
    verdicts: dict[str, tuple[Line, Verdict]] = {}
    promoted: set[str] = set()
    for number, line in enumerate(SCRIPT):
        utterance = _utterance(number, line, ids)
        before = heard[line.room]
        about = utterance.relates_to.upstream_id if utterance.relates_to else ""
        target = next((one for one in before if one.upstream_id == about), None)
        verdict = classifier.classify(utterance, Context(before=tuple(before), target=target))
        before.append(
            replace(
                utterance,
                outcome=verdict.outcome,
                score=verdict.score,
                codes=tuple(reason.code for reason in verdict.reasons),
            )
        )
        verdicts[utterance.upstream_id] = (line, verdict)
        if verdict.outcome is Outcome.CAPTURE:
            promoted.update(verdict.context)
        if line.label:
            ids[line.label] = utterance.upstream_id
    return [
        (line, verdict, Outcome.CAPTURE if upstream_id in promoted else verdict.outcome)
        for upstream_id, (line, verdict) in verdicts.items()
    ]


@pytest.mark.parametrize("number", range(len(SCRIPT)))
def test_the_rules_agree(number: int, verdicts: list[tuple[Line, Verdict, Outcome]]) -> None:
    """A line is kept, as capture or review, or discarded, as its script says."""
    line, verdict, outcome = verdicts[number]
    found = Expected.DISCARDED if outcome is Outcome.DISCARD else Expected.KEPT
    codes = [(reason.code, reason.rule) for reason in verdict.reasons]
    assert found is line.expected, f"{line.text!r}: {outcome} {codes}"


def test_the_script_has_what_a_demonstration_needs() -> None:
    """Every move is made, both ends occur, and each line about another follows it."""
    assert {line.move for line in SCRIPT} == set(Move)
    assert {line.expected for line in SCRIPT} == set(Expected)
    assert any(room.timer == 30 for room in ROOMS)
    known: set[str] = set()
    members = {room.key: room.members for room in ROOMS}
    for line in SCRIPT:
        assert line.who in members[line.room]
        assert not line.about or line.about in known
        known.add(line.label)
