"""Whether what was expected of the conversation has come true."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.demo.picture import flooded_bridge
from bridge.demo.script import Expected, Line, Move
from bridge.demo.shelf import Shelf, StoredObject
from bridge.demo.view import DemoEntry
from bridge.lifecycle import EntryState
from bridge.model import EventKind, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A line that was performed, and the event it became."""

    line: Line
    room_id: str
    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A line that did not turn out as expected, and how."""

    said: Said
    problem: str


def compare(
    said: Sequence[Said], entries: Sequence[DemoEntry], shelf: Shelf
) -> tuple[Mismatch, ...]:
    """Every line that is not, or not yet, where a records manager wants it. Pure."""
    by_id = {entry.upstream_id: entry for entry in entries if entry.kind is not EventKind.MEDIA}
    found: list[Mismatch] = []
    for each in said:
        problem = _problem(each, by_id.get(each.event_id), shelf)
        if problem is not None:
            found.append(Mismatch(said=each, problem=problem))
    return tuple(found)


def _problem(said: Said, entry: DemoEntry | None, shelf: Shelf) -> str | None:
    if entry is None:
        return "not in the journal"
    if entry.outcome is None:
        return "not decided"
    codes = ", ".join(entry.reasons)
    stored = shelf.of(said.event_id)
    if said.line.expected is Expected.DISCARDED:
        if entry.outcome is not Outcome.DISCARD:
            return f"outcome {entry.outcome} ({codes}) instead of discard"
        if stored:
            return f"discarded, and yet in the store: {stored[0].key}"
        return None if entry.state is EntryState.DISCARDED else f"still {entry.state}"
    if entry.outcome is Outcome.DISCARD:
        return f"discarded ({codes})"
    if not stored:
        return f"outcome {entry.outcome}, but no object in the store"
    if said.line.move is Move.PHOTO and not _has_photo(stored):
        return "the photograph is not in the store"
    return _unlisted(stored[0], shelf)


def _has_photo(stored: Sequence[StoredObject]) -> bool:
    digest = hashlib.sha256(flooded_bridge()).hexdigest()
    return any(digest in record.media for record in stored)


def _unlisted(record: StoredObject, shelf: Shelf) -> str | None:
    listing = shelf.listed.get(record.key)
    if listing is None:
        return "stored, but in no manifest"
    if listing.sha256 != record.sha256:
        return f"its SHA-256 is {record.sha256}, its manifest says {listing.sha256}"
    return None
