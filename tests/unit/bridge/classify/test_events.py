"""Kinds of events other than plain messages, and what the group's policy says of all."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from bridge.classify import Policy, RuleClassifier
from bridge.model import Context, EventKind, Outcome, RelationType
from bridge.protocols import Classifier
from tests.unit.bridge.classify.talk import codes, hold, rules, say


def test_implements_the_protocol(classifier: RuleClassifier) -> None:
    """The classifier stands where the protocol is asked for, and names policy and model."""
    asked: Classifier = classifier

    assert asked.policy == "uk-nccc@2023.1"
    assert asked.model == "rules-1"


@pytest.mark.parametrize(
    "kind",
    [
        EventKind.MEMBERSHIP,
        EventKind.GROUP,
        EventKind.PIN,
        EventKind.TIMER,
        EventKind.REDACTION,
        EventKind.NOTICE,
        EventKind.ROSTER,
        EventKind.SERVICE,
    ],
)
def test_changes_to_the_group_are_captured(classifier: RuleClassifier, kind: EventKind) -> None:
    """What changes the group or its record is captured for its integrity."""
    verdict = classifier.classify(say("amara", "", kind=kind), Context())

    assert verdict.outcome is Outcome.CAPTURE
    assert codes(verdict) == {"INTEGRITY"}


@pytest.mark.parametrize(
    "kind", [EventKind.ENCRYPTED, EventKind.UNPARSED, EventKind.UNKNOWN, EventKind.STICKER]
)
def test_what_cannot_be_read_is_reviewed(classifier: RuleClassifier, kind: EventKind) -> None:
    """What the rules cannot read is never discarded."""
    verdict = classifier.classify(say("amara", "", kind=kind), Context())

    assert verdict.outcome is Outcome.REVIEW
    assert rules(verdict) == {"unsupported"}


@pytest.mark.parametrize(
    "kind", [EventKind.MEDIA, EventKind.LOCATION, EventKind.CONTACT, EventKind.CALL]
)
def test_media_places_contacts_and_calls_are_evidence(
    classifier: RuleClassifier, kind: EventKind
) -> None:
    """What bears evidence without words is at least reviewed."""
    verdict = classifier.classify(say("amara", "see you at 3", kind=kind), Context())

    assert verdict.outcome is Outcome.REVIEW
    assert codes(verdict) == {"EVIDENCE"}


def test_attachment_is_at_least_reviewed(classifier: RuleClassifier) -> None:
    """A picture with a trivial caption may still be a marked-up draft."""
    verdict = classifier.classify(say("amara", "lunch 🍕", attachments=1), Context())

    assert verdict.outcome is Outcome.REVIEW
    assert codes(verdict) == {"EVIDENCE"}


def test_attachment_with_a_significant_caption_is_captured(classifier: RuleClassifier) -> None:
    """The caption decides for the file."""
    verdict = classifier.classify(
        say("amara", "SoS has approved the draft", attachments=1), Context()
    )

    assert verdict.outcome is Outcome.CAPTURE
    assert {"DECISION", "EVIDENCE"} <= codes(verdict)


@pytest.mark.parametrize("kind", [EventKind.MESSAGE, EventKind.MEDIA])
def test_file_of_a_kept_message_is_captured(classifier: RuleClassifier, kind: EventKind) -> None:
    """A file that answers or completes a kept message is kept with it."""
    first = say("amara", "SoS has approved the draft")
    file = say("bo", "", 1, kind=kind, to="amara@0", attachments=1)

    verdict = hold(classifier, first, file)[1]

    assert verdict.outcome is Outcome.CAPTURE
    assert "EVIDENCE" in codes(verdict)
    assert verdict.context == (first.upstream_id,)


def test_poll_and_its_answers_share_an_outcome(classifier: RuleClassifier) -> None:
    """A poll on business is captured with its answers; one on lunch is discarded with them."""
    answers = RelationType.REPLY
    business, vote = hold(
        classifier,
        say("amara", "Shall we publish the report? Yes / No", kind=EventKind.POLL),
        say("bo", "Yes", 1, kind=EventKind.POLL_ANSWER, to="amara@0", by=answers),
    )
    lunch, bite = hold(
        classifier,
        say("amara", "Pizza or curry for lunch?", kind=EventKind.POLL),
        say("bo", "Curry", 1, kind=EventKind.POLL_ANSWER, to="amara@0", by=answers),
    )

    assert business.outcome is vote.outcome is Outcome.CAPTURE
    assert "EVIDENCE" in codes(business)
    assert codes(vote) == {"ANSWER"}
    assert lunch.outcome is bite.outcome is Outcome.DISCARD


def test_answer_to_an_unknown_poll_is_reviewed(classifier: RuleClassifier) -> None:
    """A vote without its poll cannot be judged."""
    vote = say("bo", "Yes", 1, kind=EventKind.POLL_ANSWER, to="gone")

    assert classifier.classify(vote, Context()).outcome is Outcome.REVIEW


@pytest.mark.parametrize("body", ["see you at 3", "", "SoS has approved it", "\ud800"])
def test_capture_all_keeps_everything(classifier: RuleClassifier, body: str) -> None:
    """In a group that keeps all, even banter is captured, and says so."""
    verdict = classifier.classify(say("amara", body), Context(capture_all=True))

    assert verdict.outcome is Outcome.CAPTURE
    assert verdict.reasons[0].code == "CAPTURE_ALL"
    assert "LOGISTICS" not in codes(verdict)


def test_messages_of_listed_people_are_captured(policy: Policy) -> None:
    """All messages of a sender on the policy's list are records."""
    listed = RuleClassifier(replace(policy, capstone=("amara",)))

    kept = listed.classify(say("amara", "see you at 3"), Context())
    other = listed.classify(say("bo", "see you at 3"), Context())

    assert kept.outcome is Outcome.CAPTURE
    assert codes(kept) == {"CAPSTONE"}
    assert other.outcome is Outcome.DISCARD


