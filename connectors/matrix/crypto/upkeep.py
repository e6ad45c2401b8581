"""What keeps others able to reach us: our keys at the server, theirs with us.

Nothing here is needed to receive: what fails is logged by name, remembered, and tried again after
a pause that grows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence

import structlog

from bridge.errors import ConnectorError, ConnectorRejectedError
from bridge.protocols import Clock
from connectors.matrix.crypto.devices import TOLD_MS
from connectors.matrix.crypto.directory import CLAIMED, Directory, Parcel
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.outbound import Outbound
from connectors.matrix.crypto.store import Transaction
from connectors.matrix.crypto.tracking import Tracking
from connectors.matrix.crypto.values import KeyCounts, Wedged
from connectors.matrix.fields import JsonObject, count, table
from connectors.matrix.http import MatrixHttp, is_of_the_account
from connectors.matrix.pauses import Pauses

log = structlog.get_logger(__name__)

RESTS = {"upload": 2.0, "revive": 0.0, "look": 60.0}
"""Seconds between two, when nothing fails."""

ASKED_SECONDS = 10.0
MOST_WEDGED = 250
MOST_NAMED = 5
TOLD_AFTER = 3
"""So often in a row the server must not answer before it is told of; a refusal is told at once."""

_UPLOAD, _REVIVE, _LOOK = "upload", "revive", "look"


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
        self._refusals = 0
        self._failures = 0
        self._failure = ""
        self._uploading = asyncio.Lock()
        self._wedged: set[Wedged] = set()
        self._parcels: list[Parcel] = []
        self._withheld: tuple[tuple[str, int], ...] = ()

    async def publish_device(self) -> bool:
        """Publish our device and its first keys; whether that is done. Else :meth:`work` does it.

        MUST be done before the identity signs the device. Safe to repeat.
        """
        self._is_device_due = True
        await self._tried(_UPLOAD, self._upload)
        return not self._is_device_due

    def after_sync(
        self, counts: KeyCounts | None, changed: Collection[str], left: Collection[str]
    ) -> None:
        """What a sync told of keys; ``counts`` is None where it told nothing of ours."""
        if counts is not None:
            self._is_upload_due |= counts != self._counts
            self._counts = counts
        if changed:
            self._tracking.changed(changed)
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
                self._tracking.track([device.user_id])

    async def ask(self, users: Collection[str]) -> None:
        """Have the devices of these told now, if they are not known; for ten seconds at most.

        MUST NOT raise: what is not known by then is asked for by :meth:`work`.
        """
        self._tracking.track(users)
        try:
            async with asyncio.timeout(ASKED_SECONDS):
                while await self._tracking.step(users):
                    pass
        except TimeoutError:
            log.warning("devices_not_asked", error="TimeoutError")

    async def work(self) -> None:
        """Do what is due. Keys of ours go before everything, and between two long questions."""
        await self._keys()
        while await self._tracking.step():
            await self._keys()
        if self._wedged or self._parcels:
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
        if self._is_upload_due or self._is_device_due:
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
        self._parcels += await self.outbound.revive(tried)
        self._wedged -= tried
        await self._delivered()

    async def _delivered(self) -> None:
        """What was encrypted is kept until it is sent: only by that they learn of a session."""
        while self._parcels:
            await self.outbound.deliver(self._parcels[0])
            del self._parcels[0]

    async def _look(self) -> None:
        self._withheld = await self._machine.run(_withheld_of_late)
        await self._tracking.look()


def _withheld_of_late(transaction: Transaction) -> tuple[tuple[str, int], ...]:
    """By code, how many sessions; what was withheld long ago is of no use to tell of."""
    found = transaction.execute(
        "SELECT code, count(*) FROM withheld WHERE at > ? GROUP BY code ORDER BY code",
        (transaction.now_ms - TOLD_MS,),
    )
    return tuple(found.fetchall())


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
