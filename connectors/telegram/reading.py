"""What was read of one update, before it is an event."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.model import Attachment, EventKind, Relation

Facts = tuple[tuple[str, str], ...]


@dataclass(slots=True, kw_only=True)
class Reading:
    """What was read of an update. Lives only while it is mapped."""

    kind: EventKind
    body: str | None = None
    relates_to: Relation | None = None
    attachments: tuple[Attachment, ...] = ()
    facts: Facts = ()
    missing: str | None = None
    problem: str | None = None


def fact(name: str, value: str | int | None) -> Facts:
    """A platform's fact, or nothing where there is none."""
    return () if value is None or value == "" else ((name, str(value)),)


def lines(*parts: str | None) -> str | None:
    """The parts that are there, each on a line of its own."""
    return "\n".join(part for part in parts if part) or None
