"""Context effects, each by itself; the ids C1 to C15 are those of the context table in the docs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bridge.app.models import with_model
from bridge.classify import Policy, RuleClassifier
from bridge.model import Context, EventKind, Outcome, RelationType
from tests.unit.bridge.classify.talk import codes, hold, rules, say

QUESTION = say("amara", "Shall we publish the report today?")
LUNCH = say("amara", "see you at 3 for coffee?")


@pytest.mark.parametrize(
    "answer",
    ["Yes, agreed", "ok do it", "No.", "+1", "fine by me", "same", "👍", "agreed", "will do", "-1"],
)
def test_c1_short_answer_inherits_from_a_decision_question(
    classifier: RuleClassifier, answer: str
) -> None:
    """C1: assent, refusal, vote or commitment after a decision question is part of the decision."""
    verdict = hold(classifier, QUESTION, say("bo", answer, 1))[1]

    assert verdict.outcome is Outcome.CAPTURE
    assert codes(verdict) == {"ANSWER"}
    assert verdict.context == (QUESTION.upstream_id,)
    assert verdict.reasons[0].text in answer


def test_c1_answer_to_a_reviewed_question_is_reviewed(classifier: RuleClassifier) -> None:
    """C1: what is unclear stays unclear when answered, and names the question."""
    asked = say("amara", "Is Harkness weeping over the petunias?")

    verdict = hold(classifier, asked, say("bo", "yes", 1))[1]

    assert verdict.outcome is Outcome.REVIEW
    assert "ANSWER" in codes(verdict)
    assert verdict.context == (asked.upstream_id,)


@pytest.mark.parametrize("build", [RuleClassifier, with_model])
def test_c4_a_reviewed_answer_names_its_trivial_question(
    policy: Policy, build: Callable[[Policy], RuleClassifier]
) -> None:
    """C4: whoever keeps the answer keeps the question, which is discarded by itself."""
    asked = say("amara", "Are you free at 3?")
    answer = say("bo", "No lol, hold the statement until Monday", 1, to="amara@0")

    question, verdict = hold(build(policy), asked, answer)

    assert question.outcome is Outcome.DISCARD
    assert verdict.outcome is Outcome.REVIEW
    assert verdict.context == (asked.upstream_id,)


def test_c4_a_discard_names_nothing(classifier: RuleClassifier) -> None:
    """C4: it is not kept, so neither is what it answers."""
    answered = say("bo", "see you there at 3", 1, to="amara@0")

    verdict = hold(classifier, say("amara", "Are you free at 3?"), answered)[1]

    assert verdict.outcome is Outcome.DISCARD
    assert verdict.context == ()


def test_c2_explicit_reply_comes_first(classifier: RuleClassifier) -> None:
    """C2: an explicit reply is believed before any question nearer in time."""
    verdict = hold(
        classifier, QUESTION, say("cy", "see you at 3?", 1), say("bo", "yes", 2, to="amara@0")
    )[2]

    assert verdict.outcome is Outcome.CAPTURE
    assert verdict.context == (QUESTION.upstream_id,)


def test_c2_thread_comes_before_the_window(classifier: RuleClassifier) -> None:
    """C2: in a thread the antecedent is looked for in the thread."""
    root = say("cy", "Should we extend the contract?")
    other = say("amara", "Shall we publish the report today?", 1)
    answer = say("bo", "yes", 2, to="cy@0", by=RelationType.THREAD)

    verdict = hold(classifier, root, other, answer)[2]

    assert verdict.context == (root.upstream_id,)


def test_c2_last_open_question_is_found_behind_chatter(classifier: RuleClassifier) -> None:
    """C2: an unclear remark between question and answer does not hide the question."""
    chatter = say("cy", "Harkness wept over the petunias", 1)

    verdict = hold(classifier, QUESTION, chatter, say("bo", "yes", 2))[2]

    assert verdict.outcome is Outcome.CAPTURE
    assert QUESTION.upstream_id in verdict.context


def test_c2_question_outside_the_window_is_no_antecedent(classifier: RuleClassifier) -> None:
    """C2: beyond the policy's window an assent has no antecedent and is reviewed."""
    verdict = hold(classifier, QUESTION, say("bo", "yes", 31))[1]

    assert verdict.outcome is Outcome.REVIEW
    assert rules(verdict) == {"missing-antecedent"}


