"""What the recorder answers in a group. Texts by language; no message is ever quoted in one."""

from bridge.answers.text import ANSWERS, MOST_REASONS, answers_in, why_text
from bridge.answers.words import Answers

__all__ = ["ANSWERS", "MOST_REASONS", "Answers", "answers_in", "why_text"]
