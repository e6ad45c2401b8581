"""What must hold of encrypted groups when a run has come to rest, whenever their keys came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bridge import keys
from bridge.lifecycle import EntryState
from bridge.model import Event, EventKind, RelationType
from tests.fakes import samples
from tests.fakes.journal.opening import NO_STREAM
from tests.fakes.journal.rows import EntryRow

if TYPE_CHECKING:
    from tests.simulation.world import World

LATE = "decrypted"
"""The revision of content whose message went further without it."""


def untaken(world: World) -> int:
    """Messages to the recorder's device that the keys have not been given."""
    given = set(world.keys.given)
    sent = {item.message for item in world.platform.timeline if item.message is not None}
    return len(sent - given)


def unopened(world: World) -> list[str]:
    """What could be opened and is not.

    Content that once had no place is tried again so seldom that no run lasts so long.
    """
    here = world.keys.sessions | world.senders.elsewhere
    return [
        row.event.upstream_id
        for row in world.journal._shut()
        if row.event is not None
        and row.event.crypto is not None
        and row.event.crypto.session in here
        and (row.state is EntryState.RECEIVED or _is_recorded(world, row))
    ]


def _is_recorded(world: World, row: EntryRow) -> bool:
    place = row.stream.connector, row.stream.group_id
    had_none = row.shut is not None and row.shut.why == NO_STREAM
    return place in world.journal._open and not had_none


def check(world: World) -> None:
    """All of them."""
    assert not untaken(world), "a message to our device was lost"
    assert not unopened(world), f"could be opened: {unopened(world)}"
    for event, first, late in _said(world):
        _content_once(world, event, first, late)
    for row in world.journal._rows.values():
        _as_it_was_said(world, row)


def _said(world: World) -> Iterator[tuple[Event, EntryRow, list[EntryRow]]]:
    """What was said encrypted where all is recorded: the event, its entry, its late content."""
    steady = {name for i, name in enumerate(world.groups) if world.plan.steady(i)}
    for item in world.platform.timeline:
        event = item.event
        if event is None or event.kind is not EventKind.ENCRYPTED or event.group_id not in steady:
            continue
        (first,) = _rows(world, event, None)
        yield event, first, _rows(world, event, LATE)


def _rows(world: World, event: Event, revision: str | None) -> list[EntryRow]:
    found = []
    for stream in world.journal._streams.values():
        ident = keys.identity(samples.BLIND_KEY, stream.id, event.upstream_id, revision)
        if stream.group_id == event.group_id and (stream.id, ident) in world.journal._idents:
            found.append(world.journal._idents[stream.id, ident])
    return found


def _content_once(world: World, event: Event, first: EntryRow, late: list[EntryRow]) -> None:
    """Where its key came, one entry has the content: the first, or else one beside it."""
    assert event.crypto is not None
    opened = [row for row in (first, *late) if row.kind is not EventKind.ENCRYPTED]
    came = event.crypto.session in world.keys.sessions
    assert len(opened) == came, f"{event.upstream_id} was opened {len(opened)} times"
    if late:
        assert first.kind is EventKind.ENCRYPTED
        assert first.state is EntryState.STORED, "the ciphertext was not kept"


def _as_it_was_said(world: World, row: EntryRow) -> None:
    """What is stored of it has the very words, and files, or none at all."""
    event = row.event
    if event is None or event.crypto is None or row.record is None:
        return
    clear = world.senders.clear[event.upstream_id]
    assert clear.body is not None
    if row.kind is EventKind.MEDIA:  # how its message was encrypted, and no word of it
        assert event.crypto.clear is None
        assert clear.body.encode() not in row.record.body
        return
    shut = row.kind is EventKind.ENCRYPTED
    assert (clear.body.encode() not in row.record.body) == shut
    if shut:
        assert event.attachments == ()
        assert row.shut is not None or event.upstream_id in {
            each.event.upstream_id
            for each in world.journal._rows.values()
            if each.event is not None and each.event.revision == LATE
        } | _forgotten(world), "neither content nor the memory that there is none"
        return
    assert event.attachments == clear.attachments
    if event.revision == LATE:
        assert event.relates_to is not None
        assert event.relates_to.type is RelationType.DECRYPTED
        assert event.relates_to.upstream_id == event.upstream_id


def _forgotten(world: World) -> set[str]:
    """Late content that was a discard and is destroyed by now."""
    found = set()
    for name, clear in world.senders.clear.items():
        if any(row.event is None for row in _rows(world, clear, LATE)):
            found.add(name)
    return found
