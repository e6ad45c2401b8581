"""Legal holds taken up by the bridge: their acts, the copies they ask for, the store's own holds.

That a hold keeps what it covers does not wait for any of this: Forget reads the office itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec
import structlog

from bridge import keys
from bridge.canonical import act_bytes, rfc3339
from bridge.canonical.json import Json
from bridge.errors import ObjectStoreError, ObjectStoreUnavailableError
from bridge.protocols import Clock, Entry, Journal, Placement, PlacementKind
from bridge.protocols.hold_acts import StoreKnows
from bridge.protocols.holds import Hold, Holds, HoldScope, LegalHolds, Release
from bridge.rounds import Rounds
from bridge.scopes import Scopes

log = structlog.get_logger(__name__)

ROUND_SECONDS = 0.5
STORE_SECONDS = 5.0
AGAIN_SECONDS = 600.0
"""How long what came since the last look at the store's own holds waits at most for the next."""

AT_ONCE = 100


class HoldActs(Rounds):
    """One loop over what people order. ``keep`` copies what a new hold covers."""

    failing = "not_holding"

    def __init__(
        self,
        *,
        journal: Journal,
        holds: Holds,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        keep: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(clock=clock, seconds=ROUND_SECONDS)
        self._journal = journal
        self._holds = holds
        self._random = random_bytes
        self._keep = keep
        self._kept_to = -1

    async def round(self) -> None:
        """Write an act for each hold and each release, then have what is held copied.

        Crash in between: what was taken is not taken again, and a new process copies for all holds
        that stand before it copies for any new one.
        """
        for hold in await self._holds.holds(await self._journal.acts_taken(PlacementKind.HOLD)):
            act = self._act(PlacementKind.HOLD, hold.by, _of_hold(hold))
            await self._journal.take_act(act, number=hold.number)
            log.info("hold_placed", number=hold.number)
        taken = await self._journal.acts_taken(PlacementKind.RELEASE)
        for release in await self._holds.releases(taken):
            act = self._act(PlacementKind.RELEASE, release.by, _of_release(release))
            await self._journal.take_act(act, number=release.number)
            log.info("hold_released", number=release.hold)
        newest = await self._journal.acts_taken(PlacementKind.HOLD)
        if newest != self._kept_to:
            await self._keep()
            self._kept_to = newest

    def _act(self, kind: PlacementKind, by: str, details: dict[str, Json]) -> Placement:
        now = self._clock.now()
        return Placement(
            kind=kind,
            folder=keys.act_folder(now),
            body=act_bytes(salt=self._random(32), kind=kind.value, at=now, by=by, details=details),
            connector="",
            group_id="",
            at=now,
        )


class StoreHolds(Rounds):
    """Has the store hold, by its own means, what the holds cover, and reads that back."""

    failing = "not_holding"

    def __init__(self, *, journal: Journal, holds: Holds, store: LegalHolds, clock: Clock) -> None:
        super().__init__(clock=clock, seconds=STORE_SECONDS)
        self._journal = journal
        self._holds = holds
        self._store = store
        self._known: tuple[tuple[Hold, ...], tuple[Hold, ...]] | None = None
        self._looked_at = 0.0
        self._done: dict[str, bool] = {}

    async def round(self) -> None:
        """Go through all that is stored, where that is due.

        Crash within: a new process goes through all of it again; setting a hold twice is safe.
        """
        standing = await self._holds.standing()
        ended = tuple(each for each in await self._holds.holds() if each not in standing)
        since = self._clock.monotonic() - self._looked_at
        if (standing, ended) == self._known and since < AGAIN_SECONDS:
            return
        self._looked_at = self._clock.monotonic()
        unheld = await self._go_through(standing, Scopes(ended)) if standing or ended else 0
        self._known = (standing, ended)
        self.finding = (
            f"{unheld} objects under legal hold are not held by the store itself." if unheld else ""
        )

    async def _go_through(self, standing: tuple[Hold, ...], ended: Scopes) -> int:
        scopes, after = Scopes(standing), 0
        held, unheld = Counter[int](), Counter[int]()
        while found := await self._journal.stored(after=after, limit=AT_ONCE):
            after = found[-1].seq
            for entry in found:
                over = scopes.over(entry)
                if not over and not ended.cover(entry):
                    continue
                for key in _objects(entry):
                    kept = await self._set(key, held=bool(over))
                    for hold in over:
                        (held if kept else unheld)[hold.number] += 1
        for hold in standing:
            known = StoreKnows(
                held=held[hold.number], unheld=unheld[hold.number], at=self._clock.now()
            )
            await self._journal.store_told(hold.number, known)
        return max(unheld.values(), default=0)

    async def _set(self, key: str, *, held: bool) -> bool:
        """What the store says of it afterwards. What it refuses costs no other object its hold."""
        if self._done.get(key) is held:
            return held
        try:
            kept = await self._store.set(key, held=held)
        except ObjectStoreUnavailableError:
            raise
        except ObjectStoreError as error:
            log.warning("hold_refused_by_store", hint=error.hint)
            return False
        if kept is held:
            self._done[key] = held
        return kept


class _Medium(msgspec.Struct):
    object: str | None = None


class _Record(msgspec.Struct):
    media: list[_Medium] = []


def _objects(entry: Entry) -> list[str]:
    """The keys of a record and of its media."""
    if entry.record is None:
        return []
    key = entry.record.key
    media = msgspec.json.decode(entry.record.body, type=_Record).media
    return [key, *(keys.media_key(key, each.object) for each in media if each.object)]


def _of_hold(hold: Hold) -> dict[str, Json]:
    return {
        "number": hold.number,
        "authority": hold.authority,
        "matter": hold.matter,
        "scope": _of_scope(hold.scope),
        "why": hold.why,
        "ordered_at": rfc3339(hold.at),
    }


def _of_scope(scope: HoldScope) -> Json:
    fields: dict[str, Json] = {
        "groups": list(scope.gids) or None,
        "persons": list(scope.persons) or None,
        "from": _time(scope.since),
        "to": _time(scope.until),
        "terms": scope.terms or None,
        "everything": True if scope.is_everything else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _of_release(release: Release) -> dict[str, Json]:
    return {
        "number": release.number,
        "hold": release.hold,
        "why": release.why,
        "ordered_at": rfc3339(release.at),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
