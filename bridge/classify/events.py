"""What the kind of an event says by itself: changes to the group, reactions, edits, files."""

from __future__ import annotations

from dataclasses import replace

from bridge.classify.context import Standing, assess, link, referred
from bridge.classify.conversation import Placed, Turn, respond
from bridge.classify.replies import emoji_role
from bridge.classify.rules import Finding
from bridge.classify.weigh import Judgement, doubt
from bridge.model import EventKind, Outcome

INTEGRITY_KINDS = frozenset(
    {
        EventKind.MEMBERSHIP,
        EventKind.GROUP,
        EventKind.PIN,
        EventKind.TIMER,
        EventKind.REDACTION,
        EventKind.NOTICE,
        EventKind.ROSTER,
        EventKind.SERVICE,
    }
)
OPAQUE_KINDS = frozenset(
    {EventKind.ENCRYPTED, EventKind.UNPARSED, EventKind.UNKNOWN, EventKind.STICKER}
)
_BEARING_KINDS = frozenset({EventKind.MEDIA, EventKind.LOCATION, EventKind.CONTACT, EventKind.CALL})
_RULE_WEIGHT = 0.5


def integrity(turn: Turn) -> Placed:
    """A change to the group or the record itself. A deletion names what it removed (C8)."""
    ids: tuple[str, ...] = ()
    score = 0.7
    target = referred(turn.utterance, turn.context)
    if (
        turn.utterance.kind is EventKind.REDACTION
        and target is not None
        and assess(target, turn.policy).standing is not Standing.TRIVIAL
    ):
        ids = (target.upstream_id,)
        score = 1.0
    reason = turn.reading.reason("INTEGRITY", str(turn.utterance.kind))
    judgement = Judgement(outcome=Outcome.CAPTURE, score=score, reasons=(reason,))
    return Placed(judgement=judgement, ids=ids)


def opaque(turn: Turn) -> Placed:
    """Something that cannot be read here."""
    return Placed(judgement=doubt(turn.reading, "unsupported", turn.policy))


def reaction(turn: Turn) -> Placed:
    """Approval or refusal of a proposal decides it; under banter it is nothing (C5)."""
    found = link(turn.utterance, turn.context, turn.policy, vote=True)
    if not found.explicit or found.antecedent is None:
        return Placed(judgement=doubt(turn.reading, "missing-antecedent", turn.policy))
    if emoji_role(turn.reading.text, turn.policy) is not None:
        return _spanning(turn, respond(turn, found, code="DECISION"))
    if found.antecedent.standing is Standing.TRIVIAL:
        return _spanning(turn, respond(turn, found, code="ACK"))
    placed = Placed(judgement=doubt(turn.reading, "unclear-reaction", turn.policy))
    return replace(placed, ids=(found.antecedent.id,))


def poll_answer(turn: Turn) -> Placed:
    """A vote in a poll shares the poll's outcome."""
    found = link(turn.utterance, turn.context, turn.policy, vote=True)
    if not found.explicit or found.antecedent is None:
        return Placed(judgement=doubt(turn.reading, "missing-antecedent", turn.policy))
    return _spanning(turn, respond(turn, found, code="ANSWER"))


def evidence(turn: Turn) -> tuple[Finding, ...]:
    """What an attachment, a place, a contact or a call contributes: at least a review."""
    kind = turn.utterance.kind
    if turn.utterance.attachments > 0:
        return (turn.finding("EVIDENCE", "attachment", Outcome.REVIEW, _RULE_WEIGHT),)
    if kind in _BEARING_KINDS:
        return (turn.finding("EVIDENCE", str(kind), Outcome.REVIEW, _RULE_WEIGHT),)
    return ()


def poll_floor(turn: Turn, placed: Placed) -> Placed:
    """A poll is evidence, unless it is plainly about nothing."""
    if turn.utterance.kind is not EventKind.POLL or placed.judgement.outcome is Outcome.DISCARD:
        return placed
    finding = turn.finding("EVIDENCE", "poll", placed.judgement.outcome, _RULE_WEIGHT)
    return turn.raised(placed, finding)


def attachment_floor(turn: Turn, placed: Placed) -> Placed:
    """A file that belongs to a kept message is kept with it."""
    target = referred(turn.utterance, turn.context)
    if target is None or not evidence(turn):
        return placed
    if assess(target, turn.policy).standing is not Standing.KEPT:
        return placed
    finding = turn.finding("EVIDENCE", "belongs-to-kept", Outcome.CAPTURE, 0.8)
    return turn.raised(placed, finding, target.upstream_id)


def edit_floor(turn: Turn, placed: Placed) -> Placed:
    """Every version is kept if any is (C7): an edit has at least its target's outcome."""
    if turn.utterance.kind is not EventKind.EDIT:
        return placed
    target = referred(turn.utterance, turn.context)
    if target is None:
        finding = turn.finding("DOUBT", "missing-antecedent", Outcome.REVIEW, _RULE_WEIGHT)
        return turn.raised(placed, finding)
    if target.outcome is Outcome.CAPTURE:
        finding = turn.finding("INTEGRITY", "edit-of-kept", Outcome.CAPTURE, 0.8)
        return turn.raised(placed, finding, target.upstream_id)
    if placed.judgement.outcome is Outcome.CAPTURE:
        return replace(placed, ids=(*placed.ids, target.upstream_id))
    if assess(target, turn.policy).standing is Standing.TRIVIAL:
        return placed
    # Said of a review too: one that rests on silence alone is open to the model, which comes after.
    finding = turn.finding("INTEGRITY", "edit-of-reviewed", Outcome.REVIEW, _RULE_WEIGHT)
    return turn.raised(placed, finding, target.upstream_id)


def _spanning(turn: Turn, placed: Placed) -> Placed:
    whole = (0, len(turn.utterance.body))
    reasons = tuple(
        replace(reason, start=whole[0], end=whole[1], text=turn.utterance.body)
        for reason in placed.judgement.reasons
    )
    return replace(placed, judgement=replace(placed.judgement, reasons=reasons))
