"""What a group is told after its notice."""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.notices import english, welsh
from bridge.notices.words import Sentences

SENTENCES = {"en": english.SENTENCES, "cy": welsh.SENTENCES}
"""A language in which only a department's own notice is at hand gets English sentences."""


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


def newcomers_text(noticed: datetime, contact: str, *, language: str = "en") -> str:
    """For who came after the notice of ``noticed``; ``contact`` as the notice has it."""
    words = _sentences(language)
    return words.newcomers.format(at=_moment(noticed, words), contact=contact)


def _sentences(language: str) -> Sentences:
    return SENTENCES.get(language, english.SENTENCES)


def _moment(at: datetime, words: Sentences) -> str:
    """A time in words; the machine's locale has no say in it."""
    return words.moment.format(
        hour=at.hour,
        minute=at.minute,
        day=at.day,
        month=words.months[at.month - 1],
        year=at.year,
    )
