"""One account's keys and identity, from its sign-in on. What is received never waits for it.

The order, begun anew with each process and repeated until it is through:

1. The store of keys is opened for the device we are signed in as.
2. Our device's keys are published.
3. The account's identity is made or found, and our device signed by it.
4. The backup of the keys is found or begun.

Before 3 is done no invitation to an encrypted group is accepted: keys that senders withhold from an
unsigned device are not sent again. What stands in the way is told under ``troubles``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

import structlog

from bridge.errors import (
    ConfigError,
    ConnectorError,
    ConnectorRejectedError,
    ConnectorUnavailableError,
    MunimentError,
)
from bridge.pauses import Pauses
from bridge.protocols import Clock
from bridge.rawjson.fields import JsonObject
from connectors.matrix.account import Account
from connectors.matrix.crypto.backup_server import HomeserverBackups
from connectors.matrix.crypto.identity import Identity
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.recovery_key import RandomBytes
from connectors.matrix.crypto.refusals import DeviceMismatchError
from connectors.matrix.crypto.safekeeping import Safekeeping
from connectors.matrix.crypto.server import HomeserverIdentity
from connectors.matrix.crypto.settings import CryptoSettings
from connectors.matrix.crypto.upkeep import Upkeep
from connectors.matrix.crypto.values import KeyCounts
from connectors.matrix.device_news import DeviceNews
from connectors.matrix.http import MatrixHttp

log = structlog.get_logger(__name__)

IDLE_SECONDS = 60.0
LAST_SECONDS = 2.0
"""For what is backed up while the process ends."""

_STORE, _IDENTITY = "store", "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    """What there is once the store is open."""

    machine: Machine
    upkeep: Upkeep
    safekeeping: Safekeeping


class CryptoSession:
    """See the module. ``is_signed``: others are shown our device as verified by its owner.

    ``is_refused``: it is not, and waiting will not mend that.
    """

    def __init__(
        self,
        *,
        name: str,
        http: MatrixHttp,
        account: Account,
        user_id: str,
        clock: Clock,
        settings: CryptoSettings,
    ) -> None:
        self._name = name
        self._http = http
        self._account = account
        self._user_id = user_id
        self._clock = clock
        self._settings = settings
        self._pauses = Pauses(clock)
        self._keys: _Keys | None = None
        self._opening = asyncio.Lock()
        self._begun = asyncio.Event()
        self._tried = asyncio.Event()
        self._server = HomeserverIdentity(http, user_id=user_id, password=account.password)
        self._keeper = settings.keeper(name)
        self._troubles: dict[str, str] = {}
        self._in_doubt = True
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._users: set[str] = set()
        self.is_signed = False
        self.is_refused = False

    @property
    def machine(self) -> Machine:
        """The keys.

        Raises:
            ConnectorUnavailableError: they are not at hand, for the reason given.
        """
        return self._at_hand.machine

    @property
    def upkeep(self) -> Upkeep:
        """What the server and other devices must be told.

        Raises:
            ConnectorUnavailableError: as :attr:`machine`.
        """
        return self._at_hand.upkeep

    @property
    def safekeeping(self) -> Safekeeping:
        """The backup of the keys.

        Raises:
            ConnectorUnavailableError: as :attr:`machine`.
        """
        return self._at_hand.safekeeping

    @property
    def random(self) -> RandomBytes:
        """Bytes that nobody can foresee."""
        return self._settings.random

    @property
    def troubles(self) -> tuple[str, ...]:
        """What is wrong now, with the remedy."""
        keys = self._keys
        more = () if keys is None else (*keys.upkeep.troubles, *keys.safekeeping.troubles)
        return (*self._troubles.values(), *more)

    async def start(self) -> None:
        """Open the store, and begin to work. To be called once signed in; MAY be repeated."""
        self._in_doubt = True  # the server may have forgotten the device meanwhile
        self._awake.set()
        await self._open()
        self._begun.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"crypto of {self._name}")

    def after_sync(self, news: DeviceNews) -> None:
        """Take up what a response told of devices."""
        if self._task is not None and self._task.done():
            self._task.result()  # it ends by itself only by a fault of ours, which must show
        if self._user_id in news.changed:
            self._in_doubt = True
        if self._keys is not None:
            counts = KeyCounts(one_time=news.one_time, fallback_unused=news.fallback_unused)
            self._keys.upkeep.after_sync(counts, news.changed, news.left)
        self._awake.set()

    def track(self, users: Collection[str]) -> None:
        """Know the devices of these from now on: the members of encrypted groups."""
        if self._keys is None:
            self._users.update(users)
        else:
            self._keys.upkeep.track(users)
            self._awake.set()

    async def begun(self) -> None:
        """Wait until :meth:`start` has opened the store, or has found why it cannot be."""
        await self._begun.wait()

    async def settled(self, seconds: float) -> None:
        """Wait, at most so long, until it was once tried to have our device signed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._tried.wait()

    async def encrypted(
        self, group_id: str, kind: str, content: Mapping[str, object], users: Collection[str]
    ) -> JsonObject:
        """What to send in place of ``content``, once the devices of ``users`` have its key.

        Raises:
            ConnectorUnavailableError: it cannot be had now; nothing was said.
        """
        outbound = self.upkeep.outbound
        try:
            sealed = await outbound.encrypted(group_id, kind, dict(content), users)
            await outbound.send(sealed)
        except ConnectorRejectedError as error:
            # A refusal of keys is no answer of the group: what is said waits.
            raise ConnectorUnavailableError(str(error), hint=error.hint) from None
        return sealed.content

    async def aclose(self) -> None:
        """Give up what is going on; first the keys that came last are backed up, if that is quick.

        What the store has is durable.
        """
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        keys, self._keys = self._keys, None
        if keys is None:
            return
        try:
            if self.is_signed:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LAST_SECONDS):
                        await keys.safekeeping.finish()
        finally:
            await keys.machine.aclose()

    @property
    def _at_hand(self) -> _Keys:
        if self._keys is None:
            why = self._troubles.get(_STORE) or "The store of keys is not open yet."
            raise ConnectorUnavailableError(why)
        return self._keys

    async def _run(self) -> None:
        while True:
            self._awake.clear()
            await self._step()
            await self._rest()

    async def _step(self) -> None:
        if self._keys is None and not self._pauses.left(_STORE):
            await self._open()
        keys = self._keys
        if keys is None:
            self._tried.set()
            return
        if self._in_doubt and not self._pauses.left(_IDENTITY):
            await self._establish(keys)
            self._tried.set()
        await keys.upkeep.work()
        if self.is_signed:
            await keys.safekeeping.work()

    async def _rest(self) -> None:
        """Until something is told, or something that failed is due."""
        due = [IDLE_SECONDS]
        if self._keys is None:
            due.append(self._pauses.left(_STORE))
        elif self._in_doubt:
            due.append(self._pauses.left(_IDENTITY))
        if self._keys is not None and self.is_signed:
            due.append(self._keys.safekeeping.left)
        told = asyncio.ensure_future(self._awake.wait())
        rested = asyncio.ensure_future(self._clock.sleep(min(due)))
        try:
            await asyncio.wait({told, rested}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in (told, rested):
                future.cancel()
            await asyncio.gather(told, rested, return_exceptions=True)

    async def _open(self) -> None:
        """Step 1."""
        async with self._opening:
            if self._keys is None:
                await self._open_store()

    async def _open_store(self) -> None:
        settings = self._settings
        try:
            machine = await Machine.open(
                settings.store(self._name),
                key=settings.key,
                user_id=self._user_id,
                device_id=self._device(),
                random=settings.random,
                clock=self._clock,
            )
        except ConnectorError as error:
            self._failed(_STORE, error)
            return
        self._succeeded(_STORE)
        upkeep = Upkeep(http=self._http, machine=machine, clock=self._clock)
        upkeep.track(self._users)
        self._users.clear()
        safekeeping = Safekeeping(
            backups=HomeserverBackups(self._http),
            server=self._server,
            keeper=self._keeper,
            machine=machine,
            random=settings.random,
            clock=self._clock,
        )
        self._keys = _Keys(machine=machine, upkeep=upkeep, safekeeping=safekeeping)

    def _device(self) -> str:
        device_id = self._account.device_id
        if device_id is None:
            raise ConnectorRejectedError(
                "The homeserver does not say which device the access token is of.",
                hint="Sign in with a password: [[matrix]] password_file.",
            )
        return device_id

    async def _establish(self, keys: _Keys) -> None:
        """Steps 2 and 3. Safe to repeat: a step that is done changes nothing."""
        self._in_doubt = False
        identity = Identity(
            server=self._server,
            keeper=self._keeper,
            device=keys.machine.device,
            random=self._settings.random,
        )
        try:
            await identity.check_name()
            if not await keys.upkeep.publish_device():
                raise ConnectorUnavailableError("The keys of our device are not published yet.")
            standing = await identity.establish()
        except (ConnectorError, ConfigError) as error:
            if isinstance(error, DeviceMismatchError):
                keys.upkeep.withdraw()
            self._in_doubt = True
            self._failed(_IDENTITY, error)
            return
        self._succeeded(_IDENTITY)
        keys.safekeeping.master = standing.master
        if not self.is_signed:
            log.info("device_signed", connector=self._name)
        self.is_signed = True

    def _failed(self, what: str, error: MunimentError) -> None:
        sentence = f"{error} {error.hint}"
        self.is_refused = not error.retryable
        # Trouble with the network says nothing of what was signed before.
        self.is_signed = self.is_signed and error.retryable
        if self._troubles.get(what) != sentence:
            log.warning("not_ready_for_encrypted", connector=self._name, what=str(error))
        self._troubles[what] = sentence
        self._pauses.failed(what, least=getattr(error, "retry_after", None) or 0.0)

    def _succeeded(self, what: str) -> None:
        self._troubles.pop(what, None)
        self._pauses.succeeded(what)
        self.is_refused = False
