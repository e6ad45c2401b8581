"""The recorder's ports in the simulated world: clock, journal, store, spool and classifier."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from bridge.errors import (
    JournalUnavailableError,
    LogUnavailableError,
    ObjectConflictError,
    ObjectStoreError,
    ObjectStoreRejectedError,
    ObjectStoreUnavailableError,
    SpoolFullError,
)
from bridge.lifecycle import EntryState
from bridge.model import (
    Context,
    EventKind,
    Group,
    NoticeState,
    ObjectReceipt,
    Outcome,
    Utterance,
    Verdict,
)
from bridge.protocols import Classifier, Clock, ObjectBody, Placement
from tests.fakes import samples
from tests.fakes.journal import MemoryJournal
from tests.fakes.log import FakeCheckpointPlace, FakeCheckpointStore
from tests.fakes.object_store import FakeObjectStore, _read
from tests.fakes.spool import MemorySpool, MemoryWriter
from tests.simulation.loop import SimLoop
from tests.simulation.naps import LONGEST, nap
from tests.simulation.plan import FaultKind, Utter
from tests.simulation.weather import Weather

START = datetime(2026, 3, 1, 23, 59, 40, tzinfo=UTC)
"""Close to midnight, so that many runs write into the folders of two days."""

TAKEN = {
    EntryState.RECEIVED: (EntryState.RECEIVED, EntryState.JUDGED),
    EntryState.SEALED: (EntryState.SEALED,),
}
"""What is claimed by whoever waits for an entry in this state."""

FOREIGN = b"somebody else wrote this"


class SimClock:
    """See :class:`bridge.protocols.Clock`. The wall clock may be stepped, the other not."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self._offset = 0.0

    def now(self) -> datetime:
        """The wall clock."""
        return START + timedelta(seconds=self._loop.time() + self._offset)

    def monotonic(self) -> float:
        """Virtual time."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        await asyncio.sleep(seconds)

    def step(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self._offset += seconds


class SimJournal(MemoryJournal):
    """A journal whose disk is sometimes full, and whose answers sometimes take a while."""

    def __init__(self, *, clock: Clock, loop: SimLoop, random: Random, weather: Weather) -> None:
        super().__init__(clock=clock, random_bytes=random.randbytes, blind_key=samples.BLIND_KEY)
        self._loop = loop
        self._draw = random
        self._weather = weather
        self._napping: dict[EntryState, list[asyncio.Future[None]]] = {}
        self.told_at: dict[str, float] = {}

    def _require_open(self) -> None:
        super()._require_open()
        if self.unavailable:
            raise JournalUnavailableError("The disk is full.")

    @property
    def unavailable(self) -> bool:
        """Whether its disk is full now, which whoever asks it anything is told."""
        return self._weather.on(FaultKind.JOURNAL, self._loop.time()) is not None

    async def _turn(self) -> None:
        if self._draw.random() < 0.05:
            await asyncio.sleep(self._draw.uniform(0.001, 0.05))
        else:
            await asyncio.sleep(0)

    async def work(self, state: EntryState, *, seconds: float) -> None:
        """Wait for a sign, or until the time is over and there is something to claim."""
        if self._arrived[state].is_set():
            await self._turn()
            return
        await nap(
            self._loop,
            seconds,
            news=lambda: self._claimable(state),
            sign=self._napping.setdefault(state, []).append,
            first=LONGEST if self._is_quiet(state) else None,
        )

    def _claimable(self, state: EntryState) -> bool:
        now = self._clock.now()
        return self.unavailable or any(self._free(each, now) for each in TAKEN[state])

    def _is_quiet(self, state: EntryState) -> bool:
        """Nothing is there that might become due, and the disk will not be full soon."""
        return not self._weather.begins(FaultKind.JOURNAL, self._loop.time(), LONGEST) and not any(
            row.state in TAKEN[state] for row in self._at_work.values()
        )

    def _signal(self, *states: EntryState) -> None:
        super()._signal(*states)
        for state in states:
            for napping in self._napping.pop(state, ()):
                if not napping.done():
                    napping.set_result(None)

    def crash(self) -> None:
        """The process dies: nobody naps any more either."""
        super().crash()
        self._napping.clear()

    async def settle_notice(
        self,
        group: Group,
        *,
        notice: NoticeState,
        note: str,
        act: Placement,
        version: str | None = None,
        said_at: datetime | None = None,
    ) -> None:
        """The notice is out or refused."""
        self._require_open()
        self.told_at.setdefault(group.group_id, self._clock.monotonic())
        await super().settle_notice(
            group, notice=notice, note=note, act=act, version=version, said_at=said_at
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A put on its way."""

    key: str
    data: bytes
    retain_until: datetime | None
    content_type: str


