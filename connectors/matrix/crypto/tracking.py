"""Of which users the devices must be known, and whose are asked for again.

Who is tracked stands in the store; that somebody's devices changed does not have to: after a
restart all of them are asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from bridge.errors import ConnectorError, ConnectorRejectedError, EnvelopeError
from bridge.model import DeviceTrust
from bridge.pauses import Pauses
from bridge.protocols import Clock
from connectors.matrix.crypto.devices import (
    Device,
    UserKeys,
    adopt,
    changed_identities,
    crowded,
    is_user_id,
    others_of_ours,
    read,
)
from connectors.matrix.crypto.directory import OF_OTHERS_MS, Directory
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.store import Transaction
from connectors.matrix.http import is_of_the_account

log = structlog.get_logger(__name__)

PORTION = 250
"""Users asked for at a time."""

GLANCE_MS = 3_000
"""How long our homeserver waits for those of users that share no room with us."""

LONGEST_PAUSE = 3600.0
MOST_REFUSED = 5
"""Users refused one after the other: then it is not for what they are called."""

_ALL = ""
_STRANGERS = "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is odd: ``identities`` that were replaced, by user; ``others``: devices beside ours.

    ``crowded``: users with more devices than are read.
    """

    identities: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    crowded: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class _News:
    """What was told since it was last written down."""

    tracked: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    is_start: bool = False


