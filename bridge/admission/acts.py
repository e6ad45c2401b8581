"""Acts on groups: what a person ordered, and what the recorder posted."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bridge import keys
from bridge.canonical import act_bytes
from bridge.canonical.json import Json
from bridge.model import Group
from bridge.protocols import Clock, Placement, PlacementKind, StepKind

_WITH_PARTICULARS = frozenset({StepKind.PROPOSE, StepKind.APPROVE, StepKind.RESUME})


class Acts:
    """Makes the documents; whoever moves the group writes them in the same transaction."""

    def __init__(self, *, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random = random_bytes

    def step(
        self, group: Group, kind: StepKind, by: str, why: str, *, at: str | None = None
    ) -> Placement:
        """A step on a group; ``at`` is when it was ordered.

        One by which a group may be recorded has what is on record of it then. An invitation has no
        step: of a group that nobody approved nothing MUST go into the store.
        """
        details: dict[str, Json] = {"step": kind.value, "why": why, "ordered_at": at}
        if kind in _WITH_PARTICULARS:
            details |= _particulars(group)
        if kind is StepKind.APPROVE:
            details["proposed_by"] = group.proposed_by
        return self._act(group, PlacementKind.STEP, by, details)

    def notice(self, group: Group, details: Mapping[str, Json]) -> Placement:
        """The notice of a group, or its refusal."""
        return self._act(group, PlacementKind.NOTICE, "bridge", details)

    def _act(
        self, group: Group, kind: PlacementKind, by: str, details: Mapping[str, Json]
    ) -> Placement:
        now = self._clock.now()
        named = {"name": group.name} if group.name else {}
        body = act_bytes(
            salt=self._random(32),
            kind=kind.value,
            at=now,
            by=by,
            details={
                "connector": group.connector,
                "platform": group.platform,
                "group": {"id": group.group_id, **named},
                **details,
            },
        )
        return Placement(
            kind=kind,
            folder=keys.act_folder(now),
            body=body,
            connector=group.connector,
            group_id=group.group_id,
            at=now,
        )


def _particulars(group: Group) -> dict[str, Json]:
    said = group.particulars
    return {
        "owner": said.owner,
        "purpose": said.purpose,
        "retention": said.retention,
        "dpia": said.dpia,
        "device_type": said.device_type,
        "capture_all": group.capture_all,
    }