class SimStore(FakeObjectStore):
    """The store at the far end of a network: a put lands or not, whoever still waits for it.

    ``watch`` is told each key before its put is sent.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        loop: SimLoop,
        random: Random,
        weather: Weather,
        watch: Callable[[str], None],
    ) -> None:
        super().__init__(clock)
        self._loop = loop
        self._draw = random
        self._weather = weather
        self._watch = watch
        self._outside = contextvars.copy_context()
        self.planted: set[str] = set()
        self.landed: list[tuple[float, str]] = []

    async def put(
        self,
        key: str,
        body: ObjectBody,
        *,
        retain_until: datetime | None,
        content_type: str = "application/json",
    ) -> ObjectReceipt:
        """Send it, and wait for what comes back."""
        self._names.of_key(key)
        self._watch(key)
        data = await asyncio.to_thread(_read, body)
        reply: asyncio.Future[bool] = self._loop.create_future()
        replies_in, error = self._fate(key)
        lands_in: float | None = replies_in
        if error is not None:
            lost = self._on(FaultKind.STORE_LOSSY) and self._draw.random() < 0.7
            lands_in = self._draw.choice((0.0, replies_in, replies_in + 4.0)) if lost else None
            self._later(replies_in, self._refuse, reply, error)
        if lands_in is not None:
            sent = Sent(key=key, data=data, retain_until=retain_until, content_type=content_type)
            self._later(lands_in, self._land, reply, error, sent)
        existed = await reply
        shown = self.objects[key].retain_until
        return ObjectReceipt(key=key, digest=body.digest, retain_until=shown, existed=existed)

    def _on(self, kind: FaultKind) -> bool:
        return self._weather.on(kind, self._loop.time()) is not None

    def _later(self, seconds: float, act: Callable[..., None], *args: object) -> None:
        self._loop.call_later(seconds, lambda: act(*args), context=self._outside)

    def _fate(self, key: str) -> tuple[float, ObjectStoreError | None]:
        """After how long the answer comes, and whether it is an error."""
        quick = self._draw.uniform(0.005, 0.15)
        if self._on(FaultKind.STORE_DOWN):
            if self._draw.random() < 0.2:
                return quick, ObjectStoreRejectedError("403")
            return quick * 10, ObjectStoreUnavailableError("503")
        if self._on(FaultKind.STORE_LOSSY) and self._draw.random() < 0.6:
            return quick, ObjectStoreUnavailableError("no reply")
        if self._on(FaultKind.STORE_CONFLICT) and self._draw.random() < 0.5:
            return quick, self._conflict(key)
        ends = self._weather.on(FaultKind.STORE_SLOW, self._loop.time())
        if ends is not None:
            return min(self._draw.uniform(0.1, 8.0), ends - self._loop.time() + quick), None
        return quick, None

    def _conflict(self, key: str) -> ObjectConflictError | None:
        """A number that somebody else took; a record's key is only occupied for a while."""
        if key in self.objects or key.startswith("log/"):
            return None  # who else writes the log has our key: that is no fault to be survived
        if key.startswith(("acts/", "manifests/")):
            self._create(key, FOREIGN, None, "application/json")
            self.planted.add(key)
            return None
        return ObjectConflictError(f"{key} holds other bytes", found=None)

    async def send(self, key: str, land: Callable[[], None]) -> None:
        """A request that happens at the far end, or does not, whoever still waits for it."""
        reply: asyncio.Future[bool] = self._loop.create_future()
        replies_in, error = self._fate(key)
        lands_in: float | None = replies_in
        if error is not None:
            lost = self._on(FaultKind.STORE_LOSSY) and self._draw.random() < 0.7
            lands_in = self._draw.choice((0.0, replies_in, replies_in + 4.0)) if lost else None
            self._later(replies_in, self._refuse, reply, error)

        def arrive() -> None:
            try:
                land()
            except ObjectConflictError as conflict:
                if error is None:
                    self._refuse(reply, conflict)
                return
            self.landed.append((self._loop.time(), key))
            if error is None and not reply.done():
                reply.set_result(True)

        if lands_in is not None:
            self._later(lands_in, arrive)
        await reply

    def delay(self) -> float:
        """How long an answer takes."""
        return self._draw.uniform(0.005, 0.15)

    @property
    def is_down(self) -> bool:
        """Whether nothing is answered now."""
        return self._on(FaultKind.STORE_DOWN)

    def _refuse(self, reply: asyncio.Future[bool], error: ObjectStoreError) -> None:
        if not reply.done():
            reply.set_exception(error)

    def _land(self, reply: asyncio.Future[bool], lost: ObjectStoreError | None, sent: Sent) -> None:
        try:
            existed = self._create(sent.key, sent.data, sent.retain_until, sent.content_type)
        except ObjectConflictError as error:
            if lost is None:
                self._refuse(reply, error)
            return
        self.landed.append((self._loop.time(), sent.key))
        if lost is None and not reply.done():
            reply.set_result(existed)


