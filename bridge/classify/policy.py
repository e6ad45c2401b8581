"""The policy: what counts, in which words, and what doubt does. Data with a version.

The texts come from files that the caller has read (:mod:`.inherit` lays one over another);
nothing here touches a disk. A policy that cannot be trusted to do what it says is refused as a
whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bridge.classify.gate import Gate
from bridge.classify.inherit import resolve
from bridge.classify.memory import Memory
from bridge.classify.normalise import Reading, read
from bridge.classify.patterns import bare, compile_pattern, word_list
from bridge.classify.table import Table
from bridge.classify.terms import (
    FREE_ROLES,
    Code,
    Cue,
    Doubt,
    Emoji,
    Form,
    Meaning,
    Role,
    Rule,
    Window,
)
from bridge.classify.transitory import Transitory, transitory_of
from bridge.errors import PolicyError
from bridge.model import CONTEXT_MESSAGES, Outcome

USED_CODES = {
    "ACK": Outcome.DISCARD,
    "ANSWER": Outcome.CAPTURE,
    "AUDIT": Outcome.REVIEW,
    "CAPTURE_ALL": Outcome.CAPTURE,
    "CAPSTONE": Outcome.CAPTURE,
    "CONTEXT": Outcome.CAPTURE,
    "DECISION": Outcome.CAPTURE,
    "DOUBT": Outcome.REVIEW,
    "EVIDENCE": Outcome.CAPTURE,
    "INTEGRITY": Outcome.CAPTURE,
    "MARKING": Outcome.CAPTURE,
    "PERSON": Outcome.CAPTURE,
    "SOCIAL": Outcome.DISCARD,
}
"""Codes that the program itself gives, with the outcome they must have."""

LATER_CODES = {
    "HINDSIGHT": "Not to be kept at first; what followed it showed that it matters, or may",
    "HOLD": "Covered by a legal hold before its review was decided",
    "RELEASED": "Held apart for its marking until a person released it",
    "UNDECIDED": "Nobody decided the review in time, so it is kept",
}
"""Codes that come after the judgement, and stand in no policy: what each says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy in force. Two with one ``label`` MUST be the same policy.

    ``digest``: of every text it was made of. ``amended``: what the settings changed of it, as the
    first digits of a digest (:mod:`.amend`). ``decide_within_days``: a review that nobody decided
    by then is captured. ``free_cues`` count wherever they stand; bit ``i`` of ``gate`` is rule
    ``i``, cues follow. ``meanings``: what lately met texts mean under this policy.
    """

    name: str
    version: str
    title: str
    sources: tuple[str, ...]
    capture_from: float
    codes: Mapping[str, Code]
    rules: tuple[Rule, ...]
    cues: Mapping[Role, tuple[Cue, ...]]
    forms: tuple[Form, ...]
    caveats: tuple[str, ...]
    window: Window
    doubt: Doubt
    emoji: Emoji
    capstone: tuple[str, ...] = ()
    capstone_roles: Mapping[str, str] = field(default_factory=dict)
    capture_all: bool = False
    decide_within_days: int | None = None
    transitory: Transitory | None = None
    extends: str | None = None
    digest: str = ""
    amended: str = ""
    free_cues: tuple[Cue, ...] = field(init=False, repr=False, compare=False)
    gate: Gate = field(init=False, repr=False, compare=False)
    meanings: Memory[Meaning] = field(default_factory=Memory, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        free = tuple(cue for role in FREE_ROLES for cue in self.cues[role])
        object.__setattr__(self, "free_cues", free)
        patterns = [rule.pattern for rule in self.rules] + [cue.pattern for cue in free]
        object.__setattr__(self, "gate", Gate.of(map(bare, patterns)))

    def read(self, body: str) -> Reading:
        """``body`` folded for matching, with the patterns that may match it."""
        reading = read(body, longest=self.doubt.longest_text)
        return replace(reading, admitted=self.gate.admits(reading.text))

    @property
    def label(self) -> str:
        """``name@version``, as every verdict carries it; ``~`` and digits where it is amended."""
        amended = f"~{self.amended}" if self.amended else ""
        return f"{self.name}@{self.version}{amended}"

    def outcome(self, code: str) -> Outcome:
        """What ``code`` leads to."""
        return self.codes[code].outcome

    def described(self, code: str) -> str:
        """What ``code`` says, in words; empty for one that neither it nor the program knows."""
        known = self.codes.get(code)
        return LATER_CODES.get(code, "") if known is None else known.description


def parse_policy(text: str, bases: Mapping[str, str] | None = None) -> Policy:
    """The policy that ``text`` (TOML) describes; ``bases`` are texts it may extend, by their name.

    Raises PolicyError naming the field and the remedy; MUST NOT return a policy with a field
    that was not understood.
    """
    resolved = resolve(text, bases or {})
    top = Table(resolved.document, "")
    words = _words(top.table("words"))
    lists = {name: word_list(items) for name, items in words.items()}
    codes = _codes(top.table("codes"))
    markings = top.table("markings")
    policy = Policy(
        name=_slug(top, "name"),
        version=_slug(top, "version"),
        title=top.text("title"),
        sources=top.strings("sources"),
        capture_from=top.share("capture_from"),
        codes=codes,
        rules=_rules(top.tables("rules"), codes, lists),
        cues=_cues(top.tables("cues"), lists),
        forms=_forms(markings),
        caveats=markings.strings("caveats", ()),
        window=_window(top.table("context")),
        doubt=_doubt(top.table("doubt"), words),
        emoji=_emoji(top.table("emoji")),
        capstone=top.strings("capstone", ()),
        capstone_roles=_roles(top),
        capture_all=top.flag("capture_all", default=False),
        decide_within_days=_days(top),
        transitory=_transitory(top, codes, lists),
        extends=resolved.extends,
        digest=resolved.digest,
    )
    markings.close()
    top.close()
    return policy


def _roles(top: Table) -> dict[str, str]:
    if not top.has("capstone_roles"):
        return {}
    table = top.table("capstone_roles")
    return {name: table.text(name) for name in table.keys()}  # noqa: SIM118 - not a mapping


def _days(top: Table) -> int | None:
    key = "decide_within_days"
    return top.whole(key, least=1) if top.has(key) else None


def _transitory(
    top: Table, codes: Mapping[str, Code], lists: Mapping[str, str]
) -> Transitory | None:
    if not top.has("transitory"):
        return None
    outcomes = {name: code.outcome for name, code in codes.items()}
    return transitory_of(top.table("transitory"), outcomes, lists)


def _slug(table: Table, key: str) -> str:
    value = table.text(key)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,39}", value):
        raise PolicyError(
            f"{table.at(key)}: {value!r} cannot stand in a verdict",
            hint=f"Use lower-case letters, digits, dots and hyphens in {table.at(key)}.",
        )
    return value


def _words(table: Table) -> dict[str, tuple[str, ...]]:
    words = {name: table.strings(name) for name in table.keys()}  # noqa: SIM118 - not a mapping
    for name, items in words.items():
        if not items or any(item != item.lower() or item == "*" for item in items):
            raise PolicyError(
                f"words.{name}: must be lower-case words", hint=f"Write words.{name} in lower case."
            )
    return words


def _codes(table: Table) -> dict[str, Code]:
    codes: dict[str, Code] = {}
    for name in table.keys():  # noqa: SIM118 - not a mapping
        entry = table.table(name)
        codes[name] = Code(
            name=name,
            outcome=entry.choice("outcome", Outcome),
            description=entry.text("description"),
            segregate=entry.flag("segregate", default=False),
        )
        entry.close()
    for name, outcome in USED_CODES.items():
        if name not in codes or codes[name].outcome is not outcome:
            raise PolicyError(
                f"codes.{name}: must stand in the policy with outcome {outcome.value!r}",
                hint=f"Restore [codes.{name}]: the program gives this code itself.",
            )
    return codes


def _rules(
    tables: tuple[Table, ...], codes: Mapping[str, Code], lists: Mapping[str, str]
) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for table in tables:
        code = table.text("code")
        if code not in codes:
            raise PolicyError(
                f"{table.at('code')}: {code!r} is not among the codes",
                hint=f"Add [codes.{code}], or correct {table.at('code')}.",
            )
        rules.append(
            Rule(
                id=table.text("id"),
                code=code,
                weight=table.share("weight"),
                pattern=_pattern(table, "pattern", lists),
                unless=_unless(table, lists),
                slack=table.whole("slack", 0),
            )
        )
        table.close()
    _no_twins([rule.id for rule in rules], "rules")
    return tuple(rules)


def _cues(tables: tuple[Table, ...], lists: Mapping[str, str]) -> dict[Role, tuple[Cue, ...]]:
    cues: dict[Role, tuple[Cue, ...]] = dict.fromkeys(Role, ())
    ids: list[str] = []
    for table in tables:
        cue = Cue(
            id=table.text("id"),
            role=table.choice("role", Role),
            pattern=_pattern(table, "pattern", lists),
            unless=_unless(table, lists),
        )
        cues[cue.role] += (cue,)
        ids.append(cue.id)
        table.close()
    _no_twins(ids, "cues")
    return cues


def _pattern(table: Table, key: str, lists: Mapping[str, str]) -> re.Pattern[str]:
    return compile_pattern(table.strings(key), lists, where=table.at(key))


def _unless(table: Table, lists: Mapping[str, str]) -> re.Pattern[str] | None:
    return _pattern(table, "unless", lists) if table.has("unless") else None


def _no_twins(ids: list[str], where: str) -> None:
    for name in ids:
        if ids.count(name) > 1:
            raise PolicyError(
                f"{where}: the id {name!r} stands twice",
                hint=f"Give each of [[{where}]] an id of its own.",
            )


def _forms(markings: Table) -> tuple[Form, ...]:
    forms: list[Form] = []
    for table in markings.tables("forms"):
        forms.append(
            Form(
                name=table.text("name"),
                spellings=table.strings("spellings"),
                openings=table.strings("openings", ()),
                bare=table.flag("bare", default=False),
                restricted=table.flag("restricted", default=False),
            )
        )
        table.close()
    return tuple(forms)


def _window(table: Table) -> Window:
    window = Window(
        minutes=table.whole("minutes", least=1),
        messages=table.whole("messages", least=1, most=CONTEXT_MESSAGES),
        continuation_seconds=table.whole("continuation_seconds"),
    )
    table.close()
    return window


def _doubt(table: Table, words: Mapping[str, tuple[str, ...]]) -> Doubt:
    if "common" not in words:
        raise PolicyError(
            "words.common: missing", hint="Add words.common: the commonest words of the language."
        )
    doubt = Doubt(
        longest_text=table.whole("longest_text", least=1000),
        longest_discard_words=table.whole("longest_discard_words"),
        foreign_letters=table.share("foreign_letters"),
        foreign_words=table.whole("foreign_words", least=1),
        foreign_share=table.share("foreign_share", 0.0),
        common_words=frozenset(words["common"]),
        language_words=frozenset(words.get("language", words["common"])),
        weight=table.share("weight"),
        weight_with_evidence=table.share("weight_with_evidence"),
    )
    table.close()
    return doubt


def _emoji(table: Table) -> Emoji:
    emoji = Emoji(
        approval=frozenset(table.strings("approval")),
        refusal=frozenset(table.strings("refusal")),
        irony=frozenset(table.strings("irony")),
        social=frozenset(table.strings("social")),
    )
    table.close()
    return emoji
