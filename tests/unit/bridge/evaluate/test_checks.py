"""What a classifier must keep to beside its figures."""

from __future__ import annotations

from bridge.evaluate.checks import explained
from bridge.model import Context, Outcome, Reason, Utterance, Verdict
from tests.unit.bridge.evaluate.invented import corpus


class Citing:
    """Cites the first word of a message, and notes what it was asked."""

    policy = "citing@1"
    model = "citing-1"
    alarm = ""

    def __init__(self) -> None:
        self.asked: list[tuple[Utterance, Context]] = []

    def classify(self, utterance: Utterance, context: Context) -> Verdict:
        """A verdict; the score is higher the more words there are."""
        self.asked.append((utterance, context))
        length = len(utterance.body.partition(" ")[0])
        reason = Reason(code="DECISION", rule="first-word", end=length)
        return Verdict(
            outcome=Outcome.REVIEW,
            score=len(utterance.body) / 1000,
            reasons=(reason,),
            policy=self.policy,
            model=self.model,
        )


def test_what_was_cited_is_tried_in_the_context_it_was_cited_in() -> None:
    """Without the words everything else is as it was, what came after included."""
    classifier = Citing()
    conversation = next(each for each in corpus() if len(each) == 2)
    found = explained(classifier, [conversation])
    assert (found.decisions, found.citing, found.moved) == (2, 2, 1.0)
    for line in ("line-0", "line-1"):
        first, *more = (context for asked, context in classifier.asked if asked.upstream_id == line)
        assert more == [first, first]
        assert (bool(first.before), bool(first.after)) == (line == "line-1", line == "line-0")
