"""What journal and bucket hold of the messages that a homeserver took from their senders."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from benchmarks.s3_tool import BUCKET
from benchmarks.scene import Scene
from bridge.app import entries_of, read_settings
from bridge.protocols import Entry
from tests.servers.fault_s3.state import ObjectState

_AREAS = ("records/", "review/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Counts of the messages asked for. Zero is what ``twice`` and ``skipped`` ought to be.

    ``stored``: under the key that the journal names there is one version with the record's bytes.
    ``twice``: more entries, versions or records in the bucket than one for each message, whosever.
    ``skipped``: numbers missing in a stream.
    """

    asked: int
    journalled: int
    stored: int
    twice: int
    skipped: int

    @property
    def complete(self) -> bool:
        """All is there, and once."""
        whole = self.journalled == self.stored == self.asked
        return whole and not self.twice and not self.skipped


async def held(scene: Scene, event_ids: Collection[str]) -> Holding:
    """What is held now; the recorder may be running."""
    settings = await asyncio.to_thread(read_settings, scene.recorder.config)
    # The journal first: what it does not know yet may stand in the bucket, never the reverse.
    entries = await entries_of(settings)
    state = await asyncio.to_thread(scene.s3.state)
    root = f"v1/{scene.recorder.tenant}/"
    objects = {
        name.removeprefix(root): object_
        for name, object_ in state.buckets[BUCKET].objects.items()
        if name.startswith(tuple(root + area for area in _AREAS))
    }
    wanted = frozenset(event_ids)
    ours = [e for e in entries if e.event.upstream_id in wanted and e.event.revision is None]
    times = Counter(entry.event.upstream_id for entry in ours)
    return Holding(
        asked=len(wanted),
        journalled=len(times),
        stored=sum(_is_stored(entry, objects) for entry in ours),
        twice=sum(times.values()) - len(times) + _unwanted(objects, entries),
        skipped=_skipped(entries),
    )


def _is_stored(entry: Entry, objects: dict[str, ObjectState]) -> bool:
    if entry.record is None or entry.stored_at is None:
        return False
    found = objects.get(entry.record.key)
    return found is not None and found.sha256 == hashlib.sha256(entry.record.body).hexdigest()


def _unwanted(objects: dict[str, ObjectState], entries: Collection[Entry]) -> int:
    """Versions that stand over another, and records that no entry has."""
    known = {entry.record.key for entry in entries if entry.record is not None}
    above = sum(object_.versions - 1 for object_ in objects.values())
    return above + sum(key not in known for key in objects)


def _skipped(entries: Collection[Entry]) -> int:
    numbers: dict[str, set[int]] = {}
    for entry in entries:
        numbers.setdefault(entry.stream.id, set()).add(entry.n)
    return sum(max(found) + 1 - len(found) for found in numbers.values())
