"""What a stranger finds in the store of a run at rest: everything as its keeper signed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.translog.verify.engine import Question, verify
from tests.archive.memory import MemoryEvidence, Version
from tests.fakes.log import KEY, ORIGIN

if TYPE_CHECKING:
    from tests.simulation.world import World


def check(world: World) -> None:
    """`muniment verify` says that it is intact, and vouches for every leaf of the journal.

    Left out is what faults planted in the store, which nobody wrote.
    """
    store = world.store
    objects = {
        key: [Version(body=held.data, modified_at=held.modified_at, retain_until=held.retain_until)]
        for key, held in store.objects.items()
        if key not in store.planted
    }
    if not objects:
        assert not world.journal.log, "leaves, and nothing in the store"
        return
    _, tenant, _, shard = ORIGIN.rsplit("/", 3)
    report = verify(
        MemoryEvidence(objects, locked=True),
        Question(
            keys=(KEY.verifier,),
            tenant=tenant,
            shard=shard,
            now=max(versions[0].modified_at for versions in objects.values()),
            version="simulation",
            threads=1,
        ),
    )
    assert report.verdict == "intact", [each.what for each in report.findings]
    assert report.vouches.size == len(world.journal.log), "leaves that nobody vouches for"
