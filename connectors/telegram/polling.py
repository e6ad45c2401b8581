"""Updates by long polling. The offset comes from the caller alone, and so from what is durable.

Where an answer cannot be split, updates are asked for one at a time, so that only the bad one
stands still. Given alone, its bytes are known, and kept by whoever asked. It can be acknowledged
by its number only, which cannot be told; the number of the one behind it can: asked for both, the
Bot API gives the bad one's bytes again and then the other. Both are handed over, and the offset
that follows acknowledges both. Until there is one behind it, the bad one stands still.
"""

from __future__ import annotations

from math import ceil

from bridge.errors import ConnectorRejectedError, EnvelopeError
from bridge.protocols import Clock
from bridge.rawjson.fields import text
from connectors.telegram.bot_api import BotApi
from connectors.telegram.envelope import RawUpdate, split_updates
from connectors.telegram.ports import Arrival, Mark, Source
from connectors.telegram.update import KNOWN

ALLOWED = tuple(sorted(KNOWN))
"""The types asked for. Three are never sent unless they are named, and then no others are."""

LIMIT = 100
STANDING_PAUSE = 5.0
MOST_BAD = 20
"""Bad updates in a row that are passed by together."""

WEBHOOK_SET = "webhook_set"


class Polling:
    """See :class:`connectors.telegram.ports.Source`."""

    def __init__(self, api: BotApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._one_by_one = False
        self._bad = b""
        self._parted_at: tuple[int | None] | None = None

    async def start(self) -> None:
        """See that no webhook takes the updates."""
        if text(await self._api.call("getWebhookInfo"), "url"):
            raise ConnectorRejectedError(
                "A webhook takes the updates of this bot.",
                code=WEBHOOK_SET,
                hint="Find out who set it; then remove it with deleteWebhook, or revoke the token.",
            )

    async def next(self, mark: Mark, *, seconds: float) -> Arrival:
        """See :meth:`connectors.telegram.ports.Source.next`."""
        if self._parted_at is not None and self._parted_at != (mark.offset,):
            # The bad one is acknowledged with the one behind it.
            self._one_by_one, self._bad, self._parted_at = False, b"", None
        if self._one_by_one:
            return Arrival(updates=await self._next_one(mark.offset))
        try:
            body = await self._get(mark.offset, limit=LIMIT, seconds=seconds)
            return Arrival(updates=split_updates(body))
        except EnvelopeError:
            self._one_by_one = True
            raise

    async def aclose(self) -> None:
        """Nothing is held here."""

    async def _next_one(self, offset: int | None) -> tuple[RawUpdate, ...]:
        try:
            updates = split_updates(await self._get(offset, limit=1, seconds=0))
        except EnvelopeError as error:
            if error.body != self._bad:
                # Its bytes are kept before it is passed by, and an answer cut short comes whole.
                if self._bad:
                    # Something that answers anew each time must neither spin nor fill the disk.
                    await self._clock.sleep(STANDING_PAUSE)
                self._bad = error.body
                raise
            return await self._with_the_next(offset, error.body)
        self._one_by_one = bool(updates)
        return updates

    async def _with_the_next(self, offset: int | None, bad: bytes) -> tuple[RawUpdate, ...]:
        """The bad one, with others that are no better right behind it, and the next good one."""
        fewer = bad
        for limit in range(2, MOST_BAD + 2):
            try:
                more = await self._get(offset, limit=limit, seconds=0)
            except EnvelopeError:
                break  # too large to be read at all
            if more == fewer:
                break
            parted = _parted(fewer, more)
            if parted is not None:
                self._parted_at = (offset,)
                return parted
            fewer = more
        await self._clock.sleep(STANDING_PAUSE)
        raise EnvelopeError("An update cannot be split, and none stands behind it.", body=bad)

    async def _get(self, offset: int | None, *, limit: int, seconds: float) -> bytes:
        return await self._api.get_updates(
            offset=offset, limit=limit, seconds=ceil(seconds), allowed=ALLOWED
        )


def _parted(one: bytes, two: bytes) -> tuple[RawUpdate, ...] | None:
    """The bad update and the one behind it, of answers with one and with both."""
    head, bracket, rest = one.partition(b"[")
    bad = rest.rstrip().removesuffix(b"}").rstrip().removesuffix(b"]")
    begin = head + bracket
    if not bracket or not two.startswith(begin + bad):
        return None
    behind = two[len(begin) + len(bad) :].lstrip()
    if not behind.startswith(b","):
        return None
    try:
        (found,) = split_updates(begin + behind[1:])
    except (EnvelopeError, ValueError):
        return None
    if found.update_id is None:
        return None
    return RawUpdate(update_id=None, raw=bad), found


def _conforms(source: Polling) -> Source:
    return source