def test_c2_own_question_is_no_antecedent(classifier: RuleClassifier) -> None:
    """C2: nobody assents to a question of their own."""
    verdict = hold(classifier, QUESTION, say("amara", "yes", 1))[1]

    assert rules(verdict) == {"missing-antecedent"}


def test_c2_vote_may_be_on_an_own_proposal(classifier: RuleClassifier) -> None:
    """C2: whoever proposes may vote on it."""
    proposal = say("amara", "Proposal: adopt the new clause")

    verdict = hold(classifier, proposal, say("amara", "+1", 1))[1]

    assert verdict.outcome is Outcome.CAPTURE
    assert verdict.context == (proposal.upstream_id,)


def test_c2_unknown_reply_target_is_doubt(classifier: RuleClassifier) -> None:
    """C2: a reply to something we do not have is not guessed at."""
    verdict = hold(classifier, QUESTION, say("bo", "yes", 1, to="never-seen"))[1]

    assert verdict.outcome is Outcome.REVIEW
    assert rules(verdict) == {"missing-antecedent"}


@pytest.mark.parametrize("answer", ["ok", "yes", "👍", "will do", "no"])
def test_c3_answer_to_logistics_is_acknowledgement(classifier: RuleClassifier, answer: str) -> None:
    """C3: after logistics a short answer is an acknowledgement and goes with it."""
    verdict = hold(classifier, LUNCH, say("bo", answer, 1))[1]

    assert verdict.outcome is Outcome.DISCARD
    assert codes(verdict) == {"ACK"}


def test_c3_answer_that_adds_content_is_judged_by_it(classifier: RuleClassifier) -> None:
    """C3: an answer to logistics that says more is judged by what it says."""
    body = "ok, and the Minister has approved the grant"

    verdict = hold(classifier, LUNCH, say("bo", body, 1))[1]

    assert verdict.outcome is Outcome.CAPTURE
    assert "DECISION" in codes(verdict)


def test_c3_trivial_neighbour_before_an_open_question_is_ambiguous(
    classifier: RuleClassifier,
) -> None:
    """C3: with a decision question still open, an assent to logistics nearby is not discarded."""
    late = say("amara", "my train is late, 10 mins", 1)

    verdict = hold(classifier, QUESTION, late, say("bo", "ok", 2))[2]

    assert verdict.outcome is Outcome.REVIEW
    assert rules(verdict) == {"ambiguous-antecedent"}
    assert verdict.context == (QUESTION.upstream_id,)


def test_c3_answered_question_is_open_no_longer(classifier: RuleClassifier) -> None:
    """C3: who has answered the question acknowledges the logistics after it."""
    late = say("amara", "my train is late, 10 mins", 2)

    verdict = hold(classifier, QUESTION, say("bo", "yes", 1), late, say("bo", "ok", 3))[3]

    assert verdict.outcome is Outcome.DISCARD


def test_c4_decision_names_the_trivial_question_it_answers(classifier: RuleClassifier) -> None:
    """C4: a question judged trivial is named by the decision that answers it, to be promoted."""
    asked = say("amara", "Are you free at 3?")

    first, second = hold(classifier, asked, say("bo", "No. Hold the statement until Monday", 1))

    assert first.outcome is Outcome.DISCARD
    assert second.outcome is Outcome.CAPTURE
    assert second.context == (asked.upstream_id,)


def test_c4_answer_to_an_open_question_is_never_discarded(classifier: RuleClassifier) -> None:
    """C4: what directly follows a decision question may be its answer, trivial as it looks."""
    verdict = hold(classifier, QUESTION, say("bo", "in 10 minutes", 1))[1]

    assert verdict.outcome is Outcome.REVIEW
    assert "follows-question" in rules(verdict)


def test_c4_short_explicit_reply_to_a_question_is_an_answer(classifier: RuleClassifier) -> None:
    """C4: a short explicit reply to a decision question is captured without any assent in it."""
    verdict = hold(classifier, QUESTION, say("bo", "tomorrow at 9", 1, to="amara@0"))[1]

    assert verdict.outcome is Outcome.CAPTURE
    assert "ANSWER" in codes(verdict)


