"""From what is stored to what others can check: manifests, log, audits, anchors, the catalog."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass

from bridge.anchoring import Anchoring
from bridge.app.anchors import anchoring_of
from bridge.app.catalog import FiledCatalog
from bridge.app.opened import Opened
from bridge.audits import Audits
from bridge.indexer import Indexer
from bridge.publisher import Publisher
from bridge.scribe import Scribe
from bridge.store_watch import StoreWatch
from bridge.supervise import Loop


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """What is written down of what was stored, and who vouches for it."""

    scribe: Scribe
    publisher: Publisher
    audits: Audits
    anchoring: Anchoring
    indexer: Indexer
    watch: StoreWatch

    def loops(self, looked: asyncio.Event) -> Iterator[tuple[str, Loop]]:
        """Every loop by its name; ``looked`` is set once it is known what the store has.

        Documents are placed only then, and when the log was asked, too: until then indices may
        still move. The log is witnessed and dated once the journal has all its leaves.
        """

        async def write_down() -> None:
            await looked.wait()
            await self.publisher.looked.wait()
            await self.scribe.run()

        async def anchor() -> None:
            await self.publisher.looked.wait()
            await self.anchoring.run()

        yield "scribe", write_down
        yield "indexer", self.indexer.run
        yield "publisher", self.publisher.run
        yield "audits", self.audits.run
        yield "anchoring", anchor
        yield "store watch", self.watch.run

    def troubles(self) -> Iterator[tuple[str, str, str]]:
        """Part, kind of trouble, and the sentence, which is empty where all is well."""
        for what in self.watch.troubles:
            yield "store", "retention", what
        yield "manifests", "not placing", self.scribe.health
        yield "catalog", "not listing", self.indexer.health
        yield "log", self.publisher.trouble, self.publisher.health
        yield "log", "not audited", self.audits.health
        yield "witnesses", "not signing", self.anchoring.witnessing
        yield "timestamps", "not given", self.anchoring.stamping
        yield "anchors", "not placed", self.anchoring.placing


def publishing_of(opened: Opened) -> Publishing:
    """Wire these parts."""
    settings, journal, clock = opened.settings, opened.journal, opened.clock
    publisher = Publisher(
        record_log=opened.record_log,
        journal=journal,
        clock=clock,
        checkpoint_seconds=settings.log.checkpoint_seconds,
    )
    return Publishing(
        scribe=Scribe(
            journal=journal,
            store=opened.store,
            clock=clock,
            tenant=settings.service.tenant,
            retention_days=settings.longest_retention(),
        ),
        publisher=publisher,
        audits=Audits(
            journal=journal,
            clock=clock,
            random_bytes=os.urandom,
            head=lambda: publisher.head,
            probed=lambda: opened.watch.verdict,
            trail=opened.trail,
        ),
        anchoring=anchoring_of(
            settings,
            opened.outsiders,
            journal=journal,
            store=opened.store,
            clock=clock,
            published=lambda: publisher.publication,
        ),
        indexer=Indexer(
            journal=journal, store=opened.store, binding=FiledCatalog(settings), clock=clock
        ),
        watch=opened.watch,
    )