class Tracking:
    """The devices of those we record, and of ourselves. One question at a time.

    A question that fails is put off and logged; it MUST NOT raise.
    """

    def __init__(self, *, machine: Machine, directory: Directory, clock: Clock) -> None:
        self._machine = machine
        self._directory = directory
        self._pauses = Pauses(clock, longest=LONGEST_PAUSE)
        self._lock = asyncio.Lock()
        self._portion = PORTION
        self._refused = 0
        self._known: set[str] = set()
        self._news = _News(tracked={machine.device.user_id}, is_start=True)
        self.findings = Findings()

    def track(self, user_ids: Iterable[str]) -> None:
        """From now on know the devices of these too. Cheap: most of them are tracked already."""
        for user_id in user_ids:
            if user_id not in self._known and is_user_id(user_id):
                self._known.add(user_id)
                self._news.tracked.add(user_id)

    def changed(self, user_ids: Iterable[str]) -> None:
        """Their devices are to be asked for again, if they are tracked."""
        self._news.changed.update(user_ids)

    def left(self, user_ids: Iterable[str]) -> None:
        """We share no encrypted room with them any more: nothing will be told of them."""
        gone = set(user_ids) - {self._machine.device.user_id}
        self._known -= gone
        self._news.tracked -= gone
        self._news.left |= gone

    async def step(
        self,
        only: Collection[str] | None = None,
        *,
        now: bool = False,
        patience_ms: int = OF_OTHERS_MS,
    ) -> bool:
        """Ask for one portion of those that are due; whether there may be more.

        ``only``: of these users. ``now``: without waiting for the end of our own server's pause.
        """
        async with self._lock:
            if not now and self._pauses.left(_ALL):
                return False
            try:
                due = await self._due(only)
            except ConnectorError as error:
                self._put_off(error)
                return False
            if not due:
                return False
            portion = due[: self._portion]
            try:
                await self._ask(portion, patience_ms)
            except ConnectorError as error:
                return self._failed(portion, error)
            self._portion = min(self._portion * 2, PORTION)
            self._refused = 0
            self._pauses.succeeded(_ALL)
            return len(portion) < len(due)

    async def glance(self, user_ids: Collection[str]) -> tuple[Device, ...]:
        """The valid devices of users that are not tracked, of which nothing is written down.

        What fails holds up nobody who is tracked: there are none then, and none for a pause.
        """
        asked = sorted(user_id for user_id in user_ids if is_user_id(user_id))[:PORTION]
        if not asked or self._pauses.left(_ALL) or self._pauses.left(_STRANGERS):
            return ()
        try:
            raw = await self._directory.query(asked, patience_ms=GLANCE_MS)
        except ConnectorError as error:
            self._pauses.failed(_STRANGERS)
            log.warning("devices_not_told", error=type(error).__name__)
            return ()
        answers = await asyncio.to_thread(read, raw, asked) or ()
        if len(answers) < len(asked):
            self._pauses.failed(_STRANGERS)
        else:
            self._pauses.succeeded(_STRANGERS)
        shown = (device for keys in answers for device in keys.devices or ())
        return tuple(each for each in shown if each.trust is not DeviceTrust.INVALID)

    async def look(self) -> None:
        """Look again for what is odd: some of it has its time."""
        own = self._machine.device
        self.findings = await self._machine.run(
            lambda transaction: Findings(
                identities=changed_identities(transaction),
                others=others_of_ours(transaction, own),
                crowded=crowded(transaction),
            )
        )

    async def _due(self, only: Collection[str] | None) -> list[str]:
        """Who is outdated, but for those who were put off."""
        return [
            user_id
            for user_id in await self._written()
            if (only is None or user_id in only)
            and not self._pauses.left(_server(user_id))
            and not self._pauses.left(user_id)
        ]

    async def _written(self) -> list[str]:
        """Write the news down; who is outdated by then."""
        news, self._news = self._news, _News()
        try:
            outdated = await self._machine.run(lambda transaction: _write(transaction, news))
        except BaseException:
            # Nothing was written: what came meanwhile is newer than what is put back.
            newer = self._news
            newer.tracked |= news.tracked - newer.left
            newer.left |= news.left
            newer.changed |= news.changed
            newer.is_start |= news.is_start
            raise
        return outdated

    async def _ask(self, portion: Sequence[str], patience_ms: int) -> None:
        raw = await self._directory.query(portion, patience_ms=patience_ms)
        answers = await asyncio.to_thread(read, raw, portion)
        if answers is None:
            raise ConnectorRejectedError("The homeserver's answer holds no device keys.")
        own = self._machine.device

        def settle(transaction: Transaction) -> tuple[int, int]:
            changes = [adopt(transaction, keys, own=own) for keys in answers]
            # What was told since the question waits in memory, and makes them outdated again.
            transaction.executemany(
                "UPDATE tracked SET outdated = 0 WHERE user_id = ?",
                [(keys.user_id,) for keys in answers],
            )
            return sum(each.identity for each in changes), sum(each.refused for each in changes)

        identities, refused = await self._machine.run(settle)
        self._tell(answers, identities=identities, refused=refused)
        answered = {keys.user_id for keys in answers}
        for name in answered | {_server(user_id) for user_id in answered}:
            self._pauses.forget(name)
        for server in {_server(user_id) for user_id in portion if user_id not in answered}:
            self._pauses.failed(server)
        await self.look()

    def _tell(self, answers: tuple[UserKeys, ...], *, identities: int, refused: int) -> None:
        malformed = sum(keys.malformed for keys in answers)
        unread = sum(keys.unread for keys in answers)
        if unread:
            log.warning("devices_not_read", count=unread)
        if identities:
            log.warning("identity_changed", count=identities)
        if refused or malformed:
            log.warning("devices_refused", changed=refused, malformed=malformed)

    def _failed(self, portion: Sequence[str], error: ConnectorError) -> bool:
        """Put off what failed; a question that is refused is asked in smaller ones."""
        is_refused = isinstance(error, ConnectorRejectedError) and not is_of_the_account(error)
        is_for_them = is_refused or isinstance(error, EnvelopeError)
        if is_for_them and len(portion) > 1:
            self._portion = max(len(portion) // 4, 1)
            return True
        self._refused += 1
        if not is_for_them or self._refused > MOST_REFUSED:
            self._put_off(error)
            return False
        [user_id] = portion
        self._pauses.failed(user_id)
        log.warning("devices_not_told", error=type(error).__name__)
        return True

    def _put_off(self, error: ConnectorError) -> None:
        self._pauses.failed(_ALL, least=getattr(error, "retry_after", None) or 0.0)
        log.warning("devices_not_asked", error=type(error).__name__)


def _server(user_id: str) -> str:
    """The name of a user's server; never that of a user, which begins with ``@``."""
    return user_id.partition(":")[2]


def _write(transaction: Transaction, news: _News) -> list[str]:
    if news.is_start:
        transaction.execute("UPDATE tracked SET outdated = 1")
    transaction.executemany("DELETE FROM tracked WHERE user_id = ?", _rows(news.left))
    transaction.executemany(
        "INSERT INTO tracked (user_id, outdated) VALUES (?, 1) ON CONFLICT (user_id) DO NOTHING",
        _rows(news.tracked),
    )
    transaction.executemany(
        "UPDATE tracked SET outdated = 1 WHERE user_id = ?", _rows(news.changed)
    )
    found = transaction.execute("SELECT user_id FROM tracked WHERE outdated > 0 ORDER BY user_id")
    return [user_id for (user_id,) in found]


def _rows(user_ids: Collection[str]) -> list[tuple[str]]:
    return [(user_id,) for user_id in sorted(user_ids)]
