"""What must hold when a run has come to rest, whatever went wrong before."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from bridge import keys
from bridge.lifecycle import EntryState
from bridge.model import Digest, Event, GroupState, NoticeState, Outcome, Presence
from bridge.protocols import DownloadState
from tests.fakes import samples
from tests.fakes.journal import MemoryJournal
from tests.fakes.journal.rows import EntryRow
from tests.fakes.published import one_history, published
from tests.simulation import encrypted, rulings, verified
from tests.simulation.plan import FaultKind
from tests.simulation.ports import START

if TYPE_CHECKING:
    from tests.simulation.world import World

Document = dict[str, object]
GONE = frozenset({GroupState.PAUSED, GroupState.CLOSED})

CALM = 10.0
"""Seconds without any fault, between receipt and expiry, in which a message must be stored."""


def rows_of(journal: MemoryJournal, event: Event) -> list[EntryRow]:
    """The entries of an event: one, or there is something wrong."""
    return [
        row
        for stream in journal._streams.values()
        if stream.group_id == event.group_id
        for ident in [
            keys.identity(samples.BLIND_KEY, stream.id, event.upstream_id, event.revision)
        ]
        if (row := journal._idents.get((stream.id, ident))) is not None
    ]


def unfinished(world: World) -> str:
    """What is still to be done, in words."""
    journal = world.journal
    behind = len(world.platform.timeline) - world.platform.acknowledged
    working = Counter(row.state.value for row in journal._at_work.values() if journal._told(row))
    orders = sum(order.state is DownloadState.WAITING for order in journal._orders.values())
    steps = len(world.inbox.steps) - journal._office_taken
    recorded = [group for group in journal._register.values() if group.state not in GONE]
    due = [
        group.group_id
        for group in recorded
        if group.presence is Presence.JOINED and group.notice is NoticeState.DUE
    ]
    outside = world.platform.invited & {group.group_id for group in recorded}
    found = {
        "unacknowledged": behind,
        "entries": dict(working),
        "downloads": orders,
        "orders": steps,
        "decisions": rulings.uncarried(world),
        "notices": due,
        "invitations": sorted(outside),
        "spool files that no entry needs": len(unneeded(world)),
        "messages to our device": encrypted.untaken(world) if world.plan.keys else 0,
        "encrypted": encrypted.unopened(world) if world.plan.keys else [],
        "leaves that are not published": len(world.journal.log) - published_size(world),
        "not running": world.process is None,
    }
    left = {name: value for name, value in found.items() if value}
    return str(left) if left else ""


def check(world: World) -> None:
    """All of them."""
    assert not world.trouble, world.trouble
    world.journal.check()
    _all_journalled(world)
    _all_sealed_once(world)
    _kept_stored_once(world)
    _no_object_without_leaf(world)
    _media_as_named(world)
    _manifests_complete(world)
    _nothing_late(world)
    _spool_swept(world)
    _log_published(world)
    rulings.check(world)
    encrypted.check(world)
    verified.check(world)


def _all_journalled(world: World) -> None:
    """Every event of a group that was recorded throughout is there once."""
    steady = {name for i, name in enumerate(world.groups) if world.plan.steady(i)}
    for item in world.platform.timeline:
        if item.event is not None and item.event.group_id in steady:
            found = rows_of(world.journal, item.event)
            assert len(found) == 1, f"{item.event.upstream_id} is there {len(found)} times"


def _leaves(world: World, kind: str) -> list[Document]:
    return [json.loads(leaf.body) for leaf in world.journal.log if leaf.kind == kind]


def _all_sealed_once(world: World) -> None:
    """One seen leaf per entry, and it stands for the bytes that were sealed."""
    rows = world.journal._rows.values()
    assert all(row.seen_leaf is not None for row in rows), "an entry was never sealed"
    named = Counter((leaf["s"], leaf["n"]) for leaf in _leaves(world, "seen"))
    assert named == Counter((row.stream.id, row.n) for row in rows), "seen leaves do not fit"
    for row in rows:
        if row.record is not None and row.seen_leaf is not None:
            leaf: Document = json.loads(world.journal.log[row.seen_leaf].body)
            assert (leaf["s"], leaf["n"]) == (row.stream.id, row.n)
            assert leaf["d"] == Digest.of(row.record.body).hex == row.record.digest.hex


def _kept_stored_once(world: World) -> None:
    """What is kept stands in the store as it was sealed, with one stored leaf, and nothing else."""
    stored = {leaf["ref"]: leaf for leaf in _leaves(world, "stored")}
    assert len(stored) == len(_leaves(world, "stored")), "two stored leaves for one record"
    expected: set[str] = set()
    for row in world.journal._rows.values():
        if row.state is not EntryState.STORED:
            waits = is_kept(row) and not world.journal._told(row)
            assert waits or not is_kept(row), f"{row.seq} is {row.state}"
            continue
        assert is_kept(row), f"{row.seq} was stored"
        assert row.record is not None
        held = world.store.objects.get(row.record.key)
        assert held is not None, f"{row.seq} is not in the store"
        assert held.data == row.record.body, f"{row.seq} is not in the store as it was sealed"
        leaf = stored.pop(row.seen_leaf)
        assert leaf["o"] == row.record.digest.hex
        assert leaf["p"] == name_digest(row.record.key)
        expected.add(row.record.key)
    assert not stored, "a stored leaf for what is not stored"
    found = {
        key
        for key in world.store.objects
        if key.startswith(("records/", "review/")) and "/media/" not in key
    }
    assert found == expected, f"objects nobody knows: {found ^ expected}"


def is_kept(row: EntryRow) -> bool:
    """Whether the entry is to be in the store."""
    verdict = row.verdict
    return verdict is not None and verdict.outcome is not Outcome.DISCARD and not verdict.restricted


def name_digest(key: str) -> str:
    """An object's key as leaves have it."""
    return Digest.of(keys.absolute("demo", key).encode()).hex


