"""Batches that wait at the same time are written in one pass, and nobody can tell."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from bridge.model import Batch, GroupTimer, Timer
from bridge.protocols import Appended
from storage.journal import SqliteJournal
from storage.journal.arrivals import ROWS_AT_ONCE
from tests.fakes.samples import CONNECTOR, GROUP_ID, attachment, batch, event, group, loss, sighting
from tests.unit.storage.journal.files import Row, opened, rows

GROUPS = (GROUP_ID, "!b", "!c")
READ = (
    "SELECT seq, sid, n, hex(ident), kind, received_at, safe_by, expires_at, state FROM entry",
    "SELECT sid, next_n FROM stream",
    "SELECT sid, after, why, since, until, at, leaf FROM gap",
    "SELECT kind FROM leaf ORDER BY idx",
    "SELECT seq, i, due FROM download ORDER BY id",
    "SELECT connector, cursor, at FROM place",
    "SELECT group_id, name, state, presence, timer_seconds FROM register",
    "SELECT name, value FROM meta WHERE name != 'key_check'",
)


def anything(chance: random.Random, number: int) -> Batch:
    """A batch of any kind, with repeats of what came before it."""
    group_id = chance.choice(GROUPS)
    events = [
        event(
            f"${chance.randrange(number + 2)}/{i}",
            group_id=chance.choice(GROUPS),
            attachments=[attachment()] * chance.choice((0, 0, 2)),
            missing=chance.choice((None, None, None, "no_key")),
        )
        for i in range(chance.randrange(4))
    ]
    made = batch(
        *events,
        cursor=chance.choice((None, str(number).encode())),
        losses=[loss(f"loss_{number}", group_id=group_id)] * chance.choice((0, 0, 0, 1)),
        sightings=[sighting(group_id=group_id, name=f"{number}")] * chance.choice((0, 0, 0, 1)),
        unlisted=chance.randrange(3),
        connector=CONNECTOR,
    )
    if chance.random() < 0.8:
        return made
    timer = GroupTimer(group_id=group_id, standing=Timer(seconds=100 + number, basis="test"))
    return Batch(
        connector=made.connector,
        platform=made.platform,
        cursor=made.cursor,
        events=made.events,
        timers=(timer,),
    )


async def begun(path: Path) -> SqliteJournal:
    """A journal whose streams are open, the same each time."""
    journal = await opened(path)
    for group_id in GROUPS:
        await journal.set_group(group(group_id), expect=None)
        await journal.append(batch(event("$first", group_id=group_id)))
    return journal


async def test_one_pass_leaves_what_one_after_the_other_would(tmp_path: Path) -> None:
    """Merged batches of every kind give the same rows and answers as batches that come singly."""
    chance = random.Random(5)
    batches = [anything(chance, number) for number in range(150)]
    apart, merged = tmp_path / "apart.db", tmp_path / "merged.db"
    journal = await begun(apart)
    singly = [await journal.append(each) for each in batches]
    await journal.aclose()
    journal = await begun(merged)
    together = await asyncio.gather(*map(journal.append, batches))
    await journal.aclose()
    assert together == singly
    for statement in READ:
        found = rows(merged, statement)
        assert found
        assert found == rows(apart, statement)


async def test_merged_batches_share_their_statements(journal: SqliteJournal) -> None:
    """Two hundred batches that wait together are two inserts at most. White-box: counts them."""
    await journal.append(batch(event("$open")))
    said: list[str] = []
    await journal._writer.set_trace_callback(said.append)
    await asyncio.gather(*(journal.append(batch(event(f"${i}"))) for i in range(200)))
    assert sum("INSERT INTO entry" in each for each in said) <= 2
    assert sum(each.startswith("COMMIT") for each in said) <= 2


async def test_a_refused_batch_leaves_those_merged_with_it(
    journal: SqliteJournal, path: Path
) -> None:
    """Of batches that wait together the one that cannot be written is refused, and no other."""
    await journal.append(batch(event("$open")))
    answers = await asyncio.gather(
        *(journal.append(batch(event(f"${i}"), cursor=b"before")) for i in range(3)),
        journal.append(batch(event("$bad"), cursor=b"bad", unlisted=2**63)),
        *(journal.append(batch(event(f"${i}"))) for i in range(3, 6)),
        return_exceptions=True,
    )
    assert [type(each) for each in answers] == [Appended] * 3 + [OverflowError] + [Appended] * 3
    assert [e.n for e in await journal.after(0, limit=99)] == list(range(7))
    assert "$bad" not in {e.event.upstream_id for e in await journal.after(0, limit=99)}
    numbers: list[Row] = rows(path, "SELECT next_n FROM stream")
    assert numbers == [(7,)]


async def test_a_long_pass_takes_several_statements(journal: SqliteJournal) -> None:
    """More rows than one statement takes keep their order, their numbers and their content."""
    count = 2 * ROWS_AT_ONCE + 1
    appended = await journal.append(batch(*(event(f"${i}", body=f"{i}") for i in range(count))))
    assert appended.new == count
    entries = sorted(await journal.after(0, limit=count), key=lambda entry: entry.n)
    assert [(entry.seq, entry.n) for entry in entries] == [(i + 1, i) for i in range(count)]
    assert [entry.event.body for entry in entries] == [f"{i}" for i in range(count)]
