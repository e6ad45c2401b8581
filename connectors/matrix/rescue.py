"""Asks once more for what was redacted before we read it (MSC2815).

The pruned event is journalled like any other, and makes no gap by itself: an order to rescue it
is committed in the cursor of the same batch. The gap, or the event as it was, is what becomes of
that order, committed with the cursor that lacks it. So there is always one outcome.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec

from bridge.deadlines import from_milliseconds
from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError, EnvelopeError
from bridge.model import Event, Loss, Relation, RelationType
from bridge.pauses import Pauses
from bridge.protocols import Clock
from bridge.rawjson.fields import decode, table
from connectors.matrix.delivered import Delivery
from connectors.matrix.delivery import Reader
from connectors.matrix.http import VERSIONS, MatrixHttp, is_of_the_account, path
from connectors.matrix.mapping import REDACTED, identify
from connectors.matrix.place import Place, Rescue
from connectors.matrix.timers import Length

FEATURE = "fi.mau.msc2815"
QUERY = {f"{FEATURE}.include_unredacted_content": "true"}
ERASED = "FI.MAU.MSC2815_UNREDACTED_CONTENT_DELETED"
NOT_RECEIVED = "FI.MAU.MSC2815_UNREDACTED_CONTENT_NOT_RECEIVED"
NOT_OFFERED = "The homeserver does not offer redacted content (MSC2815)."
FORBIDDEN = "M_FORBIDDEN"

REVISION = "rescued"
WHY = "not_rescued"
MOST = 500
"""Orders that wait at once; what is redacted beyond them is a gap at once."""

GIVE_UP_AFTER = timedelta(days=1)
OFFER_SECONDS = 3600.0
REMEMBERED = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)

_REASONS = {
    ERASED: "The homeserver has erased the content already.",
    NOT_RECEIVED: "The homeserver never received the content.",
    "M_NOT_FOUND": "The homeserver has the event no more.",
    "M_UNRECOGNIZED": NOT_OFFERED,
    FORBIDDEN: "The homeserver refuses it: our power level does not reach that for redactions.",
}


class Rescues:
    """The orders in the cursor. Trouble with one puts it off and never holds up what is live.

    Whether our power reaches the level is for the server to say, which knows its administrators.
    In memory only: what was delivered of late, so that an event that comes again, redacted since,
    is not taken for one that never came whole.
    """

    def __init__(self, *, http: MatrixHttp, reader: Reader, clock: Clock) -> None:
        self._http = http
        self._reader = reader
        self._clock = clock
        self._pauses = Pauses(clock)
        self._kept: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._offered: bool | None = None
        self._offer_ends = 0.0

    def plan(self, delivery: Delivery) -> None:
        """Order the rescue of what came redacted; beyond :data:`MOST` it is a gap at once."""
        orders = list(delivery.place.rescues)
        known = {(order.group_id, order.event_id) for order in orders} | self._kept.keys()
        for at, event in enumerate(delivery.events):
            if event.missing != REDACTED:
                continue
            delivery.events[at] = replace(event, missing=None)
            identity = (event.group_id, event.upstream_id)
            if identity in known:
                continue
            known.add(identity)
            # Of a group that is left by now the approval is gone too.
            order = _order(event, last=event.group_id not in delivery.place.recorded)
            if len(orders) < MOST:
                orders.append(order)
            else:
                self._lose(delivery, order, "Too many redacted events wait to be asked for.")
        if len(orders) != len(delivery.place.rescues):
            delivery.place = msgspec.structs.replace(delivery.place, rescues=tuple(orders))

    def kept(self, delivery: Delivery) -> None:
        """The delivery is durable: what it brought was had, or its rescue is settled or ordered."""
        for event in delivery.events:
            self._kept[event.group_id, event.upstream_id] = None
        while len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)

    def due(self, place: Place) -> Rescue | None:
        """The order whose turn it is, the oldest first."""
        return next((r for r in place.rescues if not self._pauses.left(r.event_id)), None)

    def left(self, place: Place, longest: float) -> float:
        """Seconds until an order is due, at most ``longest``."""
        return min([longest, *(self._pauses.left(order.event_id) for order in place.rescues)])

    async def attempt(self, place: Place, order: Rescue, *, approved: Collection[str]) -> Delivery:
        """Ask for one event. Crash before the commit of what comes of it: asked for again.

        Nothing is delivered where there was no answer; the order is put off. MUST NOT raise for
        anything that the homeserver does.
        """
        delivery = Delivery(place=place)
        if order.group_id not in approved and not order.last:
            self._settle(delivery, [order], "The approval was withdrawn.")
            return delivery
        try:
            if not await self._is_offered():
                self._settle(delivery, place.rescues, NOT_OFFERED)
                return delivery
            route = path("rooms", order.group_id, "event", order.event_id)
            answer = await self._http.request("GET", route, query=QUERY)
        except ConnectorRejectedError as error:
            if is_of_the_account(error):  # the next sync says so too
                self._put_off(delivery, order)
            else:
                self._refused(delivery, order, error)
        except (ConnectorUnavailableError, EnvelopeError) as error:
            self._put_off(delivery, order, getattr(error, "retry_after", None))
        else:
            self._answered(delivery, order, answer)
        return delivery

    async def _is_offered(self) -> bool:
        """Whether the server has this at all; asked for once an hour."""
        now = self._clock.monotonic()
        if self._offered is None or now >= self._offer_ends:
            answer = decode(await self._http.request("GET", VERSIONS))
            if answer is None:
                raise EnvelopeError("What answers in place of the homeserver is no homeserver.")
            self._offered = table(answer, "unstable_features").get(FEATURE) is True
            self._offer_ends = now + OFFER_SECONDS
        return self._offered

    def _answered(self, delivery: Delivery, order: Rescue, answer: bytes) -> None:
        found, _, _ = identify(answer)
        if found != order.event_id:
            self._put_off(delivery, order)
            return
        event = self._reader.read_rescued(order, answer, self._clock.now())
        if event.missing is not None:
            self._settle(delivery, [order], "The homeserver gave the event without its content.")
            return
        delivery.events.append(_rescued(event))
        self._settle(delivery, [order])

    def _refused(self, delivery: Delivery, order: Rescue, error: ConnectorRejectedError) -> None:
        orders = [order]
        if error.code == FORBIDDEN:  # says something of us in the group, not of the event
            same = delivery.place.rescues
            orders = [other for other in same if other.group_id == order.group_id]
        self._settle(delivery, orders, _REASONS.get(error.code, str(error)))

    def _put_off(self, delivery: Delivery, order: Rescue, retry_after: float | None = None) -> None:
        ordered = from_milliseconds(order.at)
        if ordered is not None and self._clock.now() - ordered > GIVE_UP_AFTER:
            self._settle(delivery, [order], "The homeserver gave no usable answer for a day.")
            return
        self._pauses.failed(order.event_id, least=retry_after or 0.0)

    def _settle(
        self, delivery: Delivery, orders: Collection[Rescue], lost: str | None = None
    ) -> None:
        """Take orders out of the cursor, with a gap for each where they came to nothing."""
        for order in orders:
            self._pauses.forget(order.event_id)
            if lost is not None:
                self._lose(delivery, order, lost)
        done = {order.event_id for order in orders}
        waiting = tuple(r for r in delivery.place.rescues if r.event_id not in done)
        delivery.place = msgspec.structs.replace(delivery.place, rescues=waiting)

    def _lose(self, delivery: Delivery, order: Rescue, why: str) -> None:
        now = self._clock.now()
        sent = from_milliseconds(order.sent)
        loss = Loss(
            group_id=order.group_id,
            why=WHY,
            since=None if sent is None else min(sent, now),
            until=now,
            detail=f"{order.event_id}: {why}",
        )
        delivery.losses.append(loss)


def _order(event: Event, *, last: bool) -> Rescue:
    return Rescue(
        group_id=event.group_id,
        event_id=event.upstream_id,
        at=_milliseconds(event.observed_at),
        sent=None if event.sent_at is None else _milliseconds(event.sent_at),
        timer=Length.of(event.own_timer),
        last=last,
        exposed=event.crypto is not None and event.crypto.plain_in_encrypted,
    )


def _rescued(event: Event) -> Event:
    """As it was, related to the entry it belongs to; its own relation stands beside its type."""
    facts = event.upstream
    if event.relates_to is not None:
        facts = (*facts, (event.relates_to.type.value, event.relates_to.upstream_id))
    relation = Relation(type=RelationType.RESCUED, upstream_id=event.upstream_id)
    return replace(event, revision=REVISION, relates_to=relation, upstream=facts)


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MS