@pytest.mark.parametrize("emoji", ["👍", "👍🏽", "✅", "✔️", "💯", "➕", "🆗", "👎", "❌"])
def test_c5_reaction_on_a_proposal_decides(classifier: RuleClassifier, emoji: str) -> None:
    """C5: approval or refusal by reaction on a proposal is a decision."""
    reaction = say("bo", emoji, 1, kind=EventKind.REACTION, to="amara@0", by=RelationType.REACTION)

    verdict = hold(classifier, QUESTION, reaction)[1]

    assert verdict.outcome is Outcome.CAPTURE
    assert codes(verdict) == {"DECISION"}
    assert verdict.context == (QUESTION.upstream_id,)
    assert verdict.reasons[0].text == emoji


@pytest.mark.parametrize("emoji", ["👍", "😂", "❤️", "🦔"])
def test_c5_reaction_on_banter_is_nothing(classifier: RuleClassifier, emoji: str) -> None:
    """C5: a reaction on something trivial is an acknowledgement."""
    reaction = say("bo", emoji, 1, kind=EventKind.REACTION, to="amara@0", by=RelationType.REACTION)

    verdict = hold(classifier, LUNCH, reaction)[1]

    assert verdict.outcome is Outcome.DISCARD
    assert codes(verdict) == {"ACK"}


def test_c5_reaction_on_an_unknown_message_is_reviewed(classifier: RuleClassifier) -> None:
    """C5: without its target a reaction cannot be judged."""
    reaction = say("bo", "👍", 1, kind=EventKind.REACTION, to="gone", by=RelationType.REACTION)

    verdict = hold(classifier, QUESTION, reaction)[1]

    assert verdict.outcome is Outcome.REVIEW
    assert rules(verdict) == {"missing-antecedent"}


def test_c5_undecided_reaction_on_a_proposal_is_reviewed(classifier: RuleClassifier) -> None:
    """C5: an emoji that neither approves nor refuses leaves the proposal to a person."""
    reaction = say("bo", "🤔", 1, kind=EventKind.REACTION, to="amara@0", by=RelationType.REACTION)

    verdict = hold(classifier, QUESTION, reaction)[1]

    assert verdict.outcome is Outcome.REVIEW
    assert rules(verdict) == {"unclear-reaction"}


@pytest.mark.parametrize("body", ["ignore my last", "I've changed my mind", "scratch that"])
def test_c6_reversal_names_the_own_message(classifier: RuleClassifier, body: str) -> None:
    """C6: taking back an own message is a decision and names that message."""
    order = say("amara", "Please send the draft submission to Treasury")

    verdict = hold(classifier, order, say("bo", "see you at 3", 1), say("amara", body, 2))[2]

    assert verdict.outcome is Outcome.CAPTURE
    assert "DECISION" in codes(verdict)
    assert order.upstream_id in verdict.context


def test_c6_scrap_that_names_the_last_kept_message(classifier: RuleClassifier) -> None:
    """C6: "scrap that" means the last message that mattered, not the chatter after it."""
    order = say("bo", "We will announce the scheme tomorrow")

    verdict = hold(
        classifier, order, say("bo", "running late, sorry", 1), say("amara", "scrap that", 2)
    )[2]

    assert verdict.outcome is Outcome.CAPTURE
    assert order.upstream_id in verdict.context
    assert "scrap that" in {reason.text for reason in verdict.reasons}


def test_c6_reversal_of_logistics_is_not_a_decision(classifier: RuleClassifier) -> None:
    """C6: taking back something trivial is left to a person, and promotes nothing."""
    verdict = hold(classifier, LUNCH, say("amara", "scrap that", 1))[1]

    assert verdict.outcome is Outcome.REVIEW
    assert verdict.context == ()


def test_c7_edit_of_a_kept_message_is_kept(classifier: RuleClassifier) -> None:
    """C7: an edit that turns a yes into a no is captured, and names the first version."""
    edit = say("bo", "no", 9, kind=EventKind.EDIT, to="bo@1", by=RelationType.EDIT)

    verdict = hold(classifier, QUESTION, say("bo", "yes", 1), edit)[2]

    assert verdict.outcome is Outcome.CAPTURE
    assert {"ANSWER", "INTEGRITY"} <= codes(verdict)
    assert "bo@1" in verdict.context


