"""What an archive's leaves prove of its objects, worked out without ``verify``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime

from bridge.keys import media_key
from tests.archive.archive import Archive


@dataclass(frozen=True, slots=True, kw_only=True)
class Provable:
    """Keys by what protects them.

    ``named`` by a leaf; ``media`` by a record that stands; ``needed`` by the checkpoint: its tiles
    and bundles, and itself; ``old``: partial tiles and bundles that were superseded, which are
    recomputed if they are there; ``free``: nothing proves anything of these yet, or any more.
    """

    named: dict[str, datetime | None] = field(repr=False)
    media: dict[str, datetime | None] = field(repr=False)
    needed: frozenset[str]
    old: frozenset[str]
    free: frozenset[str]
    digests: frozenset[str]

    @property
    def proved(self) -> list[str]:
        """Keys whose bytes are proved, in order."""
        return sorted({*self.named, *self.media, *self.needed, *self.old})

    @property
    def wanted(self) -> list[str]:
        """Keys that must be there, in order."""
        return sorted({*self.named, *self.media, *self.needed})


def provable(archive: Archive) -> Provable:
    """Sort the objects of an archive."""
    places: dict[str, datetime | None] = {}
    digests: set[str] = set()
    for line in archive.leaves:
        leaf = json.loads(line)
        if "p" in leaf:
            until = leaf.get("ret")
            places[leaf["p"]] = datetime.fromisoformat(until) if until else None
            digests.add(leaf["o"])
    bodies = {one.key: one.body for one in archive.objects}
    named: dict[str, datetime | None] = {}
    for key in bodies:
        place = hashlib.sha256(f"v1/{archive.tenant}/{key}".encode()).hexdigest()
        if place in places:
            named[key] = places[place]
    media = {
        media_key(key, copy["object"]): until
        for key, until in named.items()
        if key.startswith(("records/", "review/"))
        for copy in json.loads(bodies[key]).get("media", [])
    }
    log = {key for key in bodies if key.startswith("log/")}
    needed = {key for key in log if _is_needed(key, archive.size)}
    free = set(bodies) - set(named) - set(media) - log
    return Provable(
        named=named,
        media=media,
        needed=frozenset(needed),
        old=frozenset(log - needed),
        free=frozenset(free),
        digests=frozenset(digests),
    )


def _is_needed(key: str, size: int) -> bool:
    """Whether it is the checkpoint, a full tile, or one of the right edge."""
    path = key.removeprefix("log/0/")
    if path == "checkpoint" or ".p/" not in path:
        return True
    place, _, width = path.partition(".p/")
    _, level, index = place.split("/", 2)
    count = size if level == "entries" else size >> 8 * int(level)
    at = int(index.replace("x", "").replace("/", ""))
    return int(width) == count - at * 256
