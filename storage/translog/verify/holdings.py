"""What the store holds under each key: its versions, oldest first, and whether one is hidden."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bridge.protocols.evidence import Evidence, StoredVersion


@dataclass(frozen=True, slots=True)
class Holding:
    """A key and what stands under it.

    The oldest version is the one that counts: what came first under a name is what was written.
    ``hidden``: the newest thing under the key is a delete marker. ``markers`` counts them all.
    """

    key: str
    versions: tuple[StoredVersion, ...]
    hidden: bool
    markers: int

    @property
    def record(self) -> StoredVersion:
        """The version that counts."""
        return self.versions[0]

    @property
    def is_plain(self) -> bool:
        """Whether it is an object at all: a folder may also hold links, pipes and the like."""
        return all(each.size >= 0 for each in self.versions)


def holdings(found: Iterable[StoredVersion]) -> Iterator[Holding]:
    """Versions and markers, as a walk gives them, brought together by key."""
    group: list[StoredVersion] = []
    for each in found:
        if group and group[0].key != each.key:
            yield _holding(group)
            group = []
        group.append(each)
    if group:
        yield _holding(group)


def held(evidence: Evidence, key: str) -> Holding | None:
    """What stands under exactly this key."""
    for holding in holdings(evidence.walk(key)):
        if holding.key == key:
            return holding
        if holding.key > key:
            break
    return None


def _holding(newest_first: list[StoredVersion]) -> Holding:
    versions = tuple(each for each in reversed(newest_first) if not each.deleted)
    return Holding(
        key=newest_first[0].key,
        versions=versions,
        hidden=newest_first[0].deleted,
        markers=len(newest_first) - len(versions),
    )
