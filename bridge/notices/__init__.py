"""What the recorder says to a group. Texts by language; a department may bring its own.

Pure. A language is shipped whole: the notice, its words, and the sentences after it.
"""

from bridge.notices.sentences import (
    SENTENCES,
    degraded_text,
    interruption_text,
    newcomers_text,
    paused_text,
    recovered_text,
    resumed_text,
)
from bridge.notices.text import (
    FIELDS,
    LONGEST,
    TEXTS,
    Notice,
    NoticeFacts,
    Template,
    shown_name,
)
from bridge.notices.words import Sentences, Words

__all__ = [
    "FIELDS",
    "LONGEST",
    "SENTENCES",
    "TEXTS",
    "Notice",
    "NoticeFacts",
    "Sentences",
    "Template",
    "Words",
    "degraded_text",
    "interruption_text",
    "newcomers_text",
    "paused_text",
    "recovered_text",
    "resumed_text",
    "shown_name",
]
