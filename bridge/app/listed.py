"""What the settings file says of a group, for verbs that start nothing."""

from __future__ import annotations

from bridge.model import Particulars
from config.settings import Settings
from config.tables import ListedGroup


def particulars_of(group: ListedGroup) -> Particulars:
    """What the file says of a group."""
    return Particulars(
        owner=group.owner,
        purpose=group.purpose,
        retention=group.retention,
        dpia=group.dpia,
        device_type=group.device_type,
    )


def class_names(settings: Settings) -> frozenset[str]:
    """The classes of retention that a group may be given."""
    return frozenset(each.name for each in settings.retention)