class SimPlace(FakeCheckpointPlace):
    """The checkpoint at the far end of the same network."""

    def __init__(self, store: SimStore, clock: Clock) -> None:
        super().__init__(store, clock)
        self._far = store

    async def read(self) -> bytes | None:
        """What stands there, if the store answers."""
        await asyncio.sleep(self._far.delay())
        if self._far.is_down:
            raise ObjectStoreUnavailableError("503")
        return await super().read()

    async def publish(self, note: bytes, *, instead_of: bytes | None) -> None:
        """Send it, and wait for what comes back."""

        def land() -> None:
            held = self._far.objects.get(self._key)
            standing = None if held is None else held.data
            self.replace(note, standing=standing, instead_of=instead_of)

        await self._far.send(self._key, land)


class SimHeads(FakeCheckpointStore):
    """``log.db`` on the disk that is sometimes full."""

    def __init__(self, *, clock: Clock, weather: Weather) -> None:
        super().__init__()
        self._clock = clock
        self._weather = weather

    def _answer(self) -> None:
        if self._weather.on(FaultKind.JOURNAL, self._clock.monotonic()) is not None:
            raise LogUnavailableError("The disk is full.")


class SimSpool(MemorySpool):
    """A spool that is full at times."""

    def __init__(self, *, clock: Clock, weather: Weather) -> None:
        super().__init__()
        self._clock = clock
        self._weather = weather

    async def create(self) -> MemoryWriter:
        """A new file, if there is room for one."""
        if self._weather.on(FaultKind.SPOOL, self._clock.monotonic()) is not None:
            raise SpoolFullError("The spool is full.")
        return await super().create()


class SimClassifier:
    """Says of each message what its plan says."""

    policy = "simulated@1"
    model = "none"

    def __init__(self) -> None:
        self.said: dict[str, Utter] = {}
        self.context: dict[str, tuple[str, ...]] = {}

    @property
    def alarm(self) -> str:
        """Nothing."""
        return ""

    def classify(self, utterance: Utterance, context: Context) -> Verdict:
        """The plan's outcome; what the bridge derives itself is captured.

        Of what is encrypted still nothing can be said.
        """
        if utterance.kind is EventKind.ENCRYPTED:
            return samples.verdict(Outcome.REVIEW, policy=self.policy, model=self.model)
        utter = self.said.get(utterance.upstream_id)
        if utter is not None and utter.outcome is None:
            raise ValueError("a classifier must not raise, and this one does")
        outcome = Outcome.CAPTURE if utter is None or utter.outcome is None else utter.outcome
        restricted = utter is not None and utter.restricted
        return samples.verdict(
            Outcome.REVIEW if restricted else outcome,
            context=self.context.get(utterance.upstream_id, ()),
            restricted=restricted,
            policy=self.policy,
            model=self.model,
        )


if TYPE_CHECKING:
    _clock: type[Clock] = SimClock
    _classifier: type[Classifier] = SimClassifier
