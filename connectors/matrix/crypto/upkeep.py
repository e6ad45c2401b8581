"""What keeps others able to reach us: our keys at the server, theirs with us.

Nothing here is needed to receive: what fails is logged by name, remembered, and tried again after
a pause that grows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from functools import partial

import structlog

from bridge.errors import ConnectorError, ConnectorRejectedError
from bridge.pauses import Pauses
from bridge.protocols import Clock
from bridge.rawjson.fields import JsonObject, count, table
from connectors.matrix.crypto.devices import MOST_DEVICES, TOLD_MS
from connectors.matrix.crypto.directory import CLAIMED, Directory, Parcel
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.outbound import Outbound
from connectors.matrix.crypto.store import Transaction
from connectors.matrix.crypto.tracking import Tracking
from connectors.matrix.crypto.values import KeyCounts, Wedged
from connectors.matrix.http import MatrixHttp, is_of_the_account

log = structlog.get_logger(__name__)

RESTS = {"upload": 2.0, "revive": 0.0, "look": 60.0}
"""Seconds between two, when nothing fails."""

ASKED_SECONDS = 10.0
ASKED_MS = 5_000
MOST_WEDGED = 250
MOST_NAMED = 5
TOLD_AFTER = 3
"""So often in a row the server must not answer before it is told of; a refusal is told at once."""

_UPLOAD, _REVIVE, _LOOK, _ASK = "upload", "revive", "look", "ask"


class Upkeep:
    """One account's. What is awaited MUST NOT raise; all else is cheap and only remembers."""

    def __init__(self, *, http: MatrixHttp, machine: Machine, clock: Clock) -> None:
        self._machine = machine
        self._directory = Directory(http)
        self._tracking = Tracking(machine=machine, directory=self._directory, clock=clock)
        self.outbound = Outbound(
            machine=machine, directory=self._directory, tracking=self._tracking
        )
        self._pauses = Pauses(clock)
        self._counts: KeyCounts | None = None
        self._is_upload_due = False
        self._is_device_due = False
        self._is_device_ours = False
        self._stale: set[str] = set()
        self._refusals = 0
        self._failures = 0
        self._failure = ""
        self._uploading = asyncio.Lock()
        self._wedged: set[Wedged] = set()
        self._parcels: list[Parcel] = []
        self._revived: list[str] = []
        self._withheld: tuple[tuple[str, int], ...] = ()

    async def publish_device(self) -> bool:
        """Publish our device and its first keys; whether that is done. Else it is to be repeated.

        MUST be done before the identity signs the device, and only where the server has no other
        keys under its name. Safe to repeat. Before it is done :meth:`work` uploads nothing:
        one-time keys of ours would go under the device of another.
        """
        self._is_device_due = True
        await self._tried(_UPLOAD, self._upload)
        if self._is_device_due:
            return False
        self._is_device_ours = True
        return True

    def withdraw(self) -> None:
        """The server has other keys under our device's name: upload nothing any more."""
        self._is_device_ours = False

    def after_sync(
        self, counts: KeyCounts | None, changed: Collection[str], left: Collection[str]
    ) -> None:
        """What a sync told of keys; ``counts`` is None where it told nothing of ours."""
        if counts is not None:
            self._is_upload_due |= counts != self._counts
            self._counts = counts
        if changed:
            self._tracking.changed(changed)
            self._stale.update(changed)
        if left:
            self._tracking.left(left)

    def track(self, users: Iterable[str]) -> None:
        """Senders and members of encrypted rooms, whose devices we must know from now on."""
        self._tracking.track(users)

    def wedged(self, devices: Iterable[Wedged]) -> None:
        """Devices whose messages we cannot decrypt: new sessions are to be begun with them."""
        for device in devices:
            if len(self._wedged) < MOST_WEDGED:
                self._wedged.add(device)

    async def ask(self, users: Collection[str]) -> None:
        """Have the devices of these told now, if they are not known; for ten seconds at most.

        MUST NOT raise: what is not known by then is asked for by :meth:`work`.
        """
        self._tracking.track(users)
        try:
            async with asyncio.timeout(ASKED_SECONDS):
                while await self._tracking.step(users, patience_ms=ASKED_MS):
                    pass
        except TimeoutError:
            log.warning("devices_not_asked", error="TimeoutError")
            self._pauses.failed(_ASK)
        else:
            self._pauses.succeeded(_ASK)

    async def refresh(self, users: Collection[str]) -> None:
        """:meth:`ask` for those of these whose devices changed since they were asked for.

        Not straight after a question that took too long: what waits for it has its time.
        """
        if self._pauses.left(_ASK):
            return
        try:
            outdated = await self._machine.run(partial(_outdated, frozenset(users)))
        except ConnectorError:
            return  # what they are wanted for needs the store too, and tells of it
        outdated |= self._stale.intersection(users)
        self._stale -= outdated
        if outdated:
            await self.ask(outdated)

    async def work(self) -> None:
        """Do what is due. Keys of ours go before everything, and between two long questions."""
        await self._keys()
        while await self._tracking.step():
            await self._keys()
        if self._wedged or self._parcels or self._revived:
            await self._due(_REVIVE, self._revive)
        await self._due(_LOOK, self._look)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What is wrong now, in sentences with their remedy."""
        return tuple(self._troubles())

    def _troubles(self) -> Iterator[str]:
        findings = self._tracking.findings
        if findings.identities:
            yield (
                f"The identity of {_named(findings.identities)} was replaced within the last "
                "seven days: find out whether its owner did that."
            )
        if findings.others:
            yield (
                "The recorder's account is signed in on another device too "
                f"({_named(findings.others)}): find out whose it is, and sign it out."
            )
        if findings.crowded:
            yield (
                f"More than {MOST_DEVICES} devices belong to each of these users: "
                f"{_named(findings.crowded)}. On some of them what the recorder says cannot be "
                "read; ask the owner to sign old ones out."
            )
        if self._withheld:
            codes = ", ".join(f"{code} {number}" for code, number in self._withheld)
            yield (
                f"Senders withheld keys from us within the last seven days ({codes}): see that "
                "the recorder's device is signed, and verified where senders ask for that."
            )
        if self._failures >= TOLD_AFTER or self._refusals:
            yield (
                f"Our keys cannot be uploaded ({self._failure}): new devices of members cannot "
                "reach us. It is tried again; check the homeserver."
            )

    async def _keys(self) -> None:
        if self._is_device_ours and self._is_upload_due:
            await self._due(_UPLOAD, self._upload)

    async def _due(self, name: str, act: Callable[[], Awaitable[None]]) -> None:
        if not self._pauses.left(name):
            await self._tried(name, act)

    async def _tried(self, name: str, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except ConnectorError as error:
            wait = getattr(error, "retry_after", None) or 0.0
            self._pauses.failed(name, least=wait)
            log.warning(
                "keys_put_off",
                step=name,
                error=type(error).__name__,
                code=getattr(error, "code", ""),
            )
        else:
            self._pauses.succeeded(name, rest=RESTS[name])

    async def _upload(self) -> None:
        """Crash anywhere: what was made and not marked as uploaded is uploaded again."""
        async with self._uploading:
            counts, with_device = self._counts, self._is_device_due
            body = await self._machine.upload(counts, with_device=with_device)
            if body is not None:
                try:
                    answer = await self._directory.upload(body)
                except ConnectorError as error:
                    await self._upload_failed(error, body)
                    raise
                await self._machine.uploaded()
                self._take_counts(answer, has_fallback="fallback_keys" in body)
            if with_device:
                self._is_device_due = False
            self._is_upload_due = self._counts != counts
            self._failures = self._refusals = 0

    def _take_counts(self, answer: JsonObject, *, has_fallback: bool) -> None:
        """What the server has after an upload; a sync under way may tell what was before."""
        known, told = self._counts, count(answer, CLAIMED)
        if told is not None:
            self._counts = KeyCounts(
                one_time=told,
                fallback_unused=has_fallback or (known is not None and known.fallback_unused),
            )

    async def _upload_failed(self, error: ConnectorError, body: JsonObject) -> None:
        self._failures += 1
        self._failure = getattr(error, "code", "") or type(error).__name__
        if not isinstance(error, ConnectorRejectedError) or is_of_the_account(error):
            return
        self._refusals += 1
        if self._refusals == 1 and table(body, "one_time_keys"):
            # The server holds other keys under these names, which nothing mends: new names do.
            # Once only, lest the private parts of keys that others hold be pushed out.
            await self._machine.uploaded()

    async def _revive(self) -> None:
        await self._delivered()
        tried = frozenset(self._wedged)
        # A device that is not known by now is named again with its next message.
        revival = await self.outbound.revive(tried)
        self._parcels += revival.parcels
        self._revived += revival.devices
        self._wedged -= tried
        await self._delivered()

    async def _delivered(self) -> None:
        """What was encrypted is kept until it is sent: only by that they learn of a session.

        Crash before it is written down that they were: with their next message it begins anew.
        """
        while self._parcels:
            await self.outbound.deliver(self._parcels[0])
            del self._parcels[0]
        if self._revived:
            await self.outbound.revived(self._revived)
            self._revived.clear()

    async def _look(self) -> None:
        self._withheld = await self._machine.run(_withheld_of_late)
        await self._tracking.look()


def _outdated(users: frozenset[str], transaction: Transaction) -> set[str]:
    found = transaction.execute("SELECT user_id FROM tracked WHERE outdated > 0")
    return {user_id for (user_id,) in found if user_id in users}


def _withheld_of_late(transaction: Transaction) -> tuple[tuple[str, int], ...]:
    """By code, how many sessions; not those of strangers, nor of long ago."""
    found = transaction.execute(
        "SELECT code, count(*) FROM withheld_by_tracked WHERE at > ? GROUP BY code ORDER BY code",
        (transaction.now_ms - TOLD_MS,),
    )
    return tuple(found.fetchall())


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
