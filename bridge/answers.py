"""What the recorder answers in a group. Texts by language; no message is ever quoted in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_REASONS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The recorder's answers in one language."""

    keep: str
    kept_already: str
    held_apart: str
    reply_to_one: str
    not_held: str
    not_decided: str
    outcomes: dict[str, str]
    why: str
    no_reason: str
    decided_by: str
    status: str
    help: str


_ENGLISH = Answers(
    keep="That message will be kept as a record.",
    kept_already="That message is kept as a record already.",
    held_apart="That message is held apart until somebody whose task that is decides about it.",
    reply_to_one="Reply to the message that you mean with !record {word}.",
    not_held=(
        "I have no such message: it was sent before I joined, or it was not kept and is destroyed"
        " by now."
    ),
    not_decided="It is not decided yet what becomes of that message.",
    outcomes={
        "capture": "That message is kept as a record.",
        "review": "That message is kept until a person has reviewed it.",
        "discard": "That message is not kept as a record; it will be destroyed.",
    },
    why="{outcome} Why:\n{reasons}\n{by}",
    no_reason="- no reason is noted",
    decided_by="Decided under the policy {policy}.",
    status=(
        "Recording: {state}. Notice: {notice}. Seen here: {seen} messages and events, of which"
        " {captured} are kept, {review} are kept until they are reviewed, {discarded} are not kept"
        " and {undecided} are not decided yet. Stored: {stored}. Known gaps: {gaps}."
    ),
    help=(
        "What you can ask the recorder:\n"
        "!record keep, as a reply: keep that message as a record (a reaction with a pin does the"
        " same)\n"
        "!record why, as a reply: why that message is kept or not\n"
        "!record status: what was recorded here\n"
        "!record help: this text\n"
        "Nothing can be taken off the record from here."
    ),
)

ANSWERS = {"en": _ENGLISH}
"""A language without answers gets English ones."""


def answers_in(language: str) -> Answers:
    """The answers in ``language``, or else in English."""
    return ANSWERS.get(language, _ENGLISH)


def why_text(
    words: Answers, *, outcome: str, reasons: Sequence[tuple[str, str]], policy: str
) -> str:
    """Why: the ``reasons`` as code and what the policy says of it. MUST NOT be given any quote."""
    lines = [
        f"- {code}: {description}" if description else f"- {code}"
        for code, description in list(dict.fromkeys(reasons))[:MOST_REASONS]
    ]
    return words.why.format(
        outcome=words.outcomes[outcome],
        reasons="\n".join(lines) or words.no_reason,
        by=words.decided_by.format(policy=policy),
    )
