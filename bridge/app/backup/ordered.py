"""Holds and releases that the store's acts show: what was ordered after a back-up was made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from bridge import keys
from bridge.protocols import ObjectStore
from bridge.protocols.holds import Hold, HoldScope

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """Holds by the office's number, and the numbers of those that were released."""

    holds: tuple[Hold, ...]
    released: frozenset[int]


class _Scope(msgspec.Struct, frozen=True):
    groups: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    since: datetime | None = msgspec.field(default=None, name="from")
    until: datetime | None = msgspec.field(default=None, name="to")
    terms: str = ""

    def scope(self) -> HoldScope:
        return HoldScope(
            gids=self.groups,
            persons=self.persons,
            since=self.since,
            until=self.until,
            terms=self.terms,
        )


class _Act(msgspec.Struct, frozen=True):
    kind: str
    by: str = ""
    number: int = 0
    hold: int = 0
    authority: str = ""
    matter: str = ""
    why: str = ""
    ordered_at: datetime | None = None
    scope: _Scope | None = None


async def ordered_since(store: ObjectStore, since: datetime, *, until: datetime) -> Ordered:
    """Read the acts that were filed from the day before ``since`` on.

    Raises:
        ObjectStoreError: the store does not answer.
    """
    holds: dict[int, Hold] = {}
    released: set[int] = set()
    async for act in _acts(store, since, until):
        if act.kind == "release":
            released.add(act.hold)
        if act.kind == "hold" and act.scope is not None and act.ordered_at is not None:
            holds[act.number] = Hold(
                number=act.number,
                authority=act.authority,
                matter=act.matter,
                scope=act.scope.scope(),
                by=act.by,
                at=act.ordered_at,
                why=act.why,
            )
    return Ordered(
        holds=tuple(holds[number] for number in sorted(holds)), released=frozenset(released)
    )


async def _acts(store: ObjectStore, since: datetime, until: datetime) -> AsyncIterator[_Act]:
    days = max(0, (until - since).days) + 3
    for day in range(days):
        async for info in store.list(f"{keys.act_folder(since + (day - 1) * DAY)}/"):
            body = await store.get(info.key)
            try:
                yield msgspec.json.decode(body or b"", type=_Act)
            except msgspec.MsgspecError:
                continue  # whatever stands there is no act of ours: `verify` names it
