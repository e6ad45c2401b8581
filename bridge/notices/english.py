"""English."""

from __future__ import annotations

from bridge.notices.words import Sentences, Words, parted


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _length(seconds: float) -> str:
    count, unit = parted(seconds)
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


WORDS = Words(
    template="""\
This group is being recorded. ${department} has added Muniment, an openly announced recorder, \
to ${group}.

What is kept: every message sent here while the recorder is a member is read by it. ${kept} \
Editing or deleting a message here does not remove the copy that was recorded, and a \
disappearing-message timer does not apply to it. ${timer}

Your rights: you may ask what is held about you, and you may object to being recorded. \
Questions or objections: ${contact}. To see what you can ask the recorder, send: !record help""",
    department="The department responsible for this group",
    group="this group",
    group_named="the group “{name}”",
    contact="ask the owner of this group",
    contact_owner="ask {owner}, who answers for this group",
    retention="for {days}",
    retention_open="for as long as its rules require",
    days=_days,
    kept_some=(
        "Messages that are significant official business under the policy {policy} are kept in the"
        " department's records with their time, sender and attachments, {retention}. Where that is"
        " in doubt, a person decides. Everything else is destroyed after {discard_days}."
    ),
    kept_all=(
        "All messages are kept in the department's records with their time, sender and"
        " attachments, {retention}."
    ),
    overrides={
        "capture": "In this group these are kept in any case: {codes}.",
        "review": "In this group a person decides about these: {codes}.",
        "discard": "In this group these are not kept: {codes}.",
    },
    timer="The timer of this group is set to {length}.",
    no_timer="No such timer is set in this group.",
    length=_length,
)

SENTENCES = Sentences(
    moment="{hour:02}:{minute:02} UTC on {day} {month} {year}",
    months=(
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
    paused="Recording of this group has been paused since {at}.",
    resumed="Recording of this group was taken up again at {at}.",
    interrupted=(
        "Recording of this group was interrupted, at most between {since} and {until}. Messages"
        " sent in that time were read afterwards where the platform still had them; ones that had"
        " already disappeared or been deleted may be missing from the record."
    ),
    degraded=(
        "Recording of this group is degraded: the recorder's space for attachments is {percent} %"
        " full. Text messages go on being recorded; attachments may be fetched late, or not at all"
        " if the platform no longer has them by then."
    ),
    recovered=(
        "The recorder has room for attachments again; they are recorded as before from now on."
    ),
    newcomers=(
        "To those who joined lately: this group is being recorded. What is kept, and for how long,"
        " stands in the recorder's notice of {at}, which is pinned where the group allows it."
        " Questions or objections: {contact}. To see what you can ask the recorder, send:"
        " !record help"
    ),
)
