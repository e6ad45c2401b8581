"""The whole comparison of journal, store and source, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from bridge import keys
from bridge.canonical import rfc3339
from bridge.errors import MunimentError
from bridge.protocols import Clock, Connector, Journal, ObjectStore, RequestKind
from bridge.reconcile.bucket import ACTS, Bucket
from bridge.reconcile.glance import Glance
from bridge.reconcile.holdings import Holdings, Lifetimes
from bridge.reconcile.pace import Pace
from bridge.reconcile.progress import Advance
from bridge.reconcile.receipts import Receipts
from bridge.reconcile.report import SENTENCES, Findings, Found, GroupReport, Report
from bridge.reconcile.source import Source
from bridge.reconcile.succession import Succession
from bridge.seal import Keeper

log = structlog.get_logger(__name__)

AREAS = (ACTS, f"{keys.MANIFESTS}/", f"{keys.RECORDS}/", f"{keys.REVIEW}/")
"""Acts first: they tell of streams, and manifests tell of records."""

GLANCE_WIDTH = 12
"""Requests at a time before recording begins: nothing else asks the store then."""

UNREGISTERED = " Of {} streams the group is not registered: list it, and it goes on anew."


class Reconciler:
    """Compares on demand, and looks at the store once before recording begins."""

    def __init__(
        self,
        *,
        journal: Journal,
        store: ObjectStore,
        keeper: Keeper,
        connectors: Mapping[str, Connector],
        clock: Clock,
        blind_key: bytes,
        lifetimes: Lifetimes,
        wait: Callable[[], bool] = lambda: False,
    ) -> None:
        """While ``wait`` says so, nothing is asked of the store: recording goes first."""
        self._journal = journal
        self._store = store
        self._keeper = keeper
        self._connectors = connectors
        self._clock = clock
        self._blind_key = blind_key
        self._lifetimes = lifetimes
        self._wait = wait
        self.succession = Succession(journal=journal, clock=clock)

    async def glance(self) -> int:
        """Before recording begins: gives how many streams were replaced. MAY be repeated.

        Raises:
            ObjectStoreError: the store does not answer; nothing is known, and nothing was changed.
        """
        # No second try here: recording waits for this, and it is repeated in any case.
        pace = Pace(store=self._store, clock=self._clock, pauses=(), width=GLANCE_WIDTH)
        bucket = self._bucket(pace, Findings())
        return await self.succession.follow(await self._glance(pace, bucket).take())

    async def compare(self, kind: RequestKind, advance: Advance) -> Report:
        """Everything, whatever its size. What stops it stands in the report."""
        began_at = rfc3339(self._clock.now())
        findings = Findings()
        groups: list[GroupReport] = []
        trouble = ""
        is_source = kind is RequestKind.RECONCILE_SOURCE
        try:
            if is_source:
                groups = await self._source(findings, advance).compare()
            else:
                await self._compare_store(findings, advance)
        except MunimentError as error:
            trouble = f"{error} {error.hint}"
        listed = findings.listed(self._sentences())
        fits = not trouble and not any(finding.fault for finding in listed)
        log.info("reconciled", kind=kind.value, fits=fits, complete=not trouble)
        return Report(
            subject="source" if is_source else "store",
            began_at=began_at,
            ended_at=rfc3339(self._clock.now()),
            fits=fits,
            complete=not trouble,
            trouble=trouble,
            checked=findings.checked,
            findings=listed,
            groups=groups,
        )

    def _sentences(self) -> dict[Found, str]:
        """The sentence on a store that is ahead, with what only an operator can settle."""
        waiting = len(self.succession.unclaimed)
        if not waiting:
            return {}
        return {Found.AHEAD: SENTENCES[Found.AHEAD] + UNREGISTERED.format(waiting)}

    async def _compare_store(self, findings: Findings, advance: Advance) -> None:
        """Journal to objects first, so that receipts are known when objects are looked at."""
        receipts = Receipts()
        pace = Pace(store=self._store, clock=self._clock, wait=self._wait, advance=advance)
        holdings = Holdings(
            journal=self._journal,
            store=self._store,
            keeper=self._keeper,
            clock=self._clock,
            pace=pace,
            lifetimes=self._lifetimes,
            findings=findings,
            receipts=receipts,
            step=advance.step,
        )
        tally = await self._journal.tally(now=self._clock.now())
        advance.begin("records", sum(group.stored for group in tally.groups))
        await holdings.check_records()
        advance.begin("documents")
        await holdings.check_documents()
        receipts.settle()
        bucket = self._bucket(pace, findings, receipts, advance.step)
        for area in AREAS:
            advance.begin(f"objects in {area}")
            await bucket.scan(area)
        ahead = await bucket.settle()
        await self._glance(pace, bucket).complete(ahead)
        await self.succession.follow(ahead, whole=True)

    def _bucket(
        self,
        pace: Pace,
        findings: Findings,
        receipts: Receipts | None = None,
        step: Callable[[], None] = lambda: None,
    ) -> Bucket:
        return Bucket(
            journal=self._journal,
            store=self._store,
            pace=pace,
            findings=findings,
            blind_key=self._blind_key,
            receipts=receipts,
            step=step,
        )

    def _glance(self, pace: Pace, bucket: Bucket) -> Glance:
        return Glance(
            journal=self._journal,
            bucket=bucket,
            pace=pace,
            clock=self._clock,
            blind_key=self._blind_key,
        )

    def _source(self, findings: Findings, advance: Advance) -> Source:
        return Source(
            journal=self._journal, connectors=self._connectors, findings=findings, advance=advance
        )
