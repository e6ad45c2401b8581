"""The catalog: how fast it is rebuilt from a folder, and how fast a million events are searched.

The first figure is the whole verb's work on a ``file:`` store of manifests and records, workers
and all. The others are of the catalog's own verbs, as the console asks them, on one file.
Run: ``python -m benchmarks.catalog [--store N] [--rows N] [--folder FOLDER]``.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice, product
from pathlib import Path

from bridge import keys
from bridge.canonical import dumps, rfc3339
from bridge.canonical.json import Json
from bridge.model import Digest, EventKind, Outcome
from bridge.protocols.catalog import ListedMedium, ListedReason, Listing, Search
from bridge.query import parse_query
from storage.catalog import CatalogFile, SqliteCatalog
from storage.catalog.lines import lines_of
from storage.catalog.rebuilding import rebuild
from storage.objects.evidence_local import LocalEvidence

TENANT = "bench"
BEGAN = datetime(2026, 1, 1, 8, tzinfo=UTC)
GROUPS = 20
PEOPLE = 300
PER_DAY = 500
"""Events of a group on a day, in one manifest part: the busy end of what groups have."""

SPACING = timedelta(seconds=60)
WORDS = 20_000
WANTED_RATE = 5000
WANTED_MS = 150
CODES = ("DECISION", "INSTRUCTION", "ADVICE", "INFORMATION", "CONTEXT", "LOGISTICS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A manifest part with its records, by their keys."""

    key: str
    body: bytes
    records: dict[str, bytes]


