"""A published log with those who vouch for it, and who asks them."""

from __future__ import annotations

import json
import random

from bridge.anchoring import Anchoring
from bridge.canonical import Leaf
from bridge.errors import AnchorUnavailableError
from storage.translog.note import Note
from tests.fakes.anchors import FakeAuthority, FakeWitness
from tests.fakes.clock import FakeClock
from tests.fakes.heads import SampleLog, ShownHead
from tests.fakes.journal import MemoryJournal
from tests.fakes.object_store import FakeObjectStore

TENANT = "demo"
DOWN = AnchorUnavailableError("witness.example.org does not answer (TimeoutError).")


class Scene:
    """A journal, a store, a published log, two who vouch for it, and who asks them."""

    def __init__(self, *, witnesses: int = 1, quorum: int = 1, authority: bool = True) -> None:
        self.clock = FakeClock()
        self.journal = MemoryJournal(
            clock=self.clock, random_bytes=random.Random(1).randbytes, blind_key=b"b" * 32
        )
        self.store = FakeObjectStore(self.clock)
        self.log = SampleLog()
        self.witnesses = [
            FakeWitness(self.clock, name=f"witness.example.org/w{i + 1}") for i in range(witnesses)
        ]
        self.authority = FakeAuthority(self.clock) if authority else None
        self.quorum = quorum
        self.shown: ShownHead | None = None
        self.anchoring = self.started()

    @property
    def witness(self) -> FakeWitness:
        """The first one."""
        return self.witnesses[0]

    @property
    def stamper(self) -> FakeAuthority:
        """The authority."""
        assert self.authority is not None
        return self.authority

    @property
    def outsiders(self) -> tuple[FakeWitness | FakeAuthority, ...]:
        """All of them."""
        return (*self.witnesses, self.stamper)

    def started(self) -> Anchoring:
        """What a start makes."""
        return Anchoring(
            journal=self.journal,
            store=self.store,
            clock=self.clock,
            tenant=TENANT,
            retention_days=400,
            published=lambda: self.shown,
            witnesses=self.witnesses,
            quorum=self.quorum,
            authority=self.authority,
        )

    def restart(self) -> None:
        """The process died, and a new one knows what journal and store hold."""
        self.anchoring = self.started()

    async def write(self, leaves: int = 1) -> None:
        """Something happened: leaves that are no anchors'; then a checkpoint."""
        start = await self.journal.leaf_count()
        await self.journal.graft(start, [self._content(start + i) for i in range(leaves)])
        await self.publish()

    def _content(self, index: int) -> bytes:
        now = self.clock.now()
        stream = f"{index:016x}"
        return Leaf.gap(at=now, stream=stream, after=-1, why="outage", since=None, until=now).body

    async def publish(self) -> None:
        """A checkpoint over all leaves there are."""
        size = await self.journal.leaf_count()
        head = self.log.head(size, at=self.clock.now())
        content = await self.journal.content_leaves(size)
        self.shown = ShownHead(head=head, content_size=content)

    async def round(self, *, later: float = 0.0) -> None:
        """One round after a while, then a checkpoint over what it wrote."""
        self.clock.advance(later)
        await self.anchoring.round()
        await self.publish()

    async def leaves(self) -> list[dict[str, object]]:
        """The anchor leaves."""
        bodies = await self.journal.leaves(0, 10_000)
        found = [json.loads(body) for body in bodies]
        return [leaf for leaf in found if leaf["k"] == "anchor"]

    def kept(self) -> list[str]:
        """The anchors in the store, without their folder."""
        return [key.removeprefix("anchors/0/") for key in self.store.objects]

    def note(self, size: int) -> Note:
        """A kept note."""
        return Note.parse(self.store.objects[f"anchors/0/{size}.note"].data)
