"""One run from its plan to its verdict: the world, its processes, and what happens to them."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random

import structlog

from bridge import errors, keys
from bridge.admission import ListedGroup
from bridge.errors import MunimentError
from bridge.model import Event, EventKind, Particulars
from bridge.protocols.office import GroupStep, StepKind
from tests.fakes import samples
from tests.fakes.decrypter import key_message
from tests.fakes.office import Inbox
from tests.simulation import invariants, rulings
from tests.simulation.keys import KeyStore, Senders, SimDecrypter, session_of
from tests.simulation.loop import PROCESS, SimLoop
from tests.simulation.plan import Act, ActKind, Fault, FaultKind, KeyFate, Plan, Utter
from tests.simulation.ports import (
    SimClassifier,
    SimClock,
    SimHeads,
    SimJournal,
    SimPlace,
    SimSpool,
    SimStore,
)
from tests.simulation.process import Ground, Process
from tests.simulation.server import NAME, Platform, SimConnector
from tests.simulation.weather import Weather

EXPECTED = MunimentError.__name__
FORESEEN = {name for name, value in vars(errors).items() if isinstance(value, type)}
"""Errors that may be logged: those of the tree. Any other is one that nobody expected."""

PATIENCE = 400.0
"""Virtual seconds, after the last fault, within which everything must be at rest."""


def group_id(number: int) -> str:
    """The platform's name of a group."""
    return f"!group{number}:example.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a run did: two runs of one seed give equal traces."""

    steps: int
    fingerprint: int
    seconds: float
    landed: tuple[tuple[float, str], ...]
    leaves: tuple[bytes, ...]


