"""English. States are told in the words of ``status`` and of the console."""

from __future__ import annotations

from bridge.answers.words import Answers
from bridge.model import GroupState, NoticeState, Outcome

ANSWERS = Answers(
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
        Outcome.CAPTURE: "That message is kept as a record.",
        Outcome.REVIEW: "That message is kept until a person has reviewed it.",
        Outcome.DISCARD: "That message is not kept as a record; it will be destroyed.",
    },
    why="{outcome} Why:\n{reasons}\n{by}",
    no_reason="- no reason is noted",
    decided_by="Decided under the policy {policy}.",
    states={state: state.value.replace("_", " ") for state in GroupState},
    notices={notice: notice.value for notice in NoticeState},
    status=(
        "Recording: {state}. Notice: {notice}. Seen here: {seen} messages and events, of which"
        " {captured} are kept, {review} are kept until they are reviewed, {discarded} are not kept"
        " and {undecided} are not decided yet. Stored: {stored}. Known gaps: {gaps}."
    ),
    help=(
        "What you can ask the recorder:\n"
        "!record keep, as a reply: keep that message as a record (where there is a 📌 reaction, it"
        " does the same)\n"
        "!record why, as a reply: why that message is kept or not\n"
        "!record status: what was recorded here\n"
        "!record help: this text\n"
        "Nothing can be taken off the record from here."
    ),
)