@pytest.mark.parametrize(
    "body", ["Approve it lol", "canvassing for the party, SoS has approved it", "yes", "", "🎉"]
)
def test_nothing_holds_back_what_listed_people_say(policy: Policy, body: str) -> None:
    """Irony, party business and doubt are no bar to a listed sender."""
    listed = RuleClassifier(replace(policy, capstone=("amara",)))

    verdict = listed.classify(say("amara", body), Context())

    assert listed.classify(say("bo", body), Context()).outcome is Outcome.REVIEW
    assert verdict.outcome is Outcome.CAPTURE
    assert "CAPSTONE" in codes(verdict)


@pytest.mark.parametrize("kind", [EventKind.REACTION, EventKind.POLL_ANSWER, EventKind.MESSAGE])
def test_what_listed_people_answer_is_kept_with_it(policy: Policy, kind: EventKind) -> None:
    """A thumb of a listed sender under something trivial is kept, and names that."""
    listed = RuleClassifier(replace(policy, capstone=("amara",)))
    lunch = say("bo", "Pizza for lunch?")
    thumb = say("amara", "👍", 1, kind=kind, to="bo@0")
    nobodys = replace(thumb, sender_id="jo")

    assert hold(listed, lunch, nobodys)[1].outcome is Outcome.DISCARD
    verdict = hold(listed, lunch, thumb)[1]
    assert verdict.outcome is Outcome.CAPTURE
    assert codes(verdict) == {"CAPSTONE"}
    assert verdict.context == (lunch.upstream_id,)


def test_what_cannot_be_read_of_a_listed_sender_is_captured(policy: Policy) -> None:
    """A sticker of a listed sender is kept unread."""
    listed = RuleClassifier(replace(policy, capstone=("amara",)))

    verdict = listed.classify(say("amara", "", kind=EventKind.STICKER), Context())

    assert verdict.outcome is Outcome.CAPTURE


def test_failure_of_a_stage_is_a_review(classifier: RuleClassifier) -> None:
    """A stage that breaks on its input costs nothing but a person's look."""
    broken = replace(say("amara", "Shall we sign?"), sent_at=datetime(2024, 3, 4))  # noqa: DTZ001

    verdict = classifier.classify(say("bo", "yes", 1), Context(before=(broken,)))

    assert verdict.outcome is Outcome.REVIEW
    assert codes(verdict) == {"DOUBT"}
    assert rules(verdict) == {"failed"}
