"""What the officials say, and what a records manager would want kept of it. All are invented.

What is kept follows the categories of NCCC guidance: decisions, tasks, advice, reasons, changes,
commitments, outside contacts, concerns, and replies that mean one of these. Travel, thanks,
lunch and football are not records. An expectation is never weakened to suit the classifier.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Expected(StrEnum):
    """What is to become of a line. ``kept`` is capture or review."""

    KEPT = "kept"
    DISCARDED = "discarded"


class Move(StrEnum):
    """What an official does."""

    SAY = "say"
    REPLY = "reply"
    EDIT = "edit"
    REACT = "react"
    REDACT = "redact"
    PHOTO = "photo"
    POLL = "poll"
    VOTE = "vote"
    TIMER = "timer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the people."""

    username: str
    display_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One of the groups. ``timer`` is the seconds after which its messages disappear."""

    key: str
    name: str
    host: str
    members: tuple[str, ...]
    timer: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing said or done. ``about`` is the label of an earlier line; ``why`` is for people.

    ``text`` is what is said; of a reaction its key, of a vote the number of the answer, of a
    timer its seconds. ``soon`` follows the line before within seconds, at any pace.
    """

    room: str
    who: str
    text: str
    expected: Expected
    why: str
    move: Move = Move.SAY
    label: str = ""
    about: str = ""
    answers: tuple[str, ...] = ()
    soon: bool = False


PEOPLE = (
    Part(username="a.osei", display_name="Amara Osei (Director, Resilience)"),
    Part(username="t.whitfield", display_name="Tom Whitfield (Private Secretary)"),
    Part(username="p.raman", display_name="Priya Raman (Commercial)"),
    Part(username="g.lloyd", display_name="Gareth Lloyd (Duty Officer)"),
)

_EVERYONE = tuple(part.username for part in PEOPLE)

FLOOD = "flood"
DIARY = "diary"
ESTATES = "estates"

DECISION = "decision"
"""The label of a line that anybody who answers for the records will look for."""

ROOMS = (
    Room(key=FLOOD, name="Flood response", host="a.osei", members=_EVERYONE),
    Room(
        key=DIARY,
        name="Ministerial diary",
        host="t.whitfield",
        members=("a.osei", "t.whitfield", "p.raman"),
        timer=30,
    ),
    Room(key=ESTATES, name="Estates", host="p.raman", members=_EVERYONE),
)


def _kept(
    room: str,
    who: str,
    text: str,
    why: str,
    *,
    move: Move = Move.SAY,
    label: str = "",
    about: str = "",
    answers: tuple[str, ...] = (),
    soon: bool = False,
) -> Line:
    return Line(
        room=room,
        who=who,
        text=text,
        expected=Expected.KEPT,
        why=why,
        move=move,
        label=label,
        about=about,
        answers=answers,
        soon=soon,
    )


def _discarded(room: str, who: str, text: str, why: str) -> Line:
    return Line(room=room, who=who, text=text, expected=Expected.DISCARDED, why=why)


