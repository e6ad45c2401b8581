"""Ciphertexts whose content came later, in an entry of its own: nobody has to decide those."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.console.site import Visit
from bridge.errors import JournalError
from bridge.model import EventKind
from bridge.protocols.catalog import Listing


async def unopened(visit: Visit, listings: Sequence[Listing]) -> list[Listing]:
    """The same without what was opened, whatever was decided of its content.

    The catalog alone cannot tell: it knows nothing of content that was discarded. The journal
    knows of all that it opened, and nothing of what a lost one did.
    """
    shut = [each for each in listings if each.kind is EventKind.ENCRYPTED]
    opened = await _by_journal(visit, shut)
    for each in shut:
        if (each.stream, each.n) not in opened and await _is_listed(visit, each):
            opened.add((each.stream, each.n))
    return [each for each in listings if (each.stream, each.n) not in opened]


async def _by_journal(visit: Visit, shut: Sequence[Listing]) -> set[tuple[str, int]]:
    numbers: dict[str, list[int]] = {}
    for each in shut:
        numbers.setdefault(each.stream, []).append(each.n)
    opened: set[tuple[str, int]] = set()
    try:
        for stream, some in numbers.items():
            found = await visit.parts.journal.opened_beside(stream, some)
            opened |= {(stream, n) for n in found}
    except JournalError:
        return opened
    return opened


async def _is_listed(visit: Visit, shut: Listing) -> bool:
    if shut.upstream_id is None:
        return False
    about = await visit.parts.catalog.about(shut.stream, shut.upstream_id)
    return any(
        each.upstream_id == shut.upstream_id and each.kind is not EventKind.ENCRYPTED
        for each in about
    )
