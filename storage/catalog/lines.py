"""What one manifest part or act puts into the catalog: rows, which another process may write."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bridge.protocols.catalog import ListedAct, Listing
from storage.catalog.rows import Value, row_of, to_ms, wanted_id
from storage.catalog.words import texts_of


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one part or act, in rising order of their ids; or why there are none.

    ``words`` has an item for each of ``rows``. ``refusal``: it cannot be read as what it should
    be, and is left out. ``trouble``: the store did not give it; nothing is known of it.
    """

    key: str
    group: tuple[str, str, str, str | None] | None = None
    rows: list[tuple[Value, ...]] = []
    words: list[tuple[str, str, str]] = []
    act: tuple[Value, ...] | None = None
    damaged: int = 0
    refusal: str = ""
    trouble: str = ""


def lines_of(key: str, *, listings: Sequence[Listing] = (), act: ListedAct | None = None) -> Lines:
    """The rows of one part, with what its records say, or of one act.

    Of two listings of one event the later one counts.
    """
    latest = {(each.stream, each.n): each for each in listings}
    # In rising order, since the index of words pays for every step back.
    ordered = sorted(((wanted_id(each), each) for each in latest.values()), key=lambda one: one[0])
    return Lines(
        key=key,
        group=_group(listings),
        rows=[row_of(id_, each) for id_, each in ordered],
        words=[texts_of(each) for _, each in ordered],
        act=None
        if act is None
        else (act.key, act.kind, to_ms(act.at), act.by, act.subject, act.document),
        damaged=sum(each.damaged for each in latest.values()),
    )


def _group(listings: Sequence[Listing]) -> tuple[str, str, str, str | None] | None:
    if not listings:
        return None
    platform = next((each.platform for each in listings if each.platform), "")
    last = listings[-1]
    return last.gid, platform, last.group_id, last.group_name
