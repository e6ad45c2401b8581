"""Which class of retention each group has: one answer for every page."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from bridge import keys
from bridge.console.schedule import RetentionClass
from bridge.console.site import Parts
from bridge.errors import JournalError


async def classes_by_gid(parts: Parts) -> Mapping[str, RetentionClass]:
    """The classes of the groups that the settings or the register name; others have the usual one.

    While the register cannot be read, what the settings say is known.
    """
    schedule = parts.schedule
    found: dict[str, RetentionClass] = {}
    for connector, group_id in schedule.named:
        platform = parts.connectors.get(connector)
        if platform is not None:
            gid = keys.group_gid(parts.blind_key, platform, group_id)
            found[gid] = schedule.of(connector, group_id)
    with suppress(JournalError):
        for group in await parts.journal.groups():
            gid = keys.group_gid(parts.blind_key, group.platform, group.group_id)
            given = group.particulars.retention
            found[gid] = schedule.of(group.connector, group.group_id, given)
    return found