SCRIPT = (
    _kept(
        FLOOD,
        "g.lloyd",
        "The river gauge at Thornby has risen to 4.1 m, above the 2019 flood. Two families "
        "have been evacuated already.",
        "a material change to the situation",
    ),
    _kept(
        FLOOD,
        "a.osei",
        "Gareth, please get a submission on evacuating Lower Thornby to the Minister by 11.",
        "a task with a deadline",
    ),
    _discarded(
        FLOOD,
        "g.lloyd",
        "I'll be 10 minutes late, sorry. Traffic is terrible.",
        "running late",
    ),
    _discarded(FLOOD, "a.osei", "No problem, see you there", "answers logistics"),
    _kept(
        FLOOD,
        "t.whitfield",
        "The Minister asks: do we evacuate Lower Thornby now (option B), or wait for the noon "
        "forecast (option A)?",
        "the question a decision answers",
        label="options",
    ),
    _kept(
        FLOOD,
        "a.osei",
        "My advice is option B. If we wait for noon the access road will be under water.",
        "advice with its reason",
        move=Move.REPLY,
        about="options",
    ),
    _kept(
        FLOOD,
        "t.whitfield",
        "The Minister has agreed to option B. Go ahead with the evacuation.",
        "a decision",
        label=DECISION,
    ),
    _kept(
        FLOOD,
        "g.lloyd",
        "Thornby bridge at 10:40, water over the road.png",
        "a photograph of the incident",
        move=Move.PHOTO,
        label="photo",
    ),
    _discarded(
        ESTATES, "g.lloyd", "Did anyone see the football last night? 😂", "football, banter"
    ),
    _discarded(ESTATES, "p.raman", "Haha, what a match. I turned it off at half time", "banter"),
    _kept(
        FLOOD,
        "t.whitfield",
        "Agreed line for the media: we are not considering closing the dam.",
        "a line to take",
        label="media-line",
    ),
    _kept(
        FLOOD,
        "t.whitfield",
        "Agreed line for the media: we are considering closing the dam.",
        "an edit that turns the meaning round",
        move=Move.EDIT,
        about="media-line",
    ),
    _discarded(
        DIARY,
        "t.whitfield",
        "Her train gets in at 14:20, I'll meet her at the station",
        "travel",
    ),
    _discarded(DIARY, "p.raman", "Thanks!", "thanks for a travel note"),
    _kept(
        DIARY,
        "p.raman",
        "Can we sign the contract for the temporary pumps by 5 today? £1.2m, from the "
        "emergency budget.",
        "a request for approval, gone in 30 seconds",
        label="pumps",
    ),
    _kept(
        DIARY,
        "a.osei",
        "👍",
        "a reaction that is an approval",
        move=Move.REACT,
        about="pumps",
    ),
    _kept(
        DIARY,
        "t.whitfield",
        "I'm not comfortable with this: it bypasses the Accounting Officer.",
        "a concern",
    ),
    _kept(
        DIARY,
        "a.osei",
        "Agreed. Hold the signature until the Accounting Officer has approved it in writing.",
        "a decision that reverses the approval",
    ),
    _kept(
        DIARY,
        "p.raman",
        "The chief executive of the pump company rang me, he wants the order placed before "
        "the tender closes.",
        "an outside approach",
        label="lobbied",
    ),
    _kept(
        DIARY,
        "p.raman",
        "",
        "the removal, seconds later, of that message",
        move=Move.REDACT,
        about="lobbied",
        soon=True,
    ),
    _discarded(DIARY, "t.whitfield", "Running late, 5 mins", "running late"),
    _kept(
        DIARY,
        "t.whitfield",
        "60",
        "a change of the disappearing-message timer",
        move=Move.TIMER,
    ),
    _discarded(ESTATES, "t.whitfield", "Is the 3pm meeting still on?", "a meeting time"),
    _discarded(ESTATES, "p.raman", "Yes, room 2.14 at 3pm", "a meeting place"),
    _discarded(ESTATES, "t.whitfield", "ok, see you at 3", "an answer to logistics"),
    _discarded(ESTATES, "g.lloyd", "I'll bring biscuits on Friday 🍪", "biscuits"),
    _discarded(ESTATES, "p.raman", "You're a star, thank you!", "thanks for biscuits"),
    _kept(
        ESTATES,
        "p.raman",
        "Proposal: move the incident team to Harbour Street from Monday. The lease costs "
        "£40,000 a quarter.",
        "a proposal with its cost",
        label="lease",
    ),
    _kept(
        ESTATES,
        "a.osei",
        "Yes, agreed",
        "an answer that is a decision",
        move=Move.REPLY,
        about="lease",
    ),
    _kept(
        ESTATES,
        "p.raman",
        "The landlord has gone into administration, so we cannot sign the lease this month.",
        "a material change",
    ),
    _kept(
        ESTATES,
        "a.osei",
        "Then scrap that. The incident team stays where it is and we review it in March.",
        "a reversal of a decision",
    ),
    _kept(
        ESTATES,
        "g.lloyd",
        "Which depot should get the sandbags first?",
        "a poll that decides something",
        move=Move.POLL,
        label="sandbags",
        answers=("Northgate", "Quayside"),
    ),
    _kept(ESTATES, "a.osei", "1", "a vote in that poll", move=Move.VOTE, about="sandbags"),
)
"""The conversation, in order."""
