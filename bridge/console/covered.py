"""How much of the catalog a hold covers, as far as who asks may know.

A hold on words is a search by words: how many messages it covers tells what they say. Whoever sees
no content is told how many its groups, people and times cover; of what is marked as sensitive, and
of groups of others, nothing is counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from bridge.console.rights import Right
from bridge.console.site import Visit
from bridge.console.terms import NOBODY
from bridge.console.veil import PASSED_OVER, passes_over, within_rights
from bridge.errors import CatalogError
from bridge.protocols.catalog import COUNTED, Search
from bridge.protocols.holds import Hold
from bridge.scopes import search_of

WITHOUT_WORDS: Final = (
    "So many are of its groups, people and times. How many of them have its words is for those to"
    " count who may read them."
)
OWN_GROUPS: Final = "Counted in the groups that your account is for."


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """``count`` in words, empty where ``trouble`` says why there is none; ``remarks`` on it."""

    count: str = ""
    remarks: tuple[str, ...] = ()
    trouble: str = ""


async def covered(visit: Visit, hold: Hold) -> Covered:
    """What is counted of a hold. A count by words stands in the trail, as each search does."""
    try:
        search, remarks = _counted(visit, search_of(hold.scope))
        found = await visit.parts.catalog.search(await within_rights(visit, search))
    except (CatalogError, ValueError) as error:
        # Words that the catalog cannot look for still hold everything.
        return Covered(trouble=str(error))
    if search.asks_what_was_said:
        await visit.note("search", f"{found.total} found", details=f"hold={hold.number}")
    return Covered(count=_count(found.total), remarks=remarks)


def _counted(visit: Visit, search: Search) -> tuple[Search, tuple[str, ...]]:
    """What may be counted, and what is to be said beside the count."""
    remarks = []
    if search.asks_what_was_said and Right.CONTENT not in visit.rights:
        search = replace(search, words=None)
        remarks.append(WITHOUT_WORDS)
    own = visit.session.groups if visit.session else frozenset[str]()
    if own:
        gids = own & frozenset(search.gids) if search.gids else own
        search = replace(search, gids=tuple(sorted(gids)) or (NOBODY,))
        remarks.append(OWN_GROUPS)
    if passes_over(visit, search):
        remarks.append(PASSED_OVER)
    return search, tuple(remarks)


def _count(total: int) -> str:
    if total > COUNTED:
        return f"More than {COUNTED} messages"
    return f"{total} message{'' if total == 1 else 's'}"


def may_know_how_many(visit: Visit, hold: Hold) -> bool:
    """Whether the number of its objects tells who asks nothing that they may not read."""
    return not hold.scope.terms or Right.SENSITIVE in visit.rights