class Story:
    """Events drawn from a seed: words as common as in speech, a few people, a few codes."""

    def __init__(self, seed: int = 1) -> None:
        self._rng = random.Random(seed)
        syllables = [c + v for c in "bcdfghjklmnprstvw" for v in "aeiou"]
        self.words = [
            "".join(self._rng.choices(syllables, k=self._rng.randint(1, 4))) for _ in range(WORDS)
        ]
        self._weights = list(accumulate(1 / (i + 3) for i in range(WORDS)))

    def text(self) -> str:
        """Something to say."""
        number = self._rng.randint(5, 30)
        return " ".join(self._rng.choices(self.words, cum_weights=self._weights, k=number))

    def parts(self) -> Iterator[Part]:
        """Parts of all groups, group by group, day by day; enough of them for anyone."""
        for group in range(GROUPS):
            gid = f"{group:016x}"
            for day in range(10_000 // GROUPS):
                yield self._part(gid, group, day)

    def _part(self, gid: str, group: int, day: int) -> Part:
        began = BEGAN + timedelta(days=day)
        rows: list[Json] = []
        records: dict[str, bytes] = {}
        for i in range(PER_DAY):
            n = day * PER_DAY + i
            at = began + SPACING * i
            outcome = self._rng.choices(
                (Outcome.CAPTURE, Outcome.REVIEW, Outcome.DISCARD), (70, 10, 20)
            )[0]
            row: dict[str, Json] = {
                "n": n, "s": gid, "leaf": n, "sent_at": rfc3339(at), "outcome": outcome.value,
                "reasons": [{"code": self._rng.choice(CODES), "rule": "r", "start": 0, "end": 4}],
                "score": 0.75, "policy": "bench@1", "model": "rules-1",
            }  # fmt: skip
            if outcome is not Outcome.DISCARD:
                key = f"records/matrix/{gid}/{began:%Y/%m/%d}/{at:%H%M%S000}-{n:012d}-{n:016x}.json"
                body = self._record(gid, group, n, at)
                records[key] = body
                row |= {"key": key, "sha256": Digest.of(body).hex}
            rows.append(row)
        part: dict[str, Json] = {
            "v": 1, "gid": gid, "group": {"id": f"!{group}:example.org", "name": f"Group {group}"},
            "rows": rows,
        }  # fmt: skip
        return Part(
            key=f"manifests/{gid}/{began:%Y/%m/%d}/000000.json", body=dumps(part), records=records
        )

    def _record(self, gid: str, group: int, n: int, at: datetime) -> bytes:
        who = self._rng.randrange(PEOPLE)
        body = self.text()
        raw = base64.b64encode(body.encode() + self._rng.randbytes(300)).decode()
        media: list[Json] = []
        if self._rng.random() < 0.05:
            media.append({
                "object": "media/x/0", "sha256": self._rng.randbytes(32).hex(), "size": 9,
                "sniffed_type": "application/pdf", "name": f"{body.split()[0]}.pdf",
            })  # fmt: skip
        return dumps({
            "v": 1, "salt": "A" * 43, "stream": gid, "n": n, "platform": "matrix",
            "group": {"id": f"!{group}:example.org", "name": f"Group {group}"},
            "upstream": {"id": f"${n:043d}"}, "kind": EventKind.MESSAGE.value,
            "sender": {"id": f"@p{who}:example.org", "display_name": f"Person {who}"},
            "sent_at": rfc3339(at), "observed_at": rfc3339(at), "body": body, "media": media,
            "timer": {"seconds": 86400.0, "basis": "sent"}, "roster": 0,
            "capture": {"method": "live", "connector": "m", "version": "0"}, "raw": raw,
        })  # fmt: skip


def written(root: Path, records: int) -> None:
    """A store of about so many events."""
    for part in islice(Story().parts(), max(records // PER_DAY, 1)):
        for key, body in ((part.key, part.body), *part.records.items()):
            path = root / keys.absolute(TENANT, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)


def measure_rebuild(folder: Path, records: int) -> None:
    """Events listed in a second, from the store to the file in its place."""
    store = folder / "store"
    written(store, records)
    began, busy = time.perf_counter(), os.times()
    rebuilt = rebuild(
        LocalEvidence(store, TENANT),
        folder / "catalog" / "rebuilt.db",
        far=False,
        advance=lambda _listed: None,
    )
    seconds, spent = time.perf_counter() - began, os.times()
    rate = rebuilt.listings / seconds
    cpu = sum(spent[:4]) - sum(busy[:4])
    print(
        f"rebuild: {rebuilt.listings:,} rows in {seconds:.1f} s, {rate:,.0f}/s (wanted"
        f" {WANTED_RATE:,}); {cpu:.1f} s of processor here and in workers"
    )


def day_of(story: Story, rng: random.Random, group: int, day: int) -> list[Listing]:
    """What a part of the same kind lists, without the way by JSON and digests."""
    gid, began = f"{group:016x}", BEGAN + timedelta(days=day)
    found = []
    for i in range(PER_DAY):
        n, at = day * PER_DAY + i, began + SPACING * i
        draw = rng.random()
        bare = Listing(
            gid=gid, group_id=f"!{group}:example.org", group_name=f"Group {group}", stream=gid,
            n=n, leaf=n, part=0, day=f"{began:%Y-%m-%d}", sent_at=at, score=0.75,
            outcome=Outcome.DISCARD, policy="bench@1", model="rules-1",
            reasons=(ListedReason(code=rng.choice(CODES), rule="r", end=4),),
        )  # fmt: skip
        if draw >= 0.2:
            who = rng.randrange(PEOPLE)
            bare = replace(
                bare, outcome=Outcome.REVIEW if draw < 0.3 else Outcome.CAPTURE,
                key=f"records/matrix/{gid}/{began:%Y/%m/%d}/{at:%H%M%S000}-{n:012d}-{n:016x}.json",
                sha256=f"{n:064x}", platform="matrix", observed_at=at, kind=EventKind.MESSAGE,
                upstream_id=f"${n:043d}", sender_id=f"@p{who}:example.org",
                sender_name=f"Person {who}", body=story.text(), method="live",
                timer_seconds=86400.0, roster=0,
                media=(ListedMedium(i=0, sniffed_type="application/pdf", name="a.pdf"),)
                if draw > 0.95 else (),
            )  # fmt: skip
        found.append(bare)
    return found


def fill(place: Path, rows: int) -> None:
    """A catalog of so many events, without a store."""
    file = CatalogFile(place.with_name("filling.db"), building=True)
    story, rng = Story(), random.Random(3)
    began, listed = time.perf_counter(), 0
    days = rows // PER_DAY // GROUPS
    for group, day in product(range(GROUPS), range(days)):
        listings = day_of(story, rng, group, day)
        with file.transaction():
            file.take(lines_of(f"manifests/{group}/{day}", listings=listings))
        listed += len(listings)
    file.finish(place)
    size = place.stat().st_size / 1e6
    seconds = time.perf_counter() - began
    print(f"filled: {listed:,} rows in {seconds:.0f} s, {size:,.0f} MB", flush=True)


def searches(rng: random.Random, words: Sequence[str]) -> Iterator[tuple[str, Search]]:
    """What people look for, by kinds."""
    day = timedelta(days=1)
    common, usual = words[:200], words[200:5000]
    while True:
        one, two, three = rng.choice(common), rng.choice(usual), rng.choice(usual)
        gid = f"{rng.randrange(GROUPS):016x}"
        person = f"@p{rng.randrange(PEOPLE)}:example.org"
        since = BEGAN + day * rng.randrange(60)
        yield "common word", Search(words=parse_query(one))
        yield "rare word", Search(words=parse_query(two))
        yield "two words", Search(words=parse_query(f"{one} {two}"))
        yield "either, not", Search(words=parse_query(f"({two} OR {three}) NOT {one}"))
        yield "phrase", Search(words=parse_query(f'"{words[0]} {one}"'))
        yield "beginning", Search(words=parse_query(f"{two[:3]}*"))
        yield "short beginning", Search(words=parse_query(f"{one[:2]}*"))
        yield "in a group", Search(words=parse_query(one), gids=(gid,))
        yield "of a person", Search(words=parse_query(one), persons=(person,))
        yield "in a month", Search(words=parse_query(one), since=since, until=since + 30 * day)
        yield "by code", Search(codes=(rng.choice(CODES),), outcomes=(Outcome.CAPTURE,))
        yield "rare in group", Search(words=parse_query(two), gids=(gid,), codes=("DECISION",))
        yield "by type", Search(media_types=("application/pdf",), gids=(gid,))
        yield "everything", Search()


async def timed(verb: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds that an answer takes."""
    began = time.perf_counter()
    await verb()
    return (time.perf_counter() - began) * 1000


async def measure_reading(place: Path, number: int) -> None:
    """The slow end of searches, of a page of results with what stands beside, and of days."""
    rng = random.Random(2)
    catalog = SqliteCatalog(place)
    by_kind: dict[str, list[float]] = {}
    pages: list[float] = []
    for kind, search in islice(searches(rng, Story().words), number):
        found: list[Listing] = []

        async def ask(search: Search = search, found: list[Listing] = found) -> None:
            found += (await catalog.search(search)).listings

        took = await timed(ask)
        by_kind.setdefault(kind, []).append(took)
        pages.append(took + await timed(lambda found=found: catalog.beside(found[:20])))  # type: ignore[misc]
    days = (await catalog.days())[: number * 3]
    shown = [await timed(lambda d=d: catalog.day(d.gid, d.day)) for d in days]  # type: ignore[misc]
    await catalog.aclose()
    everything = [took for each in by_kind.values() for took in each]
    for name, all_of in (("search", everything), ("search page", pages), ("day", shown)):
        print(f"{name}: {_told(all_of)} (wanted p95 under {WANTED_MS} ms)")
    for kind, all_of in by_kind.items():
        print(f"  {kind}: {_told(all_of)}")


def _told(took: Sequence[float]) -> str:
    p95 = statistics.quantiles(took, n=20)[18] if len(took) > 1 else took[0]
    median = statistics.median(took)
    return f"median {median:.1f} ms, p95 {p95:.1f} ms, most {max(took):.1f} ms of {len(took)}"


def main() -> None:
    """Measure what is asked for; 0 leaves a part out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", type=int, default=100_000, help="events for the rebuild")
    parser.add_argument("--rows", type=int, default=1_000_000, help="events to search in")
    parser.add_argument("--searches", type=int, default=560)
    parser.add_argument("--folder", type=Path, help="where to work")
    parser.add_argument("--keep", type=Path, help="a catalog to fill where there is none, and keep")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        folder = Path(made)
        (folder / "catalog").mkdir(mode=0o700)
        if options.store:
            measure_rebuild(folder, options.store)
        if options.rows:
            place: Path = (options.keep or folder / "catalog" / "catalog.db").absolute()
            if not place.exists():
                fill(place, options.rows)
            asyncio.run(measure_reading(place, options.searches))


if __name__ == "__main__":
    main()