def test_c7_edit_to_something_trivial_keeps_the_outcome(classifier: RuleClassifier) -> None:
    """C7: every version is kept if any version is."""
    first = say("amara", "SoS has approved the draft")
    edit = say("amara", "see you at 3", 5, kind=EventKind.EDIT, to="amara@0", by=RelationType.EDIT)

    verdict = hold(classifier, first, edit)[1]

    assert verdict.outcome is Outcome.CAPTURE
    assert "INTEGRITY" in codes(verdict)


def test_c7_edit_to_something_significant_promotes_the_first_version(
    classifier: RuleClassifier,
) -> None:
    """C7: the trivial first version of a message that became a decision is named."""
    first = say("amara", "see you at 3")
    edit = say(
        "amara",
        "SoS has approved the draft",
        5,
        kind=EventKind.EDIT,
        to="amara@0",
        by=RelationType.EDIT,
    )

    verdict = hold(classifier, first, edit)[1]

    assert verdict.outcome is Outcome.CAPTURE
    assert verdict.context == (first.upstream_id,)


def test_c7_edit_of_trivia_into_trivia_is_discarded(classifier: RuleClassifier) -> None:
    """C7: correcting the hour of a meeting leaves it trivial."""
    edit = say("amara", "see you at 4", 5, kind=EventKind.EDIT, to="amara@0", by=RelationType.EDIT)

    assert hold(classifier, say("amara", "see you at 3"), edit)[1].outcome is Outcome.DISCARD


def test_c7_edit_of_an_unknown_message_is_never_discarded(classifier: RuleClassifier) -> None:
    """C7: without the first version nobody knows what was edited away."""
    edit = say("amara", "see you at 4", 5, kind=EventKind.EDIT, to="gone", by=RelationType.EDIT)

    verdict = classifier.classify(edit, Context())

    assert verdict.outcome is Outcome.REVIEW
    assert "missing-antecedent" in rules(verdict)


def test_c8_deletion_is_kept_and_names_what_it_removed(classifier: RuleClassifier) -> None:
    """C8: a deletion is captured, and one of a decision comes first in review."""
    gone = say("bo", "", 2, kind=EventKind.REDACTION, to="amara@0", by=RelationType.REDACTION)

    of_decision = hold(classifier, QUESTION, gone)[1]
    of_banter = hold(classifier, LUNCH, gone)[1]

    assert of_decision.outcome is of_banter.outcome is Outcome.CAPTURE
    assert codes(of_decision) == {"INTEGRITY"}
    assert of_decision.context == (QUESTION.upstream_id,)
    assert of_banter.context == ()
    assert of_decision.score > of_banter.score


@pytest.mark.parametrize(
    "second", ["But only after Priya is back", "provided Jo is there", "And not before 3"]
)
def test_c9_second_half_is_read_with_the_first(classifier: RuleClassifier, second: str) -> None:
    """C9: a condition sent straight after one's own decision belongs to it."""
    verdict = hold(classifier, QUESTION, say("bo", "Agreed.", 1), say("bo", second, 1.5))[2]

    assert verdict.outcome is Outcome.CAPTURE
    assert "bo@1" in verdict.context


def test_c9_only_within_two_minutes_and_by_the_same_person(classifier: RuleClassifier) -> None:
    """C9: later, or by another person, it is a message of its own."""
    first = say("bo", "SoS has approved the draft")
    late = hold(classifier, first, say("bo", "but the petunias wilt", 3))[1]
    other = hold(classifier, first, say("cy", "but the petunias wilt", 1))[1]

    assert late.outcome is other.outcome is Outcome.REVIEW


def test_c9_kept_second_half_names_the_first(classifier: RuleClassifier) -> None:
    """C9: a first half that said too little by itself is named by the second."""
    verdict = hold(
        classifier, say("bo", "Agreed."), say("bo", "But only if Treasury sign off", 0.5)
    )[1]

    assert verdict.outcome is Outcome.CAPTURE
    assert verdict.context == ("bo@0",)


