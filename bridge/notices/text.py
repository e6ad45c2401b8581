"""The notice: a template with its fields, filled for one group, and what it says as one version."""

from __future__ import annotations

import hashlib
import json
import string
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from bridge.errors import ConfigError
from bridge.notices import english, welsh
from bridge.notices.words import Words

WORDS: Mapping[str, Words] = {"en": english.WORDS, "cy": welsh.WORDS}
TEXTS: Mapping[str, str] = {language: words.template for language, words in WORDS.items()}
FIELDS = (
    "department",
    "contact",
    "group",
    "owner",
    "policy",
    "kept",
    "retention",
    "discard_days",
    "timer",
)
"""What a text may use."""

LONGEST = 4000
"""Characters of a whole notice: Telegram takes 4096 in one message."""

LONGEST_NAME = 100

VERSIONS = 4096
"""Of so many notices the version is kept: it is compared twice a second for each group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeFacts:
    """What a notice says. ``retention_days`` is None where no retention is set.

    ``overrides`` are reason codes that lead to another outcome in this group, as (outcome, code).
    ``timer`` is in seconds.
    """

    department: str | None
    contact: str | None
    retention_days: int | None
    discard_days: int
    group: str | None = None
    owner: str | None = None
    policy: str = ""
    capture_all: bool = False
    overrides: tuple[tuple[str, str], ...] = ()
    timer: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice as it is posted, with what it was made from."""

    text: str
    language: str
    contact: str = ""
    group: str | None = None
    policy: str = ""
    capture_all: bool = False
    timer: float | None = None

    @property
    def version(self) -> str:
        """Changes with the text, the language, the policy, the name and the timer of the group."""
        return _version(self)


@lru_cache(maxsize=VERSIONS)
def _version(notice: Notice) -> str:
    said = [
        notice.text,
        notice.language,
        notice.policy,
        notice.capture_all,
        shown_name(notice.group),
        notice.timer,
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The text of one language, shipped or a department's own; MUST be made by :meth:`of`."""

    language: str
    text: str

    @classmethod
    def of(cls, language: str, own_text: str | None = None) -> Template:
        """The template. ``own_text`` replaces the shipped one and may use the same fields.

        Raises:
            ConfigError: the language has no text, or the text uses an unknown field.
        """
        text = own_text if own_text is not None else TEXTS.get(language)
        if text is None:
            raise ConfigError(
                f'[notice] language is "{language}", and no text is shipped in it.',
                hint=f"Use one of {', '.join(sorted(TEXTS))}, or set [notice] text_file.",
            )
        _check(text)
        return cls(language=language, text=text.strip())

    def filled(self, facts: NoticeFacts) -> Notice:
        """The notice of one group."""
        words = WORDS.get(self.language, english.WORDS)
        fields = _fields(facts, words)
        return Notice(
            text=string.Template(self.text).substitute(fields),
            language=self.language,
            contact=fields["contact"],
            group=facts.group,
            policy=facts.policy,
            capture_all=facts.capture_all,
            timer=facts.timer,
        )


def shown_name(name: str | None) -> str | None:
    """A group's name as we repeat it: a stranger chose it, and may move no text with it."""
    seen = "".join(c if _is_plain(c) else " " for c in name or "")
    flat = " ".join(seen.split())
    cut = flat if len(flat) <= LONGEST_NAME else f"{flat[:LONGEST_NAME]}…"
    return cut or None


def _is_plain(character: str) -> bool:
    return unicodedata.category(character)[0] != "C"


def _check(text: str) -> None:
    """Refuse what cannot be filled, or cannot be posted.

    Raises:
        ConfigError: as the sentence says.
    """
    hint = f"The fields are {', '.join('${' + name + '}' for name in FIELDS)}."
    template = string.Template(text)
    if not template.is_valid():
        raise ConfigError(
            "[notice] text_file holds a $ that begins no field.",
            hint=f"Write $$ for the sign itself. {hint}",
        )
    if unknown := [name for name in template.get_identifiers() if name not in FIELDS]:
        raise ConfigError(
            f"[notice] text_file uses the field ${{{unknown[0]}}}, which does not exist.", hint=hint
        )
    if not text.strip():
        raise ConfigError(
            "[notice] text_file is empty.",
            hint="Write what the groups are to be told, or remove the line for the shipped text.",
        )
    if any(unicodedata.category(c) == "Cc" and c not in "\n\t\r" for c in text):
        raise ConfigError(
            "[notice] text_file holds a control character.", hint="Save it as plain UTF-8 text."
        )


def _fields(facts: NoticeFacts, words: Words) -> dict[str, str]:
    days = facts.retention_days
    retention = words.retention.format(days=words.days(days)) if days else words.retention_open
    group = shown_name(facts.group)
    owner = words.contact_owner.format(owner=facts.owner) if facts.owner else words.contact
    return {
        "department": facts.department or words.department,
        "contact": facts.contact or owner,
        "group": words.group_named.format(name=group) if group else words.group,
        "owner": facts.owner or words.department,
        "policy": facts.policy,
        "kept": _kept(facts, words, retention),
        "retention": retention,
        "discard_days": str(facts.discard_days),
        "timer": _timer(facts.timer, words),
    }


def _kept(facts: NoticeFacts, words: Words, retention: str) -> str:
    """What becomes of messages; an order of the group alone stands after the rule."""
    rule = words.kept_all if facts.capture_all else words.kept_some
    said = [
        rule.format(
            retention=retention, discard_days=words.days(facts.discard_days), policy=facts.policy
        )
    ]
    if not facts.capture_all:
        for outcome, sentence in words.overrides.items():
            codes = [code for to, code in facts.overrides if to == outcome]
            if codes:
                said.append(sentence.format(codes=", ".join(codes)))
    return " ".join(said)


def _timer(seconds: float | None, words: Words) -> str:
    if seconds is None or seconds <= 0:
        return words.no_timer
    return words.timer.format(length=words.length(seconds))
