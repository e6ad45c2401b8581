"""One life of a recorder on real files, in a process of its own that can be killed at any point.

The platform is scripted and starts anew with each process: it delivers after the cursor that the
journal has, as a platform would. Journal, spool and store are the real ones and outlive it.
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from multiprocessing.context import ForkServerContext
from pathlib import Path

from bridge.capture import Capture
from bridge.downloads import Downloads
from bridge.model import Cursor, ObjectReceipt, Outcome, Relation, RelationType
from bridge.protocols import CheckpointPlace, Head, ObjectBody
from bridge.publisher import Publisher
from bridge.scribe import Scribe
from bridge.seal import Keeper, Sealer
from bridge.triage import Triage
from bridge.writer import Writer
from storage.objects import LocalObjectStore
from storage.signer.ed25519 import Ed25519Signer
from storage.spool import FileSpool
from storage.translog.heads import SqliteCheckpointStore
from storage.translog.log import TiledLog
from tests.fakes import samples
from tests.fakes.classifier import ScriptedClassifier
from tests.fakes.clock import FakeClock
from tests.fakes.connector import OfferedFile, ScriptedConnector
from tests.fakes.crash import Crash, CrashingJournal, Kill
from tests.fakes.log import KEY
from tests.unit.bridge.house import MEDIA_MAX, RETENTION, TENANT

QUESTION, BANTER, PICTURE, ANSWER, DOUBTED = "$question", "$banter", "$picture", "$answer", "$doubt"
PLAN = samples.attachment("plan.pdf", size=8)
DATA = b"%PDF-1.7"


class KillableStore(LocalObjectStore):
    """A folder whose writer dies around a put."""

    crash = Crash()

    async def put(
        self,
        key: str,
        body: ObjectBody,
        *,
        retain_until: datetime | None,
        content_type: str = "application/json",
    ) -> ObjectReceipt:
        """Points are named after what is put."""
        what = "media" if "/media/" in key else key.partition("/")[0]
        self.crash.at(f"before put {what}")
        receipt = await super().put(key, body, retain_until=retain_until, content_type=content_type)
        self.crash.at(f"after put {what}")
        return receipt


class KillableHeads(SqliteCheckpointStore):
    """``log.db``, whose writer dies around a swap."""

    crash = Crash()

    async def swap(self, head: Head, *, expect: Head | None) -> bool:
        """Whoever swaps it may publish it."""
        self.crash.at("before swap")
        swapped = await super().swap(head, expect=expect)
        self.crash.at("after swap")
        return swapped

    async def published(self, head: Head) -> None:
        """All is done."""
        self.crash.at("before shown")
        await super().published(head)
        self.crash.at("after shown")


class KillablePlace:
    """The checkpoint of a folder, whose writer dies around a publication."""

    def __init__(self, place: CheckpointPlace, crash: Crash) -> None:
        self._place = place
        self._crash = crash

    async def read(self) -> bytes | None:
        """What stands there."""
        return await self._place.read()

    async def publish(self, note: bytes, *, instead_of: bytes | None) -> None:
        """What the world sees."""
        self._crash.at("before publish")
        await self._place.publish(note, instead_of=instead_of)
        self._crash.at("after publish")


class KillableSpool(FileSpool):
    """A spool whose owner dies around a removal."""

    crash = Crash()

    async def remove(self, names: frozenset[str]) -> None:
        """Files that are no longer needed."""
        self.crash.at("before remove")
        await super().remove(names)
        self.crash.at("after remove")


def fresh_bytes(lives: int) -> Callable[[int], bytes]:
    """Bytes that no other life draws, and the same in each run of a test."""
    drawn = 0

    def draw(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_128(f"{lives} {drawn}".encode()).digest(size)

    return draw


async def open_journal(folder: Path, lives: int) -> CrashingJournal:
    """The journal of this life."""
    journal = await CrashingJournal.open(
        folder / "journal.db",
        key=samples.JOURNAL_KEY,
        blind_key=samples.BLIND_KEY,
        random_bytes=fresh_bytes(lives),
        clock=FakeClock(),
    )
    assert isinstance(journal, CrashingJournal)
    return journal


def open_spool(folder: Path, lives: int) -> KillableSpool:
    """The spool of this life."""
    return KillableSpool(
        folder / "spool",
        samples.JOURNAL_KEY,
        max_bytes=10**6,
        media_max_bytes=MEDIA_MAX,
        random_bytes=fresh_bytes(-lives),
    )


async def live(folder: Path, lives: int, crash: Crash) -> None:
    """Everything from the start to the moment at which there is nothing left to do."""
    journal, spool = await open_journal(folder, lives), open_spool(folder, lives)
    store = KillableStore(folder / "store", TENANT, threads=1)
    await spool.start()
    await store.start()
    journal.crash = store.crash = spool.crash = crash
    if not await journal.groups():
        await journal.set_group(samples.group(), expect=None)
    heads = KillableHeads(folder / "log.db")
    heads.crash = crash
    try:
        await _work(journal, spool, store, lives)
        await _publish(journal, store, heads, crash)
    finally:
        await heads.aclose()
        await store.aclose()
        await journal.aclose()


async def _work(
    journal: CrashingJournal, spool: KillableSpool, store: KillableStore, lives: int
) -> None:
    clock = FakeClock()
    connector = _platform(journal)
    classifier = ScriptedClassifier()
    for name, outcome in ((QUESTION, Outcome.DISCARD), (BANTER, Outcome.DISCARD)):
        classifier.verdicts[name] = classifier.verdict(outcome)
    classifier.verdicts[ANSWER] = classifier.verdict(Outcome.CAPTURE, context=(QUESTION,))
    classifier.verdicts[DOUBTED] = classifier.verdict(Outcome.REVIEW)
    sealer = Sealer(
        journal=journal,
        blind_key=samples.BLIND_KEY,
        random_bytes=fresh_bytes(lives + 1000),
        clock=clock,
        version="1.2.3",
    )
    keeper = Keeper(
        journal=journal,
        store=store,
        spool=spool,
        clock=clock,
        tenant=TENANT,
        retention=lambda _stream: RETENTION,
    )
    downloads = Downloads(
        journal=journal,
        spool=spool,
        connectors={"matrix": connector},
        clock=clock,
        media_max_bytes=MEDIA_MAX,
    )
    triage = Triage(
        journal=journal,
        classifier=classifier,
        sealer=sealer,
        clock=clock,
        capture_all=False,
        window=timedelta(minutes=30),
    )
    writer = Writer(journal=journal, keeper=keeper, clock=clock, workers=1)
    scribe = Scribe(journal=journal, store=store, clock=clock, tenant=TENANT, retention_days=2555)
    await downloads.sweep()
    capture = asyncio.create_task(
        Capture(connector=connector, journal=journal, clock=clock).run(), name="capture"
    )
    await connector.idle.wait()
    capture.cancel()
    with suppress(asyncio.CancelledError):
        await capture
    while await downloads.step() or await triage.step() or await writer.step():
        pass
    await scribe.round(flush=True)


async def _publish(
    journal: CrashingJournal, store: KillableStore, heads: KillableHeads, crash: Crash
) -> None:
    record_log = TiledLog(
        store=store,
        heads=heads,
        place=KillablePlace(store.checkpoint_place(), crash),
        signer=Ed25519Signer(KEY),
        clock=FakeClock(),
        retention=None,
    )
    publisher = Publisher(
        record_log=record_log, journal=journal, clock=FakeClock(), checkpoint_seconds=10
    )
    await publisher.begin()
    await publisher.round()
    assert not publisher.health


def _platform(journal: CrashingJournal) -> ScriptedConnector:
    async def committed() -> Cursor | None:
        return await journal.cursor("matrix")

    connector = ScriptedConnector(committed=committed)
    connector.files[PLAN.url] = OfferedFile(chunks=(DATA[:4], DATA[4:]))
    connector.deliver(samples.event(QUESTION), samples.event(BANTER))
    connector.deliver(
        samples.event(PICTURE, attachments=[PLAN]),
        samples.event(ANSWER, relates_to=Relation(type=RelationType.REPLY, upstream_id=QUESTION)),
        samples.event(DOUBTED),
    )
    return connector


def _main(folder: Path, lives: int, point: str, nth: int) -> None:
    asyncio.run(live(folder, lives, Kill(point, nth)))


_SERVER: ForkServerContext = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([__name__])


def run(folder: Path, *, lives: int, point: str = "", nth: int = 1) -> int:
    """One life, killed at ``point``; its exit code, which is below zero for a signal."""
    process = _SERVER.Process(target=_main, args=(folder, lives, point, nth))
    process.start()
    process.join()
    code = process.exitcode
    process.close()
    assert code is not None
    return code
