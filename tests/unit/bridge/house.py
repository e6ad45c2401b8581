"""All parts of one recorder on a real journal; platform, store and people are in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from bridge.admission import Admission, ListedGroup
from bridge.capture import Capture
from bridge.downloads import Downloads
from bridge.forget import Forget
from bridge.lifecycle import EntryState
from bridge.model import Cursor, Event, Group, GroupState, NoticeState, Outcome, Stream, Verdict
from bridge.notekeys import NoteSigner
from bridge.notices import Notice
from bridge.protocols import Connector, Entry
from bridge.publisher import Publisher
from bridge.scribe import Scribe
from bridge.seal import Keeper, Retention, Sealer
from bridge.speech import Speech
from bridge.triage import Triage
from bridge.writer import Writer
from tests.fakes import samples
from tests.fakes.classifier import ScriptedClassifier
from tests.fakes.clock import FakeClock
from tests.fakes.connector import ScriptedConnector
from tests.fakes.crash import (
    Crash,
    CrashingHeads,
    CrashingJournal,
    CrashingPlace,
    CrashingSpool,
    CrashingStore,
)
from tests.fakes.holds import FakeHolds
from tests.fakes.log import KEY, tiled_log
from tests.fakes.office import FakeOffice, Inbox

Document = dict[str, object]
TENANT = "demo"
RETENTION = Retention(records=timedelta(days=2555), review=timedelta(days=30))
MEDIA_MAX = 1000


class House:
    """One recorder. ``restart`` is what a new process finds: new parts on the same files."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.db"
        self.clock = FakeClock()
        self.connector = ScriptedConnector(committed=self._committed)
        self.connectors: dict[str, Connector] = {"matrix": self.connector}
        self.classifier = ScriptedClassifier()
        self.store = CrashingStore(self.clock)
        self.spool = CrashingSpool()
        self.heads = CrashingHeads()
        self.place = CrashingPlace(self.store, self.clock)
        self.inbox = Inbox()
        self.holds = FakeHolds()
        self.listed: tuple[ListedGroup, ...] = ()
        self.random = samples.seeded()
        self.key = KEY
        self.next_key: NoteSigner | None = None
        self.budget = 30.0
        self.discard_after = timedelta(days=30)
        self.context_window = timedelta(minutes=30)
        self._started: list[asyncio.Task[None]] = []

    async def _committed(self) -> Cursor | None:
        return await self.journal.cursor("matrix")

    async def open(self) -> None:
        """Begin a process's life."""
        journal = await CrashingJournal.open(
            self.path,
            key=samples.JOURNAL_KEY,
            blind_key=samples.BLIND_KEY,
            random_bytes=self.random,
            clock=self.clock,
        )
        assert isinstance(journal, CrashingJournal)
        self.journal = journal
        self._build()

    def _build(self) -> None:
        journal, clock = self.journal, self.clock
        self.sealer = Sealer(
            journal=journal,
            blind_key=samples.BLIND_KEY,
            random_bytes=self.random,
            clock=clock,
            version="1.2.3",
        )
        self.keeper = Keeper(
            journal=journal,
            store=self.store,
            spool=self.spool,
            clock=clock,
            tenant=TENANT,
            retention=_retention,
        )
        self.capture = Capture(connector=self.connector, journal=journal, clock=clock)
        self.triage = Triage(
            journal=journal,
            classifier=self.classifier,
            sealer=self.sealer,
            clock=clock,
            capture_all=False,
            window=self.context_window,
            budget=self.budget,
        )
        self.writer = Writer(journal=journal, keeper=self.keeper, clock=clock, workers=2)
        self.scribe = Scribe(
            journal=journal, store=self.store, clock=clock, tenant=TENANT, retention_days=2555
        )
        self.downloads = Downloads(
            journal=journal,
            spool=self.spool,
            connectors=self.connectors,
            clock=clock,
            media_max_bytes=MEDIA_MAX,
        )
        self.forget = Forget(
            journal=journal,
            spool=self.spool,
            holds=self.holds,
            clock=clock,
            discard_after=self.discard_after,
            context_window=self.context_window,
        )
        self.office = FakeOffice(self.inbox)
        self.admission = Admission(
            journal=journal,
            office=self.office,
            connectors=self.connectors,
            clock=clock,
            random_bytes=self.random,
            listed=self.listed,
            notice=_notice,
            classes=frozenset({"short"}),
            received=lambda _name: self.capture.received,
        )
        self.speech = Speech(journal=journal, connectors=self.connectors, clock=clock)
        self.log = tiled_log(
            self.store, self.heads, self.place, clock, key=self.key, following=self.next_key
        )
        self.publisher = Publisher(
            record_log=self.log, journal=journal, clock=clock, checkpoint_seconds=10
        )

    async def close(self) -> None:
        """End a process's life, with the loops that a failed test left running."""
        for task in self._started:
            task.cancel()
        await asyncio.gather(*self._started, return_exceptions=True)
        self.triage._thread.shutdown(wait=False)
        await self.journal.aclose()

    async def restart(self) -> None:
        """Another process takes over."""
        await self.close()
        await self.open()
        await self.downloads.sweep()

    def die_at(self, crash: Crash) -> None:
        """This process is to die at a point."""
        self.journal.crash = self.store.crash = self.spool.crash = crash
        self.heads.crash = self.place.crash = crash

    async def admit(self, group: Group | None = None) -> None:
        """A group is in the register."""
        assert await self.journal.set_group(group or samples.group(), expect=None)

    def start(self, loop: Callable[[], Coroutine[object, object, None]]) -> asyncio.Task[None]:
        """Run a loop until the test stops it, or the process ends."""
        task = asyncio.create_task(loop())
        self._started.append(task)
        return task

    async def listen(self) -> None:
        """Capture all that the platform has."""
        running = self.start(self.capture.run)
        idle = asyncio.create_task(self.connector.idle.wait())
        await asyncio.wait({running, idle}, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        if running.done():
            await running
        await stopped(running)

    async def hear(self, *events: Event) -> tuple[Entry, ...]:
        """These events happen and are captured; gives all entries."""
        self.connector.deliver(*events)
        await self.listen()
        return await self.entries()

    def says(self, upstream_id: str, outcome: Outcome, *context: str) -> Verdict:
        """What the classifier is to say of an event."""
        verdict = self.classifier.verdict(outcome, context=context)
        self.classifier.verdicts[upstream_id] = verdict
        return verdict

    async def settle(self) -> None:
        """Fetch, judge, seal, store and place until there is nothing left to do."""
        moved = True
        while moved:
            fetched = await self.downloads.step()
            judged = await self.triage.step()
            stored = await self.writer.step()
            moved = fetched or judged or stored
        await self.scribe.round(flush=True)

    async def entries(self) -> tuple[Entry, ...]:
        """Every entry with content, in the order it came."""
        return await self.journal.after(0, limit=1000)

    async def states(self) -> dict[str, EntryState]:
        """Where each entry stands, by upstream id and revision."""
        return {
            e.event.upstream_id + (f"/{e.event.revision}" if e.event.revision else ""): e.state
            for e in await self.entries()
        }

    async def leaves(self, kind: str | None = None) -> list[Document]:
        """The lines of the log, in order. White-box: no verb of the journal reads them yet."""
        rows = await self.journal._reader.execute_fetchall("SELECT body FROM leaf ORDER BY idx")
        leaves: list[Document] = [json.loads(row[0]) for row in rows]
        return [leaf for leaf in leaves if kind is None or leaf["k"] == kind]

    def objects(self, area: str) -> dict[str, bytes]:
        """What stands in the store below an area, without media."""
        return {
            key: held.data
            for key, held in self.store.objects.items()
            if key.startswith(area) and "/media/" not in key
        }

    def documents(self, area: str) -> list[Document]:
        """The same as values, in the order of their keys."""
        held: Mapping[str, bytes] = self.objects(area)
        return [json.loads(held[key]) for key in sorted(held)]

    async def group(self, group_id: str = samples.GROUP_ID) -> Group:
        """A group of the register."""
        (found,) = [g for g in await self.journal.groups() if g.group_id == group_id]
        return found

    async def gaps(self) -> list[tuple[object, object, object]]:
        """Why, from and to of every gap leaf."""
        return [(g["why"], g.get("from"), g.get("to")) for g in await self.leaves("gap")]

    async def move(self, state: GroupState, *, notice: NoticeState | None = None) -> None:
        """Set the sample group's state, past all rules."""
        before = await self.group()
        after = samples.group(state=state, notice=notice or before.notice)
        assert await self.journal.set_group(after, expect=before)

    def later(self, **length: float) -> datetime:
        """The clock moves on."""
        self.clock.advance(timedelta(**length).total_seconds())
        return self.clock.now()


def _notice(group: Group) -> Notice:
    text = f"{group.name} is recorded."
    timer = group.timer.seconds if group.timer else None
    return Notice(text=text, language="en", contact="ask us", group=group.name, timer=timer)


def _retention(_stream: Stream) -> Retention:
    return RETENTION


async def until(true: Callable[[], bool]) -> None:
    """Let the loops run until something is true; the test's own time limit ends a vain wait."""
    while not true():  # noqa: ASYNC110 - what is waited for sets no event
        await asyncio.sleep(0)


async def stopped(task: asyncio.Task[None]) -> None:
    """Cancel a loop, which must then end as cancelled."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
