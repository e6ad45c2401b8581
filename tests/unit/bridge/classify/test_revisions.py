"""Where an edit has the id of what it edits, the revision tells them apart."""

from __future__ import annotations

from dataclasses import replace

from bridge.classify import RuleClassifier
from bridge.model import Context, EventKind, Outcome, Relation, RelationType, Utterance
from tests.unit.bridge.classify.talk import decided, say

QUESTION = say("amara", "Pizza or curry for lunch?")


def _edit(body: str, *, revision: str | None = "u7") -> Utterance:
    relation = Relation(type=RelationType.EDIT, upstream_id=QUESTION.upstream_id)
    return replace(QUESTION, body=body, kind=EventKind.EDIT, revision=revision, relates_to=relation)


def test_an_edit_names_its_original_by_their_common_id(classifier: RuleClassifier) -> None:
    """A kept edit leans on what it edits, so that the discarded first version is promoted."""
    first = decided(QUESTION, classifier.classify(QUESTION, Context()))
    verdict = classifier.classify(
        _edit("SoS has approved the draft"), Context(before=(first,), target=first)
    )
    assert first.outcome is Outcome.DISCARD
    assert (verdict.outcome, verdict.context) == (Outcome.CAPTURE, (QUESTION.upstream_id,))


def test_nothing_leans_on_itself(classifier: RuleClassifier) -> None:
    """What is given as its own target is no other message, and is not named."""
    edit = _edit("SoS has approved the draft")
    for target, before in ((edit, ()), (None, (edit,))):
        verdict = classifier.classify(edit, Context(before=before, target=target))
        assert (verdict.outcome, verdict.context) == (Outcome.CAPTURE, ())
