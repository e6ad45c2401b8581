"""The acts that this journal has of its own: which streams it opened, replaced and ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge import keys
from bridge.errors import JournalKeyError
from bridge.protocols import Journal, PlacementKind
from bridge.reconcile.lineage import ActDocument, decoded

PAGE = 500
ACTS = "acts/"
STREAM_ACTS = frozenset({PlacementKind.OPEN, PlacementKind.CLOSE})


@dataclass(slots=True)
class OwnActs:
    """``streams``: what opens and ends streams; ``highest``: the last number of a placed act."""

    streams: list[ActDocument] = field(default_factory=list)
    highest: int = -1


async def own_acts(journal: Journal) -> OwnActs:
    """Placed ones, ones on their way, and ones that wait for their group's notice.

    The last are in no list that the journal gives. Documents are numbered without a hole: what
    was not among the placed ones is asked for by its id.
    """
    found = OwnActs()
    known = 0
    while page := await journal.kept_documents(after=known, limit=PAGE):
        for kept in page:
            for id_ in range(known + 1, kept.seq):
                await _take(journal, id_, found)
            known = kept.seq
            if kept.key.startswith(ACTS):
                found.highest = max(found.highest, int(keys.stem_of(kept.key)))
                await _take(journal, kept.seq, found)
    while await _take(journal, known + 1, found):
        known += 1
    return found


async def _take(journal: Journal, id_: int, found: OwnActs) -> bool:
    """Learn from one document. False: there is none of this id."""
    try:
        placement = await journal.document(id_)
    except JournalKeyError:  # what does not open costs the others nothing
        return True
    if placement is None:
        return False
    act = decoded(placement.body, ActDocument) if placement.kind in STREAM_ACTS else None
    if act is not None:
        found.streams.append(act)
    return True
