"""Who is in a group, as far as the Bot API tells a bot: its administrators, and how many in all."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bridge.canonical.json import rfc3339
from bridge.model import Event, EventKind
from bridge.rawjson.fields import decode, table
from bridge.rawjson.scan import ScanError, elements
from connectors.telegram.people import shown_as
from connectors.telegram.reading import fact

ADMINISTRATORS = "administrators"


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """What was told of the members. ``raw`` is the exact array of administrators."""

    raw: bytes = field(repr=False)
    members: int | None = None


def roster(group_id: str, found: Roster, at: datetime) -> Event:
    """Who could read the group at this time. ``covers`` says that these are not all."""
    names = sorted(filter(None, map(_name, _parts(found.raw))))
    return Event(
        group_id=group_id,
        upstream_id=f"roster:{rfc3339(at)}",
        kind=EventKind.ROSTER,
        observed_at=at,
        body="\n".join(names),
        upstream=(*fact("members", found.members), *fact("covers", ADMINISTRATORS)),
        raw=found.raw,
    )


def _name(member: bytes) -> str | None:
    return shown_as(table(decode(member) or {}, "user"))


def _parts(raw: bytes) -> list[bytes]:
    try:
        return list(elements(raw))
    except ScanError:
        return []
