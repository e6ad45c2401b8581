"""What the recorder says to a group. Texts by language; a department may bring its own."""

from __future__ import annotations

import string
from dataclasses import dataclass

from bridge.errors import ConfigError

ENGLISH = """\
This group is being recorded. ${department} has added Muniment, an openly announced recorder, \
to this group.

What is kept: every message sent here while the recorder is a member is read by it. Messages that \
are significant official business are kept in the department's records with their time, sender \
and attachments, ${retention}. Everything else is destroyed after ${discard_days} days. Editing \
or deleting a message here does not remove the copy that was recorded, and a disappearing-message \
timer does not apply to it.

Questions or objections: ${contact}."""

TEXTS = {"en": ENGLISH}


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
