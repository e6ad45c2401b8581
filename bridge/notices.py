"""What the recorder says to a group. Texts by language; a department may bring its own."""

from __future__ import annotations

import string
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.errors import ConfigError

ENGLISH = """\
This group is being recorded. ${department} has added Muniment, an openly announced recorder, \
to this group.

What is kept: every message sent here while the recorder is a member is read by it. Messages that \
are significant official business are kept in the department's records with their time, sender \
and attachments, ${retention}. Everything else is destroyed after ${discard_days} days. Editing \
or deleting a message here does not remove the copy that was recorded, and a disappearing-message \
timer does not apply to it.

Questions or objections: ${contact}. To see what you can ask the recorder, send: !record help"""

TEXTS = {"en": ENGLISH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    """What a group is told after its notice, in one language. Times are always UTC."""

    moment: str
    months: tuple[str, ...]
    paused: str
    resumed: str
    interrupted: str
    degraded: str
    recovered: str


_ENGLISH_SENTENCES = Sentences(
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
)

SENTENCES = {"en": _ENGLISH_SENTENCES}
"""A language in which only a department's own notice is at hand gets English sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeFacts:
    """What a notice says. ``retention_days`` is None where no retention is set."""

    department: str | None
    contact: str | None
    retention_days: int | None
    discard_days: int

    def fields(self) -> dict[str, str]:
        """The fields a text may use."""
        days = self.retention_days
        return {
            "department": self.department or "The department responsible for this group",
            "contact": self.contact or "ask the owner of this group",
            "retention": f"for {days} days" if days else "for as long as its rules require",
            "discard_days": str(self.discard_days),
        }


def notice_text(facts: NoticeFacts, *, language: str = "en", own_text: str | None = None) -> str:
    """The notice. ``own_text`` replaces the shipped one and may use the same fields.

    Raises:
        ConfigError: the language has no text, or the text uses an unknown field.
    """
    text = own_text if own_text is not None else TEXTS.get(language)
    if text is None:
        raise ConfigError(
            f'[notice] language is "{language}", and no text is shipped in it.',
            hint=f"Use one of {', '.join(sorted(TEXTS))}, or set [notice] text_file.",
        )
    fields = facts.fields()
    try:
        return string.Template(text).substitute(fields).strip()
    except (KeyError, ValueError):
        raise ConfigError(
            "[notice] text_file uses a field that does not exist.",
            hint=f"The fields are {', '.join('${' + name + '}' for name in fields)}.",
        ) from None


def paused_text(at: datetime, *, language: str = "en") -> str:
    """Recording stopped on purpose."""
    words = _sentences(language)
    return words.paused.format(at=_moment(at, words))


def resumed_text(at: datetime, *, language: str = "en") -> str:
    """Recording goes on after a pause."""
    words = _sentences(language)
    return words.resumed.format(at=_moment(at, words))


def interruption_text(since: datetime, until: datetime, *, language: str = "en") -> str:
    """Recording stopped by a failure of ours. The period is widened to whole minutes."""
    words = _sentences(language)
    ended = until.replace(second=0, microsecond=0)
    if ended < until:
        ended += timedelta(minutes=1)
    return words.interrupted.format(since=_moment(since, words), until=_moment(ended, words))


def degraded_text(percent: int, *, language: str = "en") -> str:
    """Attachments are at risk; texts are not."""
    return _sentences(language).degraded.format(percent=percent)


def recovered_text(*, language: str = "en") -> str:
    """Attachments are no longer at risk."""
    return _sentences(language).recovered


def _sentences(language: str) -> Sentences:
    return SENTENCES.get(language, _ENGLISH_SENTENCES)


def _moment(at: datetime, words: Sentences) -> str:
    """A time in words; the machine's locale has no say in it."""
    return words.moment.format(
        hour=at.hour,
        minute=at.minute,
        day=at.day,
        month=words.months[at.month - 1],
        year=at.year,
    )