class World:
    """Everything of one run."""

    def __init__(self, plan: Plan, loop: SimLoop) -> None:
        self.plan = plan
        self.loop = loop
        self.weather = Weather(plan.faults)
        self.clock = SimClock(loop)
        self.journal = SimJournal(
            clock=self.clock, loop=loop, random=self._random("journal"), weather=self.weather
        )
        self.store = SimStore(
            clock=self.clock,
            loop=loop,
            random=self._random("store"),
            weather=self.weather,
            watch=self._about_to_put,
        )
        self.heads = SimHeads(clock=self.clock, weather=self.weather)
        self.place = SimPlace(self.store, self.clock)
        self.spool = SimSpool(clock=self.clock, weather=self.weather)
        self.platform = Platform(clock=self.clock, check=self._may_forget)
        self.classifier = SimClassifier()
        self.senders = Senders()
        self.keys = KeyStore()
        self.inbox = Inbox()
        self.spoken: dict[str, list[str]] = {}
        self.trouble: list[str] = []
        self.process: Process | None = None
        self._life_of: list[asyncio.Task[None]] = []
        self._over = False
        self.groups = [group_id(i) for i in range(plan.groups)]
        self._gids = {keys.group_gid(samples.BLIND_KEY, NAME, name): name for name in self.groups}
        pause = self._random("lag")
        loop.lag = lambda: pause.choice((0.0, 0.0, 0.001, 0.02))

    def _random(self, what: str) -> Random:
        return Random(f"{self.plan.seed} {what}")

    def _may_forget(self, events: Sequence[Event]) -> None:
        """The platform is told that these are ours: then they are in the journal."""
        for event in events:
            found = invariants.rows_of(self.journal, event)
            assert found, f"acknowledged, and not in the journal: {event.upstream_id}"

    def _about_to_put(self, key: str) -> None:
        """What is said in a group goes nowhere before the group was told."""
        for gid, name in self._gids.items():
            if gid in key and name not in self.journal.told_at:
                self.trouble.append(f"{key} was put before {name} was told")

    async def live(self) -> None:
        """Let everything happen, wait for rest, stop the recorder in order."""
        for name in self.groups:
            self.platform.invite(name)
        doings: list[tuple[float, Callable[[], None]]] = [
            *((utter.at, partial(self._say, utter)) for utter in self.plan.said),
            *((act.at, partial(self._do, act)) for act in self.plan.acts),
            *((at, partial(self._send_key, *of)) for of, at in self.plan.sent_keys().items()),
            *((each.at, partial(rulings.order, self, each)) for each in self.plan.rulings),
            *((fault.at, partial(self._strike, fault)) for fault in self.plan.faults),
        ]
        living = asyncio.create_task(self._keep_alive(), name="init")
        for at, do in sorted(doings, key=lambda doing: doing[0]):
            await asyncio.sleep(at - self.loop.time())
            do()
        await asyncio.sleep(max(self.plan.life - self.loop.time(), 0.0))
        await self._rest()
        self._over = True
        await self._end_in_order()
        await living

    async def _keep_alive(self) -> None:
        """Whatever ends the recorder, it is started again a little later."""
        number = 0
        while not self._over:
            number += 1
            self.process = self._new_process(number)
            self._run_in(self.process, self.process.main)
            await self.process.ended.wait()
            ended = self.loop.time()
            self.process = None
            self.journal.crash()
            await asyncio.sleep(self._random(f"down {number}").uniform(0.0, 4.0))
            self.weather.storm(ended, self.loop.time())

    def _new_process(self, number: int) -> Process:
        ground = Ground(
            loop=self.loop,
            clock=self.clock,
            journal=self.journal,
            store=self.store,
            heads=self.heads,
            place=self.place,
            spool=self.spool,
            inbox=self.inbox,
            classifier=self.classifier,
            listed=tuple(
                ListedGroup(connector=NAME, platform=NAME, group_id=group_id(i), name=f"Group {i}")
                for i in range(self.plan.groups)
            ),
            forget_after=self.plan.forget_after,
            random=self._random(f"salts {number}"),
        )
        connector = SimConnector(
            platform=self.platform,
            clock=self.clock,
            weather=self.weather,
            random=self._random(f"connector {number}"),
            committed=lambda: self.journal._cursors.get(NAME),
            decrypter=self._new_decrypter(number) if self.plan.keys else None,
        )
        return Process(ground, connector, number=number)

    def _new_decrypter(self, number: int) -> SimDecrypter:
        return SimDecrypter(
            store=self.keys,
            senders=self.senders,
            clock=self.clock,
            weather=self.weather,
            random=self._random(f"keys {number}"),
        )

    def _run_in(
        self, process: Process, main: Callable[[], Coroutine[object, object, None]]
    ) -> None:
        context = contextvars.copy_context()
        context.run(PROCESS.set, process.number)
        self._life_of.append(self.loop.create_task(main(), context=context))

    def _strike(self, fault: Fault) -> None:
        if fault.kind is FaultKind.CLOCK:
            self.clock.step(fault.seconds)
        if self.process is None:
            return
        if fault.kind is FaultKind.KILL:
            self.loop.freeze(self.process.number)
            self.process.ended.set()
        if fault.kind is FaultKind.STOP:
            self._run_in(self.process, self.process.stop)

    def _say(self, utter: Utter) -> None:
        where = group_id(utter.group)
        name = f"${len(self.classifier.said)}"
        earlier = self.spoken.setdefault(where, [])
        media = tuple(
            self.platform.offer(medium, f"mxc://example.org/{name[1:]}-{i}")
            for i, medium in enumerate(utter.media)
        )
        self.classifier.said[name] = utter
        self.classifier.context[name] = tuple(earlier[-utter.leans :]) if utter.leans else ()
        event = samples.event(
            name,
            group_id=where,
            sent_at=self.clock.now() - timedelta(seconds=utter.backdated),
            body=f"Words {name}.",
            kind=EventKind.MESSAGE,
            timer=utter.timer,
            attachments=media,
        )
        if utter.key is not None:
            if self.plan.keys[utter.key].fate is KeyFate.WITH:
                self._send_key(utter.group, utter.key)
            event = self.senders.encrypted(event, session_of(where, utter.key))
        if self.platform.say(event):
            earlier.append(name)

    def _send_key(self, group: int, number: int) -> None:
        """A key goes to the recorder, or into the backup."""
        session = session_of(group_id(group), number)
        if self.plan.keys[number].fate is KeyFate.ELSEWHERE:
            self.senders.elsewhere.add(session)
        else:
            self.platform.whisper(key_message(session))

    def _do(self, act: Act) -> None:
        where = group_id(act.group)
        if act.kind is ActKind.KICK:
            self.platform.kick(where)
        elif act.kind is ActKind.INVITE:
            self.platform.invite(where)
        elif act.kind is ActKind.TIMER:
            self.platform.set_timer(where, act.timer)
        else:
            step = GroupStep(
                number=len(self.inbox.steps) + 1,
                kind=StepKind(act.kind.value),
                connector=NAME,
                group_id=where,
                name=None,
                by="Ada",
                at=self.clock.now(),
                why="because",
                particulars=Particulars(owner="Ada", purpose="Floods"),
            )
            self.inbox.steps.append(step)

    async def _rest(self) -> None:
        """Time goes on until nothing is left to do."""
        limit = self.loop.time() + PATIENCE
        while left := invariants.unfinished(self):
            assert self.loop.time() < limit, f"no rest {PATIENCE} s after the last fault: {left}"
            await asyncio.sleep(0.25)

    async def _end_in_order(self) -> None:
        process = self.process
        assert process is not None, "at rest, and yet not running"
        self._run_in(process, process.stop)
        await process.ended.wait()
        await process.finish()

    def clean_up(self) -> None:
        """The dead go too: their last words change nothing that was looked at."""
        self.loop.thaw()
        tasks = asyncio.all_tasks(self.loop)
        for task in sorted(tasks, key=hash):
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks))

    def trace(self) -> Trace:
        """What happened, for a comparison."""
        return Trace(
            steps=self.loop.steps,
            fingerprint=self.loop.fingerprint,
            seconds=self.loop.time(),
            landed=tuple(self.store.landed),
            leaves=tuple(leaf.body for leaf in self.journal.log),
        )


@contextmanager
def _listening(world: World) -> Iterator[None]:
    """No loop may fail on what it did not expect; and what is logged is not printed."""

    def note(
        _logger: object, _method: str, line: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        error = line.get("error", EXPECTED)
        if error not in FORESEEN and line.get("event") != "classifier_failed":
            world.trouble.append(str(dict(line)))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[note])
    try:
        yield
    finally:
        structlog.configure(**before)


def run(plan: Plan, *, meddle: Callable[[World], None] = lambda _: None) -> Trace:
    """Play the plan and check everything; the same plan gives the same trace.

    ``meddle`` is done to the world before it is looked at.
    """
    loop = SimLoop(f"{plan.seed} loop")
    asyncio.set_event_loop(None)
    world = World(plan, loop)

    def complain(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        if not isinstance(context.get("exception"), MunimentError):
            world.trouble.append(f"{context.get('message')}: {context.get('exception')!r}")

    loop.set_exception_handler(complain)
    with _listening(world):
        try:
            loop.run_until_complete(world.live())
            meddle(world)
            invariants.check(world)
            return world.trace()
        finally:
            world.clean_up()
            loop.close()