def _no_object_without_leaf(world: World) -> None:
    """Every object of ours but media stands in one leaf, and every leaf's object stands."""
    leaves = [json.loads(leaf.body) for leaf in world.journal.log]
    named = Counter((leaf["p"], leaf["o"]) for leaf in leaves if "p" in leaf)
    ours = Counter(
        (name_digest(key), Digest.of(held.data).hex)
        for key, held in world.store.objects.items()
        if "/media/" not in key and not key.startswith("log/") and key not in world.store.planted
    )
    alone = ours - named
    without = {key for key, _ in alone}
    lost = [key for key in world.store.objects if name_digest(key) in without]
    assert not alone, f"objects without a leaf: {lost}"
    assert named <= ours, "a leaf without its object"
    for row in world.journal._placements:
        told = world.journal._may_go(row)
        assert row.leaf is not None or not told, f"never placed: {row.placement.folder}"


def published_size(world: World) -> int:
    """How many leaves the recorder knows to be published."""
    shown = world.heads.shown
    return 0 if shown is None else shown.size


def _log_published(world: World) -> None:
    """The store shows the journal's leaves byte for byte, and only ever showed one history."""
    leaves = tuple(leaf.body for leaf in world.journal.log)
    assert published(world.store) == leaves, "the published log is not the journal's"
    one_history(world.heads, world.place)


def _media_as_named(world: World) -> None:
    """Every medium that a record names is there, and no other is."""
    named: dict[str, str] = {}
    for key, held in world.store.objects.items():
        if key.startswith(("records/", "review/")) and "/media/" not in key:
            for medium in json.loads(held.data).get("media", ()):
                if "object" in medium:
                    named[keys.media_key(key, medium["object"])] = medium["sha256"]
    found = {
        key: Digest.of(held.data).hex
        for key, held in world.store.objects.items()
        if "/media/" in key
    }
    assert found == named, f"media do not fit their records: {set(found) ^ set(named)}"


def _manifests_complete(world: World) -> None:
    """The newest manifest row of each sealed entry says what became of it."""
    newest: dict[tuple[object, object], Document] = {}
    for key in sorted(world.store.objects):
        if key.startswith("manifests/") and key not in world.store.planted:
            for line in json.loads(world.store.objects[key].data)["rows"]:
                newest[line["s"], line["n"]] = line
    for row in world.journal._rows.values():
        if row.event is None or row.verdict is None or not world.journal._told(row):
            continue
        line = newest.get((row.stream.id, row.n), {})
        assert line.get("leaf") == row.seen_leaf, f"no manifest names {row.seq}"
        assert line["outcome"] == row.verdict.outcome.value, f"the manifest is wrong on {row.seq}"
        if is_kept(row) and row.record is not None:
            assert line["key"] == row.record.key
            assert line["sha256"] == row.record.digest.hex
        else:
            assert "key" not in line


def _nothing_late(world: World) -> None:
    """What could be stored in time was: there was a calm while it was ours and not expired.

    Runs with a stepped wall clock are left out, since nobody can say what in time means there, and
    so are groups whose timer was changed: what is told late may have been over already.
    """
    if any(fault.kind is FaultKind.CLOCK for fault in world.plan.faults):
        return
    acted = {act.group for act in world.plan.acts}
    steady = {name for i, name in enumerate(world.groups) if i not in acted}
    for row in world.journal._rows.values():
        if row.late_ms is None or row.expires_at is None or row.stream.group_id not in steady:
            continue
        received = (row.received_at - START).total_seconds()
        expired = (row.expires_at - START).total_seconds()
        begin = max(received, world.journal.told_at[row.stream.group_id])
        wait = (row.safe_by - row.received_at) / timedelta(seconds=2)
        needed = CALM + (wait if row.event is not None and _may_wait(row.event) else 0.0)
        calm = world.weather.longest_calm(begin, expired)
        assert calm < needed, (
            f"{row.seq} was stored {row.late_ms} ms late, in spite of {calm:.1f} s of calm"
        )


def _may_wait(event: Event) -> bool:
    """For its files, or for its key."""
    return bool(event.attachments) or event.crypto is not None


def _spool_swept(world: World) -> None:
    """Files that no entry needs are gone, and those that one needs are there.

    The recorder removes them while it runs: until then there is no rest. Only what it was about to
    remove when it was stopped is left to the next start, whose sweep was made by now.
    """
    assert not (left := unneeded(world)), f"{len(left)} spool files that no entry needs"
    lost = needed(world) - set(world.spool.files)
    assert not lost, f"{len(lost)} spool files that an entry needs are not there"


def needed(world: World) -> set[str]:
    """The spool files that entries need."""
    return {
        order.file.name
        for order in world.journal._orders.values()
        if order.state is DownloadState.SPOOLED and order.file is not None
    }


def unneeded(world: World) -> set[str]:
    """The spool files that no entry needs."""
    return set(world.spool.files) - needed(world)
