"""A small corpus, all of it invented, in the shape of the data format."""

from __future__ import annotations

from bridge.evaluate.corpus import Conversation, Message
from bridge.evaluate.heads import AMI, GOV, INQUIRY, IRC, SMS

WORK = (
    "The Minister has agreed the funding for flood defences in {}",
    "Please prepare advice on the quarantine rules for {}",
    "The ambassador says {} will sign the treaty next month",
    "I am worried that the contract in {} bypasses the Treasury",
)
TRIVIA = (
    "Can you call me at 5pm about {}",
    "Running late, the train to {} is stuck",
    "Printed the {} clips, they are on your desk",
    "Lovely dinner in {} last night, thanks",
)
PLACES = ("Norwich", "Leeds", "Cardiff")


def message(
    file: str, conversation: str, turn: int, text: str, label: int | None, *kind: str
) -> Message:
    """A message of the corpus."""
    return Message(
        file=file,
        conversation=conversation,
        turn=turn,
        speaker="ab"[turn % 2],
        text=text,
        label=label,
        kind="".join(kind),
        needs_context=text == "Ok",
    )


def corpus() -> tuple[Conversation, ...]:
    """A few dozen conversations with an answer each."""
    found: list[Conversation] = []
    for place in PLACES:
        for work, trivia in zip(WORK, TRIVIA, strict=True):
            name = f"{place}-{len(found)}"
            found.extend(
                (
                    (
                        message(GOV, name, 0, work.format(place), 1, "EXTERNAL"),
                        message(GOV, name, 1, "Ok", 1, "ANSWER"),
                    ),
                    (
                        message(GOV, f"{name}t", 0, trivia.format(place), 0, "LOGISTICS"),
                        message(GOV, f"{name}t", 1, "Ok", 0, "ACK"),
                    ),
                    (message(INQUIRY, name, 0, f"We must lock down {place} now", 1, "evidence"),),
                    (message(SMS, name, 0, f"u comin 2 {place} lol", 0, "personal"),),
                    (
                        message(IRC, name, 0, f"Publish the draft for {place}", 1, "proposal"),
                        message(IRC, name, 1, "+1", 1, "vote"),
                        message(IRC, name, 2, "hello", None),
                        message(IRC, name, 3, "+1", None, "vote_noproposal"),
                        message(IRC, name, 4, f"manu to write to {place}", 1, "action"),
                    ),
                    (
                        message(AMI, name, 0, f"so we decide on {place} then", 1, "decisions"),
                        message(AMI, name, 1, "yeah hm okay then", 0),
                    ),
                )
            )
    return tuple(found)
