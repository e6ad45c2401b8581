"""What the demonstration sees of the journal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bridge.lifecycle import EntryState
from bridge.model import EventKind, Outcome
from bridge.protocols import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoEntry:
    """An entry of the journal as the screen shows it. ``key`` is below ``v1/<tenant>/``."""

    group_id: str
    upstream_id: str
    kind: EventKind
    state: EntryState
    outcome: Outcome | None
    reasons: tuple[str, ...]
    body: str | None
    stored_at: datetime | None
    sent_at: datetime | None
    expires_at: datetime | None
    key: str | None
    sender: str = ""

    @classmethod
    def of(cls, entry: Entry) -> DemoEntry:
        """The view of a journal row."""
        event = entry.event
        reasons = entry.verdict.reasons if entry.verdict is not None else ()
        return cls(
            group_id=event.group_id,
            upstream_id=event.upstream_id,
            kind=event.kind,
            state=entry.state,
            outcome=entry.verdict.outcome if entry.verdict is not None else None,
            reasons=tuple(dict.fromkeys(reason.code for reason in reasons)),
            body=event.body,
            stored_at=entry.stored_at,
            sent_at=event.sent_at,
            expires_at=entry.expires_at,
            key=entry.record.key if entry.record is not None else None,
            sender=event.sender.id if event.sender is not None else "",
        )
