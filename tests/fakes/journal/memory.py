"""All verbs in one journal."""

from __future__ import annotations

from bridge.protocols import Journal
from tests.fakes.journal.counting import CountingVerbs
from tests.fakes.journal.decisions import DecisionVerbs
from tests.fakes.journal.downloads import DownloadVerbs
from tests.fakes.journal.entries import EntryVerbs
from tests.fakes.journal.holdings import HoldingVerbs
from tests.fakes.journal.holds import HoldVerbs
from tests.fakes.journal.opening import OpeningVerbs
from tests.fakes.journal.register import RegisterVerbs
from tests.fakes.journal.speech import SpeechVerbs
from tests.fakes.journal.succession import SuccessionVerbs


class MemoryJournal(
    DecisionVerbs,
    HoldVerbs,
    SpeechVerbs,
    SuccessionVerbs,
    EntryVerbs,
    DownloadVerbs,
    OpeningVerbs,
    HoldingVerbs,
    RegisterVerbs,
    CountingVerbs,
):
    """See :class:`bridge.protocols.Journal`. No thread, no file, no clock but the one passed in.

    For assertions: ``log``, the leaves in their order; ``entries``, all that have content;
    :meth:`check`, which holds at any time; :meth:`crash`, after which leases are gone.
    What no caller should ever do is an ``AssertionError``.
    """


def _conforms(journal: MemoryJournal) -> Journal:
    return journal
