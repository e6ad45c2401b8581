"""What the recorder answers with, in one language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.model import GroupState, NoticeState, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of one language.

    ``status`` may use ``state`` and ``notice``, in the words given here for each, and the counts.
    """

    keep: str
    kept_already: str
    held_apart: str
    reply_to_one: str
    not_held: str
    not_decided: str
    outcomes: Mapping[Outcome, str]
    why: str
    no_reason: str
    decided_by: str
    states: Mapping[GroupState, str]
    notices: Mapping[NoticeState, str]
    status: str
    help: str