@pytest.mark.parametrize("choice", ["do the second one", "the latter", "go with the first option"])
def test_c10_choice_needs_its_list(classifier: RuleClassifier, choice: str) -> None:
    """C10: a choice by position is captured with the list it chooses from."""
    listed = say("amara", "We could (1) fund it from reserves or (2) raise the levy")

    verdict = hold(classifier, listed, say("bo", choice, 1))[1]

    assert verdict.outcome is Outcome.CAPTURE
    assert verdict.context == (listed.upstream_id,)


def test_c10_choice_without_a_list_is_reviewed(classifier: RuleClassifier) -> None:
    """C10: a choice from nothing we have is left to a person."""
    verdict = classifier.classify(say("bo", "do the second one"), Context())

    assert verdict.outcome is Outcome.REVIEW
    assert rules(verdict) == {"missing-antecedent"}


@pytest.mark.parametrize(
    "body",
    ["yeah, let's just cancel the Budget 😂", "lol just sign the contract then", "approved 🤣"],
)
def test_c11_irony_is_reviewed(classifier: RuleClassifier, body: str) -> None:
    """C11: a decision in jest is neither kept as one nor dropped."""
    verdict = classifier.classify(say("bo", body), Context())

    assert verdict.outcome is Outcome.REVIEW
    assert "irony" in rules(verdict)


def test_c11_ironic_assent_is_reviewed(classifier: RuleClassifier) -> None:
    """C11: a laughing yes to a decision question is left to a person, with the question."""
    verdict = hold(classifier, QUESTION, say("bo", "yes 😂", 1))[1]

    assert verdict.outcome is Outcome.REVIEW
    assert rules(verdict) == {"irony"}
    assert verdict.context == (QUESTION.upstream_id,)


def test_c12_same_question_in_another_group_is_judged_there(classifier: RuleClassifier) -> None:
    """C12: an answer whose question was put in another group is reviewed, never discarded."""
    verdict = classifier.classify(say("bo", "yes"), Context())

    assert verdict.outcome is Outcome.REVIEW


def test_c13_reference_to_a_call_is_a_decision(classifier: RuleClassifier) -> None:
    """C13: what was agreed on a call is a decision, and names the call if we saw it."""
    call = say("amara", "", kind=EventKind.CALL)

    seen = hold(classifier, call, say("bo", "as agreed on the call", 5))[1]
    unseen = classifier.classify(say("bo", "as discussed on the phone"), Context())

    assert seen.outcome is unseen.outcome is Outcome.CAPTURE
    assert "DECISION" in codes(seen)
    assert seen.context == (call.upstream_id,)
    assert unseen.context == ()


def test_c14_drift_to_a_sensitive_topic_does_not_stop_capture(classifier: RuleClassifier) -> None:
    """C14: a call to move elsewhere is kept, and so is what follows."""
    verdicts = hold(
        classifier,
        say("amara", "let's take this offline"),
        say("bo", "Before that: SoS has approved the draft", 1),
    )

    assert [verdict.outcome for verdict in verdicts] == [Outcome.CAPTURE, Outcome.CAPTURE]


@pytest.mark.parametrize(
    "body",
    [
        "so far: we go with B, Jo drafts",
        "To summarise: no change",
        "Next steps: Priya writes",
    ],
)
def test_c15_summary_is_captured(classifier: RuleClassifier, body: str) -> None:
    """C15: a restatement of what was resolved is captured."""
    verdict = classifier.classify(say("bo", body), Context())

    assert verdict.outcome is Outcome.CAPTURE
    assert "restatement" in rules(verdict)


def test_thanks_to_an_open_question_are_not_discarded(classifier: RuleClassifier) -> None:
    """Thanks after a decision question may mean yes."""
    assert hold(classifier, QUESTION, say("bo", "thanks", 1))[1].outcome is Outcome.REVIEW


def test_undecided_neighbours_are_judged_by_their_words(classifier: RuleClassifier) -> None:
    """An antecedent that has no outcome yet counts by what it says."""
    kept = classifier.classify(say("bo", "yes", 1), Context(before=(QUESTION,)))
    trivial = classifier.classify(say("bo", "yes", 1), Context(before=(LUNCH,)))

    assert kept.outcome is Outcome.CAPTURE
    assert trivial.outcome is Outcome.DISCARD
