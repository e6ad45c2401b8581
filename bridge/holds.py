"""Legal holds taken up by the bridge: their acts, the copies they ask for, the store's own holds.

That a hold keeps what it covers does not wait for any of this: Forget reads the office itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

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

READ_AGAIN_SECONDS = 86_400.0
READ_AGAIN_AT_ONCE = 600
"""Of what the store held a day ago, how much a look asks of again: one object a second."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What the store said of an object. ``since``: when, on the clock that is never set."""

    held: bool
    at: datetime
    since: float


@dataclass(slots=True)
class _Tally:
    """What was read of the objects of a hold; ``at`` is when the first of them was."""

    held: int = 0
    unheld: int = 0
    at: datetime | None = None

    def count(self, reading: _Reading) -> None:
        self.held += reading.held
        self.unheld += not reading.held
        self.at = reading.at if self.at is None else min(self.at, reading.at)


class StoreHolds(Rounds):
    """Has the store hold, by its own means, what the holds cover, and reads that back.

    What stands there is set and read again daily: others may lift it. What was let go is not
    touched again: whoever holds it since has reasons of their own.
    """

    failing = "not_holding"

    def __init__(self, *, journal: Journal, holds: Holds, store: LegalHolds, clock: Clock) -> None:
        super().__init__(clock=clock, seconds=STORE_SECONDS)
        self._journal = journal
        self._holds = holds
        self._store = store
        self._known: tuple[tuple[Hold, ...], tuple[Hold, ...]] | None = None
        self._looked_at = 0.0
        self._read: dict[str, _Reading] = {}
        """What became as it was asked; those that were read longest ago come first."""

    async def round(self) -> None:
        """Go through all that is stored, where that is due.

        Crash within: a new process goes through all of it again; setting a hold twice is safe.
        """
        standing = await self._holds.standing()
        ended = tuple(each for each in await self._holds.holds() if each not in standing)
        since = self._clock.monotonic() - self._looked_at
        if (standing, ended) == self._known and since < AGAIN_SECONDS:
            return
        if self._known is not None:
            self._doubt_the_oldest()
        # Until the look came to its end it is due: while the store is away, that is said.
        self._known = None
        self._looked_at = self._clock.monotonic()
        unheld = await self._go_through(standing, ended) if standing or ended else 0
        self._known = (standing, ended)
        self.finding = (
            f"{unheld} objects under legal hold are not held by the store itself." if unheld else ""
        )

    async def _go_through(self, standing: tuple[Hold, ...], ended: tuple[Hold, ...]) -> int:
        """How many objects the worst-off hold that stands has which the store does not hold."""
        over, once, after = Scopes(standing), Scopes(ended), 0
        tallies = {hold.number: _Tally() for hold in (*standing, *ended)}
        while found := await self._journal.stored(after=after, limit=AT_ONCE):
            after = found[-1].seq
            for entry in found:
                holds, were = over.over(entry), once.over(entry)
                if not holds and not were:
                    continue
                for key in _objects(entry):
                    reading = await self._set(key, held=bool(holds))
                    for hold in (*holds, *were):
                        tallies[hold.number].count(reading)
        for number, tally in tallies.items():
            at = tally.at or self._clock.now()
            known = StoreKnows(held=tally.held, unheld=tally.unheld, at=at)
            await self._journal.store_told(number, known)
        return max((tallies[hold.number].unheld for hold in standing), default=0)

    def _doubt_the_oldest(self) -> None:
        """Have read again what was longest ago, a day or more."""
        before = self._clock.monotonic() - READ_AGAIN_SECONDS
        old = (key for key, each in self._read.items() if each.held and each.since <= before)
        for key in [*islice(old, READ_AGAIN_AT_ONCE)]:
            del self._read[key]

    async def _set(self, key: str, *, held: bool) -> _Reading:
        """What the store says of it afterwards. What it refuses costs no other object its hold."""
        known = self._read.get(key)
        if known is not None and known.held is held:
            return known
        try:
            kept = await self._store.set(key, held=held)
        except ObjectStoreUnavailableError:
            raise
        except ObjectStoreError as error:
            log.warning("hold_refused_by_store", hint=error.hint)
            kept = False
        reading = _Reading(held=kept, at=self._clock.now(), since=self._clock.monotonic())
        self._read.pop(key, None)
        if kept is held:
            self._read[key] = reading
        return reading


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
