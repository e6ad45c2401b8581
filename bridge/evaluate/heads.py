"""What each head of the linear part learns from which messages, and with what weight."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from bridge.evaluate.corpus import Message

GOV, INQUIRY, SMS = "gov_email_threads", "inquiry_whatsapp", "sms_personal"
IRC, AMI, ICSI = "irc_governance", "meetings_ami", "meetings_icsi"

_MEETINGS = frozenset({AMI, ICSI})
_LOGISTICS = frozenset({"LOGISTICS"})
_ACK = frozenset({"ACK"})
_PRIVATE = frozenset({"SOCIAL", "PERSONAL", "PARTY"})
_OUTSIDE = frozenset({"EXTERNAL", "CHANGE"})
_ADVICE = frozenset({"ADVICE", "RATIONALE", "CONCERN"})
_TASK = frozenset({"COMMISSION", "DECISION", "CITIZEN", "COMMITMENT"})
_ANSWER = frozenset({"ANSWER"})
_BY_KIND = {
    "logistics": _LOGISTICS,
    "ack": _ACK,
    "outside": _OUTSIDE,
    "advice": _ADVICE,
    "task": _TASK,
    "answer": _ANSWER,
}


@dataclass(frozen=True, slots=True)
class Lesson:
    """A message taken as an example of a head, or as a counter-example."""

    positive: bool
    weight: float


def is_lesson(message: Message) -> bool:
    """Whether anything is learnt from the message. Of the large files a fixed part is enough."""
    if message.file in {GOV, INQUIRY, SMS}:
        return message.label is not None
    if message.file == IRC:
        return message.kind != "" or _one_in(message, 4)
    if message.file in _MEETINGS:
        return message.label == 1 or (message.label == 0 and _one_in(message, 9))
    return False


def lesson(head: str, message: Message) -> Lesson | None:
    """What ``head`` learns from ``message``; None: nothing."""
    gov = message.file == GOV and message.label is not None
    if head in _BY_KIND:
        return Lesson(message.kind in _BY_KIND[head], 1.0) if gov else None
    if head in {"record", "inquiry", "private", "leaning", "spoken"}:
        return _official(head, message, gov=gov)
    return _deliberating(head, message)


def _official(head: str, message: Message, *, gov: bool) -> Lesson | None:
    if head == "spoken":
        return Lesson(message.file in {IRC, AMI, ICSI}, 0.5)
    if head == "record":
        weight = {GOV: 1.0, INQUIRY: 2.0, SMS: 0.3}.get(message.file)
        if weight is None or message.label is None:
            return None
        return Lesson(message.label == 1, weight)
    if head == "inquiry":
        if message.file == INQUIRY:
            return Lesson(positive=True, weight=4.0)
        return (
            Lesson(positive=False, weight=0.5)
            if message.label == 0 and (gov or message.file == SMS)
            else None
        )
    if head == "private":
        if message.file == SMS:
            return Lesson(positive=True, weight=0.5)
        return Lesson(message.kind in _PRIVATE, 1.0) if gov or message.file == INQUIRY else None
    if gov or message.file == INQUIRY:
        return Lesson(message.needs_context, 1.0)
    return None


def _deliberating(head: str, message: Message) -> Lesson | None:
    if head == "meeting":
        return Lesson(message.label == 1, 1.0) if message.file in _MEETINGS else None
    if head == "proposal":
        if message.file != IRC or message.kind == "action":
            return None
        return Lesson(message.kind in {"proposal", "decision"}, 1.0)
    if message.file == IRC:
        return Lesson(message.kind == "action", 4.0 if message.kind == "action" else 0.5)
    if message.file in _MEETINGS:
        return Lesson("actions" in message.kind, 1.0)
    return None


def _one_in(message: Message, parts: int) -> bool:
    name = f"{message.conversation}#{message.turn}"
    return crc32(name.encode("utf-8", "surrogatepass")) % parts == 0


def weight_as_official(message: Message, *, alone: bool) -> float:
    """What a message counts for the trees of mail; ``alone``: heard without its neighbours.

    A part of the mail is heard alone too, so that silence around a message is no sign of anything.
    """
    if message.file == GOV:
        return 0.3 if alone else 1.0
    if message.file == INQUIRY:
        return 2.0
    return 0.3 if message.file == SMS and alone else 0.0


def weight_as_meeting(message: Message, *, alone: bool) -> float:
    """What a message counts for the trees of meetings."""
    if alone:
        return 0.0
    if message.file == IRC:
        return _IN_CHAT.get(message.kind, 0.25)
    if message.file in _MEETINGS:
        return 0.5 if message.label == 1 else 0.25
    return 0.0


_IN_CHAT = {"vote": 0.3, "vote_noproposal": 2.0, "proposal": 0.5, "decision": 0.5, "action": 2.0}
